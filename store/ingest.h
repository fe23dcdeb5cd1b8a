/*
 * ingest - bytes on their way to become a blob
 *
 * They go into tmp/part-<algorithm>-<hex>, whose flock says that somebody is
 * at it, and are hashed on the way. A part that a broken pull left is taken up
 * again: its bytes are hashed anew, and the transfer goes on behind them. Only
 * bytes whose size and digest agree get the final name, by txn_commit().
 *
 * Life: ingest_begin -> ingest_write ... -> ingest_verify -> txn_add_blob (or
 * ingest_free, which leaves the part for the next pull).
 */
#ifndef STORE_INGEST_H
#define STORE_INGEST_H

#include "base/digest.h"
#include "base/err.h"
#include "store/store.h"
#include <stdint.h>

struct ingest;

/*
 * ERR_BUSY: another process is at it (ingest_wait). ERR_EXISTS: the blob is in
 * the store.
 */
int ingest_begin(struct store *s, const struct digest *d, uint64_t size,
		 struct ingest **ret, struct err *e);

/* Wait until nobody is at it any more. */
int ingest_wait(struct store *s, const struct digest *d, struct err *e);

/* Bytes that are there already. */
uint64_t ingest_have(const struct ingest *in);

int ingest_write(struct ingest *in, const void *p, size_t n, struct err *e);

/* Forget all bytes; the next one is byte 0. */
int ingest_restart(struct ingest *in, struct err *e);

/* ERR_MISMATCH unless size and digest are the promised ones. */
int ingest_verify(struct ingest *in, struct err *e);

/* A new fd to read the bytes from, while they come. */
int ingest_open(struct ingest *in, struct err *e);

/* The rename; for txn.c, after everything was synced. */
int ingest_publish(struct ingest *in, struct err *e);

void ingest_free(struct ingest *in); /* NULL is fine */

#endif
