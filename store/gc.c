#include "store/gc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crash.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "store/blob.h"

/* ---- tmp ----------------------------------------------------------------- */

/* An entry that cannot be removed must not fail every command that sweeps. */
static bool drop(int tmp, const char *name)
{
	struct err e = {0};

	if (fs_remove_tree_at(tmp, name, &e) == 0)
		return true;
	log_warn("ignoring tmp/%s: %s", name, e.text);
	return false;
}

int gc_tmp(struct store *s, bool keep_parts, size_t *ret_removed, struct err *e)
{
	const int tmp = store_dirfd(s, STORE_TMP, e);
	const int copy =
		tmp < 0 ? -1
			: openat(tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *ent;
	size_t n = 0;

	if (tmp < 0)
		return -1;
	if (!d) {
		(void)err_sys(e, "opendir", "%s/tmp", store_root(s));
		if (copy >= 0)
			(void)close(copy);
		return -1;
	}
	while ((ent = readdir(d))) {
		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, "..") ||
		    (keep_parts && str_starts(ent->d_name, "part-")))
			continue;
		n += drop(tmp, ent->d_name);
	}
	if (ret_removed)
		*ret_removed = n;
	return 0;
}

/* ---- marks --------------------------------------------------------------- */

struct set {
	struct digest *v;
	size_t n;
	size_t cap;
};

static void set_add(struct set *s, const struct digest *d)
{
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 64;
		s->v = xrealloc(s->v, s->cap * sizeof(*s->v));
	}
	s->v[s->n++] = *d;
}

static int by_text(const void *a, const void *b)
{
	const struct digest *const x = a;
	const struct digest *const y = b;

	return x->alg != y->alg ? (x->alg > y->alg) - (x->alg < y->alg)
				: strcmp(x->hex, y->hex);
}

static void set_sort(struct set *s)
{
	if (s->n > 0)
		qsort(s->v, s->n, sizeof(*s->v), by_text);
}

static bool set_has(const struct set *s, const struct digest *d)
{
	return s->n > 0 && bsearch(d, s->v, s->n, sizeof(*s->v), by_text);
}

struct marks {
	struct store *store;
	struct set blobs;
	struct set layers;
	struct set manifests; /* whose skeletons stay */
	struct err *e;
};

static void own_marks(struct marks *m)
{
	free(m->blobs.v);
	free(m->layers.v);
	free(m->manifests.v);
}

#define automarks __attribute__((cleanup(own_marks)))

static void mark_parts(struct marks *m, const struct image *img)
{
	set_add(&m->blobs, &img->config_digest);
	for (size_t i = 0; i < img->doc.n_layers; i++)
		set_add(&m->blobs, &img->doc.layers[i].digest);
	for (size_t i = 0; i < img->config.n_diff_ids; i++)
		set_add(&m->layers, &img->config.diff_ids[i]);
}

/* An attestation of an index, as a rule. */
static int mark_artifact(struct marks *m, const struct digest *d, struct err *e)
{
	autobuf struct buf text = buf_make(MANIFEST_MAX);
	struct oci_manifest doc = {0};

	err_clear(e);
	if (blob_read(m->store, d, &text, e) ||
	    oci_manifest_content(buf_str(&text), text.len, &doc, e))
		return -1;
	set_add(&m->blobs, &doc.config.digest);
	for (size_t i = 0; i < doc.n_layers; i++)
		set_add(&m->blobs, &doc.layers[i].digest);
	oci_manifest_free(&doc);
	return 0;
}

/*
 * A manifest and what it needs. One that is not there (another platform's that
 * was never pulled) needs nothing; one that can't be read ends the sweep:
 * better too much kept than something removed that is needed.
 */
static int mark_manifest(struct marks *m, const struct digest *d, struct err *e)
{
	const struct ref nameless = {.registry = "?", .repository = "?"};
	autoimage struct image img = {0};

	set_add(&m->blobs, d);
	set_add(&m->manifests, d);
	if (!blob_has(m->store, d))
		return 0;
	if (image_load(m->store, &nameless, d, d, &img, e)) {
		if (e->kind == ERR_UNSUPPORTED)
			return mark_artifact(m, d, e);
		(void)err_hint(e, "'prism fsck' says which image is damaged");
		return -1;
	}
	mark_parts(m, &img);
	return 0;
}

