#include "publish.h"

#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/ip.h"
#include "base/own.h"
#include "runtime/net/forward.h"
#include "runtime/net/netdef.h"
#include "runtime/net/nft.h"
#include "runtime/net/nl.h"
#include "runtime/net/ports.h"

static bool is_bridge(const struct net_end *n)
{
	return n->driver &&
	       !strcmp(n->driver, netdef_driver_name(NETDEF_BRIDGE));
}

size_t publish_by(const struct net_state *st)
{
	const size_t out = net_way_out(st);
	size_t inner = st->n_ends;

	if (out < st->n_ends && is_bridge(&st->ends[out]))
		return out;
	for (size_t i = st->n_ends; i-- > 0;)
		if (is_bridge(&st->ends[i]) &&
		    (inner == st->n_ends || !st->ends[i].internal ||
		     st->ends[inner].internal))
			inner = i;
	return inner;
}

/* ---- reserved ------------------------------------------------------------------ */

static void write_down(const struct ports *p, struct net_state *st)
{
	st->ports = xcalloc(p->n + 1, sizeof(*st->ports));
	st->n_ports = p->n;
	for (size_t i = 0; i < p->n; i++) {
		struct net_port *const to = &st->ports[i];
		char text[IP_TEXT_MAX];

		to->ip = xstrdup(ip_text(&p->v[i].ip, text));
		to->host = p->v[i].host;
		to->port = p->v[i].port;
		memcpy(to->protocol, p->v[i].protocol, sizeof(to->protocol));
	}
}

int publish_reserve(const struct run_spec *s, const struct netdef *by,
		    struct net_state *st, struct ports *ret, struct err *e)
{
	const struct ports_wish w = {
		.ports = s->ports,
		.n_ports = s->n_ports,
		.exposed = s->publish_all ? &s->exposed : NULL,
		.ip = by->host_ip,
	};

	if (!s->n_ports && !s->publish_all)
		return 0;
	if (ports_reserve(&w, ret, e) < 0)
		return -1;
	write_down(ret, st);
	return 0;
}

int publish_hold(const struct net_state *st, struct ports *ret, struct err *e)
{
	struct port_spec *const v = xcalloc(st->n_ports + 1, sizeof(*v));
	const struct ports_wish w = {.ports = v, .n_ports = st->n_ports};
	int rc;

	for (size_t i = 0; i < st->n_ports; i++) {
		const struct net_port *const from = &st->ports[i];

		v[i] = (struct port_spec){.ip = from->ip,
					  .host_first = from->host,
					  .host_last = from->host,
					  .port = from->port};
		memcpy(v[i].protocol, from->protocol, sizeof(v[i].protocol));
	}
	rc = ports_reserve(&w, ret, e);
	free(v);
	return rc;
}

/* ---- rules ------------------------------------------------------------------------ */

/* As the rules see it; free its ports. A text that is none counts as none. */
static struct nft_endpoint endpoint(const struct net_state *st, size_t i)
{
	const struct net_end *const n = &st->ends[i];
	struct nft_endpoint p = {.net = {.bridge = n->link}, .ifname = n->host};
	struct port_map *v;

	if (n->ip && ip_parse(n->ip, &p.v4))
		p.net.v4 = (struct ip_net){p.v4, (uint8_t)n->prefix};
	if (n->ip6 && ip_parse(n->ip6, &p.v6))
		p.net.v6 = (struct ip_net){p.v6, (uint8_t)n->prefix6};
	if (i != publish_by(st) || !st->n_ports)
		return p;
	v = xcalloc(st->n_ports, sizeof(*v));
	for (size_t k = 0; k < st->n_ports; k++) {
		const struct net_port *const from = &st->ports[k];
		struct port_map *const to = &v[p.n_ports];

		if (!from->ip || !ip_parse(from->ip, &to->ip))
			continue;
		to->host = from->host;
		to->port = from->port;
		memcpy(to->protocol, from->protocol, sizeof(to->protocol));
		p.n_ports++;
	}
	p.ports = v;
	return p;
}

static void endpoint_free(struct nft_endpoint *p)
{
	own_free(&p->ports);
}

/*
 * With br_netfilter in force (bridge-nf-call-iptables) a container that asks
 * for its own published port gets its frame back through the port by which it
 * came, which a bridge does only in this mode.
 */
static int reflect(const char *ifname, struct err *e)
{
	static const char *const files[] = {
		"/proc/sys/net/bridge/bridge-nf-call-iptables",
		"/proc/sys/net/bridge/bridge-nf-call-ip6tables"};
	_Alignas(struct nlmsghdr) char mem[NL_ROOM];
	autonl struct nl n = {.fd = -1};
	struct ifinfomsg *link;
	struct nlmsghdr *h;
	struct nlattr *nest;
	bool on = false;

	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		autobuf struct buf b = buf_make(64);
		struct err absent = {0};

		if (fs_read_at(AT_FDCWD, files[i], &b, &absent) == 0)
			on = on || buf_str(&b)[0] == '1';
	}
	if (!on)
		return 0;
	if (nl_open(&n, NETLINK_ROUTE, mem, sizeof(mem), e) < 0)
		return -1;
	h = nl_put(&n, RTM_SETLINK, 0, sizeof(*link), "hairpin mode of %s",
		   ifname);
	link = mnl_nlmsg_get_payload(h);
	link->ifi_family = AF_BRIDGE;
	link->ifi_index = (int)if_nametoindex(ifname);
	nest = mnl_attr_nest_start(h, IFLA_PROTINFO | NLA_F_NESTED);
	mnl_attr_put_u8(h, IFLA_BRPORT_MODE, 1);
	mnl_attr_nest_end(h, nest);
	return nl_talk(&n, e);
}

int publish_up(const struct net_state *st, size_t i, const struct netdef *d,
	       const char *owner, struct err *e)
{
	struct nft_endpoint p;
	int rc;

	if (!is_bridge(&st->ends[i]))
		return 0;
	p = endpoint(st, i);
	p.owner = owner;
	p.net.internal = d->internal;
	p.net.no_masquerade = d->no_masquerade;
	p.net.isolated = d->isolated;
	rc = p.n_ports ? reflect(p.ifname, e) : 0;
	if (rc == 0)
		rc = nft_up(&p, e);
	endpoint_free(&p);
	return rc;
}

int publish_down(const struct net_state *st, size_t i, struct err *e)
{
	const struct net_end *const n = &st->ends[i];
	struct nft_endpoint p;
	int rc;

	if (!is_bridge(n) || !n->host || !n->link)
		return 0;
	p = endpoint(st, i);
	rc = nft_down(&p, e);
	endpoint_free(&p);
	return rc;
}

/* ---- carried ------------------------------------------------------------------------- */

void publish_follow(const struct net_state *st, struct forward *f)
{
	const size_t i = publish_by(st);
	struct nft_endpoint to = {0};

	if (i < st->n_ends)
		to = endpoint(st, i);
	forward_to(f, &to.v4, &to.v6);
	endpoint_free(&to);
}

int publish_carry(const struct net_state *st, struct ports *p,
		  struct forward **ret, struct err *e)
{
	*ret = NULL;
	if (p->n == 0)
		return 0;
	if (forward_make(p, ret, e) < 0)
		return -1;
	if (*ret)
		publish_follow(st, *ret);
	return 0;
}
