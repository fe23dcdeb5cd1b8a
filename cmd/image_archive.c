#include "cmd/image_archive.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/oci.h"
#include "base/own.h"
#include "base/ref.h"

#define KIND       "vnd.docker.reference.type" /* attestations */
#define PIECE      KIB(256)
#define IMAGES_MAX INDEX_MAX

/* A blob that is not at blobs/ALGORITHM/HEX, or not there at all. */
struct placed {
	struct digest digest;
	char *file;  /* its name in the archive, or NULL */
	char *bytes; /* made here */
	size_t n;
};

struct image_archive {
	const struct tarfiles *t;
	struct archived_image *v;
	size_t n;
	struct placed *placed;
	size_t n_placed;
};

/* ---- what there is --------------------------------------------------------- */

static struct placed *place(struct image_archive *a, const struct digest *d)
{
	struct placed *p;

	a->placed = xrealloc(a->placed, (a->n_placed + 1) * sizeof(*p));
	p = &a->placed[a->n_placed++];
	*p = (struct placed){.digest = *d};
	return p;
}

static const struct placed *placed_at(const struct image_archive *a,
				      const struct digest *d)
{
	for (size_t i = 0; i < a->n_placed; i++)
		if (digest_eq(&a->placed[i].digest, d))
			return &a->placed[i];
	return NULL;
}

/* One image, however many names it has. */
static struct archived_image *image_of(struct image_archive *a,
				       const struct digest *top)
{
	struct archived_image *x;

	for (size_t i = 0; i < a->n; i++)
		if (digest_eq(&a->v[i].top, top))
			return &a->v[i];
	a->v = xrealloc(a->v, (a->n + 1) * sizeof(*a->v));
	x = &a->v[a->n++];
	*x = (struct archived_image){.archive = a, .top = *top};
	return x;
}

static json_t *read_json(const struct tarfiles *t, const char *name,
			 struct err *e)
{
	autobuf struct buf b = buf_make(MANIFEST_MAX);

	if (tarfiles_read(t, name, &b, e))
		return NULL;
	return json_parse(buf_str(&b), b.len, name, e);
}

/* ---- an OCI layout ----------------------------------------------------------- */

/*
 * containerd and Docker write the whole name beside the tag; others have only
 * ref.name, and by the specification that may be anything.
 */
static int name_of(const struct jval *notes, const char **ret, struct err *e)
{
	const char *tag = NULL;

	*ret = NULL;
	if (!jval_present(notes))
		return 0;
	if (jget_str_opt(notes, OCI_IMAGE_NAME, ret, e) ||
	    jget_str_opt(notes, OCI_REF_NAME, &tag, e))
		return -1;
	if (!*ret && tag && strpbrk(tag, "/:"))
		*ret = tag;
	return 0;
}

static int one_descriptor(struct image_archive *a, const struct jval *m,
			  struct err *e)
{
	struct archived_image *x;
	const char *text;
	const char *name;
	struct digest d;
	struct jval notes;

	if (jget_str(m, "digest", &text, e) || digest_parse(text, &d, e) ||
	    jget(m, "annotations", &notes, e) || name_of(&notes, &name, e))
		return -1;
	if (jval_present(&notes) && jhas(&notes, KIND))
		return 0;
	x = image_of(a, &d);
	if (name)
		strv_add(&x->names, name);
	return 0;
}

static int open_layout(struct image_archive *a, struct err *e)
{
	autojson json_t *doc = read_json(a->t, "index.json", e);
	const struct jval root = jval_root(doc, "index.json");
	struct jval list;
	struct jval m;
	int64_t n;

	if (!doc || jget(&root, "manifests", &list, e))
		return -1;
	n = jlen(&list, e);
	if (n < 0)
		return -1;
	if (n > (int64_t)IMAGES_MAX)
		return err_set(e, ERR_TOOBIG, "index.json: %" PRId64 " images",
			       n);
	for (size_t i = 0; i < (size_t)n; i++)
		if (jat(&list, i, &m, e) || one_descriptor(a, &m, e))
			return -1;
	return 0;
}