static int mark_top(struct marks *m, const struct digest *d, int depth,
		    struct err *e)
{
	autobuf struct buf text = buf_make(MANIFEST_MAX);
	struct oci_index index = {0};
	enum oci_doc kind = OCI_DOC_MANIFEST;
	int rc = 0;

	set_add(&m->blobs, d);
	if (!blob_has(m->store, d))
		return 0;
	if (blob_read(m->store, d, &text, e) ||
	    oci_doc_kind(buf_str(&text), text.len, NULL, &kind, e))
		return -1;
	if (kind == OCI_DOC_MANIFEST)
		return mark_manifest(m, d, e);
	if (depth > INDEX_NEST_MAX)
		return 0;
	if (oci_index_parse(buf_str(&text), text.len, &index, e))
		return -1;
	/* Of the others only those that were pulled are there. */
	for (size_t i = 0; rc == 0 && i < index.n; i++)
		if (blob_has(m->store, &index.v[i].digest))
			rc = mark_top(m, &index.v[i].digest, depth + 1, e);
	oci_index_free(&index);
	return rc;
}

static int mark_name(void *ctx, const struct ref *ref, const struct digest *top,
		     const struct digest *manifest, const struct err *bad)
{
	struct marks *const m = ctx;

	(void)ref;
	if (bad) {
		*m->e = *bad;
		return -1;
	}
	if (mark_top(m, top, 0, m->e))
		return -1;
	return digest_eq(top, manifest) ? 0 : mark_manifest(m, manifest, m->e);
}

/* ---- containers ---------------------------------------------------------- */

/* Non-zero ends the walk. */
typedef int (*user_fn)(void *ctx, const char *id, const struct digest *manifest,
		       struct err *e);

/* 1 when it has none: made from --rootfs, or gone meanwhile. */
static int read_manifest(int containers, const char *id, struct digest *ret,
			 struct err *e)
{
	autofree char *path = xasprintf("%s/spec.json", id);
	autobuf struct buf text = buf_make(STATE_MAX);
	autojson json_t *doc = NULL;
	struct jval root, info;
	const char *manifest = NULL;
	ERR_IN(e, "containers/%s", path);

	if (fs_read_at(containers, path, &text, e) < 0) {
		if (e->sys != ENOENT && e->sys != ENOTDIR)
			return -1;
		err_clear(e);
		return 1;
	}
	doc = json_parse(buf_str(&text), text.len, "spec.json", e);
	if (!doc)
		return -1;
	root = jval_root(doc, "spec.json");
	if (jget(&root, "info", &info, e) < 0 ||
	    jget_str_opt(&info, "manifest", &manifest, e) < 0)
		return -1;
	return manifest ? digest_parse(manifest, ret, e) : 1;
}

static int read_user(int containers, const char *id, user_fn fn, void *ctx,
		     struct err *e)
{
	struct digest d;
	const int rc = read_manifest(containers, id, &d, e);

	return rc == 0 ? fn(ctx, id, &d, e) : rc < 0 ? -1 : 0;
}

