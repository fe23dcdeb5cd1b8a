#include "cmd/image_source.h"

static int manifest(void *ctx, const struct ref *ref,
		    const struct digest *digest, struct buf *ret_bytes,
		    char ret_type[128], struct digest *ret_digest,
		    struct err *e)
{
	return registry_manifest(ctx, ref, digest, ret_bytes, ret_type,
				 ret_digest, e);
}

static int fetch(void *ctx, const struct ref *ref, struct registry_blob *blobs,
		 size_t n, int parallel, registry_tick_fn tick, void *tick_ctx,
		 struct err *e)
{
	return registry_fetch(ctx, ref, blobs, n, parallel, tick, tick_ctx, e);
}

struct image_source image_source_registry(struct registry *r)
{
	return (struct image_source){
		.ctx = r, .manifest = manifest, .fetch = fetch};
}