/* ---- docker save ---------------------------------------------------------------- */

static bool is_packed(const unsigned char *p, int64_t n)
{
	return (n >= 2 && p[0] == 0x1f && p[1] == 0x8b) ||
	       (n >= 4 && !memcmp(p, "\x28\xb5\x2f\xfd", 4));
}

static int hash_file(const struct tarfile *f, struct digest *ret, struct err *e)
{
	autofree char *piece = xmalloc(PIECE);
	struct hash *const h = hash_begin(DIGEST_SHA256);
	uint64_t at = 0;
	int64_t n;

	while ((n = tarfile_pread(f, piece, PIECE, at, e)) > 0) {
		hash_add(h, piece, (size_t)n);
		at += (uint64_t)n;
	}
	if (n < 0)
		hash_drop(h);
	else
		hash_end(h, ret);
	return n < 0 ? -1 : 0;
}

/* A plain layer's digest is its diff id, a packed one's is to be computed. */
static int judge_layer(const struct tarfile *f, const struct digest *diff_id,
		       struct digest *ret, const char **ret_suffix,
		       struct err *e)
{
	unsigned char head[4];
	const int64_t n = tarfile_pread(f, head, sizeof(head), 0, e);

	if (n < 0)
		return -1;
	*ret = *diff_id;
	*ret_suffix = "";
	if (!is_packed(head, n))
		return 0;
	*ret_suffix = head[0] == 0x1f ? "+gzip" : "+zstd";
	return hash_file(f, ret, e);
}

static json_t *descriptor(const char *type, const char *suffix,
			  const struct digest *d, uint64_t size)
{
	autofree char *whole = xasprintf("%s%s", type, suffix);

	return json_pack("{s:s, s:s, s:I}", "mediaType", whole, "digest",
			 DIGEST_TEXT(d), "size", (json_int_t)size);
}

static int add_layer(struct image_archive *a, const char *file,
		     const struct digest *diff_id, json_t *layers,
		     struct err *e)
{
	struct digest d;
	struct tarfile f;
	const char *suffix;
	int rc;

	if (tarfiles_find(a->t, file, &f, e))
		return -1;
	rc = judge_layer(&f, diff_id, &d, &suffix, e);
	if (rc == 0) {
		(void)json_array_append_new(
			layers, descriptor(OCI_MT_LAYER, suffix, &d, f.size));
		if (!placed_at(a, &d))
			place(a, &d)->file = xstrdup(file);
	}
	tarfile_close(a->t, &f);
	return rc;
}

static int add_layers(struct image_archive *a, const struct jval *files,
		      const struct oci_image *config, json_t *layers,
		      struct err *e)
{
	const int64_t n = jlen(files, e);

	if (n < 0)
		return -1;
	if ((size_t)n != config->n_diff_ids)
		return err_set(e, ERR_INVALID,
			       "manifest.json: %" PRId64 " layers, but %zu "
			       "diff ids in the config",
			       n, config->n_diff_ids);
	for (size_t i = 0; i < (size_t)n; i++) {
		const char *file;

		if (jat_str(files, i, &file, e) ||
		    add_layer(a, file, &config->diff_ids[i], layers, e))
			return -1;
	}
	return 0;
}

static int make_manifest(struct image_archive *a, json_t *config,
			 json_t *layers, struct digest *ret, struct err *e)
{
	autojson json_t *doc = json_pack(
		"{s:i, s:s, s:O, s:O}", "schemaVersion", 2, "mediaType",
		OCI_MT_MANIFEST, "config", config, "layers", layers);
	char *const text = json_dumps(doc, JSON_COMPACT);
	struct placed *p;

	if (!text)
		return err_set(e, ERR_INVALID, "the manifest has no JSON form");
	hash_bytes(DIGEST_SHA256, text, strlen(text), ret);
	if (placed_at(a, ret)) {
		free(text);
		return 0;
	}
	p = place(a, ret);
	p->bytes = text;
	p->n = strlen(text);
	return 0;
}

