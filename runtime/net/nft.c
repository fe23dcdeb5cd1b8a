#include "nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/net/nftask.h"
#include "runtime/net/nftforeign.h"
#include "runtime/net/nftmsg.h"
#include "runtime/net/nftroute.h"
#include "runtime/net/nftrule.h"
#include "runtime/net/ports.h"
#include "runtime/net/routing.h"

#define CHAIN_MAX (IFNAMSIZ + 8)
#define STATE(s)  (1U << ((s) + 1)) /* NF_CT_STATE_BIT of the kernel */

#define TRIES 8

static const char *const port_maps[] = {"ports4", "ports6", "ports4_at",
					"ports6_at"};
static const struct nft_table ours = {NFPROTO_INET, "prism"};

static const char *chain_name(char ret[CHAIN_MAX], const char *what,
			      const char *bridge)
{
	(void)snprintf(ret, CHAIN_MAX, "%s_%.15s", what, bridge);
	return ret;
}

/* ---- what all networks share --------------------------------------------------- */

static void add_maps(struct nft_tx *tx)
{
	static const struct nft_map maps[] = {
		{"members", 0, {NFT_T_IFNAME}, {NFT_T_VERDICT}},
		{"networks", 0, {NFT_T_IFNAME}, {NFT_T_VERDICT}},
		{"into", 0, {NFT_T_IFNAME}, {NFT_T_VERDICT}},
		{"internal", 0, {NFT_T_IFNAME}, {NFT_T_VERDICT}},
		{"isolated", 0, {NFT_T_IFNAME}, {NFT_T_VERDICT}},
		{"subnets4", NFT_SET_INTERVAL, {NFT_T_IP}, {NFT_T_VERDICT}},
		{"subnets6", NFT_SET_INTERVAL, {NFT_T_IP6}, {NFT_T_VERDICT}},
		{"ports4",
		 0,
		 {NFT_T_PROTO, NFT_T_PORT},
		 {NFT_T_IP, NFT_T_PORT}},
		{"ports6",
		 0,
		 {NFT_T_PROTO, NFT_T_PORT},
		 {NFT_T_IP6, NFT_T_PORT}},
		{"ports4_at",
		 0,
		 {NFT_T_IP, NFT_T_PROTO, NFT_T_PORT},
		 {NFT_T_IP, NFT_T_PORT}},
		{"ports6_at",
		 0,
		 {NFT_T_IP6, NFT_T_PROTO, NFT_T_PORT},
		 {NFT_T_IP6, NFT_T_PORT}},
	};

	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		nft_map_add(tx, &maps[i]);
}

static struct nftnl_rule *rule_of_family(unsigned char family)
{
	struct nftnl_rule *const r = nft_rule_make();

	nft_meta(r, NFT_META_NFPROTO, NFT_REG_1);
	nft_cmp(r, NFT_REG_1, NFT_CMP_EQ, &family, 1);
	return r;
}

static struct nftnl_rule *rule_of_address(unsigned char family, bool source,
					  uint32_t len)
{
	struct nftnl_rule *const r = rule_of_family(family);
	uint32_t at;

	/* Where they stand in the header; <netinet/ip.h> has a struct ip. */
	if (family == NFPROTO_IPV4)
		at = source ? 12 : 16;
	else
		at = source ? 8 : 24;
	nft_payload(r, NFT_PAYLOAD_NETWORK_HEADER, at, len, NFT_REG_1);
	return r;
}

/* Loopback is carried by the monitor (forward.h): no rule gets it out there. */
static void spare_loopback(struct nft_tx *tx)
{
	struct nftnl_rule *r = rule_of_address(NFPROTO_IPV4, false, 1);

	nft_cmp(r, NFT_REG_1, NFT_CMP_EQ, "\x7f", 1);
	nft_verdict(r, NFT_RETURN, NULL);
	nft_rule_put(tx, "published", r, false);
	r = rule_of_address(NFPROTO_IPV6, false, sizeof(in6addr_loopback));
	nft_cmp(r, NFT_REG_1, NFT_CMP_EQ, &in6addr_loopback,
		sizeof(in6addr_loopback));
	nft_verdict(r, NFT_RETURN, NULL);
	nft_rule_put(tx, "published", r, false);
}

/*
 * A port of its own network is carried too: where br_netfilter translates, the
 * frame goes on from port to port of the bridge, which an isolated one may not.
 */
