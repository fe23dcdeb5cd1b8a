#include "cmd/image_fetch.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/trace.h"
#include "store/blob.h"
#include "store/ingest.h"
#include "store/layer.h"
#include "store/txn.h"
#include "store/unpack.h"

/*
 * More workers than this at a time cost memory and win nothing: two processes
 * each, on as many cores as there are.
 */
#define WORKERS_MAX 4

/* One blob, and the layer to be made from it. */
struct item {
	struct round *round;
	const struct oci_desc *desc;
	const struct digest *diff_id; /* NULL: the blob alone is wanted */
	struct ingest *ingest;        /* NULL: the blob is there */
	struct unpack *unpack;        /* NULL: the layer is there */
	bool busy;                    /* another process is at it */
	bool verified;                /* all bytes are there and right */
	bool unpacked;
	struct err failed; /* of the worker, before the blob was verified */
};

struct round {
	const struct fetch *f;
	struct item *item;
	size_t n;
	size_t running; /* workers */
	struct txn *txn;
};

bool fetch_is_complete(const struct fetch *f)
{
	const struct resolved *const x = f->image;

	for (size_t i = 0; i < x->n_docs; i++)
		if (!blob_has(f->store, &x->doc[i].digest))
			return false;
	for (size_t i = 0; i < x->manifest.n_layers; i++)
		if (!blob_has(f->store, &x->manifest.layers[i].digest) ||
		    (!f->blobs_only &&
		     !layer_has(f->store, &x->config.diff_ids[i])))
			return false;
	return true;
}

/* ---- what there is to do ------------------------------------------------- */

static struct item *item_of_blob(struct round *r, const struct digest *d)
{
	for (size_t i = 0; i < r->n; i++)
		if (digest_eq(&r->item[i].desc->digest, d))
			return &r->item[i];
	return NULL;
}

static bool is_planned(const struct round *r, const struct digest *diff_id)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->item[i].diff_id &&
		    digest_eq(r->item[i].diff_id, diff_id))
			return true;
	return false;
}

/* Each blob once, each layer once, however often the manifest names them. */
static int list_items(struct round *r, struct err *e)
{
	const struct resolved *const x = r->f->image;

	r->item = xcalloc(x->manifest.n_layers + 1, sizeof(*r->item));
	for (size_t i = 0; i < x->manifest.n_layers; i++) {
		const struct oci_desc *const desc = &x->manifest.layers[i];
		const struct digest *const diff_id =
			r->f->blobs_only ? NULL : &x->config.diff_ids[i];
		struct item *const same = item_of_blob(r, &desc->digest);
		const bool again = !diff_id || is_planned(r, diff_id);

		if (same && !again)
			return err_set(e, ERR_INVALID,
				       "layer %s is named with two diff ids",
				       DIGEST_SHORT(&desc->digest));
		if (same)
			continue;
		r->item[r->n++] = (struct item){
			.round = r,
			.desc = desc,
			.diff_id = again ? NULL : diff_id,
		};
	}
	return 0;
}

/* A blob that is there came under another manifest, which may have said so. */
static int check_blob_size(const struct item *it, struct err *e)
{
	uint64_t size;

	if (blob_size(it->round->f->store, &it->desc->digest, &size, e))
		return -1;
	if (size == it->desc->size)
		return 0;
	return err_set(e, ERR_MISMATCH,
		       "layer %s has %" PRIu64 " bytes, the manifest promised "
		       "%" PRIu64,
		       DIGEST_SHORT(&it->desc->digest), size, it->desc->size);
}

/* ERR_BUSY and ERR_EXISTS are answers; anything else is a failure. */
static int lock_item(struct item *it, struct err *e)
{
	const struct fetch *const f = it->round->f;
	struct err why = {0};

	if (it->diff_id && !layer_has(f->store, it->diff_id) &&
	    unpack_begin(f->store, it->diff_id, &f->untar, &it->unpack, &why) &&
	    why.kind != ERR_EXISTS)
		goto refused;
	err_clear(&why);
	if (!blob_has(f->store, &it->desc->digest) &&
	    ingest_begin(f->store, &it->desc->digest, it->desc->size,
			 &it->ingest, &why) &&
	    why.kind != ERR_EXISTS)
		goto refused;
	return it->ingest ? 0 : check_blob_size(it, e);

refused:
	unpack_free(it->unpack);
	it->unpack = NULL;
	it->busy = why.kind == ERR_BUSY;
	if (it->busy)
		return 0;
	*e = why;
	return -1;
}

/* ---- workers ------------------------------------------------------------- */

static uint64_t bytes_there(const struct item *it)
{
	return it->ingest ? ingest_have(it->ingest) : it->desc->size;
}

