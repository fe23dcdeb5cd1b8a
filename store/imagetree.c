#include "store/imagetree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/own.h"
#include "store/blob.h"

void imagetree_free(struct imagetree *t)
{
	for (size_t i = 0; i < t->n; i++)
		oci_manifest_free(&t->doc[i].manifest);
	free(t->doc);
	strv_free(&t->missing);
	*t = (struct imagetree){0};
}

const struct imagetree_doc *imagetree_top(const struct imagetree *t)
{
	return &t->doc[t->n - 1];
}

static bool has(const struct imagetree *t, const struct digest *d)
{
	for (size_t i = 0; i < t->n; i++)
		if (digest_eq(&t->doc[i].digest, d))
			return true;
	return false;
}

/* m NULL: an index. */
static void add_doc(struct imagetree *t, const struct digest *d,
		    const struct buf *text, const char *type,
		    const struct oci_manifest *m)
{
	struct imagetree_doc *doc;

	t->doc = xrealloc(t->doc, (t->n + 1) * sizeof(*t->doc));
	doc = &t->doc[t->n++];
	*doc = (struct imagetree_doc){
		.digest = *d, .size = text->len, .is_index = !m};
	if (m)
		doc->manifest = *m;
	(void)snprintf(doc->media_type, sizeof(doc->media_type), "%s", type);
}

static bool is_whole(struct store *s, const struct oci_manifest *m)
{
	for (size_t i = 0; i < m->n_layers; i++)
		if (!blob_has(s, &m->layers[i].digest))
			return false;
	return blob_has(s, &m->config.digest);
}

static int read_manifest(struct store *s, struct imagetree *t,
			 const struct digest *d, const struct buf *text,
			 int depth, struct err *e)
{
	struct oci_manifest m = {0};

	if (oci_manifest_content(buf_str(text), text->len, &m, e))
		return -1;
	if (depth > 0 && !is_whole(s, &m)) {
		oci_manifest_free(&m);
		return err_set(e, ERR_NOTFOUND, "manifest %s lacks blobs",
			       DIGEST_SHORT(d));
	}
	/* Docker's say what they are, of OCI's not all do. */
	add_doc(t, d, text, *m.media_type ? m.media_type : OCI_MT_MANIFEST, &m);
	return 0;
}

static void add_missing(struct imagetree *t, const struct oci_desc *m)
{
	char platform[OCI_PLATFORM_TEXT_MAX];

	/* Attestations have a platform that is none. */
	if (m->has_platform && strcmp(m->platform.os, "unknown") != 0)
		strv_add(&t->missing,
			 oci_platform_text(&m->platform, platform));
	else
		strv_add(&t->missing, DIGEST_SHORT(&m->digest));
}

static int read_doc(struct store *s, struct imagetree *t,
		    const struct digest *d, int depth, struct err *e);

static int read_index(struct store *s, struct imagetree *t,
		      const struct digest *d, const struct buf *text, int depth,
		      struct err *e)
{
	struct oci_index index = {0};

	if (oci_index_parse(buf_str(text), text->len, &index, e))
		return -1;
	for (size_t i = 0; i < index.n; i++) {
		const struct oci_desc *const m = &index.v[i];
		struct err ignored = {0};

		if (!has(t, &m->digest) &&
		    read_doc(s, t, &m->digest, depth + 1, &ignored))
			add_missing(t, m);
	}
	add_doc(t, d, text, *index.media_type ? index.media_type : OCI_MT_INDEX,
		NULL);
	oci_index_free(&index);
	return 0;
}

static int read_doc(struct store *s, struct imagetree *t,
		    const struct digest *d, int depth, struct err *e)
{
	autobuf struct buf text = buf_make(MANIFEST_MAX);
	enum oci_doc kind = OCI_DOC_MANIFEST;

	if (blob_read(s, d, &text, e) ||
	    oci_doc_kind(buf_str(&text), text.len, NULL, &kind, e))
		return -1;
	if (kind == OCI_DOC_MANIFEST)
		return read_manifest(s, t, d, &text, depth, e);
	if (depth > INDEX_NEST_MAX)
		return err_set(e, ERR_TOOBIG,
			       "more than %d indexes inside each other",
			       INDEX_NEST_MAX);
	return read_index(s, t, d, &text, depth, e);
}

int imagetree_read(struct store *s, const struct digest *top,
		   struct imagetree *ret, struct err *e)
{
	autoimagetree struct imagetree t = {0};

	if (read_doc(s, &t, top, 0, e))
		return -1;
	*ret = t;
	t = (struct imagetree){0};
	return 0;
}
