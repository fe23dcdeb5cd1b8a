#include "cmd/image_resolve.h"

#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "cmd/image_source.h"
#include "store/blob.h"

void resolved_free(struct resolved *x)
{
	oci_manifest_free(&x->manifest);
	oci_image_free(&x->config);
	for (size_t i = 0; i < x->n_docs; i++)
		buf_free(&x->doc[i].bytes);
	*x = (struct resolved){0};
}

static struct resolved_doc *new_doc(struct resolved *x, size_t max)
{
	struct resolved_doc *const d = &x->doc[x->n_docs++];

	*d = (struct resolved_doc){.bytes = buf_make(max)};
	return d;
}

/* By digest if one is given (the store is asked first), else by the tag. */
static int get_manifest(const struct image_source *from, struct store *s,
			const struct ref *ref, const struct digest *digest,
			struct resolved_doc *doc, char type[128], struct err *e)
{
	type[0] = '\0';
	if (digest && blob_has(s, digest)) {
		doc->digest = *digest;
		return blob_read(s, digest, &doc->bytes, e);
	}
	return from->manifest(from->ctx, ref, digest, &doc->bytes, type,
			      &doc->digest, e);
}

static int check_size(const struct oci_desc *want,
		      const struct resolved_doc *doc, struct err *e)
{
	if (want->size == doc->bytes.len)
		return 0;
	return err_set(e, ERR_MISMATCH,
		       "manifest %s has %zu bytes, the index promised %" PRIu64,
		       DIGEST_SHORT(&doc->digest), doc->bytes.len, want->size);
}

/* Go down one index: *ret is the descriptor to fetch next. */
static int select_in_index(const struct resolved_doc *doc,
			   const struct oci_platform *platform,
			   struct oci_desc *ret, struct err *e)
{
	struct oci_index index = {0};
	const struct oci_desc *desc = NULL;
	bool unjudged = false; /* the config is always looked at */
	int rc;

	if (oci_index_parse(buf_str(&doc->bytes), doc->bytes.len, &index, e))
		return -1;
	rc = oci_index_select(&index, platform, &desc, &unjudged, e);
	if (rc == 0)
		*ret = *desc;
	oci_index_free(&index);
	return rc;
}

static int find_manifest(const struct image_source *from, struct store *s,
			 const struct oci_platform *platform,
			 struct resolved *x, struct err *e)
{
	const struct digest *digest =
		digest_is_set(&x->ref.digest) ? &x->ref.digest : NULL;
	struct oci_desc next = {0};

	for (int depth = 0; depth <= INDEX_NEST_MAX; depth++) {
		struct resolved_doc *const doc = new_doc(x, MANIFEST_MAX);
		enum oci_doc kind;
		char type[128];

		if (get_manifest(from, s, &x->ref, digest, doc, type, e) ||
		    (depth > 0 && check_size(&next, doc, e)) ||
		    oci_doc_kind(buf_str(&doc->bytes), doc->bytes.len, type,
				 &kind, e))
			return -1;
		if (depth == 0)
			x->top = doc->digest;
		if (kind == OCI_DOC_MANIFEST) {
			x->manifest_digest = doc->digest;
			return oci_manifest_parse(buf_str(&doc->bytes),
						  doc->bytes.len, &x->manifest,
						  e);
		}
		if (select_in_index(doc, platform, &next, e))
			return -1;
		digest = &next.digest;
	}
	return err_set(e, ERR_TOOBIG, "more than %d indexes inside each other",
		       INDEX_NEST_MAX);
}

/* ---- the config ---------------------------------------------------------- */

struct config_sink {
	struct resolved_doc *doc;
	const struct oci_desc *desc;
};

static int config_bytes(void *ctx, const void *p, size_t n, struct err *e)
{
	struct config_sink *const c = ctx;

	buf_add(&c->doc->bytes, p, n);
	if (c->doc->bytes.over || c->doc->bytes.len > c->desc->size)
		return err_set(e, ERR_MISMATCH,
			       "config: more than the promised %" PRIu64
			       " bytes",
			       c->desc->size);
	return 0;
}

static int config_restart(void *ctx, struct err *e)
{
	struct config_sink *const c = ctx;

	(void)e;
	buf_reset(&c->doc->bytes);
	return 0;
}

static int config_done(void *ctx, struct err *e)
{
	const struct config_sink *const c = ctx;
	struct digest got;

	hash_bytes(c->desc->digest.alg, buf_str(&c->doc->bytes),
		   c->doc->bytes.len, &got);
	if (digest_eq(&got, &c->desc->digest))
		return 0;
	return err_set(e, ERR_MISMATCH,
		       "config: wrong digest: the bytes are %s, not the "
		       "promised %s",
		       DIGEST_TEXT(&got), DIGEST_TEXT(&c->desc->digest));
}

static int get_config(const struct image_source *from, struct store *s,
		      struct resolved *x, struct err *e)
{
	const struct oci_desc *const desc = &x->manifest.config;
	struct config_sink sink = {.desc = desc};
	struct registry_blob blob = {
		.desc = *desc,
		.sink = config_bytes,
		.restart = config_restart,
		.done = config_done,
		.ctx = &sink,
	};

	if (desc->size > CONFIG_MAX)
		return err_set(e, ERR_TOOBIG,
			       "the config has %" PRIu64 " bytes, at most %zu "
			       "are read",
			       desc->size, CONFIG_MAX);
	sink.doc = new_doc(x, CONFIG_MAX);
	sink.doc->digest = desc->digest;
	if (blob_has(s, &desc->digest)) {
		if (blob_read(s, &desc->digest, &sink.doc->bytes, e))
			return -1;
	} else if (from->fetch(from->ctx, &x->ref, &blob, 1, 1, NULL, NULL,
			       e)) {
		return -1;
	}
	return oci_image_parse(buf_str(&sink.doc->bytes), sink.doc->bytes.len,
			       &x->config, e);
}

static int check_platform(const struct resolved *x,
			  const struct oci_platform *platform, bool strict,
			  struct err *e)
{
	char has[OCI_PLATFORM_TEXT_MAX];
	char wanted[OCI_PLATFORM_TEXT_MAX];

	if (oci_platform_match(platform, &x->config.platform))
		return 0;
	(void)oci_platform_text(&x->config.platform, has);
	(void)oci_platform_text(platform, wanted);
	if (strict)
		return err_set(e, ERR_NOTFOUND,
			       "there is no image for %s, only for %s", wanted,
			       has);
	log_warn("this image is for %s; this machine is %s", has, wanted);
	return 0;
}

int resolve_image(const struct image_source *from, struct store *s,
		  const struct ref *ref, const struct oci_platform *platform,
		  bool strict, struct resolved *ret, struct err *e)
{
	*ret = (struct resolved){.ref = *ref};

	if (find_manifest(from, s, platform, ret, e) ||
	    get_config(from, s, ret, e))
		return -1;
	if (ret->config.n_diff_ids != ret->manifest.n_layers)
		return err_set(e, ERR_INVALID,
			       "%zu layers, but %zu diff ids in the config",
			       ret->manifest.n_layers, ret->config.n_diff_ids);
	if (ret->manifest.n_layers > LAYERS_MAX)
		return err_set(e, ERR_TOOBIG,
			       "%zu layers; overlayfs takes at most %d",
			       ret->manifest.n_layers, LAYERS_MAX);
	return check_platform(ret, platform, strict, e);
}
