/*
 * export - the file system of a container as a tar, without its volumes
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "cmd/image_container.h"
#include "runtime/view.h"

struct export_opts {
	const char *output;
};

static const struct opt export_options[] = {
	{'o', "output", OPT_STR, offsetof(struct export_opts, output), "FILE",
	 "Write it there instead of to standard output"},
	{0},
};

static int write_tar(const struct subject *s, int out, struct err *e)
{
	autoclose int root = view_open(&s->c, &s->spec, VIEW_MERGED, e);
	const struct tarout_opts o = {.map = subject_map(s)};
	autotarout struct tarout *t = NULL;

	if (root < 0)
		return -1;
	t = tarout_open(subject_write, &out, &o);
	if (tarout_add(t, root, ".", "", e))
		return -1;
	return tarout_end(t, e);
}

/* A file is there when it is whole; a device or a pipe is written to. */
static int to_file(const struct subject *s, const char *path, struct err *e)
{
	struct stat st;
	autofree char *tmp = NULL;
	autoclose int fd = -1;
	char unique[17];

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		return fd < 0 ? err_sys(e, "open", "%s", path)
			      : write_tar(s, fd, e);
	}
	str_random_hex(unique, 8);
	tmp = xasprintf("%s.tmp-%s", path, unique);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, "open", "%s", tmp);
	if (write_tar(s, fd, e) == 0 && rename(tmp, path) == 0)
		return 0;
	if (!err_is(e))
		(void)err_sys(e, "rename", "%s", path);
	(void)unlink(tmp);
	return -1;
}

static int export_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	const struct export_opts *const o = fields;
	autosubject struct subject s = SUBJECT_NONE;

	(void)argc;
	if (!o->output && isatty(STDOUT_FILENO)) {
		(void)err_set(e, ERR_USAGE,
			      "cowardly refusing to save to a terminal");
		return err_hint(e, "use -o FILE, or redirect");
	}
	if (subject_open(g, argv[0], true, &s, e))
		return -1;
	return o->output ? to_file(&s, o->output, e)
			 : write_tar(&s, STDOUT_FILENO, e);
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
