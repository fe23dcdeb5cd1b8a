/*
 * image_fetch - the layers of an image: fetched, unpacked, committed
 *
 * Blobs come in by one loop, several at a time; each is unpacked by a worker
 * that follows it, at most a few at a time. Everything gets its name together
 * at the end (txn.h).
 *
 * Other pulls may be at the same layers. What they hold is left to them: we
 * finish and commit what is ours, let go of all locks, and only then wait for
 * them, so that no two pulls can wait for each other. If one of them died, its
 * layers are ours in the next round.
 */
#ifndef CMD_IMAGE_FETCH_H
#define CMD_IMAGE_FETCH_H

#include "base/err.h"
#include "cmd/image_progress.h"
#include "cmd/image_resolve.h"
#include "cmd/image_source.h"
#include "store/untar.h"
#include <stdbool.h>
#include <stddef.h>

struct fetch {
	const struct image_source *source;
	struct store *store;
	const struct resolved *image;
	struct untar_opts untar;
	struct progress *progress;
	bool blobs_only; /* nothing is unpacked, and the config is not looked at */
	/* Told for each layer when it is known to be there. May be NULL. */
	void (*layer_done)(void *ctx, const struct oci_desc *layer,
			   bool was_there);
	void *ctx;
};

/* Is everything that the image consists of in the store? */
bool fetch_is_complete(const struct fetch *f);

/* Make it so. The tag is left to the caller. */
int fetch_image(const struct fetch *f, struct err *e);

#endif
