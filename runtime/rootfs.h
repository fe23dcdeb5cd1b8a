/*
 * rootfs - the file system that a container sees, built by its init
 *
 * Phases, each named as a step: prepare (detached copies of what comes from
 * the host, while the host is still in sight), root (overlay or directory),
 * pivot (the host is gone), system (proc, sys, dev), files (hosts, hostname,
 * resolv.conf, the user's volumes), mask, and last the root read-only.
 *
 * Everything of the host is opened before the pivot and attached by fd
 * afterwards; paths in the container are used only when the host is out of
 * reach.
 */
#ifndef RUNTIME_ROOTFS_H
#define RUNTIME_ROOTFS_H

#include "base/err.h"
#include "runtime/container.h"
#include "runtime/spec.h"

/*
 * Build all of it for c as s says. lower_fds: idmapped copies of the layers
 * that stand for s->lowers, or NULL. Ends in "/" of the container.
 */
int rootfs_build(const struct run_spec *s, const struct container *c,
		 const int *lower_fds, struct err *e);

/* After the tty exists: /dev/console. */
int rootfs_console(int slave_fd, struct err *e);

#endif
