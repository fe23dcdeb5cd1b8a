#include "cmd/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "cmd/ctr_json.h"
#include "runtime/net/net.h"

void network_users_free(struct network_users *u)
{
	for (size_t i = 0; i < u->n; i++)
		json_decref(u->v[i].endpoint);
	free(u->v);
	*u = (struct network_users){0};
}

struct look {
	const struct ctr *r;
	const struct netdef *d;
	bool all;
	struct network_users found;
};

/* Its interface in this network, or NULL. */
static const struct net_end *end_in(const struct net_state *st,
				    const struct netdef *d)
{
	for (size_t i = 0; i < st->n_ends; i++)
		if (!strcmp(st->ends[i].network, d->name))
			return &st->ends[i];
	return NULL;
}

/* As it would be when it starts. */
static bool is_in(const struct run_spec *s, const struct netdef *d)
{
	for (size_t i = 0; i < s->n_nets; i++)
		if (!strcmp(s->nets[i].network, d->name))
			return true;
	return (s->net == NET_HOST && !strcmp(d->name, "host")) ||
	       (s->net == NET_NONE && !strcmp(d->name, "none"));
}

static void put_address(json_t *o, const char *key, const char *ip,
			uint32_t prefix)
{
	autofree char *text = ip ? xasprintf("%s/%u", ip, prefix) : NULL;

	cj_str(o, key, text);
}

static json_t *endpoint_json(const struct container *c, const struct net_end *n)
{
	const struct net_end none = {0};
	json_t *const o = json_object();

	n = n ? n : &none;
	cj_str(o, "Name", c->name);
	cj_str(o, "EndpointID", c->id);
	cj_str(o, "MacAddress", n->mac);
	put_address(o, "IPv4Address", n->ip, n->prefix);
	put_address(o, "IPv6Address", n->ip6, n->prefix6);
	return o;
}

static void add(struct look *l, const struct container *c, bool alive,
		const struct net_end *n)
{
	struct network_user u = {.alive = alive};

	(void)snprintf(u.id, sizeof(u.id), "%s", c->id);
	(void)snprintf(u.name, sizeof(u.name), "%s", c->name);
	if (alive)
		u.endpoint = endpoint_json(c, n);
	l->found.v = xrealloc(l->found.v, (l->found.n + 1) * sizeof(u));
	l->found.v[l->found.n++] = u;
}

static int look_at(void *ctx, struct container *c, struct err *e)
{
	struct look *const l = ctx;
	autostate struct container_state st = {0};
	autonetstate struct net_state net = {0};
	struct run_spec s = {0};

	/* One that is removed right now is not there. */
	if (container_state_get(c, &st, e) == 0 && (st.alive || l->all) &&
	    container_load(&l->r->home, c, &s, NULL, e) == 0 &&
	    (!st.alive || net_state_read(c->dir_fd, &net, e) == 0)) {
		const struct net_end *const n = end_in(&net, l->d);

		if (n || is_in(&s, l->d) ||
		    (net.joining && !strcmp(net.joining, l->d->name)))
			add(l, c, st.alive, n);
	}
	err_clear(e);
	spec_free(&s);
	return 0;
}

int network_users(const struct ctr *r, const struct netdef *d, bool all,
		  struct network_users *ret, struct err *e)
{
	struct look l = {.r = r, .d = d, .all = all};

	if (container_each(&r->home, look_at, &l, e)) {
		network_users_free(&l.found);
		return -1;
	}
	*ret = l.found;
	return 0;
}