static void spare_isolated(struct nft_tx *tx)
{
	struct nftnl_rule *const r = nft_rule_make();

	nft_meta(r, NFT_META_IIFNAME, NFT_REG_1);
	nft_lookup(r, "isolated", NFT_REG_1, NFT_REG_VERDICT);
	nft_rule_put(tx, "published", r, false);
}

/* key: the registers from which protocol and port, 4 bytes each, are read. */
static void translate(struct nft_tx *tx, struct nftnl_rule *r, const char *map,
		      unsigned char family, uint32_t key)
{
	nft_meta(r, NFT_META_L4PROTO, key);
	nft_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, key + 1);
	nft_lookup(r, map, NFT_REG_1, NFT_REG_1);
	nft_dnat(r, family, NFT_REG_1,
		 family == NFPROTO_IPV4 ? NFT_REG32_01 : NFT_REG32_04);
	nft_rule_put(tx, "published", r, false);
}

static void add_published(struct nft_tx *tx)
{
	nft_chain_fresh(tx, "published", NULL);
	spare_loopback(tx);
	spare_isolated(tx);
	translate(tx, rule_of_address(NFPROTO_IPV4, false, 4), "ports4_at",
		  NFPROTO_IPV4, NFT_REG32_01);
	translate(tx, rule_of_family(NFPROTO_IPV4), "ports4", NFPROTO_IPV4,
		  NFT_REG32_00);
	translate(tx, rule_of_address(NFPROTO_IPV6, false, 16), "ports6_at",
		  NFPROTO_IPV6, NFT_REG32_04);
	translate(tx, rule_of_family(NFPROTO_IPV6), "ports6", NFPROTO_IPV6,
		  NFT_REG32_00);
}

/* To addresses of the host itself, from outside and from within. */
static void add_nat_hook(struct nft_tx *tx, const char *chain, uint32_t hook)
{
	const struct nft_base base = {"nat", hook, -100};
	struct nftnl_rule *const r = nft_rule_make();

	nft_chain_fresh(tx, chain, &base);
	nft_fib_local(r);
	nft_verdict(r, NFT_JUMP, "published");
	nft_rule_put(tx, chain, r, false);
}

static void add_forward(struct nft_tx *tx)
{
	const struct nft_base base = {"filter", NF_INET_FORWARD, 0};
	struct nftnl_rule *r = nft_rule_make();

	nft_chain_fresh(tx, "forward", &base);
	nft_meta(r, NFT_META_IIFNAME, NFT_REG_1);
	nft_lookup(r, "internal", NFT_REG_1, NFT_REG_VERDICT);
	nft_rule_put(tx, "forward", r, false);
	r = nft_rule_make();
	nft_meta(r, NFT_META_OIFNAME, NFT_REG_1);
	nft_lookup(r, "into", NFT_REG_1, NFT_REG_VERDICT);
	nft_rule_put(tx, "forward", r, false);
}

static void add_postrouting(struct nft_tx *tx)
{
	const struct nft_base base = {"nat", NF_INET_POST_ROUTING, 100};
	struct nftnl_rule *r = rule_of_address(NFPROTO_IPV4, true, 4);

	nft_chain_fresh(tx, "postrouting", &base);
	nft_lookup(r, "subnets4", NFT_REG_1, NFT_REG_VERDICT);
	nft_rule_put(tx, "postrouting", r, false);
	r = rule_of_address(NFPROTO_IPV6, true, 16);
	nft_lookup(r, "subnets6", NFT_REG_1, NFT_REG_VERDICT);
	nft_rule_put(tx, "postrouting", r, false);
}

/* ---- one network ------------------------------------------------------------------ */

static struct nft_elem verdict_at(const void *key, size_t n, int verdict,
				  const char *chain)
{
	struct nft_elem x = {.key_len = n, .verdict = verdict, .chain = chain};

	memcpy(x.key, key, n);
	return x;
}

static struct nft_elem verdict_at_link(const char *link, int verdict,
				       const char *chain)
{
	char key[IFNAMSIZ] = {0};

	memcpy(key, link, strnlen(link, IFNAMSIZ - 1));
	return verdict_at(key, sizeof(key), verdict, chain);
}

