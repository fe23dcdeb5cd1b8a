/*
 * volume - volume create, ls, inspect
 */
#include "cmd/volume.h"

#include <string.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "cmd/ctr_text.h"
#include "cmd/listing.h"
#include "runtime/container_volumes.h"

#define DRIVER "local"

json_t *volume_pairs(const struct strv *pairs)
{
	json_t *map;

	if (pairs->n == 0)
		return NULL;
	map = json_object();
	for (size_t i = 0; i < pairs->n; i++) {
		const char *const eq = strchr(pairs->v[i], '=');
		autofree char *key =
			xstrndup(pairs->v[i], eq ? (size_t)(eq - pairs->v[i])
						 : strlen(pairs->v[i]));

		(void)json_object_set_new(map, key,
					  json_string(eq ? eq + 1 : ""));
	}
	return map;
}

bool volume_fits(const struct volume *v, const struct filter *f)
{
	autojson json_t *labels = volume_pairs(&v->labels);

	return filter_is(f, "driver", DRIVER) &&
	       filter_matches(f, "name", v->name) && filter_labels(f, labels);
}

struct container_home volume_home(struct store *s)
{
	struct err ignored = {0};

	return (struct container_home){
		.root_path = store_root(s),
		.root_fd = store_dirfd(s, STORE_ROOT, &ignored),
	};
}

/* ---- create ---------------------------------------------------------------- */

struct create_opts {
	const char *driver;
	const char *name;
	struct strv labels;
	struct strv options;
};

static const struct opt create_options[] = {
	{'d', "driver", OPT_STR, offsetof(struct create_opts, driver), "local",
	 "There is this one"},
	{0, "label", OPT_LIST, offsetof(struct create_opts, labels), "K[=V]",
	 "Label it"},
	{0, "name", OPT_STR, offsetof(struct create_opts, name), "NAME",
	 "The same as the operand"},
	{'o', "opt", OPT_LIST, offsetof(struct create_opts, options), "K=V",
	 "type=none, o=bind, device=DIR: it stands for this directory"},
	{0},
};

static int create_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	const struct create_opts *const o = fields;
	const struct volume_new n = {
		.name = argc > 0 ? argv[0] : o->name,
		.labels = &o->labels,
		.options = &o->options,
	};
	autovolume struct volume v = {0};
	autostore struct store *s = NULL;
	autoclose int lock = -1;

	if (o->driver && strcmp(o->driver, DRIVER) != 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "--driver %s: there is only 'local'", o->driver);
	if (argc > 0 && o->name && strcmp(o->name, argv[0]) != 0)
		return err_set(e, ERR_USAGE, "two names: '%s' and '%s'",
			       o->name, argv[0]);
	if (cmd_open_store(g, &s, e))
		return -1;
	lock = volume_lock(s, FS_LOCK_SHARED, e);
	if (lock < 0 || volume_make(s, &n, &v, NULL, e))
		return -1;
	out_line("%s", v.name);
	return 0;
}

extern const struct command cmd_volume_create;
const struct command cmd_volume_create = {
	.name = "volume create",
	.operands = "[VOLUME]",
	.summary = "Make a volume",
	.opts = create_options,
	.fields_size = sizeof(struct create_opts),
	.max_operands = 1,
	.run = create_run,
};

/* ---- ls -------------------------------------------------------------------- */

struct ls_opts {
	struct strv filters;
	const char *format;
	bool quiet;
};

static const struct opt ls_options[] = {
	{'f', "filter", OPT_LIST, offsetof(struct ls_opts, filters), "K=V",
	 "dangling=, driver=, label=, name="},
	{0, "format", OPT_STR, offsetof(struct ls_opts, format), "TEMPLATE",
	 "'table TEMPLATE', TEMPLATE or 'json'"},
	{'q', "quiet", OPT_BOOL, offsetof(struct ls_opts, quiet), NULL,
	 "Names only"},
	{0},
};

static json_t *row_of(const struct volume *v)
{
	autofree char *labels = ctr_text_labels(&v->labels);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
			 "Availability", "N/A", "Driver", DRIVER, "Group",
			 "N/A", "Labels", labels, "Links", "N/A", "Mountpoint",
			 v->source, "Name", v->name, "Scope", "local", "Size",
			 "N/A", "Status", "N/A");
}

