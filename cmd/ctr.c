#include "cmd/ctr.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/own.h"
#include "runtime/name.h"

int ctr_open_unswept(const struct globals *g, struct ctr *ret, struct err *e)
{
	struct ctr c = {0};

	if (cmd_open_store(g, &c.store, e) < 0)
		return -1;
	store_unlock(c.store);
	c.home.root_path = store_root(c.store);
	c.home.root_fd = store_dirfd(c.store, STORE_ROOT, e);
	if (c.home.root_fd < 0) {
		store_close(c.store);
		return -1;
	}
	*ret = c;
	return 0;
}

int ctr_open(const struct globals *g, struct ctr *ret, struct err *e)
{
	if (ctr_open_unswept(g, ret, e) < 0)
		return -1;
	if (container_sweep(&ret->home, e) < 0)
		log_warn("ignoring: %s", e->text);
	err_clear(e);
	return 0;
}

void ctr_close(struct ctr *c)
{
	store_close(c->store);
	c->store = NULL;
}

struct each {
	const struct ctr *ctr;
	ctr_fn fn;
	void *ctx;
};

static int each_one(void *ctx, const char *operand, struct err *e)
{
	const struct each *const each = ctx;
	autocontainer struct container c = CONTAINER_NONE;

	if (container_open(&each->ctr->home, operand, &c, e) < 0)
		return -1;
	return each->fn(each->ctx, each->ctr, &c, e);
}

int ctr_each_operand(const struct ctr *r, const char *command, int argc,
		     char **argv, ctr_fn fn, void *ctx)
{
	struct each each = {.ctr = r, .fn = fn, .ctx = ctx};

	return cmd_each_operand(command, argc, argv, each_one, &each);
}

/* Two files for each, one for waiting, and what else is open. */
static void raise_files(struct ctr_list *l, int argc)
{
	struct rlimit more;

	(void)getrlimit(RLIMIT_NOFILE, &l->files);
	more = l->files;
	if ((rlim_t)argc * 3 + 64 <= more.rlim_cur)
		return;
	more.rlim_cur = more.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &more);
}

void ctr_list_restore(const struct ctr_list *l)
{
	(void)setrlimit(RLIMIT_NOFILE, &l->files);
}

void ctr_list_open(const struct ctr *r, const char *command, int argc,
		   char **argv, struct ctr_list *ret)
{
	struct ctr_list l = {
		.v = xcalloc((size_t)argc, sizeof(*l.v)),
		.text = xcalloc((size_t)argc, sizeof(*l.text)),
	};
	autonames struct name_list names = {0};
	struct err e = {0};
	bool have;

	raise_files(&l, argc);
	have = argc > 1 && name_list_read(&r->home, &names, &e) == 0;
	for (int i = 0; i < argc; i++) {
		err_clear(&e);
		l.v[l.n] = (struct container)CONTAINER_NONE;
		if (container_open_among(&r->home, have ? &names : NULL,
					 argv[i], &l.v[l.n], &e) == 0) {
			l.text[l.n++] = argv[i];
			continue;
		}
		cmd_print_error(command, &e);
		l.code = 1;
		l.failed = l.failed || e.kind != ERR_NOTFOUND;
	}
	*ret = l;
}

void ctr_list_free(struct ctr_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		container_close(&l->v[i]);
	free(l->v);
	free(l->text);
	*l = (struct ctr_list){0};
}
