/*
 * place - where in the root of a container something is mounted
 *
 * The root was written by an image, by the owner of a --rootfs directory or by
 * the program of the container. No path in it is believed:
 *
 *   /proc, /sys, /dev   must be directories right below the root; no link is
 *                       followed, and what was mounted is looked for there
 *                       afterwards
 *   a target            of -v, --mount, --tmpfs, VOLUME, --device, or of one
 *                       of prism's own files: links are followed inside the
 *                       root, what is missing is made, and what was found must
 *                       not lie on a file system of the kernel
 *
 * Nothing is mounted on or below /proc and /sys: it would lie about the kernel
 * to the program, or uncover what masks.h hides. There are two exceptions,
 * which a user can ask for, but never an image:
 *
 *   a file of the host on /proc/cpuinfo and the few others that lxcfs imitates
 *   (what runc allows);
 *   a part of the host's /sys on or below /sys: -v /sys/fs/cgroup:/sys/fs/cgroup
 *
 * Errors: ERR_USAGE for a target that is not allowed, ERR_INVALID for a root
 * that prism cannot use.
 */
#ifndef RUNTIME_PLACE_H
#define RUNTIME_PLACE_H

#include "base/err.h"
#include "runtime/spec.h"
#include <stdbool.h>

/* "/a/b/../c/" -> "/a/c": the text alone. "/" is ERR_USAGE. Malloced. */
int place_clean(const char *target, char **ret, struct err *e);

/* Is it /proc or /sys, or below one of them? path: a clean one. */
bool place_is_kernels(const char *path);

/* May this be mounted at its target? As far as the words say. */
int place_check(const struct mount_spec *m, struct err *e);

/* The same for a path that nobody may except: --device, VOLUME. */
int place_check_path(const char *target, struct err *e);

/*
 * Mount a detached tree on the directory `name` ("proc", "sys", "dev") of the
 * root, which is made if it is missing. magic: of its file system, 0 for any.
 * The cwd is the root. where: what the error calls the root.
 */
int place_own(int tree, const char *name, long magic, const char *where,
	      struct err *e);

/* The root of the container's procfs, O_PATH; the cwd is the root. */
int place_proc(struct err *e);

/*
 * Make what is missing of the directories above target; O_PATH. *ret_name is
 * the last component.
 */
int place_parent(int root, const char *target, unsigned int way,
		 const char **ret_name, struct err *e);

/*
 * Mount a detached tree at target below root (as in base/path.h); a directory
 * or an empty file is made there, as is_dir says.
 */
int place_attach(int root, int tree, const char *target, unsigned int way,
		 bool is_dir, struct err *e);

#endif
