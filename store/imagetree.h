/*
 * imagetree - what hangs on a name: an index, its images and further indexes
 *
 * A name may point at an index, of whose images the store holds one, some or
 * all. The tree has each document that is there once: images (attestations and
 * other artifacts too) only with all their blobs, and what an index lists before
 * the index itself. In that order a registry takes them. The top is there in any
 * case, last; a manifest alone is a tree of one.
 *
 * Life: imagetree_read -> use -> imagetree_free.
 */
#ifndef STORE_IMAGETREE_H
#define STORE_IMAGETREE_H

#include "base/err.h"
#include "base/oci.h"
#include "base/str.h"
#include "store/store.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct imagetree_doc {
	struct digest digest;
	uint64_t size;
	char media_type[128];
	bool is_index;
	struct oci_manifest manifest; /* of an index zero */
};

struct imagetree {
	struct imagetree_doc *doc;
	size_t n;
	struct strv missing; /* platforms that are listed and not all here */
};

int imagetree_read(struct store *s, const struct digest *top,
		   struct imagetree *ret, struct err *e);
void imagetree_free(struct imagetree *t);

#define autoimagetree __attribute__((cleanup(imagetree_free)))

const struct imagetree_doc *imagetree_top(const struct imagetree *t);

#endif
