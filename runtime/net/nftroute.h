/*
 * nftroute - the chains "routed" and "routed_out": on a host whose forwarding
 * prism switched on, only prism's networks are forwarded
 *
 * A packet of somebody else's is one that neither comes from nor goes to a
 * bridge of prism. It is marked on its way through the host (hook forward,
 * chain "routed") and dropped where it would leave (hook postrouting,
 * "routed_out"), unless a rule of another program translated its address
 * meanwhile: that program (docker, podman, libvirt) has a network here too, and
 * would have switched forwarding on itself. Only the second place knows of a
 * translation of the source, and only the first tells what is forwarded from
 * what the host sends.
 *
 * A source address that does not lead back to where the packet came from is
 * borrowed from such a network to be translated with it: that is dropped all
 * the same. What br_netfilter shows of a foreign bridge never leaves the host
 * by a route, and passes.
 *
 * Two bits of the packet's mark are used between the two chains, and cleared.
 */
#ifndef RUNTIME_NET_NFTROUTE_H
#define RUNTIME_NET_NFTROUTE_H

#include "base/err.h"
#include "runtime/net/nftmsg.h"

#include <stdbool.h>

enum nftroute_family {
	NFTROUTE_V4 = 1,
	NFTROUTE_V6 = 2,
};

/* The chain that each element of the map "networks" leads to. */
void nftroute_put_inuse(struct nft_tx *tx);

/* The table, the chains for these families (or'ed), and what they refer to. */
void nftroute_put(struct nft_tx *tx, unsigned int families);

/* The same in a transaction of its own. */
int nftroute_set(unsigned int families, struct err *e);

/* 1: the chains are there; 0; -1. */
int nftroute_is_set(struct err *e);

#endif
