#include <string.h>

#include "base/own.h"
#include "base/ref.h"
#include "base/userns.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/store.h"

struct rmi_opts {
	bool force;
	bool no_prune;
};

static const struct opt rmi_options[] = {
	{'f', "force", OPT_BOOL, offsetof(struct rmi_opts, force), NULL,
	 "Also remove an image with several names, or one that a container "
	 "uses; no error if absent"},
	{0, "no-prune", OPT_BOOL, offsetof(struct rmi_opts, no_prune), NULL,
	 "Remove the name only"},
	{0},
};

struct rmi {
	struct store *store;
	const struct rmi_opts *opts;
};

/* The names of one image (by its id), all of them. */
struct names {
	struct store *store;
	const struct digest *id;
	struct ref *v;
	size_t n;
};

static int collect_name(void *ctx, const struct ref *ref,
			const struct digest *top, const struct digest *manifest,
			const struct err *bad)
{
	struct names *const x = ctx;
	autoimage struct image img = {0};
	struct err ignored = {0};

	if (bad || image_load(x->store, ref, top, manifest, &img, &ignored) ||
	    !digest_eq(&img.config_digest, x->id))
		return 0;
	x->v = xrealloc(x->v, (x->n + 1) * sizeof(*x->v));
	x->v[x->n++] = *ref;
	return 0;
}

static void say_removed(void *ctx, enum store_dir which, const struct digest *d)
{
	const struct digest *const id = ctx;

	/* As Docker: the image by its id, layers by their diff ids. */
	if (which == STORE_LAYERS || (which == STORE_BLOBS && digest_eq(d, id)))
		out_line("Deleted: %s", DIGEST_TEXT(d));
}

/* A container that was made from the image keeps it, unless forced. */
static int check_unused(struct rmi *r, const struct image *img,
			const char *text, struct err *e)
{
	char id[65];

	if (gc_user_of(r->store, &img->manifest, id, e))
		return -1;
	if (!id[0] || r->opts->force)
		return 0;
	(void)err_set(e, ERR_BUSY, "%s is used by container %.12s", text, id);
	return err_hint(e,
			"'prism rm %.12s' first, or 'prism rmi -f', which "
			"takes the name away and leaves the content to the "
			"container",
			id);
}

static int untag(struct rmi *r, const struct ref *ref, struct err *e)
{
	if (image_untag(r->store, ref, e))
		return -1;
	out_line("Untagged: %s", ref_familiar(ref, (char[REF_TEXT_MAX]){0}));
	return 0;
}

/* By id: the names of the image go all together, several only when forced. */
static int untag_all(struct rmi *r, const struct image *img, const char *text,
		     struct err *e)
{
	struct names x = {.store = r->store, .id = &img->config_digest};
	int rc = image_each(r->store, collect_name, &x, e);

	if (rc == 0 && x.n > 1 && !r->opts->force) {
		(void)err_set(e, ERR_USAGE, "image %s has %zu names", text,
			      x.n);
		rc = err_hint(e, "remove them one by one, or all with -f");
	}
	for (size_t i = 0; rc == 0 && i < x.n; i++)
		rc = untag(r, &x.v[i], e);
	free(x.v);
	return rc;
}

/* A name whose image is damaged can be taken away nevertheless. */
static int remove_damaged(struct rmi *r, const char *text, struct err *e)
{
	struct ref ref;
	struct digest top;
	struct digest manifest;
	struct err why = {0};

	if (ref_parse(text, &ref, &why) ||
	    (image_resolve(r->store, &ref, &top, &manifest, &why) &&
	     why.kind == ERR_NOTFOUND))
		return -1;
	err_clear(e);
	return untag(r, &ref, e);
}

static int remove_image(struct rmi *r, const char *text, struct err *e)
{
	autoimage struct image img = {0};
	struct ref ref;
	struct err ignored = {0};
	bool by_name;

	if (image_find_any(r->store, text, &img, e))
		return remove_damaged(r, text, e);
	if (check_unused(r, &img, text, e))
		return -1;

	by_name = ref_parse(text, &ref, &ignored) == 0 &&
		  !strcmp(ref.repository, img.ref.repository) &&
		  !strcmp(ref.registry, img.ref.registry);
	if (by_name ? untag(r, &ref, e) : untag_all(r, &img, text, e))
		return -1;
	if (r->opts->no_prune)
		return 0;
	return gc_image(r->store, &img, say_removed, &img.config_digest, e);
}

/* The others are removed even if one cannot be. */
static int rmi_run(const struct globals *g, void *fields, int argc, char **argv,
		   struct err *e)
{
	struct rmi r = {.opts = fields};
	struct idmap map;
	autofree char *root = g->root ? xstrdup(g->root) : store_default_root();
	autostore struct store *s = NULL;
	int rc = 0;

	if (userns_enter_for_store(&map, e) || store_open(root, true, &s, e) ||
	    gc_tmp(s, true, NULL, e))
		return -1;
	r.store = s;
	for (int i = 0; i < argc; i++) {
		struct err one = {0};

		if (remove_image(&r, argv[i], &one) == 0)
			continue;
		if (one.kind == ERR_NOTFOUND && r.opts->force)
			continue;
		cmd_print_error("rmi", &one);
		rc = 1;
	}
	return rc;
}

extern const struct command cmd_rmi;
const struct command cmd_rmi = {
	.name = "rmi",
	.operands = "IMAGE...",
	.summary = "Remove images from the store",
	.opts = rmi_options,
	.fields_size = sizeof(struct rmi_opts),
	.min_operands = 1,
	.max_operands = -1,
	.run = rmi_run,
};
