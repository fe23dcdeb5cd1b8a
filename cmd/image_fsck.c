#include "base/log.h"
#include "base/own.h"
#include "base/userns.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "store/fsck.h"
#include "store/store.h"

struct fsck_opts {
	bool quick;
};

static const struct opt fsck_options[] = {
	{0, "quick", OPT_BOOL, offsetof(struct fsck_opts, quick), NULL,
	 "Do not read the bytes of blobs and files"},
	{0},
};

static void print_finding(void *ctx, const char *text)
{
	(void)ctx;
	out_line("%s", text);
}

static int fsck_cmd_run(const struct globals *g, void *fields, int argc,
			char **argv, struct err *e)
{
	const struct fsck_opts *const o = fields;
	struct fsck f = {.quick = o->quick, .found = print_finding};
	autofree char *root = g->root ? xstrdup(g->root) : store_default_root();
	autostore struct store *s = NULL;
	struct idmap map;

	(void)argc;
	(void)argv;
	if (userns_enter_for_store(&map, e) || store_open(root, false, &s, e))
		return -1;
	f.store = s;
	if (fsck_run(&f, e))
		return -1;
	if (f.leftovers)
		log_note("%zu unfinished things were left in tmp, removed",
			 f.leftovers);
	out_print("%zu names, %zu blobs, %zu layers, %.1f MB read: ", f.names,
		  f.blobs, f.layers, (double)f.bytes / 1e6);
	if (f.findings == 0)
		out_line("clean");
	else
		out_line("%zu found", f.findings);
	return f.findings ? 1 : 0;
}

extern const struct command cmd_fsck;
const struct command cmd_fsck = {
	.name = "fsck",
	.operands = "",
	.summary = "Check the store",
	.opts = fsck_options,
	.fields_size = sizeof(struct fsck_opts),
	.max_operands = 0,
	.run = fsck_cmd_run,
};
