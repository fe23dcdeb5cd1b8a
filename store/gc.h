/*
 * gc - what nothing points at is removed
 *
 * Marks what the names (images/) and the containers (info.manifest in
 * containers/<id>/spec.json) need, then removes the rest. Deletion is the
 * reverse of making: the name is gone before (by the caller), then manifests
 * and blobs, then layers; each is renamed into tmp/ first, so that nothing with
 * a final name is ever half there. The store must be locked exclusively.
 */
#ifndef STORE_GC_H
#define STORE_GC_H

#include "base/digest.h"
#include "base/err.h"
#include "store/image.h"
#include "store/store.h"
#include <stdbool.h>
#include <stddef.h>

/*
 * Remove what dead processes left in tmp/; with keep_parts the beginnings of
 * blobs stay, which the next pull takes up. ret_removed may be NULL.
 */
int gc_tmp(struct store *s, bool keep_parts, size_t *ret_removed,
	   struct err *e);

/* Told of each blob and layer that was removed. */
typedef void (*gc_fn)(void *ctx, enum store_dir which, const struct digest *d);

/*
 * Remove what this image consists of, as far as nothing else needs it. The
 * image has no name any more.
 */
int gc_image(struct store *s, const struct image *img, gc_fn removed, void *ctx,
	     struct err *e);

/*
 * Remove everything that neither a name nor a container needs: what a moved
 * name left behind.
 */
int gc_unused(struct store *s, gc_fn removed, void *ctx, struct err *e);

/*
 * The containers that were made from this manifest: the first one's id, or
 * empty. id has room for 65.
 */
int gc_user_of(struct store *s, const struct digest *manifest, char *ret_id,
	       struct err *e);

#endif
