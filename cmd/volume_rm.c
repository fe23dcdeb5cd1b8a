/*
 * volume_rm - volume rm and prune
 *
 * Both hold the lock of the volumes exclusively, so that no container that is
 * being made can name one meanwhile, and run in the user namespace that owns
 * the files.
 */
#include <string.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/userns.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "cmd/size.h"
#include "cmd/volume.h"
#include "runtime/container_volumes.h"

static int open_store(const struct globals *g, struct store **ret, int *lock,
		      struct err *e)
{
	/* Before the ids change: the default depends on who we are. */
	autofree char *root = g->root ? xstrdup(g->root) : store_default_root();
	struct idmap map;

	if (userns_enter_for_store(&map, e) || store_open(root, false, ret, e))
		return -1;
	*lock = volume_lock(*ret, FS_LOCK_EXCLUSIVE, e);
	return *lock < 0 ? -1 : 0;
}

/* ---- rm -------------------------------------------------------------------- */

struct rm_opts {
	bool force;
};

static const struct opt rm_options[] = {
	{'f', "force", OPT_BOOL, offsetof(struct rm_opts, force), NULL,
	 "No error if there is none"},
	{0},
};

struct removal {
	struct store *store;
	bool force;
};

static int remove_one(void *ctx, const char *name, struct err *e)
{
	const struct removal *const m = ctx;
	const struct container_home home = volume_home(m->store);
	autostrv struct strv users = {0};
	autobuf struct buf ids = buf_make(4096);

	if (container_volumes_users(&home, name, &users, e))
		return -1;
	if (users.n == 0) {
		const int rc = volume_remove(m->store, name, e);

		return m->force && e->kind == ERR_NOTFOUND ? 0 : rc;
	}
	for (size_t i = 0; i < users.n; i++)
		buf_addf(&ids, "%s%s", i ? ", " : "", users.v[i]);
	(void)err_set(e, ERR_BUSY, "remove %s: volume is in use - [%.300s]",
		      name, buf_str(&ids));
	return err_hint(e, "'prism rm %.12s' before", users.v[0]);
}

static int rm_run(const struct globals *g, void *fields, int argc, char **argv,
		  struct err *e)
{
	const struct rm_opts *const o = fields;
	autostore struct store *s = NULL;
	struct removal m = {.force = o->force};
	autoclose int lock = -1;

	if (open_store(g, &s, &lock, e))
		return -1;
	m.store = s;
	return cmd_each_operand("volume rm", argc, argv, remove_one, &m);
}

extern const struct command cmd_volume_rm;
const struct command cmd_volume_rm = {
	.name = "volume rm",
	.operands = "VOLUME...",
	.summary = "Remove volumes that no container uses",
	.opts = rm_options,
	.fields_size = sizeof(struct rm_opts),
	.min_operands = 1,
	.max_operands = -1,
	.run = rm_run,
};

/* ---- prune ----------------------------------------------------------------- */

struct prune_opts {
	bool all;
	bool force;
	struct strv filters;
};

static const struct opt prune_options[] = {
	{'a', "all", OPT_BOOL, offsetof(struct prune_opts, all), NULL,
	 "Named ones as well, not only anonymous ones"},
	{0, "filter", OPT_LIST, offsetof(struct prune_opts, filters), "K=V",
	 "label=, all=1"},
	{'f', "force", OPT_BOOL, offsetof(struct prune_opts, force), NULL,
	 "Do not ask"},
	{0},
};

/* 1: removed. */
static int prune_one(struct store *s, const char *name, const struct filter *f,
		     bool all, uint64_t *freed, struct err *e)
{
	const struct container_home home = volume_home(s);
	autovolume struct volume v = {0};
	autostrv struct strv users = {0};
	uint64_t size = 0;

	if (volume_load(s, name, &v, e) ||
	    container_volumes_users(&home, name, &users, e))
		return -1;
	if (users.n > 0 || (!all && !v.anonymous) || !volume_fits(&v, f))
		return 0;
	/* What another directory holds is not freed. */
	if (!strv_getenv(&v.options, "device") && volume_size(&v, &size, e))
		return -1;
	if (volume_remove(s, name, e))
		return -1;
	*freed += size;
	return 1;
}

static int prune_all(struct store *s, const struct filter *f, bool all,
		     struct err *e)
{
	autostrv struct strv names = {0};
	autofree char *text = NULL;
	uint64_t freed = 0;
	int code = 0;
	int n = 0;

	if (volume_names(s, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		struct err why = {0};
		const int rc = prune_one(s, names.v[i], f, all, &freed, &why);

		if (rc < 0) {
			cmd_print_error("volume prune", &why);
			code = 1;
		}
		if (rc == 1)
			out_line("%s%s", n++ == 0 ? "Deleted Volumes:\n" : "",
				 names.v[i]);
	}
	text = size_text(freed);
	out_print("%sTotal reclaimed space: %s\n", n > 0 ? "\n" : "", text);
	return code;
}

static int prune_run(const struct globals *g, void *fields, int argc,
		     char **argv, struct err *e)
{
	static const char *const known[] = {"all", "label", "label!", NULL};
	const struct prune_opts *const o = fields;
	autofilter struct filter f = {0};
	autostore struct store *s = NULL;
	autoclose int lock = -1;
	bool all = false;

	(void)argc;
	(void)argv;
	if (filter_parse(&o->filters, known, &f, e) ||
	    filter_bool(&f, "all", false, &all, e))
		return -1;
	all = all || o->all;
	if (!cmd_is_sure(o->force,
			 "%s volumes not used by at least one container",
			 all ? "all local" : "anonymous local"))
		return 0;
	if (open_store(g, &s, &lock, e))
		return -1;
	return prune_all(s, &f, all, e);
}

extern const struct command cmd_volume_prune;
const struct command cmd_volume_prune = {
	.name = "volume prune",
	.operands = "",
	.summary = "Remove the anonymous volumes that no container uses",
	.opts = prune_options,
	.fields_size = sizeof(struct prune_opts),
	.max_operands = 0,
	.run = prune_run,
};
