/*
 * image - names -> manifests: one small file per name
 *
 *   images/docker.io/library/alpine/:3.20         by tag
 *   images/docker.io/library/alpine/@sha256:<hex> pulled by digest
 *
 * The file holds two lines: the digest that the name resolved to in the
 * registry (an index or a manifest: what RepoDigests shows), and the digest of
 * the platform's manifest that was pulled last. Both are blobs of the store.
 *
 * Reading images needs no hashing; this module is linked by prism.
 */
#ifndef STORE_IMAGE_H
#define STORE_IMAGE_H

#include "base/err.h"
#include "base/oci.h"
#include "base/ref.h"
#include "store/store.h"

struct image {
	struct ref ref;              /* the name it was found by */
	struct digest top;           /* index or manifest */
	struct digest manifest;      /* of the platform */
	struct digest config_digest; /* the image id */
	struct oci_manifest doc;
	struct oci_image config;
};

/*
 * Look up by reference; platform NULL: the host's own, or whatever was pulled
 * last if the name has only that. Everything the image needs to run is
 * checked to be there (config parsed, layer count = diff id count; layers
 * themselves are checked by layer_open). ERR_NOTFOUND if absent.
 */
int image_find(struct store *s, const struct ref *ref,
	       const struct oci_platform *platform, struct image *ret,
	       struct err *e);

/*
 * By what a user types: a reference, or an image id (config digest or prefix
 * of at least 2 hex digits, with or without "sha256:") that is unambiguous.
 */
int image_find_any(struct store *s, const char *text, struct image *ret,
		   struct err *e);

/*
 * The same, for this platform if it is not NULL; *ret_named says whether it was
 * found by a name.
 */
int image_find_named(struct store *s, const char *text,
		     const struct oci_platform *platform, struct image *ret,
		     bool *ret_named, struct err *e);
void image_free(struct image *i);

/* "images/docker.io/library/alpine/:3.20", below the root; malloced. */
char *image_name_path(const struct ref *ref);

/* Point a name at an image: written last, after everything is on disk. */
int image_tag(struct store *s, const struct ref *ref, const struct digest *top,
	      const struct digest *manifest, struct err *e);

/* Is there a file for exactly this name? */
bool image_is_named(struct store *s, const struct ref *ref);

/* Remove a name; ERR_NOTFOUND if absent. Content is left to gc. */
int image_untag(struct store *s, const struct ref *ref, struct err *e);

/* Every name, in no order. A name that cannot be read is passed with the
 * error in *bad instead of ending the walk. Non-zero from fn ends it. */
typedef int (*image_fn)(void *ctx, const struct ref *ref,
			const struct digest *top, const struct digest *manifest,
			const struct err *bad);
int image_each(struct store *s, image_fn fn, void *ctx, struct err *e);

/* The image behind one name that image_each passed. */
int image_load(struct store *s, const struct ref *ref, const struct digest *top,
	       const struct digest *manifest, struct image *ret, struct err *e);

/*
 * What a name points at, without opening it. ERR_NOTFOUND if absent. For a
 * reference with a digest a tag of the same repository that resolved to it
 * counts too.
 */
int image_resolve(struct store *s, const struct ref *ref,
		  struct digest *ret_top, struct digest *ret_manifest,
		  struct err *e);

void own_image(struct image *i);
#define autoimage __attribute__((cleanup(own_image)))

#endif