/* May it go into this network, and if that is internal, out of it? */
static void add_filter(struct nft_tx *tx, const struct nft_net *n,
		       const char *chain)
{
	struct nftnl_rule *r;

	nft_chain_fresh(tx, chain, NULL);
	if (!n->isolated) {
		r = nft_rule_make();
		nft_ifname(r, NFT_META_IIFNAME, NFT_CMP_EQ, n->bridge);
		if (n->internal)
			nft_ifname(r, NFT_META_OIFNAME, NFT_CMP_EQ, n->bridge);
		nft_verdict(r, NF_ACCEPT, NULL);
		nft_rule_put(tx, chain, r, false);
	}
	if (!n->internal) {
		r = nft_rule_make();
		nft_ct_any(r, NFT_CT_STATE,
			   STATE(IP_CT_ESTABLISHED) | STATE(IP_CT_RELATED));
		nft_verdict(r, NF_ACCEPT, NULL);
		nft_rule_put(tx, chain, r, false);
		r = nft_rule_make();
		nft_ct_any(r, NFT_CT_STATUS, IPS_DST_NAT);
		nft_verdict(r, NF_ACCEPT, NULL);
		nft_rule_put(tx, chain, r, false);
	}
	r = nft_rule_make();
	nft_counter(r);
	nft_verdict(r, NF_DROP, NULL);
	nft_rule_put(tx, chain, r, false);
}

/* What comes from this subnet. */
static void add_source(struct nft_tx *tx, const struct nft_net *n,
		       const char *chain)
{
	struct nftnl_rule *r;

	nft_chain_fresh(tx, chain, NULL);
	if (!n->internal && !n->no_masquerade) {
		r = nft_rule_make();
		nft_ifname(r, NFT_META_OIFNAME, NFT_CMP_NEQ, n->bridge);
		nft_masquerade(r);
		nft_rule_put(tx, chain, r, false);
	}
	r = nft_rule_make();
	nft_ct_any(r, NFT_CT_STATUS, IPS_DST_NAT);
	nft_masquerade(r);
	nft_rule_put(tx, chain, r, false);
}

/* A subnet is two elements: where it begins, and where it has ended. */
static size_t subnet_elems(const struct ip_net *n, const char *chain,
			   struct nft_elem ret[2])
{
	const struct ip first = ip_net_first(n);
	struct ip end = ip_net_last(n);

	ret[0] = verdict_at(first.b, first.len, NFT_GOTO, chain);
	if (!ip_add(&end, 1))
		return 1;
	ret[1] = verdict_at(end.b, end.len, 0, NULL);
	ret[1].end = true;
	return 2;
}

typedef void (*elems_fn)(struct nft_tx *tx, const char *map,
			 const struct nft_elem *v, size_t n);

static void subnets(struct nft_tx *tx, elems_fn fn, const struct nft_net *n,
		    const char *chain)
{
	struct nft_elem v[2];

	if (ip_is(&n->v4.ip))
		fn(tx, "subnets4", v, subnet_elems(&n->v4, chain, v));
	if (ip_is(&n->v6.ip))
		fn(tx, "subnets6", v, subnet_elems(&n->v6, chain, v));
}

static void network_elems(struct nft_tx *tx, elems_fn fn,
			  const struct nft_net *n)
{
	char filter[CHAIN_MAX];
	char source[CHAIN_MAX];
	struct nft_elem x = verdict_at_link(n->bridge, NFT_JUMP, "inuse");

	chain_name(filter, "net", n->bridge);
	chain_name(source, "from", n->bridge);
	fn(tx, "networks", &x, 1);
	x = verdict_at_link(n->bridge, NFT_GOTO, filter);
	fn(tx, "into", &x, 1);
	if (n->internal)
		fn(tx, "internal", &x, 1);
	x = verdict_at_link(n->bridge, NFT_RETURN, NULL);
	if (n->isolated)
		fn(tx, "isolated", &x, 1);
	subnets(tx, fn, n, source);
}

static void add_network(struct nft_tx *tx, const struct nft_net *n)
{
	char name[CHAIN_MAX];

	nft_table_add(tx);
	nftroute_put_inuse(tx);
	add_maps(tx);
	add_filter(tx, n, chain_name(name, "net", n->bridge));
	add_source(tx, n, chain_name(name, "from", n->bridge));
	network_elems(tx, nft_elems_add, n);
	add_published(tx);
	add_nat_hook(tx, "prerouting", NF_INET_PRE_ROUTING);
	add_nat_hook(tx, "output", NF_INET_LOCAL_OUT);
	add_forward(tx);
	add_postrouting(tx);
}

