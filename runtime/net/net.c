/*
 * How it works.
 *
 *   up    the file "network" is made, empty: whoever finds it there has
 *         something to take back
 *         addresses are reserved (book.h); they say themselves whose they are
 *         the file says all that is to be
 *         interfaces, addresses, routes, rules
 *         hosts files
 *   down  rules, addresses, hosts files; at last the file
 *
 * Where the file is empty the way up was cut short between its first two steps,
 * and the whole book is searched.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/ip.h"
#include "base/log.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/net/book.h"
#include "runtime/net/bridge.h"
#include "runtime/net/names.h"
#include "runtime/net/net_user.h"
#include "runtime/net/netdef.h"

struct net_live {
	int unused;
};

/* ---- one interface: what it is to be --------------------------------------------- */

/* What the way up knows of one network beside what is written down. */
struct place {
	struct netdef def;
	struct ip ip;
	struct ip ip6;
	uint8_t mac[6];
};

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

static int reserve(const struct net_of *o, const struct run_spec *s,
		   const struct net_attach *a, struct place *p, struct err *e)
{
	autofree char *names = names_of(o, s, a);
	struct book_ask ask = {
		.net = &p->def, .id = o->container->id, .names = names};

	if (!want_ip(a->ip, &ask.ip) || !want_ip(a->ip6, &ask.ip6))
		return err_set(e, ERR_USAGE, "not an address");
	if (book_reserve(o->home->root_fd, &ask, &p->ip, &p->ip6, e) < 0)
		return -1;
	bridge_mac(p->ip.len ? &p->ip : &p->ip6, p->mac);
	if (a->mac && !mac_parse(a->mac, p->mac))
		return err_set(e, ERR_USAGE, "'%s': not a MAC address", a->mac);
	return 0;
}

static void write_down(const struct net_of *o, const struct net_attach *a,
		       const struct place *p, size_t i, struct net_end *ret)
{
	const struct container *const c = o->container;
	char mac[MAC_TEXT_MAX];

	*ret = (struct net_end){
		.network = xstrdup(p->def.name),
		.network_id = xstrdup(p->def.id),
		.driver = xstrdup(netdef_driver_name(p->def.driver)),
		.name = xasprintf("eth%zu", i),
		.link = xstrdup(p->def.link),
		.ip = text_of(&p->ip),
		.ip6 = text_of(&p->ip6),
		.gateway = text_of(&p->def.v4.gateway),
		.gateway6 = text_of(&p->def.v6.gateway),
		.mac = xstrdup(mac_text(p->mac, mac)),
		.prefix = p->ip.len ? p->def.v4.subnet.prefix : 0,
		.prefix6 = p->ip6.len ? p->def.v6.subnet.prefix : 0,
	};
	/*
	 * The run is part of it: the kernel may still be taking apart the one
	 * before.
	 */
	if (p->def.driver == NETDEF_BRIDGE)
		ret->host = xasprintf("ve%.8s%zx%02x", c->id, i & 15,
				      c->head.run & 255);
	for (size_t k = 0; k < a->aliases.n; k++)
		strv_add(&ret->aliases, a->aliases.v[k]);
}

/* ---- up ----------------------------------------------------------------------------- */

