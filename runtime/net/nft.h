/*
 * nft - prism's part of the host's firewall: table "inet prism"
 *
 * One chain per network (named after its bridge) says what may go into it:
 * what comes from the same bridge, answers, and what came by a published port.
 * Of an isolated one nothing comes from the same bridge: what the bridge itself
 * does not take from one to the other (bridge.c), the host does not either. An
 * internal network has nothing else in either direction. What leaves a
 * subnet by another link is masqueraded; what went to a published port and came
 * from the same bridge as well, because its answer would not come back through
 * the host (hairpin). Published ports are elements of maps, so that adding and
 * removing one needs to know nothing of the others.
 *
 * Nobody counts who is left. Each endpoint is an element of the map "members"
 * that leads to its network's chain, and each network one of "networks" that
 * leads to chain "inuse": the kernel refuses to delete a chain to which
 * something leads. So a network goes with its last endpoint and the table with
 * the last network, in one transaction each, whoever else comes and goes
 * meanwhile, of this store or another. If prism switched forwarding on, the chains
 * of nftroute.h stay (routing.h).
 *
 * nft_up is idempotent: it says all of this endpoint, and of its network if the
 * kernel does not have that. So a reload is nft_up of everybody.
 *
 * All calls are for the network namespace of the caller.
 */
#ifndef RUNTIME_NET_NFT_H
#define RUNTIME_NET_NFT_H

#include "base/err.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct port_map;

struct nft_net {
	const char *bridge; /* name of the link */
	bool internal;
	bool no_masquerade;
	bool isolated;
	struct ip_net v4; /* none: it has none */
	struct ip_net v6;
};

struct nft_endpoint {
	struct nft_net net;
	const char *ifname; /* of the host's end of the veth: its key */
	const char *owner;  /* shown by nft(8): the container's name */
	struct ip v4;
	struct ip v6;
	const struct port_map *ports; /* published here */
	size_t n_ports;
};

/* 1: it is the first one of its network; 0. */
int nft_up(const struct nft_endpoint *p, struct err *e);

/*
 * What is not there any longer is no error. Of the network its bridge and
 * subnets are enough.
 */
int nft_down(const struct nft_endpoint *p, struct err *e);

#endif
