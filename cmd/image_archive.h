/*
 * image_archive - the images of an archive
 *
 * Two forms, and both in one: an OCI image layout (index.json, image-spec
 * image-layout.md), and what docker save writes (manifest.json). Of an image in
 * the second form alone there is no manifest; one is made, always the same.
 *
 * Life: image_archive_open -> each image by image_archive_source ->
 * image_archive_free.
 */
#ifndef CMD_IMAGE_ARCHIVE_H
#define CMD_IMAGE_ARCHIVE_H

#include "base/err.h"
#include "base/str.h"
#include "cmd/image_source.h"
#include "store/tarfiles.h"
#include <stdbool.h>
#include <stddef.h>

struct image_archive;

struct archived_image {
	struct image_archive *archive;
	struct digest top; /* index or manifest */
	struct strv names; /* as they stand there; may be none */
};

/* t is borrowed. */
int image_archive_open(const struct tarfiles *t, struct image_archive **ret,
		       struct err *e);
void image_archive_free(struct image_archive *a); /* NULL is fine */

size_t image_archive_count(const struct image_archive *a);
struct archived_image *image_archive_at(struct image_archive *a, size_t i);

/* Is there a document or blob of this digest? */
bool image_archive_has(const struct archived_image *x, const struct digest *d);

/* Its documents and blobs; a manifest asked for without a digest is top. */
struct image_source image_archive_source(struct archived_image *x);

#endif
