/*
 * vlan - a container's place right on an interface of the host: macvlan, ipvlan
 *
 * The container is a neighbour of the host on the parent's network, with a MAC
 * address of its own (macvlan) or with the parent's (ipvlan). Nothing is
 * translated or filtered on the way. The host itself is the one that it cannot
 * reach: the kernel does not pass packets between a parent and what is on it.
 *
 * The interface is made straight inside the container's network namespace, and
 * goes with it.
 *
 * A parent "eth0.10" that is not there is made, as Docker does: the VLAN 10 of
 * eth0. Its ifalias says which store made it, like that of a bridge; it stays
 * until the last network on it is removed.
 *
 * Errors: ERR_NOTFOUND, there is no such parent; ERR_BUSY, it carries the other
 * kind.
 */
#ifndef RUNTIME_NET_VLAN_H
#define RUNTIME_NET_VLAN_H

#include "base/err.h"
#include "runtime/net/bridge.h"
#include "runtime/net/netdef.h"

#include <stdbool.h>

/* False: it has its parent's MAC address, and none can be asked for. */
bool vlan_has_mac(const struct netdef *d);

/* On an error the container has nothing of it. */
int vlan_attach(const struct bridge_end *b, struct err *e);

/*
 * The parent of a network that is removed, if this store made it and no other
 * of its networks is on it.
 */
int vlan_remove(const struct netdef *d, int root_fd, const char *root_path,
		struct err *e);

#endif