/* Documents and layers of one image; *ret is its manifest. */
static int make_image(struct image_archive *a, const char *config_file,
		      const struct jval *files, struct digest *ret,
		      struct err *e)
{
	autobuf struct buf b = buf_make(CONFIG_MAX);
	autojson json_t *layers = json_array();
	autojson json_t *config = NULL;
	struct oci_image parsed = {0};
	struct digest id;
	int rc;

	if (tarfiles_read(a->t, config_file, &b, e) ||
	    oci_image_parse(buf_str(&b), b.len, &parsed, e))
		return -1;
	hash_bytes(DIGEST_SHA256, buf_str(&b), b.len, &id);
	if (!placed_at(a, &id))
		place(a, &id)->file = xstrdup(config_file);
	config = descriptor(OCI_MT_CONFIG, "", &id, b.len);
	rc = add_layers(a, files, &parsed, layers, e);
	oci_image_free(&parsed);
	return rc ? -1 : make_manifest(a, config, layers, ret, e);
}

static int one_saved(struct image_archive *a, const struct jval *m,
		     struct err *e)
{
	struct archived_image *x;
	const char *config;
	const char *name;
	struct jval files;
	struct jval tags;
	struct digest d;
	int64_t n;

	if (jget_str(m, "Config", &config, e) || jget(m, "Layers", &files, e) ||
	    jget(m, "RepoTags", &tags, e) ||
	    make_image(a, config, &files, &d, e))
		return -1;
	x = image_of(a, &d);
	n = jlen(&tags, e);
	for (size_t i = 0; n >= 0 && i < (size_t)n; i++) {
		if (jat_str(&tags, i, &name, e))
			return -1;
		strv_add(&x->names, name);
	}
	return n < 0 ? -1 : 0;
}

static int open_saved(struct image_archive *a, struct err *e)
{
	autojson json_t *doc = read_json(a->t, "manifest.json", e);
	const struct jval root = jval_root(doc, "manifest.json");
	struct jval m;
	int64_t n;

	if (!doc)
		return -1;
	n = jlen(&root, e);
	if (n < 0)
		return -1;
	if (n > (int64_t)IMAGES_MAX)
		return err_set(e, ERR_TOOBIG,
			       "manifest.json: %" PRId64 " images", n);
	for (size_t i = 0; i < (size_t)n; i++)
		if (jat(&root, i, &m, e) || one_saved(a, &m, e))
			return -1;
	return 0;
}

/* ---- the archive ------------------------------------------------------------------ */

static int open_any(struct image_archive *a, struct err *e)
{
	if (tarfiles_has(a->t, "index.json"))
		return open_layout(a, e);
	if (tarfiles_has(a->t, "manifest.json"))
		return open_saved(a, e);
	(void)err_set(e, ERR_INVALID,
		      "this is no image archive: it has neither index.json nor "
		      "manifest.json");
	return err_hint(e, "'prism import' makes an image of the files of a "
			   "tar");
}

int image_archive_open(const struct tarfiles *t, struct image_archive **ret,
		       struct err *e)
{
	struct image_archive *a = xcalloc(1, sizeof(*a));

	a->t = t;
	if (open_any(a, e)) {
		image_archive_free(a);
		return -1;
	}
	*ret = a;
	return 0;
}

void image_archive_free(struct image_archive *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++)
		strv_free(&a->v[i].names);
	for (size_t i = 0; i < a->n_placed; i++) {
		free(a->placed[i].file);
		free(a->placed[i].bytes);
	}
	free(a->placed);
	free(a->v);
	free(a);
}

size_t image_archive_count(const struct image_archive *a)
{
	return a->n;
}

struct archived_image *image_archive_at(struct image_archive *a, size_t i)
{
	return &a->v[i];
}

