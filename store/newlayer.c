#include "store/newlayer.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "store/decomp.h"
#include "store/ingest.h"
#include "store/unpack.h"

#define PIECE KIB(256)

struct newlayer {
	struct store *store;
	int fd; /* without a name */
	struct hash *plain;
	struct hash *packed;
	uint64_t size; /* of the blob */
	struct isal_zstream z;
	uint8_t *level_buf;
	uint8_t *out;
};

struct newlayer *newlayer_begin(struct store *s, struct err *e)
{
	autonewlayer struct newlayer *l = xcalloc(1, sizeof(*l));

	l->store = s;
	l->fd = store_tmpfile(s, e);
	if (l->fd < 0)
		return NULL;
	l->plain = hash_begin(DIGEST_SHA256);
	l->packed = hash_begin(DIGEST_SHA256);
	l->level_buf = xmalloc(ISAL_DEF_LVL1_DEFAULT);
	l->out = xmalloc(PIECE);
	isal_deflate_init(&l->z);
	l->z.gzip_flag = IGZIP_GZIP;
	l->z.level = 1;
	l->z.level_buf = l->level_buf;
	l->z.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
	return take_ptr(&l);
}

void newlayer_free(struct newlayer *l)
{
	if (!l)
		return;
	own_close(&l->fd);
	hash_drop(l->plain);
	hash_drop(l->packed);
	free(l->level_buf);
	free(l->out);
	free(l);
}

void own_newlayer(struct newlayer **l)
{
	newlayer_free(*l);
}

/* ---- the blob ------------------------------------------------------------- */

/* Compress what stands in z.next_in; with end all of it. */
static int pump(struct newlayer *l, bool end, struct err *e)
{
	l->z.end_of_stream = end;
	do {
		size_t n;

		l->z.next_out = l->out;
		l->z.avail_out = PIECE;
		if (isal_deflate(&l->z) != COMP_OK)
			return err_set(e, ERR_SYS, "isal_deflate: failed");
		n = PIECE - l->z.avail_out;
		hash_add(l->packed, l->out, n);
		l->size += n;
		if (io_write_all(l->fd, l->out, n, "the layer", e)) {
			store_explain(l->store, e);
			return -1;
		}
	} while (l->z.avail_out == 0 || l->z.avail_in > 0);
	return 0;
}

int newlayer_add(void *ctx, const void *p, size_t n, struct err *e)
{
	struct newlayer *const l = ctx;

	hash_add(l->plain, p, n);
	/* isa-l reads it only; its type says otherwise. */
	l->z.next_in = (uint8_t *)(uintptr_t)p;
	l->z.avail_in = (uint32_t)n;
	return pump(l, false, e);
}

static int add_blob(struct newlayer *l, struct txn *t, const struct digest *d,
		    struct err *e)
{
	struct ingest *in = NULL;
	autofree char *p = xmalloc(PIECE);
	int rc = 0;

	if (ingest_begin(l->store, d, l->size, &in, e)) {
		if (e->kind != ERR_EXISTS)
			return -1;
		err_clear(e);
		return 0;
	}
	if (ingest_have(in) > 0)
		rc = ingest_restart(in, e);
	for (uint64_t at = 0; rc == 0 && at < l->size;) {
		const ssize_t n = pread(l->fd, p, PIECE, (off_t)at);

		if (n <= 0)
			rc = err_sys(e, "pread", "the layer");
		else
			rc = ingest_write(in, p, (size_t)n, e);
		at += n > 0 ? (uint64_t)n : 0;
	}
	if (rc == 0)
		rc = ingest_verify(in, e);
	if (rc == 0)
		txn_add_blob(t, in);
	else
		ingest_free(in);
	return rc;
}

/* ---- the layer ------------------------------------------------------------ */

static int add_layer(struct newlayer *l, struct txn *t, const struct digest *d,
		     const struct untar_opts *o, struct err *e)
{
	struct unpack *u = NULL;
	int rc;

	if (unpack_begin(l->store, d, o, &u, e)) {
		if (e->kind != ERR_EXISTS)
			return -1;
		err_clear(e);
		return 0;
	}
	rc = unpack_start(u, l->fd, l->size, e);
	if (rc == 0) {
		unpack_tell(u, l->size, true);
		rc = unpack_wait(u, e);
	}
	if (rc == 0)
		txn_add_layer(t, u);
	else
		unpack_free(u);
	return rc;
}

int newlayer_read(struct newlayer *l, int fd, struct err *e)
{
	autodecomp struct decomp *d =
		decomp_open(decomp_read_fd, &fd, DIGEST_SHA256);
	const void *p;
	int64_t n;

	if (decomp_fork(d, fd, e))
		return -1;
	while ((n = decomp_next(d, &p, e)) > 0)
		if (newlayer_add(l, p, (size_t)n, e))
			return -1;
	return n < 0 ? -1 : 0;
}

int newlayer_end(struct newlayer *l, struct txn *t, const struct untar_opts *o,
		 struct digest *ret_blob, uint64_t *ret_size,
		 struct digest *ret_diff_id, struct err *e)
{
	l->z.avail_in = 0;
	if (pump(l, true, e))
		return -1;
	hash_end(l->plain, ret_diff_id);
	hash_end(l->packed, ret_blob);
	l->plain = l->packed = NULL;
	*ret_size = l->size;
	crash_point("newlayer-packed");
	if (add_blob(l, t, ret_blob, e))
		return -1;
	crash_point("newlayer-blob");
	return add_layer(l, t, ret_diff_id, o, e);
}