static int each_user(struct store *s, user_fn fn, void *ctx, struct err *e)
{
	const int containers = store_dirfd(s, STORE_CONTAINERS, e);
	const int copy = containers < 0
				 ? -1
				 : openat(containers, ".",
					  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *ent;

	if (containers < 0)
		return -1;
	if (!d) {
		(void)err_sys(e, "opendir", "containers");
		if (copy >= 0)
			(void)close(copy);
		return -1;
	}
	while ((ent = readdir(d))) {
		int r;

		if (ent->d_name[0] == '.' || !strcmp(ent->d_name, "by-name"))
			continue;
		r = read_user(containers, ent->d_name, fn, ctx, e);
		if (r)
			return r;
	}
	return 0;
}

static int mark_user(void *ctx, const char *id, const struct digest *manifest,
		     struct err *e)
{
	(void)id;
	return mark_manifest(ctx, manifest, e);
}

struct user_search {
	const struct digest *manifest;
	char *id;
};

static int match_user(void *ctx, const char *id, const struct digest *manifest,
		      struct err *e)
{
	const struct user_search *const u = ctx;

	(void)e;
	if (!digest_eq(manifest, u->manifest))
		return 0;
	(void)snprintf(u->id, 65, "%s", id);
	return 1;
}

int gc_user_of(struct store *s, const struct digest *manifest, char *ret_id,
	       struct err *e)
{
	struct user_search u = {.manifest = manifest, .id = ret_id};

	ret_id[0] = '\0';
	return each_user(s, match_user, &u, e) < 0 ? -1 : 0;
}

/* ---- sweep --------------------------------------------------------------- */

struct sweep {
	struct store *store;
	gc_fn removed;
	void *ctx;
};

static int remove_one(const struct sweep *w, enum store_dir which,
		      const struct digest *d, struct err *e)
{
	const int tmp = store_dirfd(w->store, STORE_TMP, e);
	const int dir = store_dirfd(w->store, which, e);
	char unique[17];
	char name[32];

	if (tmp < 0 || dir < 0)
		return -1;
	str_random_hex(unique, 8);
	(void)snprintf(name, sizeof(name), "gone-%s", unique);
	if (renameat(dir, DIGEST_PATH(d), tmp, name)) {
		if (errno == ENOENT)
			return 0;
		return err_sys(e, "renameat", "%s -> tmp/%s", DIGEST_PATH(d),
			       name);
	}
	crash_point("gone-renamed");
	(void)drop(tmp, name);
	crash_point("gone-removed");
	if (w->removed)
		w->removed(w->ctx, which, d);
	return 0;
}

/* In the order of `had`: manifests before what they need. */
static int remove_rest(const struct sweep *w, enum store_dir which,
		       const struct set *had, const struct set *needed,
		       struct err *e)
{
	for (size_t i = 0; i < had->n; i++)
		if (!set_has(needed, &had->v[i]) &&
		    remove_one(w, which, &had->v[i], e))
			return -1;
	return 0;
}

int gc_image(struct store *s, const struct image *img, gc_fn removed, void *ctx,
	     struct err *e)
{
	const struct sweep w = {.store = s, .removed = removed, .ctx = ctx};
	automarks struct marks had = {.store = s, .e = e};
	automarks struct marks needed = {.store = s, .e = e};

	if (mark_name(&had, &img->ref, &img->top, &img->manifest, NULL) ||
	    image_each(s, mark_name, &needed, e) ||
	    each_user(s, mark_user, &needed, e))
		return -1;
	set_sort(&needed.blobs);
	set_sort(&needed.layers);
	set_sort(&needed.manifests);

	if (remove_rest(&w, STORE_BLOBS, &had.blobs, &needed.blobs, e) ||
	    remove_rest(&w, STORE_SKELETONS, &had.manifests, &needed.manifests,
			e))
		return -1;
	return remove_rest(&w, STORE_LAYERS, &had.layers, &needed.layers, e);
}

static int note_one(void *ctx, const struct digest *d, const char *name,
		    struct err *e)
{
	(void)name;
	(void)e;
	if (d)
		set_add(ctx, d);
	return 0;
}

/* All there is of one folder, less what is needed. */
static int remove_others(const struct sweep *w, enum store_dir which,
			 const struct set *needed, struct err *e)
{
	struct set had = {0};
	int rc = blob_each_in(w->store, which, note_one, &had, e);

	set_sort(&had);
	if (rc == 0)
		rc = remove_rest(w, which, &had, needed, e);
	free(had.v);
	return rc;
}

int gc_unused(struct store *s, gc_fn removed, void *ctx, struct err *e)
{
	const struct sweep w = {.store = s, .removed = removed, .ctx = ctx};
	automarks struct marks needed = {.store = s, .e = e};

	if (image_each(s, mark_name, &needed, e) ||
	    each_user(s, mark_user, &needed, e))
		return -1;
	set_sort(&needed.blobs);
	set_sort(&needed.layers);
	set_sort(&needed.manifests);
	if (remove_others(&w, STORE_BLOBS, &needed.blobs, e) ||
	    remove_others(&w, STORE_SKELETONS, &needed.manifests, e))
		return -1;
	return remove_others(&w, STORE_LAYERS, &needed.layers, e);
}
