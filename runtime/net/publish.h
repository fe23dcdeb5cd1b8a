/*
 * publish - a container's place in the firewall, and its published ports
 *
 * What ports.h, nft.h and forward.h do, for the networks of one container as
 * net.c has them. Ports are published by the first bridge it is on: there it
 * has its default route. Without a bridge they are left out, as docker does.
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

/* What -p and -P ask for, written into st->ports; the sockets are ret's. */
int publish_reserve(const struct run_spec *s, const struct netdef *first,
		    struct net_state *st, struct ports *ret, struct err *e);

/* owner is for who reads the rules: its name. 1: the first of its network. */
int publish_up(const struct net_state *st, size_t i, const struct netdef *d,
	       const char *owner, struct err *e);
int publish_down(const struct net_state *st, size_t i, struct err *e);

/* The one who carries what no rule leads there; NULL: nothing to carry. */
int publish_carry(const struct net_state *st, struct ports *p,
		  struct forward **ret, struct err *e);

#endif
