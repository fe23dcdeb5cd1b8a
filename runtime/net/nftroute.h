/*
 * nftroute - the chains "routed" and "routed_out": if prism switched the host's
 * forwarding on, forward packets of prism's networks only
 *
 * A packet is foreign if it neither comes from nor goes to a bridge of prism.
 * Chain "routed" (hook forward) marks foreign packets, and "routed_out" (hook
 * postrouting) drops marked ones, unless a rule of another program translated
 * the address in between: that program (docker, podman, libvirt) has a network
 * on this host too and would have switched forwarding on itself. Two chains are
 * needed, because only postrouting sees a translated source, and only forward
 * tells forwarded packets from those that the host sends.
 *
 * A foreign packet may borrow a source address of such a network to be
 * translated with it. So a packet whose source address is not reached through
 * the interface that it came in by is dropped even if it was translated.
 * Packets that br_netfilter shows of a foreign bridge are not routed out of the
 * host, and pass.
 *
 * The two chains use two bits of the packet's mark and clear them.
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

/* Create the chain "inuse", to which the elements of "networks" lead. */
void nftroute_put_inuse(struct nft_tx *tx);

/* The table, the chains for these families (or'ed), and what they need. */
void nftroute_put(struct nft_tx *tx, unsigned int families);

/* The same, as a transaction of its own. */
int nftroute_set(unsigned int families, struct err *e);

/* 1 if the chains exist, 0 if not, -1 on an error. */
int nftroute_is_set(struct err *e);

#endif
