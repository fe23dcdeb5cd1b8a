/*
 * run - an image (or a directory) and a program: the whole way to its end
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/trace.h"
#include "cmd/run_make.h"
#include "runtime/start.h"

#define F(field) offsetof(struct run_opts, field)

static const struct opt run_options[] = {
	{0, "trace", OPT_MAYBE, F(trace), "FILE.json",
	 "Print the timeline of all steps (or write it as Chrome trace)"},
	{.more = run_create_options},
};

/* While the program runs there is time to clean up after dead monitors. */
static void while_running(void *ctx)
{
	const struct run *const r = ctx;
	struct err e = {0};

	if (container_sweep(&r->home, &e) < 0)
		log_warn("ignoring: %s", e.text);
}

static int run_container(struct run *r, int *ret_code, struct err *e)
{
	struct err end = {0};
	int userns = -1;
	/* The container's own files now say what it needs. */
	int rc;

	store_unlock(r->store);
	rc = container_run(&r->spec, &r->container, while_running, r, &userns,
			   ret_code, e);
	/* One that never ran leaves nothing, as with --rm. */
	if (rc < 0)
		r->container.keep = false;
	if (container_finish(&r->home, &r->container, *ret_code, userns, &end) <
	    0)
		log_warn("ignoring: %s", end.text);
	own_close(&userns);
	return rc;
}

static void print_trace(const char *how)
{
	autofile FILE *f = NULL;

	if (!how)
		return;
	if (!*how) {
		trace_print(stderr);
		return;
	}
	f = fopen(how, "we");
	if (!f)
		log_warn("ignoring --trace: %s: %s", how, strerror(errno));
	else
		trace_print_json(f);
}

static int run_run(const struct globals *g, void *fields, int argc, char **argv,
		   struct err *e)
{
	const struct run_opts *const o = fields;
	struct run r = {.g = g, .o = o, .range = -1};
	int code = 125;
	int rc;

	trace_init();
	rc = run_prepare(&r, argc, argv, e);
	if (rc == 0)
		rc = run_make(&r, argc, argv, e);
	if (rc == 0)
		rc = run_container(&r, &code, e);
	print_trace(o->trace);
	run_close(&r);
	return rc < 0 ? -1 : code;
}

const struct command cmd_run = {
	.name = "run",
	.operands = "IMAGE [CMD...]",
	.summary = "Run a program in a new container",
	.opts = run_options,
	.refused = run_refused,
	.fields_size = sizeof(struct run_opts),
	.options_first = true,
	.min_operands = 0,
	.max_operands = -1,
	.fail_code = 125,
	.run = run_run,
};
