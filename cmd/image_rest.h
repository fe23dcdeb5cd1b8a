/*
 * image_rest - what else an index in an archive lists
 *
 * Images for other platforms and attestations are kept as they lie there, and
 * not unpacked: so save and push have the index whole, with every digest. What
 * the archive has only in part, or what is no image manifest, stays out.
 */
#ifndef CMD_IMAGE_REST_H
#define CMD_IMAGE_REST_H

#include "cmd/image_archive.h"
#include "cmd/image_fetch.h"

/* f: of the image that was fetched from there. */
int image_rest_keep(const struct fetch *f, const struct archived_image *image,
		    struct err *e);

#endif
