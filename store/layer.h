/*
 * layer - unpacked layers: layers/sha256/<diff id>/fs
 *
 * A layer directory is complete and immutable once it has its final name.
 * Opening needs no tar and no hashing; this module is linked by prism. Making
 * layers stands in unpack.h.
 */
#ifndef STORE_LAYER_H
#define STORE_LAYER_H

#include "base/digest.h"
#include "base/err.h"
#include "store/image.h"
#include "store/store.h"
#include <stdint.h>

/* O_PATH fd of the layer's tree; ERR_NOTFOUND if it is not unpacked. */
int layer_open(struct store *s, const struct digest *diff_id, struct err *e);
bool layer_has(struct store *s, const struct digest *diff_id);

/* The list of what is in it (layerlist.h), readable. */
int layer_open_list(struct store *s, const struct digest *diff_id,
		    struct err *e);

/* Bytes of all files in it. */
int layer_size(struct store *s, const struct digest *diff_id, uint64_t *ret,
	       struct err *e);

/*
 * The lower directories of an image for overlayfs, top first, skeleton
 * included, cut below an opaque root, and under.h at the end. A layer that an image names twice is
 * there once, at its upper place (overlayfs refuses it twice). Absolute
 * paths, since overlayfs takes only what was opened in the mount namespace
 * of the container; whether they are there is seen when they are mounted.
 */
int layer_stack(struct store *s, const struct image *img, struct strv *ret,
		struct err *e);

#endif