static void del_network(struct nft_tx *tx, const struct nft_net *n)
{
	char name[CHAIN_MAX];

	network_elems(tx, nft_elems_del, n);
	nft_chain_del(tx, chain_name(name, "net", n->bridge));
	nft_rule_del(tx, chain_name(name, "from", n->bridge), 0);
	nft_chain_del(tx, name);
}

/* ---- one endpoint -------------------------------------------------------------------- */

/* Protocol and port, four bytes each, at p. */
static void key_port(unsigned char *p, const struct port_map *m)
{
	const uint16_t port = htons(m->host);

	p[0] = ports_protocol(m->protocol);
	memcpy(p + 4, &port, sizeof(port));
}

/* The map that has this port, or NULL when no rule is to know it. */
static const char *port_elem(const struct nft_endpoint *p,
			     const struct port_map *m, struct nft_elem *ret)
{
	const bool v4 = m->ip.len == 4;
	const struct ip *const to = v4 ? &p->v4 : &p->v6;
	const uint16_t port = htons(m->port);
	size_t at = 0;

	if (!ip_is(to) || ports_is_loopback(&m->ip))
		return NULL;
	*ret = (struct nft_elem){.comment = p->owner};
	if (!ports_is_any(&m->ip)) {
		memcpy(ret->key, m->ip.b, m->ip.len);
		at = m->ip.len;
	}
	key_port(ret->key + at, m);
	ret->key_len = at + 8;
	memcpy(ret->data, to->b, to->len);
	memcpy(ret->data + to->len, &port, sizeof(port));
	ret->data_len = to->len + 4U;
	if (at)
		return v4 ? "ports4_at" : "ports6_at";
	return v4 ? "ports4" : "ports6";
}

static void endpoint_ports(struct nft_tx *tx, elems_fn fn,
			   const struct nft_endpoint *p)
{
	struct nft_elem *const v = xcalloc(p->n_ports + 1, sizeof(*v));

	for (size_t k = 0; k < ARRAY_LEN(port_maps); k++) {
		size_t n = 0;

		for (size_t i = 0; i < p->n_ports; i++) {
			const char *const map =
				port_elem(p, &p->ports[i], &v[n]);

			n += map && !strcmp(map, port_maps[k]);
		}
		if (n)
			fn(tx, port_maps[k], v, n);
	}
	free(v);
}

static void endpoint_elems(struct nft_tx *tx, elems_fn fn,
			   const struct nft_endpoint *p)
{
	char chain[CHAIN_MAX];
	struct nft_elem x = verdict_at_link(
		p->ifname, NFT_JUMP, chain_name(chain, "net", p->net.bridge));

	x.comment = p->owner;
	fn(tx, "members", &x, 1);
	endpoint_ports(tx, fn, p);
}

static int publish(const struct nft_endpoint *p, bool network, struct err *e)
{
	struct nft_tx tx;

	nft_tx_begin(&tx, ours);
	if (network)
		add_network(&tx, &p->net);
	endpoint_elems(&tx, nft_elems_add, p);
	return nft_tx_commit(&tx, e);
}

/* ---- what the kernel has ----------------------------------------------------------- */

/* Of one endpoint: its port elements, and then the one of the map "members". */
struct mine {
	struct nft_wanted *v;
	size_t n;
};

static void mine_free(struct mine *m)
{
	own_free(&m->v);
}

static void forget(struct mine *m, size_t i)
{
	m->v[i] = m->v[--m->n];
}

/* Of the ports that it wants, those that are there. */
static int find_ports(const struct nft_endpoint *p, struct mine *ret,
		      struct err *e)
{
	*ret = (struct mine){.v = xcalloc(p->n_ports + 1, sizeof(*ret->v))};
	for (size_t i = 0; i < p->n_ports; i++) {
		struct nft_wanted *const w = &ret->v[ret->n];

		w->map = port_elem(p, &p->ports[i], &w->x);
		ret->n += w->map != NULL;
	}
	if (nft_find(ours, ret->v, ret->n, e) < 0)
		return -1;
	for (size_t i = ret->n; i-- > 0;)
		if (!ret->v[i].there)
			forget(ret, i);
	return 0;
}