/* 1: it is to be shown. */
static int is_wanted(struct store *s, const struct volume *v,
		     const struct filter *f, struct err *e)
{
	const struct container_home home = volume_home(s);
	autostrv struct strv users = {0};
	bool dangling = false;

	if (!volume_fits(v, f))
		return 0;
	if (!filter_has(f, "dangling"))
		return 1;
	if (filter_bool(f, "dangling", false, &dangling, e) ||
	    container_volumes_users(&home, v->name, &users, e))
		return -1;
	return dangling == (users.n == 0);
}

static int gather(struct store *s, const struct filter *f, struct listing *l,
		  struct err *e)
{
	autostrv struct strv names = {0};

	if (volume_names(s, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autovolume struct volume v = {0};
		struct err why = {0};
		int wanted;

		if (volume_load(s, names.v[i], &v, &why)) {
			/* Gone meanwhile, or damaged: the others count. */
			if (why.kind != ERR_NOTFOUND)
				log_warn("ignoring %s", why.text);
			continue;
		}
		wanted = is_wanted(s, &v, f, e);
		if (wanted < 0)
			return -1;
		if (wanted)
			listing_add(l, row_of(&v), volume_pairs(&v.labels));
	}
	return 0;
}

static int ls_run(const struct globals *g, void *fields, int argc, char **argv,
		  struct err *e)
{
	static const char *const known[] = {"dangling", "driver", "label",
					    "name", NULL};
	static const struct listing_title titles[] = {
		{"Availability", "AVAILABILITY"},
		{"Driver", "DRIVER"},
		{"Group", "GROUP"},
		{"Labels", "LABELS"},
		{"Links", "LINKS"},
		{"Mountpoint", "MOUNTPOINT"},
		{"Name", "VOLUME NAME"},
		{"Scope", "SCOPE"},
		{"Size", "SIZE"},
		{"Status", "STATUS"},
		{0},
	};
	const struct ls_opts *const o = fields;
	struct listing l = {
		.titles = titles,
		.table = "{{.Driver}}\t{{.Name}}",
		.quiet = o->quiet,
		.quiet_key = "Name",
	};
	autofilter struct filter f = {0};
	autostore struct store *s = NULL;
	int rc;

	(void)argc;
	(void)argv;
	if (filter_parse(&o->filters, known, &f, e) ||
	    listing_open(&l, o->format, e))
		return -1;
	rc = cmd_open_store(g, &s, e) || gather(s, &f, &l, e) ||
	     listing_print(&l, e);
	listing_free(&l);
	return rc ? -1 : 0;
}

extern const struct command cmd_volume_ls;
const struct command cmd_volume_ls = {
	.name = "volume ls",
	.operands = "",
	.summary = "List the volumes",
	.opts = ls_options,
	.fields_size = sizeof(struct ls_opts),
	.max_operands = 0,
	.run = ls_run,
};

/* ---- inspect --------------------------------------------------------------- */

struct inspect_opts {
	const char *format;
};

static const struct opt inspect_options[] = {
	{'f', "format", OPT_STR, offsetof(struct inspect_opts, format),
	 "TEMPLATE", "A Go template, or 'json'"},
	{0},
};

static json_t *pairs_or_null(const struct strv *pairs)
{
	json_t *const map = volume_pairs(pairs);

	return map ? map : json_null();
}

static json_t *document_of(const struct volume *v)
{
	return json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:s}", "CreatedAt",
			 v->created, "Driver", DRIVER, "Labels",
			 pairs_or_null(&v->labels), "Mountpoint", v->source,
			 "Name", v->name, "Options", pairs_or_null(&v->options),
			 "Scope", "local");
}

static int inspect_run(const struct globals *g, void *fields, int argc,
		       char **argv, struct err *e)
{
	const struct inspect_opts *const o = fields;
	autojson json_t *all = json_array();
	autostore struct store *s = NULL;
	int code = 0;

	if (cmd_open_store(g, &s, e))
		return -1;
	for (int i = 0; i < argc; i++) {
		autovolume struct volume v = {0};
		struct err why = {0};

		if (volume_load(s, argv[i], &v, &why)) {
			cmd_print_error("volume inspect", &why);
			code = 1;
			continue;
		}
		(void)json_array_append_new(all, document_of(&v));
	}
	return listing_inspect(o->format, all, e) ? -1 : code;
}

extern const struct command cmd_volume_inspect;
const struct command cmd_volume_inspect = {
	.name = "volume inspect",
	.operands = "VOLUME...",
	.summary = "Show what is known of volumes, as JSON",
	.opts = inspect_options,
	.fields_size = sizeof(struct inspect_opts),
	.min_operands = 1,
	.max_operands = -1,
	.run = inspect_run,
};
