/*
 * diff - what a container changed in its image
 *
 * The trees are compared by a worker that sees nothing else (confine_tree.h); it
 * says what it found in records: the kind, the path, a NUL.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/own.h"
#include "base/proc.h"
#include "cmd/common_out.h"
#include "cmd/image_container.h"
#include "runtime/view.h"
#include "store/changes.h"
#include "store/confine.h"
#include "store/confine_tree.h"

struct job {
	const struct subject *s;
	int to;
};

static int tell(void *ctx, char kind, const char *path, struct err *e)
{
	const struct job *const j = ctx;
	autofree char *record = xasprintf("%c%s", kind, path);

	return io_write_all(j->to, record, strlen(record) + 1, "what changed",
			    e);
}

static int find_changes(struct job *j, int upper, int image, struct err *e)
{
	const int keep[] = {upper, image, j->to};
	const struct changes_of of = {
		.upper = upper,
		.image = image,
		.userxattr = j->s->spec.userns,
	};

	proc_worker_keep(keep, ARRAY_LEN(keep));
	if (confine_reader(&image, 1, e) < 0)
		return -1;
	return changes_find(&of, tell, j, e);
}

static int compare(void *arg, struct err *e)
{
	struct job *const j = arg;
	/* Before something is mounted over its directory. */
	autoclose int upper = view_upper(&j->s->c, e);
	autoclose int image = -1;

	if (upper < 0)
		return -1;
	confine_cut(upper);
	image = view_open(&j->s->c, &j->s->spec, VIEW_IMAGE, e);
	if (image < 0)
		return -1;
	return find_changes(j, upper, image, e);
}

static void show(int fd)
{
	autofile FILE *from = fdopen(fd, "r");
	autofree char *line = NULL;
	size_t room = 0;

	while (from && getdelim(&line, &room, '\0', from) > 1)
		out_line("%c %s", line[0], line + 1);
}

static int diff_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	autosubject struct subject s = SUBJECT_NONE;
	autoworker struct worker w = WORKER_NONE;
	struct job j = {.s = &s};
	int p[2];
	int rc;

	(void)argc;
	(void)fields;
	if (subject_open(g, argv[0], true, &s, e))
		return -1;
	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2", "for what changed");
	j.to = p[1];
	rc = proc_start(&w, "diff", compare, &j, e);
	(void)close(p[1]);
	if (rc < 0)
		(void)close(p[0]);
	else
		show(p[0]);
	return rc < 0 ? -1 : proc_wait(&w, e);
}

extern const struct command cmd_diff;
const struct command cmd_diff = {
	.name = "diff",
	.operands = "CONTAINER",
	.summary = "Show what a container changed in its image",
	.min_operands = 1,
	.max_operands = 1,
	.fields_size = 1,
	.run = diff_run,
};