/* One that leads elsewhere is somebody else's by now. */
static void keep_own(struct mine *m)
{
	for (size_t i = m->n; i-- > 0;)
		if (memcmp(m->v[i].has.data, m->v[i].x.data,
			   sizeof(m->v[i].x.data)) != 0)
			forget(m, i);
}

static void del_ports(struct nft_tx *tx, const struct mine *m)
{
	struct nft_elem *const v = xcalloc(m->n + 1, sizeof(*v));

	for (size_t k = 0; k < ARRAY_LEN(port_maps); k++) {
		size_t n = 0;

		for (size_t i = 0; i < m->n; i++)
			if (!strcmp(m->v[i].map, port_maps[k]))
				v[n++] = m->v[i].x;
		if (n)
			nft_elems_del(tx, port_maps[k], v, n);
	}
	free(v);
}

/* ---- up -------------------------------------------------------------------------------- */

/*
 * The maps have such a port already. We hold its socket, so whoever had it is
 * dead, and was not cleaned up yet. sctp has no socket: there it is taken.
 */
static int take_over(const struct nft_endpoint *p, bool network, struct err *e)
{
	struct mine m = {0};
	struct err why = *e;
	struct nft_tx tx;
	int rc;

	for (size_t i = 0; i < p->n_ports; i++)
		if (!strcmp(p->ports[i].protocol, "sctp"))
			return -1;
	err_clear(e);
	rc = find_ports(p, &m, e);
	if (rc == 0 && m.n == 0) {
		*e = why;
		rc = -1;
	}
	if (rc == 0) {
		nft_tx_begin(&tx, ours);
		del_ports(&tx, &m);
		rc = nft_tx_commit(&tx, e);
	}
	mine_free(&m);
	return rc < 0 ? -1 : publish(p, network, e);
}

static int explain(struct err *e, const struct nft_endpoint *p)
{
	if (e->sys == EEXIST || e->sys == EBUSY)
		(void)err_hint(e,
			       "another network has a part of the subnet of "
			       "%s, or another program published the same "
			       "port: see 'nft list table inet prism'",
			       p->net.bridge);
	return -1;
}

int nft_up(const struct nft_endpoint *p, struct err *e)
{
	char chain[CHAIN_MAX];
	bool fresh;
	int rc;
	STEP(e, "firewall", "%zu published ports of %s", p->n_ports,
	     p->net.bridge);

	rc = nft_has_chain(ours, chain_name(chain, "net", p->net.bridge), e);
	if (rc < 0)
		return -1;
	fresh = rc == 0;
	rc = publish(p, fresh, e);
	if (rc < 0 && !fresh && e->sys == ENOENT) {
		/* It was removed since we asked. */
		err_clear(e);
		fresh = true;
		rc = publish(p, fresh, e);
	}
	if (rc < 0 && (e->sys == EEXIST || e->sys == EBUSY))
		rc = take_over(p, fresh, e);
	if (rc < 0)
		return explain(e, p);
	crash_point("net-firewall");
	if (nftforeign_open(p->net.bridge, e) < 0 ||
	    (!p->net.internal &&
	     routing_need((ip_is(&p->net.v4.ip) ? ROUTING_V4 : 0) |
				  (ip_is(&p->net.v6.ip) ? ROUTING_V6 : 0),
			  fresh, e) < 0))
		return -1;
	return fresh;
}

/* ---- down ------------------------------------------------------------------------------ */

/* Somebody came, or removed the same: nft flush ruleset. */
static bool has_changed(const struct err *e)
{
	return e->sys == ENOENT || e->sys == EBUSY;
}

static int leave_once(const struct nft_endpoint *p, const char *chain,
		      struct err *e)
{
	struct nft_wanted member = {
		.map = "members",
		.x = verdict_at_link(p->ifname, NFT_JUMP, chain)};
	struct mine m = {0};
	struct nft_tx tx;
	int rc = nft_find(ours, &member, 1, e);

	if (rc == 0)
		rc = find_ports(p, &m, e);
	if (rc == 0)
		keep_own(&m);
	if (rc == 0 && (member.there || m.n)) {
		nft_tx_begin(&tx, ours);
		if (member.there)
			nft_elems_del(&tx, member.map, &member.x, 1);
		del_ports(&tx, &m);
		rc = nft_tx_commit(&tx, e);
	}
	mine_free(&m);
	return rc;
}

