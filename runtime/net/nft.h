/*
 * nft - prism's part of the host's firewall: table "inet prism"
 *
 * One chain per network (named after its bridge) says what may go into it:
 * what comes from the same bridge, answers, and what came by a published port.
 * An isolated network gets nothing from its own bridge either: neither the
 * bridge (bridge.c) nor the host forwards between its members. An internal
 * network has no other traffic in either direction. Packets that leave a subnet
 * by another link are masqueraded; so are packets from a bridge to a port
 * published on the same bridge, because the answer would otherwise bypass the
 * host (hairpin). Published ports are elements of maps, so a port can be added
 * or removed without knowing the others.
 *
 * No reference counts are kept. Each endpoint is an element of the map
 * "members" that leads to its network's chain, and each network an element of
 * "networks" that leads to the chain "inuse". The kernel refuses to delete a
 * chain that an element leads to. So a network is removed with its last
 * endpoint and the table with the last network, in one transaction each, even
 * if other processes, of this store or another, add or remove endpoints
 * meanwhile. If prism switched forwarding on, the chains of nftroute.h stay
 * (routing.h).
 *
 * nft_up is idempotent: it sets everything of this endpoint, and of its network
 * if the kernel lacks that. So a reload calls nft_up for every endpoint.
 *
 * All calls act on the network namespace of the caller.
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
