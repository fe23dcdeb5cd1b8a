/*
 * publish - a container's place in the firewall, and its published ports
 *
 * What ports.h, nft.h and forward.h do, for the networks of one container as
 * net.c has them. Ports are published by the bridge that has its default route,
 * else by the first one that leads out. Without a bridge they are left out, as
 * docker does. When networks come and go, another one may be it: what has been
 * reserved stays, and goes there.
 *
 * Life: publish_reserve (before anything) -> publish_up for each bridge, when
 * its links are there -> publish_carry -> publish_down for each.
 */
#ifndef RUNTIME_NET_PUBLISH_H
#define RUNTIME_NET_PUBLISH_H

#include "base/err.h"
#include "runtime/net/net.h"

struct forward;
struct netdef;
struct ports;

/* Which one publishes; n_ends when there is none. */
size_t publish_by(const struct net_state *st);

/* What -p and -P ask for by it, written into st->ports; sockets are ret's. */
int publish_reserve(const struct run_spec *s, const struct netdef *by,
		    struct net_state *st, struct ports *ret, struct err *e);
/* Those that st says, by whoever is to hold them from now on. */
int publish_hold(const struct net_state *st, struct ports *ret, struct err *e);

/* owner is for who reads the rules: its name. 1: the first of its network. */
int publish_up(const struct net_state *st, size_t i, const struct netdef *d,
	       const char *owner, struct err *e);
int publish_down(const struct net_state *st, size_t i, struct err *e);

/* The one who carries what no rule leads there; NULL: nothing to carry. */
int publish_carry(const struct net_state *st, struct ports *p,
		  struct forward **ret, struct err *e);
/* The same, since its networks are others. */
void publish_follow(const struct net_state *st, struct forward *f);

#endif
