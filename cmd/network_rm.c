/*
 * network_rm - network rm and prune
 *
 * Both hold the lock of the networks exclusively, so that no container that is
 * being started can take an address of one meanwhile.
 */
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/ctr_json.h"
#include "cmd/network.h"
#include "runtime/net/net.h"

/* ---- rm -------------------------------------------------------------------- */

struct rm_opts {
	bool force;
};

static const struct opt rm_options[] = {
	{'f', "force", OPT_BOOL, offsetof(struct rm_opts, force), NULL,
	 "No error if there is none"},
	{0},
};

static int check_unused(const struct ctr *r, const struct netdef *d,
			struct err *e)
{
	autousers struct network_users users = {0};

	if (network_users(r, d, false, &users, e))
		return -1;
	if (users.n == 0)
		return 0;
	(void)err_set(e, ERR_BUSY,
		      "error while removing network: network %s has active "
		      "endpoints (name:\"%s\" id:\"%.12s\"%s)",
		      d->name, users.v[0].name, users.v[0].id,
		      users.n > 1 ? ", ..." : "");
	return err_hint(e, "'prism network disconnect %s %s' before", d->name,
			users.v[0].name);
}

struct removal {
	const struct ctr *ctr;
	bool force;
};

static int remove_one(void *ctx, const char *text, struct err *e)
{
	const struct removal *const m = ctx;
	const struct container_home *const home = &m->ctr->home;
	autonetdef struct netdef d = {0};
	autoclose int lock = netdef_lock(home->root_fd, FS_LOCK_EXCLUSIVE, e);

	if (lock < 0)
		return -1;
	if (network_load(home->root_fd, text, &d, e))
		return m->force && e->kind == ERR_NOTFOUND ? 0 : -1;
	if (network_check_removable(&d, e) || check_unused(m->ctr, &d, e))
		return -1;
	return net_remove(home, &d, e);
}

static int rm_run(const struct globals *g, void *fields, int argc, char **argv,
		  struct err *e)
{
	const struct rm_opts *const o = fields;
	autoctr struct ctr r = {0};
	struct removal m = {.ctr = &r, .force = o->force};

	if (ctr_open(g, &r, e))
		return -1;
	return cmd_each_operand("network rm", argc, argv, remove_one, &m);
}

extern const struct command cmd_network_rm;
const struct command cmd_network_rm = {
	.name = "network rm",
	.operands = "NETWORK...",
	.summary = "Remove networks that no running container is in",
	.opts = rm_options,
	.fields_size = sizeof(struct rm_opts),
	.min_operands = 1,
	.max_operands = -1,
	.run = rm_run,
};

/* ---- prune ----------------------------------------------------------------- */

struct prune_opts {
	bool force;
	struct strv filters;
};

static const struct opt prune_options[] = {
	{0, "filter", OPT_LIST, offsetof(struct prune_opts, filters), "K=V",
	 "label=, label!=, until="},
	{'f', "force", OPT_BOOL, offsetof(struct prune_opts, force), NULL,
	 "Do not ask"},
	{0},
};

/* 1: removed. One that a stopped container would be in is used. */
static int prune_one(const struct ctr *r, const char *name,
		     const struct filter *f, int64_t until, struct err *e)
{
	autousers struct network_users users = {0};
	autonetdef struct netdef d = {0};
	autojson json_t *labels = NULL;
	struct err stays = {0};

	if (network_load(r->home.root_fd, name, &d, e))
		return -1;
	labels = cj_map(&d.labels);
	if (network_check_removable(&d, &stays) || !filter_labels(f, labels) ||
	    (until && d.created_ns / CLOCK_SECOND >= until))
		return 0;
	if (network_users(r, &d, true, &users, e))
		return -1;
	if (users.n > 0)
		return 0;
	return net_remove(&r->home, &d, e) ? -1 : 1;
}

static int prune_all(const struct ctr *r, const struct filter *f, struct err *e)
{
	autoclose int lock = -1;
	autostrv struct strv names = {0};
	int64_t until = 0;
	int code = 0;
	int n = 0;

	if (filter_time(f, "until", &until, e))
		return -1;
	lock = netdef_lock(r->home.root_fd, FS_LOCK_EXCLUSIVE, e);
	if (lock < 0 || netdef_names(r->home.root_fd, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		struct err why = {0};
		const int rc = prune_one(r, names.v[i], f, until, &why);

		if (rc < 0) {
			cmd_print_error("network prune", &why);
			code = 1;
		}
		if (rc == 1)
			out_line("%s%s", n++ == 0 ? "Deleted Networks:\n" : "",
				 names.v[i]);
	}
	if (n > 0)
		out_print("\n");
	return code;
}

static int prune_run(const struct globals *g, void *fields, int argc,
		     char **argv, struct err *e)
{
	static const char *const known[] = {"label", "label!", "until", NULL};
	const struct prune_opts *const o = fields;
	autofilter struct filter f = {0};
	autoctr struct ctr r = {0};

	(void)argc;
	(void)argv;
	if (filter_parse(&o->filters, known, &f, e))
		return -1;
	if (!cmd_is_sure(o->force, "all custom networks not used by at "
				   "least one container"))
		return 0;
	return ctr_open(g, &r, e) ? -1 : prune_all(&r, &f, e);
}

extern const struct command cmd_network_prune;
const struct command cmd_network_prune = {
	.name = "network prune",
	.operands = "",
	.summary = "Remove the networks that no container uses",
	.opts = prune_options,
	.fields_size = sizeof(struct prune_opts),
	.max_operands = 0,
	.run = prune_run,
};
