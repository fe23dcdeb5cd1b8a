#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "base/ref.h"
#include "cmd/cmd.h"
#include "cmd/common_time.h"
#include "cmd/size.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/store.h"

struct images_opts {
	bool quiet;
	bool no_trunc;
	bool digests;
	bool all;
	const char *format;
};

static const struct opt images_options[] = {
	{'a', "all", OPT_BOOL, offsetof(struct images_opts, all), NULL,
	 "Accepted for Docker's sake: every image is shown"},
	{0, "digests", OPT_BOOL, offsetof(struct images_opts, digests), NULL,
	 "Show digests"},
	{0, "format", OPT_STR, offsetof(struct images_opts, format), "json",
	 "One JSON object per line"},
	{0, "no-trunc", OPT_BOOL, offsetof(struct images_opts, no_trunc), NULL,
	 "Show ids whole"},
	{'q', "quiet", OPT_BOOL, offsetof(struct images_opts, quiet), NULL,
	 "Print ids only"},
	{0},
};

/* One line of the table, as text. */
struct row {
	char *repository;
	char *tag;
	char *digest;
	char *id;
	char *created;    /* "3 weeks ago" */
	char *created_at; /* RFC 3339 */
	char *size;
	int64_t when;
};

struct rows {
	struct store *store;
	const struct images_opts *opts;
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

static int add_row(void *ctx, const struct ref *ref, const struct digest *top,
		   const struct digest *manifest, const struct err *bad)
{
	struct rows *const r = ctx;
	autoimage struct image img = {0};
	struct err e = {0};
	struct row *row;

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
	r->v = xrealloc(r->v, (r->n + 1) * sizeof(*r->v));
	row = &r->v[r->n++];
	*row = (struct row){
		.repository = xstrdup(
			ref_familiar_name(ref, (char[REF_TEXT_MAX]){0})),
		.tag = xstrdup(digest_is_set(&ref->digest) ? "<none>"
							   : ref->tag),
		.digest = xstrdup(DIGEST_TEXT(top)),
		.id = xstrdup(r->opts->no_trunc
				      ? DIGEST_TEXT(&img.config_digest)
				      : DIGEST_SHORT(&img.config_digest)),
		.created_at =
			xstrdup(img.config.created ? img.config.created : ""),
		.size = image_size(r, &img),
	};
	row->when = time_parse(row->created_at);
	row->created = time_ago(row->when);
	return 0;
}

static void rows_free(struct rows *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].repository);
		free(r->v[i].tag);
		free(r->v[i].digest);
		free(r->v[i].id);
		free(r->v[i].created);
		free(r->v[i].created_at);
		free(r->v[i].size);
	}
	free(r->v);
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

static void print_ids(const struct rows *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (!seen_id(r, i))
			(void)printf("%s\n", r->v[i].id);
}

static void print_json(const struct rows *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct row *const w = &r->v[i];
		autojson json_t *o = json_pack(
			"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}",
			"Containers", "N/A", "CreatedAt", w->created_at,
			"CreatedSince", w->created, "Digest", w->digest, "ID",
			w->id, "Repository", w->repository, "Size", w->size,
			"Tag", w->tag);
		autofree char *text = o ? json_dumps(o, JSON_COMPACT) : NULL;

		if (text)
			(void)printf("%s\n", text);
	}
}

static int widest(const struct rows *r, size_t offset, const char *title)
{
	size_t n = strlen(title);

	for (size_t i = 0; i < r->n; i++) {
		char *text;

		memcpy(&text, (const char *)&r->v[i] + offset, sizeof(text));
		if (strlen(text) > n)
			n = strlen(text);
	}
	return (int)n + 3;
}

static void print_table(const struct rows *r)
{
	static const struct {
		size_t offset;
		const char *title;
	} col[] = {
		{offsetof(struct row, repository), "REPOSITORY"},
		{offsetof(struct row, tag), "TAG"},
		{offsetof(struct row, digest), "DIGEST"},
		{offsetof(struct row, id), "IMAGE ID"},
		{offsetof(struct row, created), "CREATED"},
		{offsetof(struct row, size), "SIZE"},
	};
	int width[ARRAY_LEN(col)];

	for (size_t c = 0; c < ARRAY_LEN(col); c++)
		width[c] = widest(r, col[c].offset, col[c].title);

	for (size_t line = 0; line <= r->n; line++) {
		for (size_t c = 0; c < ARRAY_LEN(col); c++) {
			const bool last = c + 1 == ARRAY_LEN(col);
			char *text = NULL;

			if (col[c].offset == offsetof(struct row, digest) &&
			    !r->opts->digests)
				continue;
			if (line > 0)
				memcpy(&text,
				       (const char *)&r->v[line - 1] +
					       col[c].offset,
				       sizeof(text));
			(void)printf("%-*s", last ? 0 : width[c],
				     text ? text : col[c].title);
		}
		(void)putchar('\n');
	}
}

static int images_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	struct rows r = {.opts = fields};
	autostore struct store *s = NULL;
	int rc;

	(void)argc;
	(void)argv;
	if (r.opts->format && strcmp(r.opts->format, "json") != 0)
		return err_set(e, ERR_USAGE, "--format: only 'json' is known");
	if (cmd_open_store(g, &s, e))
		return -1;
	r.store = s;
	rc = image_each(s, add_row, &r, e);
	if (rc == 0) {
		if (r.n > 0)
			qsort(r.v, r.n, sizeof(*r.v), newest_first);
		if (r.opts->quiet)
			print_ids(&r);
		else if (r.opts->format)
			print_json(&r);
		else
			print_table(&r);
	}
	rows_free(&r);
	return rc ? -1 : r.damaged;
}

extern const struct command cmd_list_images;
const struct command cmd_list_images = {
	.name = "images",
	.operands = "",
	.summary = "List the images in the store",
	.opts = images_options,
	.fields_size = sizeof(struct images_opts),
	.max_operands = 0,
	.run = images_run,
};
