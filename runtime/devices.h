/*
 * devices - nodes of the host in a container's /dev: --device, --privileged
 *
 * The host's root makes nodes of its own with the owner and mode of the host's;
 * in a user namespace and without CAP_MKNOD, where mknod(2) is refused, the
 * host's own nodes are mounted (with --privileged those that the user can open).
 *
 * Life: devices_prepare, while the host is in sight -> (pivot, /dev) ->
 * devices_make. What it holds lives as long as init.
 */
#ifndef RUNTIME_DEVICES_H
#define RUNTIME_DEVICES_H

#include "base/err.h"
#include "base/fdlist.h"
#include "runtime/spec.h"

struct devices; /* NULL: none */

/* The host's nodes are mounted, since the kernel lets us make none. */
bool devices_are_lent(const struct run_spec *s);

int devices_prepare(const struct run_spec *s, struct devices **ret,
		    struct err *e);
/* Add the fds of the host that d holds to the list. */
void devices_fds(const struct devices *d, struct fd_list *ret);

/*
 * Make the devices. dev: the root of the container's /dev; targets below /dev
 * are made in it, whatever the image has there. Call it before /dev becomes
 * nodev; each node is a mount of its own.
 */
int devices_make(const struct run_spec *s, const struct devices *d, int dev,
		 struct err *e);

#endif
