/*
 * newlayer - a layer that is made here, not fetched: bytes of a tar become a
 * gzip blob and an unpacked layer
 *
 * The tar goes through newlayer_add (a sink for tarout) into a file without a
 * name, hashed before and behind the compression, which gives the two digests
 * that nobody knows before. Then it takes the way of every layer that is
 * pulled (ingest.h, unpack.h): verified, confined, and named by the
 * transaction.
 *
 * Life: newlayer_begin -> newlayer_add... or newlayer_read -> newlayer_end -> newlayer_free.
 */
#ifndef STORE_NEWLAYER_H
#define STORE_NEWLAYER_H

#include "base/digest.h"
#include "base/err.h"
#include "store/store.h"
#include "store/txn.h"
#include "store/untar.h"
#include <stddef.h>
#include <stdint.h>

struct newlayer;

struct newlayer *newlayer_begin(struct store *s, struct err *e);

/* A sink_fn; ctx is the struct newlayer. */
int newlayer_add(void *ctx, const void *p, size_t n, struct err *e);

/* All of a tar that fd gives: plain, or packed as a layer may be (decomp.h). */
int newlayer_read(struct newlayer *l, int fd, struct err *e);

/* Hand blob and layer to the transaction, unless the store has them. */
int newlayer_end(struct newlayer *l, struct txn *t, const struct untar_opts *o,
		 struct digest *ret_blob, uint64_t *ret_size,
		 struct digest *ret_diff_id, struct err *e);

void newlayer_free(struct newlayer *l); /* NULL is fine */
void own_newlayer(struct newlayer **l);
#define autonewlayer __attribute__((cleanup(own_newlayer)))

#endif
