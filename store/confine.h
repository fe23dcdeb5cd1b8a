/*
 * confine - what a process gives up before it meets untrusted bytes
 *
 * Small steps that untar_confine and decomp_fork are made of. All of them act
 * on the calling, single-threaded process and cannot be undone.
 */
#ifndef STORE_CONFINE_H
#define STORE_CONFINE_H

#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

#define CONFINE_CAP(c) (UINT64_C(1) << (c))

/*
 * Drop every capability that is not in keep, from all five sets. Holding none
 * to begin with is fine.
 */
int confine_caps(uint64_t keep, struct err *e);

/* no_new_privs, no core dump, not dumpable. */
int confine_privs(struct err *e);

/*
 * Allow the system calls of the list, and what every process needs to compute,
 * allocate, and die; everything else fails with EPERM. Memory cannot be made
 * executable. A kernel without seccomp is not an error.
 */
int confine_syscalls(const int *allowed, size_t n, struct err *e);

/* Close all fds from 3 on except these two (-1: none). */
int confine_fds(int keep_a, int keep_b, struct err *e);

/*
 * Own mount and network namespaces; the root becomes an empty read-only tmpfs
 * with the directory at "layer" in it, nosuid,nodev,noexec. Else chroot into
 * the directory. dir_fd keeps its number. Without privilege nothing happens.
 */
int confine_root(int dir_fd, struct err *e);

/*
 * The same for several directories. The root is empty, and each fd becomes the
 * root of a detached mount of its own, so ".." cannot lead out of it. Mounts
 * below the directory come along. The mounts of look[] are read-only, that of
 * change is writable (-1: none). Each fd keeps its number and is O_PATH
 * afterwards. Where mounting is not permitted, the process chroots into change,
 * or into look[0] if change is -1.
 */
int confine_trees(const int *look, size_t n, int change, struct err *e);

/*
 * Make one fd the root of a detached read-only mount, as confine_trees does. A
 * process that will join another mount namespace calls this first. Does nothing
 * where mounting is not permitted.
 */
void confine_cut(int look);

#endif
