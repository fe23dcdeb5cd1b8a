#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/ref.h"
#include "cmd/cmd.h"
#include "cmd/common_time.h"
#include "cmd/filter.h"
#include "cmd/listing.h"
#include "cmd/size.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/store.h"

struct images_opts {
	bool quiet;
	bool no_trunc;
	bool digests;
	bool all;
	bool no_heading;
	const char *format;
	struct strv filters;
};

static const struct opt images_options[] = {
	{'a', "all", OPT_BOOL, offsetof(struct images_opts, all), NULL,
	 "Accepted for Docker's sake: every image is shown"},
	{0, "digests", OPT_BOOL, offsetof(struct images_opts, digests), NULL,
	 "Show digests"},
	{'f', "filter", OPT_LIST, offsetof(struct images_opts, filters),
	 "KEY=VALUE",
	 "reference=PATTERN, label=K[=V], before=IMAGE, since=IMAGE, "
	 "until=TIME, dangling=BOOL"},
	{0, "format", OPT_STR, offsetof(struct images_opts, format),
	 "json|table|TEMPLATE",
	 "A Go template for each, 'table TEMPLATE', or 'json'"},
	{'n', "noheading", OPT_BOOL, offsetof(struct images_opts, no_heading),
	 NULL, "No heading above the table"},
	{0, "no-trunc", OPT_BOOL, offsetof(struct images_opts, no_trunc), NULL,
	 "Show ids whole"},
	{'q', "quiet", OPT_BOOL, offsetof(struct images_opts, quiet), NULL,
	 "Print ids only"},
	{0},
};

static const struct listing_title titles[] = {
	{"Repository", "REPOSITORY"},
	{"Tag", "TAG"},
	{"Digest", "DIGEST"},
	{"ID", "IMAGE ID"},
	{"CreatedSince", "CREATED"},
	{"CreatedAt", "CREATED AT"},
	{"Size", "SIZE"},
	{"VirtualSize", "VIRTUAL SIZE"},
	{"SharedSize", "SHARED SIZE"},
	{"UniqueSize", "UNIQUE SIZE"},
	{"Containers", "CONTAINERS"},
	{NULL, NULL},
};

/* One name of one image. */
struct row {
	json_t *json;
	json_t *labels;
	char *repository;
	char *tag;
	char *id;
	int64_t when;
};

struct rows {
	struct store *store;
	const struct images_opts *opts;
	struct filter filter;
	const char *pattern; /* the operand, or NULL */
	bool has_dangling;
	bool dangling;
	int64_t before; /* 0: none */
	int64_t since;
	int64_t until;
	struct row *v;
	size_t n;
	bool damaged;
};

static char *image_size(struct rows *r, const struct image *img)
{
	const struct digest *const d = img->config.diff_ids;
	struct err ignored = {0};
	uint64_t sum = 0;

	for (size_t i = 0; i < img->config.n_diff_ids; i++) {
		uint64_t n = 0;

		if (layer_size(r->store, &d[i], &n, &ignored))
			return xstrdup("damaged");
		sum += n;
	}
	return size_text(sum);
}

/* "2024-05-01 10:11:12 +0000 UTC", as Go prints a time. */
static char *created_at(int64_t when)
{
	char text[CLOCK_TEXT_MAX];

	if (when == 0)
		return xstrdup("N/A");
	(void)clock_text(when * CLOCK_SECOND, false, text);
	return xasprintf("%.10s %.8s +0000 UTC", text, text + 11);
}

static json_t *labels_of(const struct image *img)
{
	json_t *const o = json_object();

	for (size_t i = 0; i < img->config.labels.n; i++) {
		const char *const s = img->config.labels.v[i];
		const char *const eq = strchr(s, '=');
		autofree char *key =
			xstrndup(s, eq ? (size_t)(eq - s) : strlen(s));

		(void)json_object_set_new(o, key,
					  json_string(eq ? eq + 1 : ""));
	}
	return o;
}

/* ---- what is asked for --------------------------------------------------- */

/* Docker's: the pattern names a repository, or a repository and a tag. */
static bool is_named(const char *pattern, const struct row *w,
		     const struct ref *ref)
{
	autofree char *name = xasprintf("%s:%s", w->repository, w->tag);
	const char *const full = ref_text(ref, (char[REF_TEXT_MAX]){0});

	return !fnmatch(pattern, w->repository, FNM_PATHNAME) ||
	       !fnmatch(pattern, name, FNM_PATHNAME) ||
	       !fnmatch(pattern, full, FNM_PATHNAME);
}

static bool wanted(const struct rows *r, const struct row *w,
		   const struct ref *ref)
{
	const char *value;
	bool named = !filter_has(&r->filter, "reference");

	for (size_t i = 0;
	     (value = filter_get(&r->filter, "reference", i)) != NULL; i++)
		named = named || is_named(value, w, ref);
	if (!named || (r->pattern && !is_named(r->pattern, w, ref)))
		return false;
	if (r->has_dangling && r->dangling != !strcmp(w->tag, "<none>"))
		return false;
	if ((r->before && w->when >= r->before) ||
	    (r->since && w->when <= r->since) ||
	    (r->until && w->when >= r->until))
		return false;
	return filter_labels(&r->filter, w->labels);
}

/* The time of the image that before= or since= names. */
static int moment_of(struct rows *r, const char *key, int64_t *ret,
		     struct err *e)
{
	const char *const name = filter_get(&r->filter, key, 0);
	autoimage struct image img = {0};

