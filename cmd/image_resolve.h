/*
 * image_resolve - from a reference to the documents of one image
 *
 * Asks the registry (or an archive) what a name is, goes down from an index to the manifest of
 * a platform, and fetches the config. Documents that the store holds are read
 * there; a reference by digest whose documents are all there needs no network.
 * The bytes are kept as they came: they become blobs.
 *
 * Life: zero -> resolve_image -> use -> resolved_free.
 */
#ifndef CMD_IMAGE_RESOLVE_H
#define CMD_IMAGE_RESOLVE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/oci.h"
#include "base/ref.h"

struct image_source;
struct store;

struct resolved_doc {
	struct digest digest;
	struct buf bytes;
};

struct resolved {
	struct ref ref;
	struct digest top;             /* what the name points at */
	struct digest manifest_digest; /* of the platform */
	struct oci_manifest manifest;
	struct oci_image config;
	struct resolved_doc doc[INDEX_NEST_MAX + 2]; /* config last */
	size_t n_docs;
};

/*
 * platform: what is wanted; strict: asked for by the user, so that an image of
 * another platform is an error and not a warning.
 */
int resolve_image(const struct image_source *from, struct store *s,
		  const struct ref *ref, const struct oci_platform *platform,
		  bool strict, struct resolved *ret, struct err *e);
void resolved_free(struct resolved *x);

#endif