/* ---- as a source -------------------------------------------------------------------- */

/* Where it lies, if it does; malloced. */
static char *file_of(const struct image_archive *a, const struct digest *d)
{
	const struct placed *const p = placed_at(a, d);

	return p && p->file ? xstrdup(p->file) : oci_layout_blob(d);
}

static int find_blob(const struct image_archive *a, const struct digest *d,
		     struct tarfile *ret, struct err *e)
{
	autofree char *name = file_of(a, d);

	return tarfiles_find(a->t, name, ret, e);
}

bool image_archive_has(const struct archived_image *x, const struct digest *d)
{
	const struct placed *const p = placed_at(x->archive, d);
	autofree char *name = file_of(x->archive, d);

	return (p && p->bytes) || tarfiles_has(x->archive->t, name);
}

static int read_doc(const struct image_archive *a, const struct digest *d,
		    struct buf *b, struct err *e)
{
	const struct placed *const p = placed_at(a, d);
	autofree char *name = NULL;

	if (p && p->bytes) {
		buf_add(b, p->bytes, p->n);
		return 0;
	}
	name = file_of(a, d);
	return tarfiles_read(a->t, name, b, e);
}

static int manifest(void *ctx, const struct ref *ref,
		    const struct digest *digest, struct buf *ret_bytes,
		    char ret_type[128], struct digest *ret_digest,
		    struct err *e)
{
	const struct archived_image *const x = ctx;
	const struct digest *const want = digest ? digest : &x->top;

	(void)ref;
	ret_type[0] = '\0';
	if (read_doc(x->archive, want, ret_bytes, e))
		return -1;
	hash_bytes(want->alg, buf_str(ret_bytes), ret_bytes->len, ret_digest);
	if (digest_eq(want, ret_digest))
		return 0;
	return err_set(e, ERR_MISMATCH,
		       "manifest: wrong digest: the bytes are %s, not the "
		       "promised %s",
		       DIGEST_TEXT(ret_digest), DIGEST_TEXT(want));
}

static int pour(const struct tarfile *f, const struct registry_blob *b,
		char *piece, registry_tick_fn tick, void *tick_ctx,
		struct err *e)
{
	uint64_t at = b->have;
	int64_t n;

	while ((n = tarfile_pread(f, piece, PIECE, at, e)) > 0) {
		at += (uint64_t)n;
		if (b->sink(b->ctx, piece, (size_t)n, e) ||
		    (tick && tick(tick_ctx, e)))
			return -1;
	}
	return n < 0 ? -1 : b->done(b->ctx, e);
}

static int one_blob(const struct image_archive *a,
		    const struct registry_blob *b, char *piece,
		    registry_tick_fn tick, void *tick_ctx, struct err *e)
{
	struct tarfile f;
	int rc;

	if (find_blob(a, &b->desc.digest, &f, e))
		return -1;
	if (f.size != b->desc.size)
		rc = err_set(e, ERR_MISMATCH,
			     "%s has %" PRIu64 " bytes, the manifest promised "
			     "%" PRIu64,
			     DIGEST_SHORT(&b->desc.digest), f.size,
			     b->desc.size);
	else
		rc = pour(&f, b, piece, tick, tick_ctx, e);
	tarfile_close(a->t, &f);
	return rc;
}

static int fetch(void *ctx, const struct ref *ref, struct registry_blob *blobs,
		 size_t n, int parallel, registry_tick_fn tick, void *tick_ctx,
		 struct err *e)
{
	const struct archived_image *const x = ctx;
	autofree char *piece = xmalloc(PIECE);

	(void)ref;
	(void)parallel;
	for (size_t i = 0; i < n; i++)
		if (one_blob(x->archive, &blobs[i], piece, tick, tick_ctx, e))
			return -1;
	return 0;
}

struct image_source image_archive_source(struct archived_image *x)
{
	return (struct image_source){
		.ctx = x, .manifest = manifest, .fetch = fetch};
}
