#include "cmd/image_rest.h"

#include "base/own.h"
#include "store/blob.h"

struct rest {
	const struct fetch *f;
	const struct archived_image *image;
};

static bool is_at_hand(const struct rest *r, const struct digest *d)
{
	return blob_has(r->f->store, d) || image_archive_has(r->image, d);
}

static bool is_whole(const struct rest *r, const struct oci_manifest *m)
{
	for (size_t i = 0; i < m->n_layers; i++)
		if (!is_at_hand(r, &m->layers[i].digest))
			return false;
	return true;
}

/* The document, and what it is made of as if all of that were layers. */
static int keep_blobs(const struct rest *r, const struct resolved *x,
		      struct err *e)
{
	struct fetch f = *r->f;

	f.image = x;
	f.blobs_only = true;
	if (!is_whole(r, &x->manifest))
		return 0;
	return fetch_is_complete(&f) ? 0 : fetch_image(&f, e);
}

static int keep_manifest(const struct rest *r, struct resolved *x,
			 struct err *e)
{
	const struct buf *const text = &x->doc[0].bytes;
	struct oci_manifest *const m = &x->manifest;
	struct err ignored = {0};

	if (oci_manifest_content(buf_str(text), text->len, m, &ignored))
		return 0;
	m->layers = xrealloc(m->layers, (m->n_layers + 1) * sizeof(*m->layers));
	m->layers[m->n_layers++] = m->config;
	return keep_blobs(r, x, e);
}

static int keep(const struct rest *r, const struct oci_desc *desc, int depth,
		struct err *e);

static int keep_listed(const struct rest *r, const struct buf *text, int depth,
		       struct err *e)
{
	struct oci_index index = {0};
	int rc = oci_index_parse(buf_str(text), text->len, &index, e);

	for (size_t i = 0; rc == 0 && i < index.n; i++)
		rc = keep(r, &index.v[i], depth + 1, e);
	oci_index_free(&index);
	return rc;
}

static int keep_doc(const struct rest *r, struct resolved *x, int depth,
		    struct err *e)
{
	const struct buf *const text = &x->doc[0].bytes;
	enum oci_doc kind = OCI_DOC_MANIFEST;
	struct err ignored = {0};

	if (oci_doc_kind(buf_str(text), text->len, NULL, &kind, &ignored))
		return 0;
	if (kind == OCI_DOC_MANIFEST)
		return keep_manifest(r, x, e);
	if (depth > INDEX_NEST_MAX)
		return 0;
	return keep_listed(r, text, depth, e) || keep_blobs(r, x, e) ? -1 : 0;
}

static int keep(const struct rest *r, const struct oci_desc *desc, int depth,
		struct err *e)
{
	const struct image_source *const from = r->f->source;
	const struct ref none = {0};
	struct resolved x = {.n_docs = 1};
	struct resolved_doc *const doc = &x.doc[0];
	char type[128];
	int rc;

	/* The image that was fetched. */
	if (digest_eq(&desc->digest, &r->f->image->manifest_digest) ||
	    !image_archive_has(r->image, &desc->digest))
		return 0;
	doc->bytes = buf_make(MANIFEST_MAX);
	rc = from->manifest(from->ctx, &none, &desc->digest, &doc->bytes, type,
			    &doc->digest, e);
	if (rc == 0)
		rc = keep_doc(r, &x, depth, e);
	resolved_free(&x);
	return rc;
}

int image_rest_keep(const struct fetch *f, const struct archived_image *image,
		    struct err *e)
{
	const struct rest r = {.f = f, .image = image};

	if (digest_eq(&f->image->top, &f->image->manifest_digest))
		return 0;
	return keep_listed(&r, &f->image->doc[0].bytes, 0, e);
}