static int start_worker(struct item *it, struct err *e)
{
	struct store *const s = it->round->f->store;
	autoclose int fd = it->ingest ? ingest_open(it->ingest, e)
				      : blob_open(s, &it->desc->digest, e);

	if (fd < 0 || unpack_start(it->unpack, fd, it->desc->size, e))
		return -1;
	it->round->running++;
	unpack_tell(it->unpack, bytes_there(it), it->verified);
	return 0;
}

/* Start what has bytes to read, as far as there are places. */
static int start_workers(struct round *r, struct err *e)
{
	for (size_t i = 0; i < r->n && r->running < WORKERS_MAX; i++) {
		struct item *const it = &r->item[i];

		if (!it->unpack || it->unpacked || err_is(&it->failed) ||
		    unpack_started(it->unpack))
			continue;
		if ((it->verified || bytes_there(it) > 0) &&
		    start_worker(it, e))
			return -1;
	}
	return 0;
}

/*
 * A worker that chokes on bytes that are not verified yet may be right: what it
 * says counts only if the digest agrees, and is forgotten if they come again.
 * That the disk is full is true at once.
 */
static int end_worker(struct item *it, struct err *e)
{
	struct err why = {0};

	it->round->running--;
	if (unpack_wait(it->unpack, &why) == 0) {
		it->unpacked = true;
		return 0;
	}
	if (it->verified || why.kind == ERR_SYS || why.kind == ERR_GONE) {
		*e = why;
		return -1;
	}
	it->failed = why;
	return 0;
}

/* Take in the workers that have ended; -1: wait for at least one. */
static int reap_workers(struct round *r, int timeout_ms, struct err *e)
{
	struct pollfd fd[WORKERS_MAX];
	struct item *of[WORKERS_MAX];
	nfds_t n = 0;

	for (size_t i = 0; i < r->n && n < WORKERS_MAX; i++) {
		struct item *const it = &r->item[i];

		if (!it->unpack || !unpack_started(it->unpack))
			continue;
		of[n] = it;
		fd[n++] = (struct pollfd){.fd = unpack_poll_fd(it->unpack),
					  .events = POLLIN};
	}
	if (n == 0)
		return 0;
	if (poll(fd, n, timeout_ms) < 0)
		return errno == EINTR ? 0 : err_sys(e, "poll", "workers");
	for (nfds_t i = 0; i < n; i++)
		if (fd[i].revents && end_worker(of[i], e))
			return -1;
	return 0;
}

/* ---- the transfer -------------------------------------------------------- */

static void draw(const struct round *r)
{
	struct progress_state now = {.layers = r->n};

	for (size_t i = 0; i < r->n; i++) {
		const struct item *const it = &r->item[i];

		if (it->busy)
			continue;
		now.want_bytes += it->desc->size;
		now.have_bytes += bytes_there(it);
		now.layers_done +=
			it->verified && (!it->unpack || it->unpacked);
	}
	progress_draw(r->f->progress, &now);
}

static int on_bytes(void *ctx, const void *p, size_t n, struct err *e)
{
	struct item *const it = ctx;
	const bool first = ingest_have(it->ingest) == 0;

	if (ingest_write(it->ingest, p, n, e))
		return -1;
	if (!it->unpack)
		return 0;
	if (unpack_started(it->unpack)) {
		unpack_tell(it->unpack, ingest_have(it->ingest), false);
		return 0;
	}
	return first ? start_workers(it->round, e) : 0;
}

static int on_restart(void *ctx, struct err *e)
{
	struct item *const it = ctx;

	it->verified = false;
	if (it->unpack && (unpack_started(it->unpack) || it->unpacked ||
			   err_is(&it->failed))) {
		if (unpack_started(it->unpack))
			it->round->running--;
		it->unpacked = false;
		err_clear(&it->failed);
		if (unpack_restart(it->unpack, e))
			return -1;
	}
	return ingest_restart(it->ingest, e);
}

static int on_done(void *ctx, struct err *e)
{
	struct item *const it = ctx;

	if (ingest_verify(it->ingest, e))
		return -1;
	it->verified = true;
	if (err_is(&it->failed)) {
		*e = it->failed;
		/* A mismatch would ask for the same bytes once more. */
		if (e->kind == ERR_MISMATCH)
			e->kind = ERR_INVALID;
		return -1;
	}
	if (it->unpack && unpack_started(it->unpack))
		unpack_tell(it->unpack, it->desc->size, true);
	return start_workers(it->round, e);
}

static int on_tick(void *ctx, struct err *e)
{
	struct round *const r = ctx;

	draw(r);
	if (reap_workers(r, 0, e))
		return -1;
	return start_workers(r, e);
}

