/*
 * pool - which subnets are taken, and a free one
 *
 * Taken are those of the other networks and, for a bridge, the routes of the
 * host: a bridge on a subnet that the host reaches elsewhere (the office, a
 * VPN) would take it away. The default route is no such route.
 *
 * Routes are read from /proc/net, which is that of the caller's own network
 * namespace.
 *
 * Life: struct pool p = {0}; pool_add, pool_add_routes -> pool_find,
 * pool_choose4, pool_choose6 -> pool_free.
 */
#ifndef RUNTIME_NET_POOL_H
#define RUNTIME_NET_POOL_H

#include "base/err.h"
#include "base/ip.h"
#include <stdbool.h>
#include <stddef.h>

struct pool_taken {
	struct ip_net net;
	char by[160]; /* "network x", "the route of eth0" */
};

struct pool {
	struct pool_taken *v;
	size_t n;
};

void pool_add(struct pool *p, const struct ip_net *net, const char *by);

/* All routes but default ones and those of the interface own. */
int pool_add_routes(struct pool *p, const char *own, struct err *e);
/* The texts of /proc/net/route and ipv6_route, for the tests. */
void pool_add_routes4(struct pool *p, const char *text, const char *own);
void pool_add_routes6(struct pool *p, const char *text, const char *own);

/* One that overlaps with net, or NULL. */
const struct pool_taken *pool_find(const struct pool *p,
				   const struct ip_net *net);

/*
 * A free /24: from 10.89.0.0/24 to 10.255.255.0/24, then of 172.16.0.0/12, then
 * of 192.168.0.0/16. big: a /16 instead, from 10.88.0.0/16 on.
 */
int pool_choose4(const struct pool *p, bool big, struct ip_net *ret,
		 struct err *e);
/* A free /64 of a random unique local prefix (RFC 4193). */
void pool_choose6(const struct pool *p, struct ip_net *ret);

void pool_free(struct pool *p);
#define autopool __attribute__((cleanup(pool_free)))

#endif
