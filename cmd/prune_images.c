/*
 * prune_images - image prune: what no name and no container needs
 *
 * Without -a only content that lost its name goes. With -a the names of images
 * that no container uses go too.
 */
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/ref.h"
#include "base/userns.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "cmd/common_time.h"
#include "cmd/content.h"
#include "cmd/filter.h"
#include "cmd/size.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/store.h"

struct prune_opts {
	bool all;
	bool force;
	struct strv filters;
};

static const struct opt prune_options[] = {
	{'a', "all", OPT_BOOL, offsetof(struct prune_opts, all), NULL,
	 "Also images with a name that no container uses"},
	{0, "filter", OPT_LIST, offsetof(struct prune_opts, filters),
	 "KEY=VALUE",
	 "until=TIME, label=K[=V], label!=K[=V]: of those with a "
	 "name only these"},
	{'f', "force", OPT_BOOL, offsetof(struct prune_opts, force), NULL,
	 "Do not ask"},
	{0},
};

struct prune {
	struct store *store;
	struct filter filter;
	int64_t until;
	struct ref *v; /* the names that go */
	size_t n;
	bool any;
	struct err *e;
};

static bool fits(const struct prune *p, const struct image *img)
{
	autojson json_t *labels = json_object();

	for (size_t i = 0; i < img->config.labels.n; i++) {
		const char *const s = img->config.labels.v[i];
		const size_t n = strcspn(s, "=");
		autofree char *key = xstrndup(s, n);

		(void)json_object_set_new(labels, key,
					  json_string(s[n] ? s + n + 1 : ""));
	}
	if (p->until && img->config.created &&
	    time_parse(img->config.created) >= p->until)
		return false;
	return filter_labels(&p->filter, labels);
}

static int collect(void *ctx, const struct ref *ref, const struct digest *top,
		   const struct digest *manifest, const struct err *bad)
{
	struct prune *const p = ctx;
	autoimage struct image img = {0};
	struct err ignored = {0};
	char user[65];

	if (bad || image_load(p->store, ref, top, manifest, &img, &ignored) ||
	    !fits(p, &img))
		return 0;
	if (gc_user_of(p->store, manifest, user, p->e))
		return -1;
	if (user[0])
		return 0;
	p->v = xrealloc(p->v, (p->n + 1) * sizeof(*p->v));
	p->v[p->n++] = *ref;
	return 0;
}

static void heading(struct prune *p)
{
	if (!p->any)
		out_line("Deleted Images:");
	p->any = true;
}

static void say_removed(void *ctx, enum store_dir which, const struct digest *d)
{
	struct prune *const p = ctx;

	if (which == STORE_SKELETONS)
		return;
	heading(p);
	out_line("deleted: %s", DIGEST_TEXT(d));
}

static void add_bytes(void *ctx, const struct digest *d, uint64_t bytes)
{
	(void)d;
	*(uint64_t *)ctx += bytes;
}

static int bytes_of(const struct prune *p, uint64_t *ret, struct err *e)
{
	*ret = 0;
	return content_each(p->store, add_bytes, ret, e);
}

static int prune(struct prune *p, bool all, struct err *e)
{
	uint64_t before = 0;
	uint64_t after = 0;
	autofree char *text = NULL;

	p->e = e;
	if (bytes_of(p, &before, e) ||
	    (all && image_each(p->store, collect, p, e)))
		return -1;
	for (size_t i = 0; i < p->n; i++) {
		if (image_untag(p->store, &p->v[i], e))
			return -1;
		heading(p);
		out_line("untagged: %s",
			 ref_familiar(&p->v[i], (char[REF_TEXT_MAX]){0}));
	}
	if (gc_unused(p->store, say_removed, p, e) || bytes_of(p, &after, e))
		return -1;
	text = size_text(before > after ? before - after : 0);
	out_print("%sTotal reclaimed space: %s\n", p->any ? "\n" : "", text);
	return 0;
}

static int prune_run(const struct globals *g, void *fields, int argc,
		     char **argv, struct err *e)
{
	static const char *const known[] = {"until", "label", "label!",
					    "dangling", NULL};
	const struct prune_opts *const o = fields;
	autofree char *root = g->root ? xstrdup(g->root) : store_default_root();
	autostore struct store *s = NULL;
	struct prune p = {0};
	struct idmap map;
	bool dangling = true;
	int rc = -1;

	(void)argc;
	(void)argv;
	if (filter_parse(&o->filters, known, &p.filter, e) == 0 &&
	    filter_bool(&p.filter, "dangling", !o->all, &dangling, e) == 0 &&
	    filter_time(&p.filter, "until", &p.until, e) == 0)
		rc = 0;
	if (rc == 0 &&
	    cmd_is_sure(o->force, "%s",
			o->all ? "images without at least one container "
				 "associated to them"
			       : "dangling images")) {
		rc = userns_enter_for_store(&map, e) ||
				     store_open(root, true, &s, e) ||
				     gc_tmp(s, true, NULL, e)
			     ? -1
			     : 0;
		p.store = s;
		if (rc == 0)
			rc = prune(&p, !dangling, e);
	}
	free(p.v);
	filter_free(&p.filter);
	return rc;
}

extern const struct command cmd_image_prune;
const struct command cmd_image_prune = {
	.name = "image prune",
	.operands = "",
	.summary = "Remove images that nothing uses",
	.opts = prune_options,
	.fields_size = sizeof(struct prune_opts),
	.max_operands = 0,
	.run = prune_run,
};