/* What an earlier pull had fetched whole needs no request. */
static bool is_whole(struct item *it)
{
	struct err ignored = {0};

	if (ingest_have(it->ingest) != it->desc->size)
		return false;
	return ingest_verify(it->ingest, &ignored) == 0;
}

static int transfer(struct round *r, struct err *e)
{
	autofree struct registry_blob *blob = xcalloc(r->n + 1, sizeof(*blob));
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++) {
		struct item *const it = &r->item[i];

		if (it->busy)
			continue;
		it->verified = !it->ingest || is_whole(it);
		if (it->verified)
			continue;
		blob[n++] = (struct registry_blob){
			.desc = *it->desc,
			.have = ingest_have(it->ingest),
			.sink = on_bytes,
			.restart = on_restart,
			.done = on_done,
			.ctx = it,
		};
	}
	if (start_workers(r, e))
		return -1;
	if (n > 0 && r->f->source->fetch(r->f->source->ctx, &r->f->image->ref,
					 blob, n, 0, on_tick, r, e))
		return -1;

	/* All workers may end at once, while others have no place yet. */
	for (;;) {
		if (on_tick(r, e))
			return -1;
		if (r->running == 0)
			return 0;
		if (reap_workers(r, 100, e))
			return -1;
	}
}

/* ---- the end of a round -------------------------------------------------- */

static void hand_over(struct item *it)
{
	struct round *const r = it->round;

	if (it->unpack)
		txn_add_layer(r->txn, it->unpack);
	if (it->ingest)
		txn_add_blob(r->txn, it->ingest);
	it->unpack = NULL;
	it->ingest = NULL;
}

static int add_rest(struct round *r, struct err *e)
{
	const struct resolved *const x = r->f->image;

	for (size_t i = 0; i < x->n_docs; i++)
		if (txn_add_doc(r->txn, &x->doc[i].digest,
				buf_str(&x->doc[i].bytes), x->doc[i].bytes.len,
				e))
			return -1;
	if (r->f->blobs_only)
		return 0;
	return txn_add_skeleton(r->txn, &x->manifest_digest, x->config.diff_ids,
				x->config.n_diff_ids, r->f->untar.userxattr, e);
}

static void say_notes(const struct round *r)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct item *const it = &r->item[i];

		if (it->unpack && unpack_stats(it->unpack)->note[0])
			log_note("layer %s: %s",
				 DIGEST_SHORT(&it->desc->digest),
				 unpack_stats(it->unpack)->note);
	}
}

static void say_done(const struct round *r)
{
	for (size_t i = 0; i < r->n && r->f->layer_done; i++) {
		const struct item *const it = &r->item[i];

		if (!it->busy)
			r->f->layer_done(r->f->ctx, it->desc,
					 !it->unpack && !it->ingest);
	}
}

static int run_round(struct round *r, size_t *ret_busy, struct err *e)
{
	size_t busy = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (lock_item(&r->item[i], e))
			return -1;
		busy += r->item[i].busy;
	}
	if (transfer(r, e))
		return -1;
	progress_wipe(r->f->progress);
	say_notes(r);
	say_done(r);
	for (size_t i = 0; i < r->n; i++)
		hand_over(&r->item[i]);
	if (busy == 0 && add_rest(r, e))
		return -1;
	*ret_busy = busy;
	return txn_commit(r->txn, e);
}

static int wait_for_other(const struct round *r, struct err *e)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct item *const it = &r->item[i];

		if (!it->busy)
			continue;
		log_info("waiting for another pull of layer %s",
			 DIGEST_SHORT(&it->desc->digest));
		if (it->diff_id &&
		    unpack_wait_other(r->f->store, it->diff_id, e))
			return -1;
		return ingest_wait(r->f->store, &it->desc->digest, e);
	}
	return 0;
}

static void end_round(struct round *r)
{
	progress_wipe(r->f->progress);
	for (size_t i = 0; i < r->n; i++) {
		unpack_free(r->item[i].unpack);
		ingest_free(r->item[i].ingest);
	}
	txn_free(r->txn);
	r->txn = NULL;
}

int fetch_image(const struct fetch *f, struct err *e)
{
	size_t busy;

	do {
		struct round r = {.f = f, .txn = txn_make(f->store)};
		int rc = list_items(&r, e);

		busy = 0;
		if (rc == 0)
			rc = run_round(&r, &busy, e);
		end_round(&r);
		if (rc == 0 && busy)
			rc = wait_for_other(&r, e);
		free(r.item);
		if (rc)
			return -1;
	} while (busy);
	return 0;
}
