/*
 * lend - what a container with a range of ids of its own (--userns auto) gets
 * from outside
 *
 * The store is closed to its ids, and the files of the layers belong to
 * others. So somebody who is root of the host (its monitor, or whoever looks
 * at one that is stopped) copies what it needs as detached mounts, as seen
 * through the container's id map, and sends the fds.
 *
 * Life: lend_trees -> (sync_send_fds, sync_wait_fds) -> lend_take.
 */
#ifndef RUNTIME_LEND_H
#define RUNTIME_LEND_H

#include "base/err.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

/*
 * dir, the container's directory, first; then the layers or the one directory;
 * then the volumes (mounts_is_lent). userns: an fd of the namespace with the
 * map. *n counts the fds also when -1 is returned; at most SYNC_FDS_MAX.
 */
int lend_trees(const struct run_spec *s, const char *dir, int userns, int *fds,
	       int *n, struct err *e);

/* The other side: n fds take their places in ret, which borrows nothing. */
int lend_take(const struct run_spec *s, const int *fds, int n,
	      struct host_trees *ret, struct err *e);

#endif