	if (!name)
		return 0;
	if (image_find_any(r->store, name, &img, e))
		return -1;
	*ret = img.config.created ? time_parse(img.config.created) : 0;
	return 0;
}

static int read_filters(struct rows *r, struct err *e)
{
	static const char *const known[] = {"reference", "label", "label!",
					    "before",    "since", "until",
					    "dangling",  NULL};

	if (filter_parse(&r->opts->filters, known, &r->filter, e) ||
	    filter_bool(&r->filter, "dangling", false, &r->dangling, e) ||
	    filter_time(&r->filter, "until", &r->until, e))
		return -1;
	r->has_dangling = filter_has(&r->filter, "dangling");
	if (moment_of(r, "before", &r->before, e))
		return -1;
	return moment_of(r, "since", &r->since, e);
}

/* ---- rows ---------------------------------------------------------------- */

static void row_free(struct row *w)
{
	json_decref(w->json);
	json_decref(w->labels);
	free(w->repository);
	free(w->tag);
	free(w->id);
}

static struct row make_row(struct rows *r, const struct ref *ref,
			   const struct digest *top, const struct image *img)
{
	struct row w = {
		.repository = xstrdup(
			ref_familiar_name(ref, (char[REF_TEXT_MAX]){0})),
		.tag = xstrdup(digest_is_set(&ref->digest) ? "<none>"
							   : ref->tag),
		.id = xstrdup(r->opts->no_trunc
				      ? DIGEST_TEXT(&img->config_digest)
				      : DIGEST_SHORT(&img->config_digest)),
		.labels = labels_of(img),
		.when = img->config.created ? time_parse(img->config.created)
					    : 0,
	};
	autofree char *at = created_at(w.when);
	autofree char *ago = time_ago(w.when);
	autofree char *size = image_size(r, img);

	w.json = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
		"Containers", "N/A", "CreatedAt", at, "CreatedSince", ago,
		"Digest", DIGEST_TEXT(top), "ID", w.id, "Repository",
		w.repository, "SharedSize", "N/A", "Size", size, "Tag", w.tag,
		"UniqueSize", "N/A", "VirtualSize", size);
	return w;
}

static int add_row(void *ctx, const struct ref *ref, const struct digest *top,
		   const struct digest *manifest, const struct err *bad)
{
	struct rows *const r = ctx;
	autoimage struct image img = {0};
	struct err e = {0};
	struct row w;

	if (bad || image_load(r->store, ref, top, manifest, &img, &e)) {
		if (bad)
			log_warn("image %s: %s",
				 ref_familiar(ref, (char[REF_TEXT_MAX]){0}),
				 bad->text);
		else
			log_warn("%s", e.text);
		r->damaged = true;
		return 0;
	}
	w = make_row(r, ref, top, &img);
	if (!wanted(r, &w, ref)) {
		row_free(&w);
		return 0;
	}
	r->v = xrealloc(r->v, (r->n + 1) * sizeof(*r->v));
	r->v[r->n++] = w;
	return 0;
}

/* The newest first; then by name, so that two runs print the same. */
static int newest_first(const void *a, const void *b)
{
	const struct row *const x = a;
	const struct row *const y = b;
	const int name = strcmp(x->repository, y->repository);

	if (x->when != y->when)
		return x->when < y->when ? 1 : -1;
	return name ? name : strcmp(x->tag, y->tag);
}

static bool seen_id(const struct rows *r, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (!strcmp(r->v[j].id, r->v[i].id))
			return true;
	return false;
}

static int print_rows(struct rows *r, struct listing *l, struct err *e)
{
	if (r->n > 0)
		qsort(r->v, r->n, sizeof(*r->v), newest_first);
	for (size_t i = 0; i < r->n; i++)
		if (!l->quiet || !seen_id(r, i))
			listing_add(l, json_incref(r->v[i].json),
				    json_incref(r->v[i].labels));
	return listing_print(l, e);
}

static int images_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	const struct images_opts *const o = fields;
	struct rows r = {
		.opts = o,
		.pattern = argc > 0 ? argv[0] : NULL,
	};
	struct listing l = {
		.titles = titles,
		.table = o->digests ? "{{.Repository}}\t{{.Tag}}\t{{.Digest}}"
				      "\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
				    : "{{.Repository}}\t{{.Tag}}\t{{.ID}}"
				      "\t{{.CreatedSince}}\t{{.Size}}",
		.quiet = o->quiet,
		.quiet_key = "ID",
		.no_heading = o->no_heading,
	};
	autostore struct store *s = NULL;
	int rc = -1;

	if (listing_open(&l, o->format, e) == 0 &&
	    cmd_open_store(g, &s, e) == 0) {
		r.store = s;
		rc = read_filters(&r, e);
	}
	if (rc == 0)
		rc = image_each(s, add_row, &r, e);
	if (rc == 0)
		rc = print_rows(&r, &l, e);
	for (size_t i = 0; i < r.n; i++)
		row_free(&r.v[i]);
	free(r.v);
	filter_free(&r.filter);
	listing_free(&l);
	return rc ? -1 : r.damaged;
}

extern const struct command cmd_list_images;
const struct command cmd_list_images = {
	.name = "images",
	.operands = "[REPOSITORY[:TAG]]",
	.summary = "List the images in the store",
	.opts = images_options,
	.fields_size = sizeof(struct images_opts),
	.max_operands = 1,
	.run = images_run,
};
