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

/* O_PATH fd of the layer's tree; ERR_NOTFOUND if it is not unpacked. */
int layer_open(struct store *s, const struct digest *diff_id, struct err *e);
bool layer_has(struct store *s, const struct digest *diff_id);

/*
 * The lower directories of an image for overlayfs, top first, skeleton
 * included, cut below an opaque root. O_PATH fds; ret has room for max.
 * Returns the count.
 */
int layer_open_stack(struct store *s, const struct image *img, int *ret,
		     int max, struct err *e);

#endif
