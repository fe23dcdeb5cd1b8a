/*
 * run - an image (or a directory) and a program: the whole way to its end
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/trace.h"
#include "cmd/common_out.h"
#include "cmd/run_cidfile.h"
#include "cmd/run_make.h"
#include "cmd/run_start.h"
#include "runtime/start.h"

#define F(field) offsetof(struct run_opts, field)

static const struct opt run_options[] = {
	{'d', "detach", OPT_BOOL, F(detach), NULL,
	 "Start it in the background and print its id"},
	{0, "detach-keys", OPT_STR, F(detach_keys), "KEYS",
	 "Keys that leave it running, like ctrl-p,ctrl-q (default: none)"},
	{0, "sig-proxy", OPT_MAYBE, F(sig_proxy), "false",
	 "Pass signals on to the program (default)"},
	{0, "trace", OPT_MAYBE, F(trace), "FILE.json",
	 "Print the timeline of all steps (or write it as Chrome trace)"},
	{.more = run_monitor_options},
};

/*
 * While the program runs there is time to clean up after dead monitors; where
 * nothing is kept there is more of it at the end.
 */
static void while_running(void *ctx)
{
	const struct run *const r = ctx;
	struct err e = {0};

	if (r->spec.keep && container_sweep(&r->home, &e) < 0)
		log_warn("ignoring: %s", e.text);
}

static int start(struct run *r, struct run_start *s, int *ret_code,
		 struct err *e)
{
	s->job.spec = &r->spec;
	s->job.home = &r->home;
	s->job.container = &r->container;
	s->job.running = while_running;
	s->job.ctx = r;
	s->job.keep = r->range;
	s->job.netns = take_fd(&r->netns);
	/* The container's own files now say what it needs. */
	store_unlock(r->store);
	if (!r->o->detach)
		return run_start_attached(s, ret_code, e);
	*ret_code = container_run_detached(&s->job, e);
	/* One that could not start is there, to be looked at or removed. */
	if (*ret_code == 0 || r->spec.keep)
		out_line("%s", r->container.id);
	return *ret_code;
}

static int run_container(struct run *r, int argc, char **argv, int *ret_code,
			 struct err *e)
{
	const char *const cidfile = r->o->cidfile;
	struct run_start s;
	int rc;

	if (run_start_from(r->o, &r->spec, &s, e) < 0 ||
	    run_cidfile_check(cidfile, e) < 0 || run_replace(r, e) < 0 ||
	    run_make(r, argc, argv, e) < 0)
		return -1;
	if (run_cidfile_write(cidfile, r->container.id, e) < 0) {
		struct err ignored = {0};

		r->container.keep = false;
		(void)container_finish(&r->home, &r->container, 125, -1,
				       &ignored);
		return -1;
	}
	rc = start(r, &s, ret_code, e);
	/* Without --rm one that cannot start is there, to be looked at. */
	if (rc < 0 && !r->spec.keep)
		run_cidfile_remove(cidfile);
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
	struct run r = {.g = g, .o = o, .range = -1, .netns = -1};
	int code = 125;
	int rc;

	if (o->trace)
		trace_init();
	rc = run_prepare(&r, argc, argv, e);
	if (rc == 0)
		rc = run_container(&r, argc, argv, &code, e);
	print_trace(o->trace);
	if (rc == 0)
		proc_quit(code);
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
