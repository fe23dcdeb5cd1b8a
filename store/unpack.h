/*
 * unpack - a layer blob into tmp/layer-<algorithm>-<diff id>/{fs,list,size}
 *
 * One confined worker per layer. It may follow a blob that still comes in: it
 * reads the part file up to where unpack_tell() says that bytes are, and sleeps
 * there, so a slow disk never stops the transfer. What it made gets the final
 * name only by txn_commit(), after the diff id agreed.
 *
 * The entry lock tmp/layer-....lock makes several pulls unpack a layer once;
 * who holds it first removes what a dead process left.
 *
 * Life: unpack_begin -> unpack_start -> unpack_tell ... -> unpack_wait ->
 * txn_add_layer (or unpack_free, which removes everything).
 */
#ifndef STORE_UNPACK_H
#define STORE_UNPACK_H

#include "base/digest.h"
#include "base/err.h"
#include "store/store.h"
#include "store/untar.h"
#include <stdbool.h>
#include <stdint.h>

struct unpack;

/*
 * ERR_BUSY: another process is at it (unpack_wait_other). ERR_EXISTS: the
 * layer is unpacked.
 */
int unpack_begin(struct store *s, const struct digest *diff_id,
		 const struct untar_opts *opts, struct unpack **ret,
		 struct err *e);

/* Wait until nobody is at it any more. */
int unpack_wait_other(struct store *s, const struct digest *diff_id,
		      struct err *e);

/*
 * Start the worker on a blob of `size` bytes; source_fd is borrowed for the
 * length of the call. Nothing is read before unpack_tell.
 */
int unpack_start(struct unpack *u, int source_fd, uint64_t size, struct err *e);
bool unpack_started(const struct unpack *u);

/* The first `have` bytes are there; end: they are all, and verified. */
void unpack_tell(struct unpack *u, uint64_t have, bool end);

/* Throw away what was made; unpack_start may follow. */
int unpack_restart(struct unpack *u, struct err *e);

/* Readable when the worker has ended, -1 if none runs. Borrowed. */
int unpack_poll_fd(const struct unpack *u);

/* Wait for the worker. ERR_MISMATCH if the diff id is another. */
int unpack_wait(struct unpack *u, struct err *e);

/* After unpack_wait. */
const struct untar_stats *unpack_stats(const struct unpack *u);
const struct digest *unpack_diff_id(const struct unpack *u);

/* Fds of the tree and the list (borrowed), for the skeleton. */
int unpack_fs_fd(const struct unpack *u);
int unpack_list_fd(const struct unpack *u);

/* The rename; for txn.c, after everything was synced. */
int unpack_publish(struct unpack *u, struct err *e);

void unpack_free(struct unpack *u); /* NULL is fine */

#endif
