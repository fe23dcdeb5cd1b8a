/*
 * net_join - a running container comes into a network, or leaves one
 *
 * The monitor is asked nothing, and only poked when there are ports for it to
 * hold: the file "network" says all, and whoever changes it holds net_lock. What
 * is not in there when the container ends is not taken back, so it is written
 * before the first effect, as on the way up.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/attach.h"
#include "runtime/net/bridge.h"
#include "runtime/net/link.h"
#include "runtime/net/names.h"
#include "runtime/net/net_place.h"
#include "runtime/net/netdef.h"
#include "runtime/net/ports.h"
#include "runtime/net/publish.h"
#include "runtime/net/vlan.h"

/* Which of its interfaces is in this network; n_ends: none. */
static size_t find_end(const struct net_state *st, const char *network)
{
	size_t i = 0;

	while (i < st->n_ends && strcmp(st->ends[i].network, network) != 0)
		i++;
	return i;
}

/* Out of the list, without freeing it. */
static struct net_end take_end(struct net_state *st, size_t i)
{
	const struct net_end n = st->ends[i];

	st->n_ends--;
	for (; i < st->n_ends; i++)
		st->ends[i] = st->ends[i + 1];
	st->ends[st->n_ends] = (struct net_end){0};
	return n;
}

static void free_end(struct net_end *n)
{
	struct net_state st = {.ends = xcalloc(1, sizeof(*n)), .n_ends = 1};

	st.ends[0] = *n;
	net_state_free(&st);
}

/*
 * An address says whose it is before the file "network" does: so that says
 * first where one is about to be reserved. Nobody removes that network
 * meanwhile, and who finds it there knows where to look. NULL: it is done.
 */
static int write_joining(const struct net_of *o, struct net_state *st,
			 const char *network, struct err *e)
{
	own_free(&st->joining);
	st->joining = network ? xstrdup(network) : NULL;
	return net_state_write(o->container->dir_fd, st, false, e);
}

/* Of a connect that was killed. 1: there was one. */
static int forget_joining(const struct net_of *o, struct net_state *st,
			  struct err *e)
{
	if (!st->joining)
		return 0;
	if (net_place_forget(o, st->joining, e) < 0 ||
	    write_joining(o, st, NULL, e) < 0)
		return -1;
	return 1;
}

/* What the firewall is to know of an interface that stays. */
static int say(const struct net_of *o, const struct net_state *st, size_t i,
	       struct err *e)
{
	autonetdef struct netdef d = {0};

	if (netdef_load(o->home->root_fd, st->ends[i].network, &d, e) < 0 ||
	    publish_up(st, i, &d, o->container->name, e) < 0)
		return -1;
	return 0;
}

static int tell(const struct net_of *o, const struct run_spec *s,
		const struct net_state *st, const char *network, struct err *e)
{
	if (!s->no_hosts && names_own(o, s, st, e) < 0)
		return -1;
	return names_tell(o->home->root_fd, network, e);
}

/* ---- the way out ---------------------------------------------------------------- */

static void put_default(struct nl *inside, uint32_t index, const char *gateway)
{
	struct ip a;

	if (gateway && ip_parse(gateway, &a))
		link_put_default(inside, index, &a);
}

/* Another one leads out now; in vain if none does. */
static void choose_way_out(const struct net_state *st, struct nl *inside)
{
	const size_t i = net_way_out(st);
	struct err why = {0};
	uint32_t index;

	if (i == st->n_ends)
		return;
	index = link_index(inside, st->ends[i].name);
	put_default(inside, index, st->ends[i].gateway);
	put_default(inside, index, st->ends[i].gateway6);
	if (nl_talk(inside, &why) < 0)
		log_warn("ignoring: %s", why.text);
}

/* ---- coming ------------------------------------------------------------------ */

/* The last one is new: are the ports its own from now on? */
static int take_ports(const struct net_of *o, struct net_state *st,
		      struct err *e)
{
	const size_t now = publish_by(st);
	size_t was;
	int rc;

