/*
 * mnt - mounting, with the kernel's own words in the error
 *
 * All of it happens in the mount namespace of a container, by its init, while
 * nothing else runs there. Paths here are paths of the host, or names in
 * directories that prism made. place.h mounts at paths in a container.
 */
#ifndef RUNTIME_MNT_H
#define RUNTIME_MNT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * mount(2) of a new file system. target, which the error names, is a path of
 * the host, or a name in the cwd if that is a directory that prism made.
 */
int mnt_new(const char *type, const char *target, unsigned long flags,
	    const char *data, struct err *e);

/* What is mounted from here on stays in our mount namespace. */
int mnt_private(struct err *e);

/*
 * A detached copy of the mount (and with recursive all below it) at path;
 * close it or attach it. propagation: MS_PRIVATE, MS_SLAVE, MS_SHARED or 0.
 */
int mnt_clone(int dirfd, const char *path, bool recursive, bool readonly,
	      uint64_t propagation, struct err *e);

/* The same with attributes: MOUNT_ATTR_RDONLY, _NOSUID, _NODEV, _NOEXEC. */
int mnt_clone_attr(int dirfd, const char *path, bool recursive, uint64_t attr,
		   uint64_t propagation, struct err *e);

/*
 * A new file system as a detached mount; data: its options as mount(8) writes
 * them, NULL for none. attr as above.
 */
int mnt_fs(const char *type, const char *data, uint64_t attr, struct err *e);

/*
 * Attach a detached mount at a path of the host, before any path of the
 * container is reachable. For a path in the container use place_attach.
 */
int mnt_attach(int tree, const char *target, struct err *e);

/*
 * Device nodes of a mount (an fd of it, or a path with AT_FDCWD) lead nowhere
 * any more; with recursive the same of all below it.
 */
int mnt_nodev(int dirfd, const char *path, bool recursive, struct err *e);

/* The mount at target read-only, with recursive all below it. */
int mnt_readonly(const char *target, bool recursive, struct err *e);

/* A detached tree, with all below it. */
int mnt_tree_readonly(int tree, const char *what, struct err *e);

/*
 * Overlay: lowers top first, as absolute paths or as fds. The fds must be of
 * the caller's own mount namespace, or detached mounts (since 6.15):
 * overlayfs refuses mounts of another namespace.
 */
struct mnt_overlay {
	char *const *lower_paths;
	const int *lower_fds; /* instead of paths */
	int n_lowers;
	const char *upper; /* absolute path; NULL: read-only, two lowers */
	const char *work;  /* absolute path */
	bool userxattr;
	bool is_volatile;
	bool nodev;
};
/* Mount it on target, by trying the ways that kernels know (see mnt.c). */
int mnt_overlay(const struct mnt_overlay *o, const char *target, struct err *e);

#endif
