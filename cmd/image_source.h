/*
 * image_source - where the documents and blobs of an image come from: a
 * registry, or an archive
 *
 * The two calls are those of registry.h, which says what they promise; that
 * bytes are verified is the callers' business for blobs (done), the source's
 * for manifests.
 */
#ifndef CMD_IMAGE_SOURCE_H
#define CMD_IMAGE_SOURCE_H

#include "registry/registry.h"

struct image_source {
	void *ctx;
	int (*manifest)(void *ctx, const struct ref *ref,
			const struct digest *digest, struct buf *ret_bytes,
			char ret_type[128], struct digest *ret_digest,
			struct err *e);
	int (*fetch)(void *ctx, const struct ref *ref,
		     struct registry_blob *blobs, size_t n, int parallel,
		     registry_tick_fn tick, void *tick_ctx, struct err *e);
};

/* r is borrowed. */
struct image_source image_source_registry(struct registry *r);

#endif