	st->n_ends--;
	was = publish_by(st);
	rc = st->n_ports && was < st->n_ends && was != now
		     ? publish_down(st, was, e)
		     : 1;
	st->n_ends++;
	if (rc)
		return rc;
	crash_point("net-join-ports");
	return say(o, st, was, e);
}

/*
 * The first one that can publish brings the ports, which nobody holds yet. We
 * do while we are there, and then its monitor; one that runs in the foreground
 * with --rm hears nothing, and there the rules alone lead to it.
 */
static int bring_ports(const struct run_spec *s, const struct net_place *p,
		       struct net_state *st, struct ports *held, struct err *e)
{
	if (st->n_ports || publish_by(st) == st->n_ends)
		return 0;
	return publish_reserve(s, &p->def, st, held, e);
}

static void forget_ports(struct net_state *st)
{
	struct net_state ports = {.ports = st->ports, .n_ports = st->n_ports};

	st->ports = NULL;
	st->n_ports = 0;
	net_state_free(&ports);
}

static int come(const struct net_of *o, const struct run_spec *s,
		const struct net_place *p, struct net_state *st,
		struct ports *held, pid_t init, int pidfd, struct err *e)
{
	const size_t at = st->n_ends++;

	if (bring_ports(s, p, st, held, e) < 0 ||
	    write_joining(o, st, NULL, e) < 0)
		return -1;
	crash_point("net-join-written");
	if (net_place_attach(o, p, &st->ends[at], net_way_out(st) == at, init,
			     pidfd, e) < 0)
		return -1;
	crash_point("net-join-linked");
	if (take_ports(o, st, e) < 0 ||
	    publish_up(st, at, &p->def, o->container->name, e) < 0)
		return -1;
	return tell(o, s, st, p->def.name, e);
}

/* What had the default route before the last one came has it again. */
static void give_way_out_back(const struct net_state *st, int pidfd)
{
	_Alignas(struct nlmsghdr) char mem[NL_ROOM];
	autonl struct nl inside = {.fd = -1};
	struct err ignored = {0};

	if (nl_open_in(&inside, pidfd, NETLINK_ROUTE, mem, sizeof(mem),
		       &ignored) == 0)
		choose_way_out(st, &inside);
}

/* Nobody is in it by halves. */
static void undo(const struct net_of *o, struct net_state *st, bool new_ports,
		 int pidfd)
{
	struct net_end *const n = &st->ends[st->n_ends - 1];
	const bool led_out = net_way_out(st) == st->n_ends - 1;
	struct err ignored = {0};
	size_t by;

	(void)publish_down(st, st->n_ends - 1, &ignored);
	err_clear(&ignored);
	if (n->host)
		(void)bridge_detach(n->host, &ignored);
	err_clear(&ignored);
	(void)net_place_end(o, st, n, &ignored);
	err_clear(&ignored);
	free_end(n);
	*n = (struct net_end){0};
	st->n_ends--;
	if (led_out)
		give_way_out_back(st, pidfd);
	if (new_ports)
		forget_ports(st);
	(void)write_joining(o, st, NULL, &ignored);
	err_clear(&ignored);
	by = publish_by(st);
	if (by < st->n_ends)
		(void)say(o, st, by, &ignored);
}

/* On an error nothing is reserved, and nothing says so. */
static int find_place(const struct net_of *o, const struct run_spec *s,
		      const struct net_attach *a, struct net_state *st,
		      struct net_place *p, struct err *e)
{
	struct err ignored = {0};

	st->ends = xrealloc(st->ends, (st->n_ends + 1) * sizeof(*st->ends));
	st->ends[st->n_ends] = (struct net_end){0};
	if (write_joining(o, st, a->network, e) < 0)
		return -1;
	crash_point("net-join-meant");
	if (net_place_find(o, s, a, st, p, e) < 0) {
		(void)forget_joining(o, st, &ignored);
		return -1;
	}
	crash_point("net-join-reserved");
	return 0;
}

int net_connect(const struct net_of *o, const struct run_spec *s,
		const struct net_attach *a, pid_t init, int pidfd,
		struct err *e)
{
	const int dir = o->container->dir_fd;
	autonetstate struct net_state st = {0};
	autoports struct ports held = {0};
	struct net_place p = {0};
	bool had_ports;
	int rc;
	STEP(e, "network", "connect to %s", a->network);

