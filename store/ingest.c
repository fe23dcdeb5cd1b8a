#include "store/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "store/blob.h"

#define PART_NAME_MAX (DIGEST_TEXT_MAX + sizeof("part-"))

struct ingest {
	struct store *store;
	struct digest digest;
	uint64_t size;
	uint64_t have;
	struct hash *hash; /* NULL once verified */
	int fd;            /* holds the entry lock */
	bool published;
	char name[PART_NAME_MAX]; /* below tmp/ */
};

static void part_name(const struct digest *d, char *buf, size_t n)
{
	(void)snprintf(buf, n, "part-%s-%s", digest_alg_name(d->alg), d->hex);
}

static int empty_part(struct ingest *in, struct err *e)
{
	if (ftruncate(in->fd, 0))
		return err_sys(e, "ftruncate", "tmp/%s", in->name);
	if (lseek(in->fd, 0, SEEK_SET) < 0)
		return err_sys(e, "lseek", "tmp/%s", in->name);
	in->have = 0;
	return 0;
}

/*
 * Hash what an earlier pull left. Its bytes were never synced, so after a power
 * cut they may be wrong: the digest over all will tell.
 */
static int take_up(struct ingest *in, struct err *e)
{
	autofree char *p = NULL;
	struct stat st;

	if (fstat(in->fd, &st))
		return err_sys(e, "fstat", "tmp/%s", in->name);
	if (st.st_size == 0)
		return 0;
	if ((uint64_t)st.st_size > in->size)
		return empty_part(in, e);

	p = xmalloc(KIB(256));
	for (;;) {
		const int64_t n =
			io_read_full(in->fd, p, KIB(256), in->name, e);

		if (n < 0)
			return -1;
		if (n == 0)
			return 0;
		hash_add(in->hash, p, (size_t)n);
		in->have += (uint64_t)n;
	}
}

static void own_ingest(struct ingest **in)
{
	ingest_free(*in);
}

int ingest_begin(struct store *s, const struct digest *d, uint64_t size,
		 struct ingest **ret, struct err *e)
{
	__attribute__((cleanup(own_ingest))) struct ingest *in =
		xcalloc(1, sizeof(*in));

	*in = (struct ingest){.store = s, .digest = *d, .size = size, .fd = -1};
	part_name(d, in->name, sizeof(in->name));
	ERR_IN(e, "blob %s", DIGEST_SHORT(d));

	in->fd = store_entry_lock(s, in->name, false, e);
	if (in->fd < 0)
		return -1;
	/* Only now: who held the lock before may have finished it. */
	if (blob_has(s, d))
		return err_set(e, ERR_EXISTS, "is in the store");

	in->hash = hash_begin(d->alg);
	if (take_up(in, e))
		return -1;
	*ret = take_ptr(&in);
	return 0;
}

int ingest_wait(struct store *s, const struct digest *d, struct err *e)
{
	char name[PART_NAME_MAX];
	int fd;

	part_name(d, name, sizeof(name));
	fd = store_entry_lock(s, name, true, e);
	if (fd < 0)
		return -1;
	store_entry_unlock(s, fd, blob_has(s, d) ? name : NULL);
	return 0;
}

uint64_t ingest_have(const struct ingest *in)
{
	return in->have;
}

int ingest_write(struct ingest *in, const void *p, size_t n, struct err *e)
{
	ERR_IN(e, "blob %s", DIGEST_SHORT(&in->digest));

	if (n > in->size - in->have)
		return err_set(e, ERR_MISMATCH,
			       "more than the promised %" PRIu64 " bytes",
			       in->size);
	if (io_write_all(in->fd, p, n, in->name, e)) {
		store_explain(in->store, e);
		return -1;
	}
	hash_add(in->hash, p, n);
	in->have += n;
	crash_point("blob-bytes");
	return 0;
}

int ingest_restart(struct ingest *in, struct err *e)
{
	if (in->hash)
		hash_reset(in->hash);
	else
		in->hash = hash_begin(in->digest.alg);
	return empty_part(in, e);
}

int ingest_verify(struct ingest *in, struct err *e)
{
	struct digest got;

	ERR_IN(e, "blob %s", DIGEST_SHORT(&in->digest));
	if (in->have != in->size)
		return err_set(e, ERR_MISMATCH,
			       "%" PRIu64 " bytes came, %" PRIu64
			       " were promised",
			       in->have, in->size);
	if (!in->hash)
		return 0;

	hash_end(in->hash, &got);
	in->hash = NULL;
	if (digest_eq(&got, &in->digest))
		return 0;
	/* A wrong part is of no use to the next pull either. */
	in->hash = hash_begin(in->digest.alg);
	if (empty_part(in, e))
		return -1;
	return err_set(e, ERR_MISMATCH,
		       "wrong digest: the bytes are %s, not the promised %s",
		       DIGEST_TEXT(&got), DIGEST_TEXT(&in->digest));
}

int ingest_open(struct ingest *in, struct err *e)
{
	const int tmp = store_dirfd(in->store, STORE_TMP, e);
	int fd;

	if (tmp < 0)
		return -1;
	fd = openat(tmp, in->name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "openat", "tmp/%s", in->name);
	return fd;
}

int ingest_publish(struct ingest *in, struct err *e)
{
	const int tmp = store_dirfd(in->store, STORE_TMP, e);
	const int blobs = store_dirfd(in->store, STORE_BLOBS, e);

	if (tmp < 0 || blobs < 0)
		return -1;
	if (renameat2(tmp, in->name, blobs, DIGEST_PATH(&in->digest),
		      RENAME_NOREPLACE) &&
	    errno != EEXIST)
		return err_sys(e, "renameat2", "tmp/%s -> blobs/%s", in->name,
			       DIGEST_PATH(&in->digest));
	in->published = true;
	return 0;
}

void ingest_free(struct ingest *in)
{
	const bool useless = in && (in->published || in->have == 0);

	if (!in)
		return;
	hash_drop(in->hash);
	store_entry_unlock(in->store, in->fd, useless ? in->name : NULL);
	free(in);
}
