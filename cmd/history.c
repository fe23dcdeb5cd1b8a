#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "cmd/cmd.h"
#include "cmd/common_time.h"
#include "cmd/ctr_text.h"
#include "cmd/listing.h"
#include "cmd/size.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/store.h"

struct history_opts {
	bool quiet;
	bool no_trunc;
	const char *human;
	const char *format;
};

static const struct opt history_options[] = {
	{0, "format", OPT_STR, offsetof(struct history_opts, format),
	 "json|table|TEMPLATE",
	 "A Go template for each, 'table TEMPLATE', or 'json'"},
	{'H', "human", OPT_MAYBE, offsetof(struct history_opts, human), "BOOL",
	 "Sizes and times for people (default true)"},
	{0, "no-trunc", OPT_BOOL, offsetof(struct history_opts, no_trunc), NULL,
	 "Show everything whole"},
	{'q', "quiet", OPT_BOOL, offsetof(struct history_opts, quiet), NULL,
	 "Print ids only"},
	{0},
};

static const struct listing_title titles[] = {
	{"ID", "IMAGE"},
	{"CreatedAt", "CREATED AT"},
	{"CreatedSince", "CREATED"},
	{"CreatedBy", "CREATED BY"},
	{"Size", "SIZE"},
	{"Comment", "COMMENT"},
	{NULL, NULL},
};

#define CREATED_BY_MAX 45

static const char *text_of(const json_t *entry, const char *key)
{
	const char *const s = json_string_value(json_object_get(entry, key));

	return s ? s : "";
}

/* Docker shows 45 characters, the last an ellipsis, and no tabs. */
static char *created_by(const json_t *entry, bool whole)
{
	autofree char *s = xstrdup(text_of(entry, "created_by"));

	for (char *c = s; *c; c++)
		if (*c == '\t')
			*c = ' ';
	return whole ? take_ptr(&s) : ctr_text_cut(s, CREATED_BY_MAX);
}

static void add_entry(struct listing *l, const struct history_opts *o,
		      const json_t *entry, const char *id, uint64_t size)
{
	const bool human = !o->human || !*o->human || o->human[0] == 't' ||
			   o->human[0] == '1';
	const char *const created = text_of(entry, "created");
	const int64_t when = time_parse(created);
	autofree char *by = created_by(entry, o->no_trunc);
	autofree char *ago = time_ago(when);
	autofree char *bytes =
		human ? size_text(size)
		      : xasprintf("%llu", (unsigned long long)size);

	listing_add(l,
		    json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "Comment",
			      text_of(entry, "comment"), "CreatedAt", created,
			      "CreatedBy", by, "CreatedSince",
			      human ? ago : created, "ID", id, "Size", bytes),
		    NULL);
}

/* From the top down; an entry without a layer has no size. */
static int add_all(struct store *s, const struct image *img, const json_t *doc,
		   const struct history_opts *o, struct listing *l,
		   struct err *e)
{
	const json_t *const all = json_object_get(doc, "history");
	size_t layer = img->config.n_diff_ids;
	bool first = true;

	for (size_t i = json_array_size(all); i > 0; i--) {
		const json_t *const entry = json_array_get(all, i - 1);
		uint64_t size = 0;

		if (!json_is_true(json_object_get(entry, "empty_layer")) &&
		    layer > 0 &&
		    layer_size(s, &img->config.diff_ids[--layer], &size, e))
			return -1;
		add_entry(l, o, entry,
			  !first        ? "<missing>"
			  : o->no_trunc ? DIGEST_TEXT(&img->config_digest)
					: DIGEST_SHORT(&img->config_digest),
			  size);
		first = false;
	}
	return 0;
}

static int history_run(const struct globals *g, void *fields, int argc,
		       char **argv, struct err *e)
{
	const struct history_opts *const o = fields;
	struct listing l = {
		.titles = titles,
		.table = "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}"
			 "\t{{.Comment}}",
		.quiet = o->quiet,
		.quiet_key = "ID",
	};
	autostore struct store *s = NULL;
	autoimage struct image img = {0};
	autobuf struct buf text = buf_make(CONFIG_MAX);
	autojson json_t *doc = NULL;
	int rc = -1;

	(void)argc;
	if (listing_open(&l, o->format, e) == 0 &&
	    cmd_open_store(g, &s, e) == 0 &&
	    image_find_any(s, argv[0], &img, e) == 0 &&
	    blob_read(s, &img.config_digest, &text, e) == 0) {
		doc = json_parse(buf_str(&text), text.len, "config", e);
		rc = doc ? add_all(s, &img, doc, o, &l, e) : -1;
	}
	if (rc == 0)
		rc = listing_print(&l, e);
	listing_free(&l);
	return rc;
}

extern const struct command cmd_history;
const struct command cmd_history = {
	.name = "history",
	.operands = "IMAGE",
	.summary = "Show how an image was made",
	.opts = history_options,
	.fields_size = sizeof(struct history_opts),
	.min_operands = 1,
	.max_operands = 1,
	.run = history_run,
};
