#include "net_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/crash.h"
#include "base/limits.h"
#include "base/own.h"
#include "runtime/net/book.h"
#include "runtime/net/bridge.h"
#include "runtime/net/names.h"
#include "runtime/net/vlan.h"

/* ---- what it is to be --------------------------------------------------- */

static char *text_of(const struct ip *a)
{
	char text[IP_TEXT_MAX];

	return a->len ? xstrdup(ip_text(a, text)) : NULL;
}

/* By what the others call it; the default network has no names. */
static char *names_of(const struct net_of *o, const struct run_spec *s,
		      const struct net_attach *a)
{
	const struct container *const c = o->container;
	struct buf b = buf_make(KIB(64));

	if (strcmp(a->network, NETDEF_DEFAULT) != 0) {
		buf_addf(&b, "%s %.12s", c->name, c->id);
		if (s->hostname)
			buf_addf(&b, " %s", s->hostname);
		for (size_t i = 0; i < a->aliases.n; i++)
			buf_addf(&b, " %s", a->aliases.v[i]);
	}
	return buf_take(&b);
}

static bool want_ip(const char *text, struct ip *ret)
{
	*ret = (struct ip){0};
	return !text || ip_parse(text, ret);
}

static bool has_mac(const struct netdef *d)
{
	return d->driver == NETDEF_BRIDGE || vlan_has_mac(d);
}

static int reserve(const struct net_of *o, const struct run_spec *s,
		   const struct net_attach *a, struct net_place *p,
		   struct err *e)
{
	autofree char *names = names_of(o, s, a);
	struct book_ask ask = {
		.net = &p->def, .id = o->container->id, .names = names};

	if (!want_ip(a->ip, &ask.ip) || !want_ip(a->ip6, &ask.ip6))
		return err_set(e, ERR_USAGE, "not an address");
	if (a->mac && !has_mac(&p->def))
		return err_set(e, ERR_USAGE,
			       "a MAC address is not for network %s, where all "
			       "have that of %s",
			       p->def.name, p->def.link);
	if (book_reserve(o->home->root_fd, &ask, &p->ip, &p->ip6, e) < 0)
		return -1;
	bridge_mac(p->ip.len ? &p->ip : &p->ip6, p->mac);
	if (a->mac && !mac_parse(a->mac, p->mac))
		return err_set(e, ERR_USAGE, "'%s': not a MAC address", a->mac);
	return 0;
}

/* Whose interface has this name; NULL: nobody's. */
static const char *holder_of(const struct net_state *st, const char *name)
{
	for (size_t i = 0; i < st->n_ends; i++)
		if (!strcmp(st->ends[i].name, name))
			return st->ends[i].network;
	return NULL;
}

static bool is_wanted(const struct run_spec *s, const char *name)
{
	for (size_t i = 0; i < s->n_nets; i++)
		if (s->nets[i].ifname && !strcmp(s->nets[i].ifname, name))
			return true;
	return false;
}

/* The first one that no interface of it has, or is to have by name. */
static char *free_name(const struct run_spec *s, const struct net_state *st,
		       size_t number)
{
	for (size_t i = number;; i++) {
		char *const name = xasprintf("eth%zu", i);

		if (!holder_of(st, name) && !is_wanted(s, name))
			return name;
		free(name);
	}
}

static int check_name(const struct net_attach *a, const struct net_state *st,
		      struct err *e)
{
	const char *const by = !a->ifname ? NULL
			       : !strcmp(a->ifname, "lo")
				       ? "loopback"
				       : holder_of(st, a->ifname);

	return by ? err_set(e, ERR_EXISTS,
			    "network %s: the container has an interface %s "
			    "already, for %s",
			    a->network, a->ifname, by)
		  : 0;
}

static size_t free_number(const struct net_state *st)
{
	for (size_t k = 0;; k++) {
		size_t i = 0;

		while (i < st->n_ends && st->ends[i].number != k)
			i++;
		if (i == st->n_ends)
			return k;
	}
}

/*
 * On the host: 15 characters tell it from all others. The run is one of them:
 * the kernel may still be taking apart the one before.
 */
