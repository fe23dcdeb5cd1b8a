/*
 * fsck - is the store what it claims to be?
 *
 * Blobs are hashed again; names are followed down to their layers; unpacked
 * layers are compared with the list that was written when they were unpacked;
 * volumes must be what they say (their content is the user's).
 * Nothing is repaired. What dead processes left in tmp/ is no damage: it is
 * removed (if nobody else is in the store) and counted.
 */
#ifndef STORE_FSCK_H
#define STORE_FSCK_H

#include "base/digest.h"
#include "base/err.h"
#include "store/store.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One finding, as a sentence that names the object. */
typedef void (*fsck_fn)(void *ctx, const char *text);

struct fsck {
	struct store *store;
	bool quick; /* leave the bytes of files alone: sizes and names only */
	fsck_fn found;
	void *ctx;

	/* Counted while it goes on. */
	size_t findings;
	size_t blobs;
	size_t layers;
	size_t names;
	size_t volumes;
	size_t leftovers; /* removed from tmp/ */
	uint64_t bytes;   /* hashed */
};

/* -1 only if it could not be done; findings are counted in f. */
int fsck_run(struct fsck *f, struct err *e);

/* One layer against its list, by a confined worker (fsck_worker.c). */
int fsck_layer(struct fsck *f, const struct digest *diff_id, struct err *e);

/* What that worker does (fsck_layer.c); f->store is not used. */
struct fsck_tree {
	const struct digest *diff_id;
	int fs;
	int list;
	bool userxattr;
};
int fsck_layer_tree(struct fsck *f, const struct fsck_tree *t, struct err *e);

void fsck_found(struct fsck *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* sha256 (or alg) of what is left to read in fd. */
int fsck_hash_fd(struct fsck *f, int fd, const char *what, enum digest_alg alg,
		 struct digest *ret, struct err *e);

#endif
