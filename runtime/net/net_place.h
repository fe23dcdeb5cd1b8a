/*
 * net_place - one container in one network
 *
 * Life: net_place_find (an address is reserved, and all that is to be stands
 * in a net_end, for the file "network") -> net_place_attach (the interface) ->
 * net_place_end, from what the file says alone. netdef_free(&p->def) at the end
 * of the way up.
 */
#ifndef RUNTIME_NET_NET_PLACE_H
#define RUNTIME_NET_NET_PLACE_H

#include "base/err.h"
#include "base/ip.h"
#include "runtime/net/net.h"
#include "runtime/net/netdef.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What the way up knows of one network beside what is written down. */
struct net_place {
	struct netdef def;
	struct ip ip;
	struct ip ip6;
	uint8_t mac[6];
};

/*
 * Written behind the last one of st->ends, where there is room for it, without
 * counting it. What has no name of its own is the next eth0, eth1... that none
 * of s has.
 */
int net_place_find(const struct net_of *o, const struct run_spec *s,
		   const struct net_attach *a, struct net_state *st,
		   struct net_place *p, struct err *e);

int net_place_attach(const struct net_of *o, const struct net_place *p,
		     const struct net_end *n, bool is_default, pid_t init,
		     int pidfd, struct err *e);

/* Addresses of one that was cut short before it was written down. */
int net_place_forget(const struct net_of *o, const char *network,
		     struct err *e);

/* Take it back, and tell the others of the network. */
int net_place_end(const struct net_of *o, const struct net_state *st,
		  const struct net_end *n, struct err *e);

#endif