	if (net_state_read(dir, &st, e) < 0 || forget_joining(o, &st, e) < 0)
		return -1;
	if (find_end(&st, a->network) < st.n_ends)
		return err_set(e, ERR_EXISTS,
			       "endpoint with name %s already exists in "
			       "network %s",
			       o->container->name, a->network);
	had_ports = st.n_ports > 0;
	rc = find_place(o, s, a, &st, &p, e);
	if (rc == 0) {
		rc = come(o, s, &p, &st, &held, init, pidfd, e);
		if (rc < 0)
			undo(o, &st, !had_ports, pidfd);
	}
	netdef_free(&p.def);
	if (rc == 0 && held.n > 0) {
		ports_free(&held);
		attach_poke(dir);
	}
	return rc;
}

/* ---- leaving ------------------------------------------------------------------- */

/* Of a bridge its other end goes with it. */
static int remove_link(const struct net_end *n, struct nl *inside,
		       struct err *e)
{
	return n->host ? bridge_detach(n->host, e)
		       : link_remove(inside, n->name, e);
}

/* And another one publishes what the one that has left did. */
static int give_ports(const struct net_of *o, const struct net_state *st,
		      bool published, struct err *e)
{
	const size_t by = publish_by(st);

	return published && by < st->n_ends ? say(o, st, by, e) : 0;
}

static int leave(const struct net_of *o, const struct run_spec *s,
		 struct net_state *st, size_t i, struct nl *inside,
		 struct err *e)
{
	const bool published = st->n_ports && publish_by(st) == i;
	struct net_end n;
	int rc;

	if (publish_down(st, i, e) < 0 ||
	    remove_link(&st->ends[i], inside, e) < 0)
		return -1;
	crash_point("net-leave-unlinked");
	n = take_end(st, i);
	rc = give_ports(o, st, published, e);
	crash_point("net-leave-ports");
	if (rc == 0)
		rc = net_place_end(o, st, &n, e);
	if (rc == 0)
		rc = net_state_write(o->container->dir_fd, st, false, e);
	if (rc == 0 && !s->no_hosts)
		rc = names_own(o, s, st, e);
	choose_way_out(st, inside);
	free_end(&n);
	return rc;
}

int net_disconnect(const struct net_of *o, const struct run_spec *s,
		   const char *network, int pidfd, struct err *e)
{
	_Alignas(struct nlmsghdr) char mem[NL_ROOM];
	const int dir = o->container->dir_fd;
	autonetstate struct net_state st = {0};
	autonl struct nl inside = {.fd = -1};
	bool forgotten;
	size_t i;
	STEP(e, "network", "disconnect from %s", network);

	if (net_state_read(dir, &st, e) < 0)
		return -1;
	forgotten = st.joining && !strcmp(st.joining, network);
	if (forget_joining(o, &st, e) < 0)
		return -1;
	i = find_end(&st, network);
	if (i == st.n_ends && forgotten)
		return 0;
	if (i == st.n_ends)
		return err_set(e, ERR_NOTFOUND,
			       "container %.12s is not connected to network %s",
			       o->container->id, network);
	if (nl_open_in(&inside, pidfd, NETLINK_ROUTE, mem, sizeof(mem), e) < 0)
		return -1;
	return leave(o, s, &st, i, &inside, e);
}

/* ---- the network itself ---------------------------------------------------------- */

int net_remove(const struct container_home *h, const struct netdef *d,
	       struct err *e)
{
	struct err why = {0};
	const int rc = d->driver == NETDEF_BRIDGE
			       ? bridge_remove(d, h->root_path, &why)
			       : vlan_remove(d, h->root_fd, h->root_path, &why);

	/* It is a name on the disk first of all. */
	if (rc < 0)
		log_warn("ignoring: network %s: %s", d->name, why.text);
	crash_point("network-unlinked");
	return netdef_remove(h->root_fd, d->name, e);
}
