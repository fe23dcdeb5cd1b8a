/*
 * export - the file system of a container as a tar, without its volumes
 */
#include "base/own.h"
#include "base/proc.h"
#include "cmd/image_container.h"
#include "cmd/image_output.h"
#include "runtime/view.h"
#include "store/confine_tree.h"

struct export_opts {
	const char *output;
};

static const struct opt export_options[] = {
	{'o', "output", OPT_STR, offsetof(struct export_opts, output), "FILE",
	 "Write it there instead of to standard output"},
	{0},
};

struct job {
	const struct subject *s;
	int out;
};

/* In a worker that keeps the tree and the output. */
static int read_tree(void *arg, struct err *e)
{
	struct job *const j = arg;
	const struct subject *const s = j->s;
	const struct tarout_opts o = {.map = subject_map(s)};
	autoclose int root = view_open(&s->c, &s->spec, VIEW_MERGED, e);
	const int keep[] = {root, j->out};
	autotarout struct tarout *t = NULL;

	if (root < 0)
		return -1;
	proc_worker_keep(keep, ARRAY_LEN(keep));
	if (confine_reader(&root, 1, e) < 0)
		return -1;
	t = tarout_open(image_output_sink, &j->out, &o);
	if (tarout_add(t, root, ".", "", e))
		return -1;
	return tarout_end(t, e);
}

static int write_tar(void *ctx, int out, struct err *e)
{
	struct job j = {.s = ctx, .out = out};
	autoworker struct worker w = WORKER_NONE;

	return proc_start(&w, "export", read_tree, &j, e) < 0
		       ? -1
		       : proc_wait(&w, e);
}

static int export_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	const struct export_opts *const o = fields;
	autosubject struct subject s = SUBJECT_NONE;

	(void)argc;
	if (image_output_check(o->output, e) ||
	    subject_open(g, argv[0], true, &s, e))
		return -1;
	return image_output(o->output, write_tar, &s, e);
}

extern const struct command cmd_export;
const struct command cmd_export = {
	.name = "export",
	.operands = "CONTAINER",
	.summary = "Write a container's file system as a tar",
	.opts = export_options,
	.fields_size = sizeof(struct export_opts),
	.min_operands = 1,
	.max_operands = 1,
	.run = export_run,
};
