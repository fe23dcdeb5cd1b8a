/*
 * blob - content by digest: blobs/<algorithm>/<hex>, immutable once named
 *
 * Reading needs no hashing: what stands under a final name was verified when
 * it came (ingest.h) and is verified again by fsck. This module is linked by
 * prism.
 */
#ifndef STORE_BLOB_H
#define STORE_BLOB_H

#include "base/buf.h"
#include "base/digest.h"
#include "base/err.h"
#include "store/store.h"
#include <stdbool.h>
#include <stdint.h>

bool blob_has(struct store *s, const struct digest *d);

/* An fd to read from; ERR_NOTFOUND if absent. */
int blob_open(struct store *s, const struct digest *d, struct err *e);

/* A small document whole: at most b->max bytes. */
int blob_read(struct store *s, const struct digest *d, struct buf *b,
	      struct err *e);

/* Its size in bytes, or ERR_NOTFOUND. */
int blob_size(struct store *s, const struct digest *d, uint64_t *ret,
	      struct err *e);

/*
 * Every blob of the store, in no order; a name that is no digest is passed
 * with d == NULL. Non-zero from fn ends the walk and is returned.
 */
typedef int (*blob_fn)(void *ctx, const struct digest *d, const char *name,
		       struct err *e);
int blob_each(struct store *s, blob_fn fn, void *ctx, struct err *e);

/*
 * The same walk over layers/ and skeletons/, which have the same form:
 * <algorithm>/<hex>.
 */
int blob_each_in(struct store *s, enum store_dir which, blob_fn fn, void *ctx,
		 struct err *e);

#endif
