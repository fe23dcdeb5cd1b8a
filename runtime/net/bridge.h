/*
 * bridge - a container's place on a bridge of the host
 *
 * The bridge is made by the first container and stays until its network is
 * removed. Its ifalias says whose it is: "prism" and the path of the store. One
 * that a store other than ours made is not touched, and one without an alias is
 * the user's: it is used as it is, and never removed.
 *
 * The container gets one end of a veth pair, made straight inside its network
 * namespace: to move it there afterwards costs 18 ms. The other end is a port
 * of the bridge; its name is written down (net.h), so that others find it. Both
 * go with the namespace.
 *
 * The MAC address follows from the IPv4 address, so that a neighbour who
 * remembers the one has the right other.
 */
#ifndef RUNTIME_NET_BRIDGE_H
#define RUNTIME_NET_BRIDGE_H

#include "base/err.h"
#include "base/ip.h"
#include "runtime/net/netdef.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct bridge_end {
	const struct netdef *net;
	int root_fd;
	const char *root_path; /* of the store: whose the bridge is */
	pid_t pid;             /* in whose network namespace it is to be */
	int netns;             /* the same as a pidfd */
	const char *host;      /* name of the end on the host */
	const char *name;      /* and in the container */
	struct ip ip;
	struct ip ip6;
	uint8_t mac[6];
	bool is_default; /* it has the default route */
};

/* 02:42 and the address. */
void bridge_mac(const struct ip *ip, uint8_t ret[6]);

/* The bridge if it is not there, the pair, addresses and routes. */
int bridge_attach(const struct bridge_end *b, struct err *e);

/* The host's end and with it the other; absent is success. */
int bridge_detach(const char *host, struct err *e);

/* The bridge of a network that is removed, if this store made it. */
int bridge_remove(const struct netdef *d, const char *root_path, struct err *e);

#endif