/* There already: left by a start before, whose container is dead. */
static int mark(const struct net_of *o, struct err *e)
{
	for (int i = 0; i < 2; i++) {
		const int fd =
			openat(o->container->dir_fd, "network",
			       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		if (fd >= 0)
			return close(fd);
		if (errno != EEXIST)
			break;
		if (net_down(o, e) < 0)
			return -1;
	}
	return err_sys(e, "openat", "network");
}

static int find_place(const struct net_of *o, const struct run_spec *s,
		      size_t i, struct place *p, struct net_end *ret,
		      struct err *e)
{
	const struct net_attach *const a = &s->nets[i];
	autoclose int lock =
		netdef_use(o->home->root_fd, a->network, &p->def, e);

	if (lock < 0 || reserve(o, s, a, p, e) < 0)
		return -1;
	write_down(o, a, p, i, ret);
	return 0;
}

static int attach(const struct net_of *o, const struct place *p,
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

	if (p->def.driver != NETDEF_BRIDGE)
		return err_set(e, ERR_UNSUPPORTED, "driver %s",
			       netdef_driver_name(p->def.driver));
	return bridge_attach(&b, e);
}

static int raise_all(const struct net_of *o, const struct run_spec *s,
		     struct place *places, struct net_state *st, pid_t init,
		     int pidfd, struct err *e)
{
	for (size_t i = 0; i < s->n_nets; i++, st->n_ends++)
		if (find_place(o, s, i, &places[i], &st->ends[i], e) < 0)
			return -1;
	crash_point("net-reserved");
	st->outlives = s->pid_ns != NS_OWN;
	if (net_state_write(o->container->dir_fd, st, e) < 0)
		return -1;
	crash_point("net-written");
	for (size_t i = 0; i < st->n_ends; i++)
		if (attach(o, &places[i], &st->ends[i], i == 0, init, pidfd,
			   e) < 0)
			return -1;
	crash_point("net-linked");
	if (s->no_hosts)
		return 0;
	if (names_own(o, s, st, e) < 0)
		return -1;
	for (size_t i = 0; i < st->n_ends; i++)
		if (names_tell(o->home->root_fd, st->ends[i].network, e) < 0)
			return -1;
	crash_point("net-named");
	return 0;
}

static int up(const struct net_of *o, const struct run_spec *s, pid_t init,
	      int pidfd, struct err *e)
{
	autonetstate struct net_state st = {0};
	struct place *const places = xcalloc(s->n_nets + 1, sizeof(*places));
	int rc;
	STEP(e, "network", "bring it up");

	st.ends = xcalloc(s->n_nets + 1, sizeof(*st.ends));
	rc = mark(o, e);
	crash_point("net-marked");
	if (rc == 0)
		rc = s->net == NET_USER
			     ? net_user_up(o, s, init, &st, e)
			     : raise_all(o, s, places, &st, init, pidfd, e);
	for (size_t i = 0; i < s->n_nets; i++)
		netdef_free(&places[i].def);
	free(places);
	return rc;
}

int net_up(const struct net_of *o, const struct run_spec *s, pid_t init,
	   int pidfd, struct net_live **ret, struct err *e)
{
	*ret = NULL;
	if (up(o, s, init, pidfd, e) == 0)
		return 0;
	if (!s->net_chosen || e->sys != EPERM)
		return -1;
	/* Nobody asked for it, and not everybody who is root may have one. */
	log_warn("no network but loopback: %s", e->text);
	err_clear(e);
	return net_down(o, e);
}

/* ---- while it runs --------------------------------------------------------------------- */

int net_live_fd(const struct net_live *l)
{
	(void)l;
	return -1;
}

void net_live_turn(struct net_live *l)
{
	(void)l;
}

void net_live_free(struct net_live *l)
{
	free(l);
}

/* ---- down ------------------------------------------------------------------------------ */

static int end_one(const struct net_of *o, const struct net_state *st,
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
	if (names_tell(root, n->network, e) == 0)
		return 0;
	if (e->kind != ERR_NOTFOUND)
		return -1;
	/* The network itself is gone. */
	err_clear(e);
	return 0;
}

int net_down(const struct net_of *o, struct err *e)
{
	const int dir = o->container->dir_fd;
	autonetstate struct net_state st = {0};
	struct err why = {0};
	STEP(e, "network", "take it back");

	if (faccessat(dir, "network", F_OK, 0) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "faccessat", "network");
	if (net_state_read(dir, &st, &why) < 0)
		log_warn("ignoring: %s", why.text);
	net_user_down(&st);
	if (st.n_ends == 0 && !st.user &&
	    book_release_all(o->home->root_fd, o->container->id, e) < 0)
		return -1;
	for (size_t i = 0; i < st.n_ends; i++)
		if (end_one(o, &st, &st.ends[i], e) < 0)
			return -1;
	crash_point("net-ended");
	if (unlinkat(dir, "network", 0) < 0 && errno != ENOENT)
		return err_sys(e, "unlinkat", "network");
	return 0;
}
