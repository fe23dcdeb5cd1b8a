/*
 * routing - switch this host's forwarding on, for prism's networks only
 *
 * Bridge networks need forwarding: without it the host drops every packet that
 * is not for itself. It cannot be switched on for single networks; once it is
 * on, the host is a router for all its neighbours. If forwarding was on before,
 * even for one interface, the host is a router on purpose, and prism drops
 * nothing. If prism switches it on, two chains in prism's table drop packets
 * that are not for prism's networks (nftroute.h).
 *
 * Forwarding stays on after the last container ends: another program may have
 * found it on and rely on it, and switching it off would also allow ICMP
 * redirects on all interfaces, against the administrator's settings. So the
 * chains stay too, alone in the table, until the host reboots or the
 * administrator switches forwarding off.
 *
 * The kernel itself remembers, per network namespace, that prism switched
 * forwarding on: in a number that it reserves for administrators and does not
 * use (conf/all/tag for IPv4, conf/lo/tag for IPv6; Linux
 * Documentation/networking/ip-sysctl.rst). So the record lives as long as the
 * forwarding, is shared by all stores, and survives "nft flush ruleset".
 *
 * The order of steps makes a crash at any point safe: first the number, then
 * the chains, then forwarding. If forwarding is off, a start does all three
 * again; if it is on and the number is set, a start only checks the chains.
 *
 * A host that forwards IPv6 ignores router advertisements and would lose its
 * default route. So on interfaces that received one, prism sets accept_ra to 2.
 */
#ifndef RUNTIME_NET_ROUTING_H
#define RUNTIME_NET_ROUTING_H

#include "base/err.h"

#include <stdbool.h>

/*
 * Families, or'ed. routing_is_ours: those whose forwarding prism switched on.
 */
enum routing_family {
	ROUTING_V4 = 1,
	ROUTING_V6 = 2,
};
unsigned int routing_is_ours(void);

/* The families that this host forwards. */
unsigned int routing_is_on(void);

/*
 * Ensure forwarding for a network with these families. The firewall must have
 * the network's bridge already. fresh: it got the bridge just now, so it may
 * have lost the chains too (nft flush ruleset).
 */
int routing_need(unsigned int families, bool fresh, struct err *e);

/* Restore missing chains. */
int routing_hold(struct err *e);

/*
 * The families whose chains stay although there is no network. Also forgets
 * families whose forwarding was switched off since.
 */
unsigned int routing_keep(void);

#endif
