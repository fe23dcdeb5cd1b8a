#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/ctr_start.h"

struct start_opts {
	bool attach;
	bool interactive;
	bool all_restart;
	const char *detach_keys;
};

#define F(field) offsetof(struct start_opts, field)

static const struct opt start_options[] = {
	{0, "all-restart", OPT_BOOL, F(all_restart), NULL,
	 "Those whose restart policy says so, as after a reboot"},
	{'a', "attach", OPT_BOOL, F(attach), NULL,
	 "Stay, and show what it prints"},
	{0, "detach-keys", OPT_STR, F(detach_keys), "KEYS",
	 "Keys that leave it running (default: none)"},
	{'i', "interactive", OPT_BOOL, F(interactive), NULL,
	 "With --attach: our input is the program's"},
	{0},
};

/* ---- after a reboot ------------------------------------------------------- */

struct again {
	const struct ctr *ctr;
	const struct ctr_start *how;
	int code;
};

/* As Docker does when its daemon comes up. */
static bool is_due(const struct container *c, const struct run_spec *s,
		   const struct container_state *st)
{
	switch (s->restart.when) {
	case RESTART_ALWAYS:
		return true;
	case RESTART_UNLESS_STOPPED:
		return !container_is_stopping(c);
	case RESTART_ON_FAILURE:
		return !container_is_stopping(c) && st->exit_code != 0;
	case RESTART_NO:
		break;
	}
	return false;
}

static bool shall_start(const struct ctr *r, const struct container *c,
			struct err *e)
{
	autostate struct container_state st = {0};
	struct run_spec s = {0};
	bool due;

	if (container_state_get(c, &st, e) < 0 || st.alive || st.run == 0 ||
	    container_load(&r->home, c, &s, NULL, e) < 0)
		return false;
	due = is_due(c, &s, &st);
	spec_free(&s);
	return due;
}

static int start_due(void *ctx, struct container *c, struct err *e)
{
	struct again *const a = ctx;
	char name[CONTAINER_NAME_MAX];
	int code = 0;

	memcpy(name, c->name, sizeof(name));
	if (shall_start(a->ctr, c, e) &&
	    ctr_start(a->ctr, a->how, c, &code, e) == 0) {
		out_line("%s", name);
		(void)out_flush();
	}
	/* One that cannot start must not keep the others down. */
	if (err_is(e)) {
		cmd_print_error("start", e);
		a->code = 1;
	}
	err_clear(e);
	return 0;
}

/* ---- those that are named ------------------------------------------------- */

static int start_one(void *ctx, const struct ctr *r, struct container *c,
		     struct err *e)
{
	int code = 0;

	return ctr_start(r, ctx, c, &code, e);
}

static int start_attached(const struct ctr *r, struct ctr_start *how,
			  const char *text, struct err *e)
{
	autocontainer struct container c = CONTAINER_NONE;
	int code = 0;

	if (container_open(&r->home, text, &c, e) < 0)
		return -1;
	if (lock_is_held(c.lock_fd)) {
		(void)err_set(e, ERR_BUSY, "container %s is running", c.name);
		return err_hint(e, "'prism attach %s' shows what it prints",
				c.name);
	}
	return ctr_start(r, how, &c, &code, e) < 0 ? -1 : code;
}

static int start_run(const struct globals *g, void *fields, int argc,
		     char **argv, struct err *e)
{
	const struct start_opts *const o = fields;
	autoctr struct ctr r = {0};
	struct ctr_start how = {
		.g = g,
		.attach = o->attach || o->interactive,
		.interactive = o->interactive,
		.detach_keys = o->detach_keys,
	};
	struct again again = {.ctr = &r, .how = &how};

	if (argc == 0 && !o->all_restart)
		return err_set(e, ERR_USAGE, "which container?");
	if (how.attach && (argc != 1 || o->all_restart))
		return err_set(e, ERR_USAGE,
			       "you cannot start and attach multiple "
			       "containers at once");
	if (ctr_open(g, &r, e) < 0)
		return -1;
	if (how.attach)
		return start_attached(&r, &how, argv[0], e);
	if (o->all_restart && container_each(&r.home, start_due, &again, e) < 0)
		return -1;
	return ctr_each_operand(&r, "start", argc, argv, start_one, &how) |
	       again.code;
}

extern const struct command cmd_start;
const struct command cmd_start = {
	.name = "start",
	.operands = "CONTAINER...",
	.summary = "Start containers that are stopped or were only created",
	.opts = start_options,
	.fields_size = sizeof(struct start_opts),
	.max_operands = -1,
	.run = start_run,
};