static int leave(const struct nft_endpoint *p, const char *chain, struct err *e)
{
	int rc = -1;

	for (int i = 0; rc < 0 && i < TRIES; i++) {
		err_clear(e);
		rc = leave_once(p, chain, e);
		if (rc < 0 && !has_changed(e))
			break;
	}
	return rc;
}

struct look {
	const char *chain;  /* of our network */
	struct nft_net net; /* as the kernel has it */
	bool members;       /* it has some */
	bool network;       /* it is there */
	bool others;        /* other networks are */
};

static int see_member(void *ctx, const struct nft_elem *x)
{
	struct look *const l = ctx;

	l->members = l->members || !strcmp(x->chain ? x->chain : "", l->chain);
	return 0;
}

static bool is_of(const struct nft_elem *x, const char *link)
{
	return strncmp((const char *)x->key, link, IFNAMSIZ) == 0;
}

static int see_network(void *ctx, const struct nft_elem *x)
{
	struct look *const l = ctx;

	*(is_of(x, l->net.bridge) ? &l->network : &l->others) = true;
	return 0;
}

/* The way down is told by the container alone, not by its network. */
static int see_internal(void *ctx, const struct nft_elem *x)
{
	struct look *const l = ctx;

	l->net.internal = l->net.internal || is_of(x, l->net.bridge);
	return 0;
}

static int see_isolated(void *ctx, const struct nft_elem *x)
{
	struct look *const l = ctx;

	l->net.isolated = l->net.isolated || is_of(x, l->net.bridge);
	return 0;
}

/* Nobody is in our network, or in any: these things go too. */
static int clear(const struct look *l, bool table, struct err *e)
{
	const unsigned int keep = table ? routing_keep() : 0;
	struct nft_tx tx;

	nft_tx_begin(&tx, ours);
	if (l->network)
		del_network(&tx, &l->net);
	if (table) {
		/* The kernel refuses this if a network was added meanwhile. */
		nft_chain_del(&tx, "inuse");
		nft_table_del(&tx);
	}
	if (keep)
		nftroute_put(&tx, keep);
	return nft_tx_commit(&tx, e);
}

/* One look and one try. 1: it did something, look again; 0: all is done. */
static int clear_once(const struct nft_endpoint *p, const char *chain,
		      bool *ret_gone, struct err *e)
{
	struct look l = {.chain = chain, .net = p->net};
	int table = 0;
	int rc = nft_each_elem(ours, "members", see_member, &l, e);

	*ret_gone = false;
	if (rc < 0 || l.members)
		return rc;
	l.net.internal = false;
	l.net.isolated = false;
	rc = nft_each_elem(ours, "networks", see_network, &l, e);
	if (rc == 0 && l.network)
		rc = nft_each_elem(ours, "internal", see_internal, &l, e);
	if (rc == 0 && l.network)
		rc = nft_each_elem(ours, "isolated", see_isolated, &l, e);
	if (rc == 0 && !l.others)
		table = nft_has_chain(ours, "published", e);
	if (rc < 0 || table < 0)
		return -1;
	*ret_gone = !l.network;
	if (!l.network && !table)
		return 0;
	return clear(&l, table > 0, e) < 0 ? -1 : 1;
}

/* Whoever came back meanwhile opened them: they are his now. */
static int close_foreign(const char *bridge, const char *chain, struct err *e)
{
	int rc;

	if (nftforeign_close(bridge, e) < 0)
		return -1;
	rc = nft_has_chain(ours, chain, e);
	return rc > 0 ? nftforeign_open(bridge, e) : rc;
}

/*
 * Of two that leave at once each may still see the other one: so they look when
 * they have left, and the last one sees nobody.
 */
int nft_down(const struct nft_endpoint *p, struct err *e)
{
	char chain[CHAIN_MAX];
	bool gone = false;
	int rc = 1;
	STEP(e, "firewall", "close %s", p->ifname);

	chain_name(chain, "net", p->net.bridge);
	if (leave(p, chain, e) < 0)
		return -1;
	for (int i = 0; rc != 0 && i < TRIES; i++) {
		err_clear(e);
		rc = clear_once(p, chain, &gone, e);
		if (rc < 0 && !has_changed(e))
			return -1;
	}
	if (rc < 0)
		return -1;
	crash_point("net-firewall-down");
	if (!gone)
		return 0;
	if (close_foreign(p->net.bridge, chain, e) < 0)
		return -1;
	/* After a flush the whole table was missing. */
	return routing_hold(e);
}
