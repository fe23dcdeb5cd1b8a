/*
 * place - where something is mounted in the root of a container
 *
 * An image, the owner of a --rootfs directory or the container's program wrote
 * the root, so no path in it is trusted:
 *
 *   /proc, /sys, /dev   must be directories directly below the root. Links are
 *                       not followed. After the mount, prism checks that the
 *                       mount is what the name leads to.
 *   other targets       those of -v, --mount, --tmpfs, VOLUME and --device, and
 *                       prism's own files. Links are followed inside the root
 *                       and missing directories are created; the result must
 *                       not lie on a file system of the kernel.
 *
 * Nothing is mounted on or below /proc and /sys: such a mount could fake kernel
 * files for the program or uncover what masks.h hides (CVE-2019-16884,
 * CVE-2023-27561, CVE-2025-31133). There are two exceptions, which a user can
 * ask for but an image cannot:
 *
 * - a file of the host on /proc/cpuinfo and the other files that lxcfs provides
 *   (runc allows the same ones);
 * - a part of the host's /sys on or below /sys, as in
 *   -v /sys/fs/cgroup:/sys/fs/cgroup
 *
 * Errors: ERR_USAGE for a target that is not allowed, ERR_INVALID for a root
 * that prism cannot use.
 */
#ifndef RUNTIME_PLACE_H
#define RUNTIME_PLACE_H

#include "base/err.h"
#include "runtime/spec.h"
#include <stdbool.h>

/*
 * "/a/b/../c/" -> "/a/c", by text alone. ERR_USAGE for "/" and for a relative
 * path. Malloced.
 */
int place_clean(const char *target, char **ret, struct err *e);

/* Is this clean path /proc, /sys, or below one of them? */
bool place_is_kernels(const char *path);

/* May this be mounted at its target? Checks the text of the paths only. */
int place_check(const struct mount_spec *m, struct err *e);

/* The same for a target without exceptions: --device, VOLUME. */
int place_check_path(const char *target, struct err *e);

/*
 * Mount a detached tree on the directory `name` ("proc", "sys", "dev") of the
 * root, which is the cwd; a missing directory is created. magic: the f_type of
 * the tree's file system (statfs(2)), 0 for any. where: the root's name for
 * errors. The tree stays the caller's.
 */
int place_own(int tree, const char *name, long magic, const char *where,
	      struct err *e);

/* The root of the container's procfs, O_PATH; the cwd is the root. */
int place_proc(struct err *e);

/*
 * Create the missing directories above target and open the last one (O_PATH).
 * *ret_name is the last component; it points into target.
 */
int place_parent(int root, const char *target, unsigned int way,
		 const char **ret_name, struct err *e);

/*
 * Mount a detached tree at target below root; way: see base/path.h. A missing
 * target is created: a directory if is_dir, else an empty file.
 */
int place_attach(int root, int tree, const char *target, unsigned int way,
		 bool is_dir, struct err *e);

#endif
