#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/ctr.h"
#include "cmd/ctr_json.h"
#include "cmd/filter.h"
#include "cmd/ps_size.h"
#include "cmd/size.h"
#include "runtime/name.h"

struct prune_opts {
	bool force;
	struct strv filters;
};

static const struct opt prune_options[] = {
	{0, "filter", OPT_LIST, offsetof(struct prune_opts, filters),
	 "KEY=VALUE", "until=TIME, label=..., label!=..."},
	{'f', "force", OPT_BOOL, offsetof(struct prune_opts, force), NULL,
	 "Do not ask"},
	{0},
};

struct prune {
	const struct ctr *ctr;
	struct filter filter;
	int64_t until;
	uint64_t freed;
	int n;
	int code;
};

static bool fits(struct prune *p, const struct container *c, uint64_t *ret_size,
		 struct err *e)
{
	autoinfo struct container_info i = {0};
	autojson json_t *labels = NULL;
	struct run_spec s = {0};
	uint64_t root = 0;
	bool ok;

	if (lock_is_held(c->lock_fd) ||
	    container_load(&p->ctr->home, c, &s, &i, e) < 0)
		return false;
	labels = cj_map(&s.labels);
	ok = filter_labels(&p->filter, labels) &&
	     (!p->until || i.created_ns / CLOCK_SECOND < p->until);
	if (ok)
		ps_size(p->ctr->store, c, &s, ret_size, &root);
	spec_free(&s);
	return ok;
}

static int prune_one(void *ctx, struct container *c, struct err *e)
{
	struct prune *const p = ctx;
	uint64_t size = 0;

	if (fits(p, c, &size, e) &&
	    container_remove(&p->ctr->home, c, false, false, e) == 0) {
		if (p->n++ == 0)
			out_line("Deleted Containers:");
		out_line("%s", c->id);
		p->freed += size;
	}
	/* One that was started meanwhile is none of ours. */
	if (err_is(e) && e->kind != ERR_BUSY && e->kind != ERR_NOTFOUND) {
		cmd_print_error("container prune", e);
		p->code = 1;
	}
	err_clear(e);
	return 0;
}

static int prune_all(struct prune *p, struct err *e)
{
	autofree char *text = NULL;

	if (filter_time(&p->filter, "until", &p->until, e) < 0 ||
	    name_sweep(&p->ctr->home, e) < 0 ||
	    container_each(&p->ctr->home, prune_one, p, e) < 0)
		return -1;
	text = size_text(p->freed);
	out_print("%sTotal reclaimed space: %s\n", p->n ? "\n" : "", text);
	return p->code;
}

static int prune_run(const struct globals *g, void *fields, int argc,
		     char **argv, struct err *e)
{
	static const char *const known[] = {"until", "label", "label!", NULL};
	const struct prune_opts *const o = fields;
	autoctr struct ctr r = {0};
	struct prune p = {.ctr = &r};
	int rc;

	(void)argc;
	(void)argv;
	if (filter_parse(&o->filters, known, &p.filter, e) < 0)
		return -1;
	if (!cmd_is_sure(o->force, "all stopped containers")) {
		filter_free(&p.filter);
		return 0;
	}
	rc = ctr_open(g, &r, e) < 0 ? -1 : prune_all(&p, e);
	filter_free(&p.filter);
	return rc;
}

extern const struct command cmd_container_prune;
const struct command cmd_container_prune = {
	.name = "container prune",
	.operands = "",
	.summary = "Remove all stopped containers",
	.opts = prune_options,
	.fields_size = sizeof(struct prune_opts),
	.max_operands = 0,
	.run = prune_run,
};
