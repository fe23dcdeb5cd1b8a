/*
 * ready - what a start needs of an image, in the file of its name
 *
 * Behind the two lines of a name's file (image.h) stand, derived from the
 * blobs when the name is written, all that `prism run` would otherwise read
 * and parse from three more files at each start:
 *
 *   sha256:<config>               the image id
 *   layers/sha256/<hex>/fs        the lower directories, top first, as
 *   ...                           layer_stack gives them, below the root
 *   (an empty line)
 *   {...}                         the bytes of the image config
 *
 * A name without this part works as well, only slower: ready_find falls back
 * to the blobs. fsck checks that the part says what the blobs say.
 */
#ifndef STORE_READY_H
#define STORE_READY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/oci.h"
#include "base/ref.h"
#include "store/image.h"
#include "store/store.h"

/* The part behind the two lines, for this manifest. */
int ready_text(struct store *s, const struct ref *ref, const struct digest *top,
	       const struct digest *manifest, struct buf *ret, struct err *e);

/*
 * image_find and layer_stack in one: the image (without its manifest document:
 * ret->doc stays empty) and the absolute paths of its lower directories.
 */
int ready_find(struct store *s, const struct ref *ref,
	       const struct oci_platform *platform, struct image *ret,
	       struct strv *ret_lowers, struct err *e);

/*
 * Does the file of img's name, if it has this part, say what the blobs say?
 * ERR_MISMATCH if not; for fsck.
 */
int ready_check(struct store *s, const struct image *img, struct err *e);

#endif
