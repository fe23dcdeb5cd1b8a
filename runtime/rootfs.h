/*
 * rootfs - the file system that a container sees, built by its init
 *
 * Phases, each named as a step: prepare (detached copies of what comes from
 * the host, while the host is still in sight), root (overlay or directory),
 * pivot, proc and sys, detach (the host is gone), dev, mask, files (hosts,
 * hostname, resolv.conf), and last the user's volumes.
 *
 * Everything of the host is opened before the pivot and attached by fd
 * afterwards. Before init looks up the first path in the container, it closes
 * every fd that it has from the monitor, except those in one table (keep_only
 * in rootfs.c). place.h decides where things may be mounted.
 */
#ifndef RUNTIME_ROOTFS_H
#define RUNTIME_ROOTFS_H

#include "base/err.h"
#include "runtime/container.h"
#include "runtime/nsjoin.h"
#include "runtime/spec.h"

/*
 * Detached mounts made by the monitor, where init may not follow the paths
 * (--userns auto): the container's directory, and the layers (or the one
 * directory of --rootfs) and volumes as seen through the id map.
 */
struct host_trees {
	int dir; /* -1: none of this, paths work */
	int *lowers;
	int n_lowers;
	int *lent; /* of mounts_is_lent, in the order of the mounts */
	int n_lent;
	const struct nsjoin *joined; /* mounts of containers that are joined */
	int netns; /* where that is to be taken from (netns_ahead); -1: we are
		      in it */
	int sync;
};

/*
 * What rootfs_build made, as fds: they stay valid whatever is mounted over the
 * paths or replaces them.
 */
struct inside {
	int proc;   /* the root of the container's procfs */
	int dev;    /* the root of the tmpfs on /dev */
	int pts;    /* the root of its devpts */
	int null;   /* its null device */
	int *trees; /* the user's mounts, in spec order */
};

/* Build the root of c as the spec says. Afterwards the cwd is its "/". */
int rootfs_build(const struct run_spec *s, const struct container *c,
		 const struct host_trees *t, struct inside *ret, struct err *e);

/* After the tty exists: /dev/console. */
int rootfs_console(int slave_fd, struct err *e);

#endif
