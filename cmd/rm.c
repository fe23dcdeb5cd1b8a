#include <signal.h>
#include <stdio.h>

#include "base/own.h"
#include "cmd/cmd.h"
#include "runtime/container.h"
#include "runtime/name.h"
#include "runtime/stop.h"
#include "store/store.h"

struct rm_opts {
	bool force;
	bool volumes;
};

static const struct opt rm_options[] = {
	{'f', "force", OPT_BOOL, offsetof(struct rm_opts, force), NULL,
	 "Kill it if it runs; no error if there is none"},
	{'v', "volumes", OPT_BOOL, offsetof(struct rm_opts, volumes), NULL,
	 "Also remove its anonymous volumes"},
	{0},
};

/* All at once: their monitors end them side by side while we wait. */
static void kill_all(const struct container_home *h, int n, char **names)
{
	for (int i = 0; i < n; i++) {
		autocontainer struct container c = CONTAINER_NONE;
		struct err e = {0};

		if (container_open(h, names[i], &c, &e) == 0 &&
		    lock_is_held(c.lock_fd) &&
		    container_mark_stopping(&c, true, &e) == 0)
			(void)stop_signal(&c, SIGKILL, &e);
	}
}

static int rm_run(const struct globals *g, void *fields, int argc, char **argv,
		  struct err *e)
{
	const struct rm_opts *const o = fields;
	struct store *st = NULL;
	struct container_home home = {0};
	int code = 0;

	if (cmd_open_store(g, &st, e) < 0)
		return -1;
	home.root_path = store_root(st);
	home.root_fd = store_dirfd(st, STORE_ROOT, e);
	(void)container_sweep(&home, e);
	err_clear(e);
	(void)name_sweep(&home, e);
	err_clear(e);
	if (o->force)
		kill_all(&home, argc, argv);
	for (int i = 0; i < argc; i++) {
		autocontainer struct container c = CONTAINER_NONE;

		if (container_open(&home, argv[i], &c, e) == 0 &&
		    container_remove(&home, &c, o->force, o->volumes, e) == 0) {
			(void)printf("%s\n", argv[i]);
			continue;
		}
		cmd_print_error("rm", e);
		if (!(o->force && e->kind == ERR_NOTFOUND))
			code = 1;
		err_clear(e);
	}
	store_close(st);
	return code;
}

const struct command cmd_rm = {
	.name = "rm",
	.operands = "CONTAINER...",
	.summary = "Remove containers",
	.opts = rm_options,
	.fields_size = sizeof(struct rm_opts),
	.min_operands = 1,
	.max_operands = -1,
	.run = rm_run,
};