static char *host_name(const struct container *c, size_t number)
{
	static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

	return xasprintf("ve%.9s%c%c%02x", c->id, digits[number / 36 % 36],
			 digits[number % 36], c->head.run & 255);
}

static void write_down(const struct net_of *o, const struct run_spec *s,
		       const struct net_attach *a, const struct net_place *p,
		       struct net_state *st)
{
	const struct container *const c = o->container;
	struct net_end *const ret = &st->ends[st->n_ends];
	const size_t i = free_number(st);
	char mac[MAC_TEXT_MAX];

	*ret = (struct net_end){
		.network = xstrdup(p->def.name),
		.network_id = xstrdup(p->def.id),
		.driver = xstrdup(netdef_driver_name(p->def.driver)),
		.name = a->ifname ? xstrdup(a->ifname) : free_name(s, st, i),
		.link = xstrdup(p->def.link),
		.ip = text_of(&p->ip),
		.ip6 = text_of(&p->ip6),
		.gateway = text_of(&p->def.v4.gateway),
		.gateway6 = text_of(&p->def.v6.gateway),
		.mac = has_mac(&p->def) ? xstrdup(mac_text(p->mac, mac)) : NULL,
		.prefix = p->ip.len ? p->def.v4.subnet.prefix : 0,
		.prefix6 = p->ip6.len ? p->def.v6.subnet.prefix : 0,
		.number = (uint32_t)i,
		.internal = p->def.internal,
		.gw_priority = a->gw_priority,
	};
	if (p->def.driver == NETDEF_BRIDGE)
		ret->host = host_name(c, i);
	for (size_t k = 0; k < a->aliases.n; k++)
		strv_add(&ret->aliases, a->aliases.v[k]);
}

int net_place_find(const struct net_of *o, const struct run_spec *s,
		   const struct net_attach *a, struct net_state *st,
		   struct net_place *p, struct err *e)
{
	autoclose int lock =
		netdef_use(o->home->root_fd, a->network, &p->def, e);

	if (lock < 0 || check_name(a, st, e) < 0 || reserve(o, s, a, p, e) < 0)
		return -1;
	write_down(o, s, a, p, st);
	return 0;
}

int net_place_attach(const struct net_of *o, const struct net_place *p,
		     const struct net_end *n, bool is_default, pid_t init,
		     int pidfd, struct err *e)
{
	const struct bridge_end b = {
		.net = &p->def,
		.root_fd = o->home->root_fd,
		.root_path = o->home->root_path,
		.pid = init,
		.netns = pidfd,
		.host = n->host,
		.name = n->name,
		.ip = p->ip,
		.ip6 = p->ip6,
		.mac = {p->mac[0], p->mac[1], p->mac[2], p->mac[3], p->mac[4],
			p->mac[5]},
		.is_default = is_default,
	};

	return p->def.driver == NETDEF_BRIDGE ? bridge_attach(&b, e)
					      : vlan_attach(&b, e);
}

/* ---- down ------------------------------------------------------------------- */

/* The network itself may be gone. */
static int tell(int root_fd, const char *network, struct err *e)
{
	if (names_tell(root_fd, network, e) == 0)
		return 0;
	if (e->kind != ERR_NOTFOUND)
		return -1;
	err_clear(e);
	return 0;
}

int net_place_forget(const struct net_of *o, const char *network, struct err *e)
{
	const int root = o->home->root_fd;

	return book_release_in(root, network, o->container->id, e) < 0
		       ? -1
		       : tell(root, network, e);
}

int net_place_end(const struct net_of *o, const struct net_state *st,
		  const struct net_end *n, struct err *e)
{
	const int root = o->home->root_fd;
	const char *const id = o->container->id;

	/*
	 * Else the kernel does it, when the last process is gone; for us it
	 * would be a wait of 20 ms.
	 */
	if (st->outlives && n->host && bridge_detach(n->host, e) < 0)
		return -1;
	if ((n->ip && book_release(root, n->network, id, n->ip, e) < 0) ||
	    (n->ip6 && book_release(root, n->network, id, n->ip6, e) < 0))
		return -1;
	crash_point("net-released");
	return tell(root, n->network, e);
}
