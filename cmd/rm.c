#include <signal.h>

#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/ctr.h"
#include "runtime/name.h"
#include "runtime/stop.h"

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
static void kill_all(const struct ctr_list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct err e = {0};

		if (lock_is_held(l->v[i].lock_fd) &&
		    container_mark_stopping(&l->v[i], true, &e) == 0)
			(void)stop_signal(&l->v[i], SIGKILL, &e);
	}
}

/* Out of sight, and said; the files of all go together. */
static int hide_all(const struct ctr *r, const struct rm_opts *o,
		    struct ctr_list *l)
{
	int code = 0;

	for (size_t i = 0; i < l->n; i++) {
		struct err e = {0};
		const int rc = container_hide(&r->home, &l->v[i], o->force,
					      o->volumes, &e);

		/* It may be named twice, and the lock is one of this file. */
		container_close(&l->v[i]);
		if (rc == 0) {
			out_line("%s", l->text[i]);
			continue;
		}
		/* Another removed it, or it was named twice. */
		if (e.kind == ERR_NOTFOUND) {
			err_clear(&e);
			(void)err_set(&e, ERR_NOTFOUND, "No such container: %s",
				      l->text[i]);
		}
		cmd_print_error("rm", &e);
		code = 1;
	}
	return code;
}

static int rm_run(const struct globals *g, void *fields, int argc, char **argv,
		  struct err *e)
{
	const struct rm_opts *const o = fields;
	autoctr struct ctr r = {0};
	autoctrs struct ctr_list l = {0};
	int code;

	if (ctr_open(g, &r, e) < 0)
		return -1;
	(void)name_sweep(&r.home, e);
	err_clear(e);
	ctr_list_open(&r, "rm", argc, argv, &l);
	if (o->force)
		kill_all(&l);
	code = hide_all(&r, o, &l);
	if (container_remove_hidden(&r.home, l.v, l.n, e) < 0)
		return -1;
	return code | (o->force ? l.failed : l.code);
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
