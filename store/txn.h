/*
 * txn - things built in tmp/ that get their final names together
 *
 * The order is the crash rule: everything is on disk (one syncfs) before
 * anything has a name, layers have names before the manifest that needs them,
 * and the folders are synced before a tag may point at it (image_tag, which is
 * the caller's last step).
 *
 * Life: txn_make -> txn_add_* ... -> txn_commit -> txn_free (which drops what
 * was not committed, and the locks).
 */
#ifndef STORE_TXN_H
#define STORE_TXN_H

#include "base/digest.h"
#include "base/err.h"
#include "store/ingest.h"
#include "store/store.h"
#include "store/unpack.h"
#include <stddef.h>

struct txn;

struct txn *txn_make(struct store *s);

/* A verified blob, a waited-for layer: the transaction owns them now. */
void txn_add_blob(struct txn *t, struct ingest *in);
void txn_add_layer(struct txn *t, struct unpack *u);

/* A small document whose digest the caller has verified. */
int txn_add_doc(struct txn *t, const struct digest *d, const void *p, size_t n,
		struct err *e);

/*
 * What the image needs besides its layers (skeleton.h), which are in the store
 * or in this transaction: nothing, as a rule. diff_ids bottom first.
 */
int txn_add_skeleton(struct txn *t, const struct digest *manifest,
		     const struct digest *diff_ids, size_t n, bool userxattr,
		     struct err *e);

int txn_commit(struct txn *t, struct err *e);
void txn_free(struct txn *t); /* NULL is fine */

#endif
