#include "cmd/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "cmd/ctr_json.h"

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

static bool is_in(const struct run_spec *s, const struct netdef *d)
{
	return (s->net == NET_HOST && !strcmp(d->name, "host")) ||
	       (s->net == NET_NONE && !strcmp(d->name, "none"));
}

static json_t *endpoint_json(const struct container *c)
{
	json_t *const o = json_object();

	cj_str(o, "Name", c->name);
	cj_str(o, "EndpointID", c->id);
	cj_str(o, "MacAddress", "");
	cj_str(o, "IPv4Address", "");
	cj_str(o, "IPv6Address", "");
	return o;
}

static void add(struct look *l, const struct container *c, bool alive)
{
	struct network_user u = {.alive = alive};

	(void)snprintf(u.id, sizeof(u.id), "%s", c->id);
	(void)snprintf(u.name, sizeof(u.name), "%s", c->name);
	if (alive)
		u.endpoint = endpoint_json(c);
	l->found.v = xrealloc(l->found.v, (l->found.n + 1) * sizeof(u));
	l->found.v[l->found.n++] = u;
}

static int look_at(void *ctx, struct container *c, struct err *e)
{
	struct look *const l = ctx;
	autostate struct container_state st = {0};
	struct run_spec s = {0};

	/* One that is removed right now is not there. */
	if (container_state_get(c, &st, e) == 0 && (st.alive || l->all) &&
	    container_load(&l->r->home, c, &s, NULL, e) == 0 && is_in(&s, l->d))
		add(l, c, st.alive);
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
