/*
 * routing - this host's forwarding, which networks need: switched on by prism
 * for them alone
 *
 * Without forwarding, packets that are not for the host itself go nowhere. It
 * cannot be switched on for some: from then on the host is a router for all its
 * neighbours. Where it was on before, or some interface forwarded, the host is
 * a router on purpose, and prism drops nothing. Where prism switches it on, two
 * chains in its table drop what is not for its networks (nftroute.h).
 *
 * Forwarding stays on when the last container has ended: another program may
 * have found it on and rely on it, and to switch it off would also allow ICMP
 * redirects on all interfaces, whatever the administrator said. So the chains
 * stay as well, alone in the table, until the host starts again or somebody
 * switches forwarding off.
 *
 * That it was prism is remembered where forwarding is: in the kernel, per
 * network namespace, in a number that it keeps for the administrator and has no
 * use for (conf/all/tag for IPv4, conf/lo/tag for IPv6). So it lives just as
 * long, is the same for all stores, and outlives "nft flush ruleset".
 *
 * The order makes it safe to die at any place: first the number, then the
 * chains, then forwarding. What finds forwarding off begins again; what finds
 * it on, and the number, has only to look for the chains.
 *
 * A host that forwards IPv6 no longer listens to the routers around it, and
 * would lose its default route; so interfaces that have heard one are told to
 * go on listening (accept_ra 2).
 */
#ifndef RUNTIME_NET_ROUTING_H
#define RUNTIME_NET_ROUTING_H

#include "base/err.h"

#include <stdbool.h>

/* Families or'ed: those whose forwarding prism switched on. */
enum routing_family {
	ROUTING_V4 = 1,
	ROUTING_V6 = 2,
};
unsigned int routing_is_ours(void);

/* Families that this host forwards at all. */
unsigned int routing_is_on(void);

/*
 * For a network whose bridge the firewall knows already (families: those it
 * has). fresh: the firewall did not know it a moment ago, and may have lost the
 * chains too.
 */
int routing_need(unsigned int families, bool fresh, struct err *e);

/* Put back chains that should be there. */
int routing_hold(struct err *e);

/*
 * Families whose chains are to stay without any network. What was switched off
 * since is forgotten.
 */
unsigned int routing_keep(void);

#endif
