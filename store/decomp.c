#include "decomp.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/own.h"
#include "confine.h"

#define IN_SIZE    KIB(64)
#define SLOT_SIZE  KIB(256)
#define RING_SLOTS 4
#define MAGIC_MAX  10

/*
 * The ring of decomp_fork, in memory shared by both processes. The child fills
 * slots in turn, the parent borrows them in turn. What travels through the
 * socket is one byte per slot: "filled" one way, "free again" the other way.
 * A dead peer is the end of file there.
 */
struct ring {
	struct err err; /* of the child; kind set before its last byte */
	enum decomp_kind kind;
	int64_t len[RING_SLOTS]; /* 0: end, -1: see err */
	unsigned char slot[RING_SLOTS][SLOT_SIZE];
};

struct decomp {
	decomp_read_fn read;
	void *read_ctx;
	struct hash *hash;
	enum digest_alg alg;
	enum decomp_kind kind;
	uint64_t size; /* plain bytes so far */
	/* The piece that the caller has, and how far it is hashed. */
	const unsigned char *piece;
	size_t piece_len;
	size_t piece_hashed;
	bool started;
	bool ended;
	bool failed;

	unsigned char *in;
	size_t in_pos;
	size_t in_len;
	bool in_ended;
	unsigned char *out;

	struct inflate_state *gz;
	bool gz_between; /* no member is open */
	ZSTD_DStream *zs;
	bool zs_between;

	struct ring *ring;
	uint64_t slots_taken; /* by us, the parent */
	int sock;
	pid_t child;
	int child_fd; /* pidfd: a confined process may not kill(2) */
};

struct decomp *decomp_open(decomp_read_fn read, void *ctx,
			   enum digest_alg diff_alg)
{
	struct decomp *const d = xcalloc(1, sizeof(*d));

	d->read = read;
	d->read_ctx = ctx;
	d->alg = diff_alg;
	d->hash = hash_begin(diff_alg);
	d->sock = -1;
	d->child_fd = -1;
	return d;
}

static void reap_child(struct decomp *d)
{
	while (waitpid(d->child, NULL, 0) < 0 && errno == EINTR)
		;
	d->child = 0;
}

static void stop_child(struct decomp *d)
{
	if (d->child > 0 &&
	    syscall(SYS_pidfd_send_signal, d->child_fd, SIGKILL, NULL, 0) == 0)
		reap_child(d);
	own_close(&d->child_fd);
	own_close(&d->sock);
}

void decomp_free(struct decomp *d)
{
	if (!d)
		return;
	stop_child(d);
	if (d->ring)
		(void)munmap(d->ring, sizeof(*d->ring));
	hash_drop(d->hash);
	(void)ZSTD_freeDStream(d->zs);
	free(d->gz);
	free(d->in);
	free(d->out);
	free(d);
}

void own_decomp(struct decomp **d)
{
	const int saved = errno;

	decomp_free(*d);
	errno = saved;
}

int64_t decomp_read_fd(void *ctx, void *p, size_t n, struct err *e)
{
	const int *const fd = ctx;
	ssize_t got;

	do {
		got = read(*fd, p, n);
	} while (got < 0 && errno == EINTR);
	if (got < 0)
		return err_sys(e, "read", "layer blob");
	return got;
}

enum decomp_kind decomp_get_kind(const struct decomp *d)
{
	return d->kind;
}

/* ---- input --------------------------------------------------------------- */

/* More input behind what is there. 1, 0 at the end, -1. */
static int in_more(struct decomp *d, struct err *e)
{
	int64_t got;

	if (d->in_ended)
		return 0;
	if (d->in_pos > 0) {
		memmove(d->in, d->in + d->in_pos, d->in_len - d->in_pos);
		d->in_len -= d->in_pos;
		d->in_pos = 0;
	}
	got = d->read(d->read_ctx, d->in + d->in_len, IN_SIZE - d->in_len, e);
	if (got < 0)
		return -1;
	d->in_ended = got == 0;
	d->in_len += (size_t)got;
	return got > 0;
}

static int in_fill_to(struct decomp *d, size_t n, struct err *e)
{
	while (d->in_len - d->in_pos < n) {
		const int rc = in_more(d, e);

		if (rc <= 0)
			return rc;
	}
	return 0;
}

/* ---- which form ---------------------------------------------------------- */

static bool magic_is(const struct decomp *d, const char *magic, size_t n)
{
	return d->in_len >= n && memcmp(d->in, magic, n) == 0;
}

static bool is_zstd(const struct decomp *d)
{
	/* A frame, or a skippable one: 0x184D2A50 to 5F, little-endian. */
	return magic_is(d, "\x28\xb5\x2f\xfd", 4) ||
	       (d->in_len >= 4 && (d->in[0] & 0xf0) == 0x50 &&
		memcmp(d->in + 1, "\x2a\x4d\x18", 3) == 0);
}

static int refuse_known(const struct decomp *d, struct err *e)
{
	const char *name = NULL;

	if (magic_is(d,
		     "\xfd"
		     "7zXZ",
		     6))
		name = "xz";
	else if (magic_is(d, "BZh", 3) && d->in_len >= MAGIC_MAX &&
		 memcmp(d->in + 4, "1AY&SY", 6) == 0)
		name = "bzip2";
	else if (magic_is(d, "\x04\x22\x4d\x18", 4))
		name = "lz4";
	if (!name)
		return 0;
	return err_set(e, ERR_UNSUPPORTED,
		       "the layer is compressed with %s; gzip, zstd and plain "
		       "tar are supported",
		       name);
}

static int start_gzip(struct decomp *d)
{
	d->kind = DECOMP_GZIP;
	d->gz = xcalloc(1, sizeof(*d->gz));
	isal_inflate_init(d->gz);
	d->gz->crc_flag = ISAL_GZIP;
	d->gz_between = true;
	return 0;
}

static int start_zstd(struct decomp *d, struct err *e)
{
	d->kind = DECOMP_ZSTD;
	d->zs = ZSTD_createDStream();
	if (!d->zs)
		return err_sysno(e, ENOMEM, "ZSTD_createDStream", "layer");
	d->zs_between = true;
	return 0;
}

static int start(struct decomp *d, struct err *e)
{
	d->started = true;
	d->in = xmalloc(IN_SIZE);
	if (in_fill_to(d, MAGIC_MAX, e) < 0)
		return -1;
	if (magic_is(d, "\x1f\x8b", 2))
		return start_gzip(d);
	if (is_zstd(d))
		return start_zstd(d, e);
	d->kind = DECOMP_PLAIN;
	return refuse_known(d, e);
}

/* ---- gzip ---------------------------------------------------------------- */

static const char *gzip_reason(int rc)
{
	switch (rc) {
	case ISAL_INCORRECT_CHECKSUM:
		return "the checksum or the length in its trailer is wrong";
	case ISAL_INVALID_WRAPPER:
		return "its header is damaged";
	case ISAL_UNSUPPORTED_METHOD:
		return "its header names an unknown method";
	default:
		return "its data is damaged";
	}
}

/* Behind the last member: nothing, or zeros up to the end. */
static int gzip_padding(struct decomp *d, struct err *e)
{
	for (;;) {
		int rc;

		for (; d->in_pos < d->in_len; d->in_pos++)
			if (d->in[d->in_pos] != 0)
				return err_set(e, ERR_INVALID,
					       "gzip: garbage behind the end "
					       "of the data");
		rc = in_more(d, e);
		if (rc <= 0)
			return rc;
	}
}

/* Is there another member? 1: opened; 0: the end, padding checked; -1. */
static int gzip_next_member(struct decomp *d, struct err *e)
{
	if (in_fill_to(d, 2, e) < 0)
		return -1;
	if (d->in_len - d->in_pos < 2 || d->in[d->in_pos] != 0x1f ||
	    d->in[d->in_pos + 1] != 0x8b)
		return gzip_padding(d, e);
	isal_inflate_reset(d->gz);
	d->gz_between = false;
	return 1;
}

static int gzip_step(struct decomp *d, unsigned char *out, size_t cap,
		     size_t *ret_n, struct err *e)
{
	struct inflate_state *const z = d->gz;
	const size_t had = d->in_len - d->in_pos;
	int rc;

	z->next_in = d->in + d->in_pos;
	z->avail_in = (uint32_t)had;
	z->next_out = out;
	z->avail_out = (uint32_t)cap;
	rc = isal_inflate(z);
	d->in_pos += had - z->avail_in;
	*ret_n = cap - z->avail_out;
	if (rc != ISAL_DECOMP_OK)
		return err_set(e, ERR_INVALID, "gzip: %s", gzip_reason(rc));
	if (z->block_state == ISAL_BLOCK_FINISH) {
		d->gz_between = true;
		return 0;
	}
	if (*ret_n > 0 || had != z->avail_in)
		return 0;
	rc = in_more(d, e);
	if (rc == 0)
		return err_set(e, ERR_INVALID,
			       "gzip: the data ends before its trailer");
	return rc < 0 ? -1 : 0;
}

static int64_t gzip_produce(struct decomp *d, unsigned char *out, size_t cap,
			    struct err *e)
{
	size_t used = 0;

	while (used < cap) {
		size_t n = 0;

		if (d->gz_between) {
			const int rc = gzip_next_member(d, e);

			if (rc < 0)
				return -1;
			if (rc == 0)
				break;
		}
		if (gzip_step(d, out + used, cap - used, &n, e) < 0)
			return -1;
		used += n;
	}
	return (int64_t)used;
}

/* ---- zstd and plain ------------------------------------------------------ */

static int64_t zstd_produce(struct decomp *d, unsigned char *out, size_t cap,
			    struct err *e)
{
	ZSTD_outBuffer o = {.dst = out, .size = cap};

	while (o.pos < cap) {
		ZSTD_inBuffer i = {d->in, d->in_len, d->in_pos};
		const size_t before = o.pos;
		size_t rc;

		if (d->in_pos == d->in_len && d->zs_between) {
			const int more = in_more(d, e);

			if (more < 0)
				return -1;
			if (more == 0)
				break;
			continue;
		}
		rc = ZSTD_decompressStream(d->zs, &o, &i);
		if (ZSTD_isError(rc))
			return err_set(e, ERR_INVALID, "zstd: %s",
				       ZSTD_getErrorName(rc));
		d->zs_between = rc == 0;
		if (i.pos == d->in_pos && o.pos == before && !d->zs_between) {
			const int more = in_more(d, e);

			if (more < 0)
				return -1;
			if (more == 0)
				return err_set(e, ERR_INVALID,
					       "zstd: the data ends inside a "
					       "frame");
			continue;
		}
		d->in_pos = i.pos;
	}
	return (int64_t)o.pos;
}

static int64_t plain_produce(struct decomp *d, unsigned char *out, size_t cap,
			     struct err *e)
{
	size_t used = d->in_len - d->in_pos;

	/* What was read to see the magic number. */
	assert(used <= cap);
	memcpy(out, d->in + d->in_pos, used);
	d->in_pos = d->in_len;
	while (used < cap && !d->in_ended) {
		const int64_t got =
			d->read(d->read_ctx, out + used, cap - used, e);

		if (got < 0)
			return -1;
		d->in_ended = got == 0;
		used += (size_t)got;
	}
	return (int64_t)used;
}

/* Up to SLOT_SIZE plain bytes; fewer only at the end. */
static int64_t produce(struct decomp *d, unsigned char *out, struct err *e)
{
	int64_t n = -1;

	if (d->ended)
		return 0;
	if (!d->started && start(d, e) < 0)
		return -1;
	switch (d->kind) {
	case DECOMP_PLAIN:
		n = plain_produce(d, out, SLOT_SIZE, e);
		break;
	case DECOMP_GZIP:
		n = gzip_produce(d, out, SLOT_SIZE, e);
		break;
	case DECOMP_ZSTD:
		n = zstd_produce(d, out, SLOT_SIZE, e);
		break;
	}
	if (n < 0)
		return -1;
	d->ended = n == 0;
	return n;
}

/* ---- the other process --------------------------------------------------- */

static int send_token(int sock)
{
	ssize_t rc;

	do {
		rc = send(sock, "", 1, MSG_NOSIGNAL);
	} while (rc < 0 && errno == EINTR);
	return rc == 1 ? 0 : -1;
}

/* 0: the peer is gone. */
static int recv_token(int sock)
{
	char c;
	ssize_t rc;

	do {
		rc = recv(sock, &c, 1, 0);
	} while (rc < 0 && errno == EINTR);
	return rc == 1 ? 1 : 0;
}

static int confine_child(const struct decomp *d, int source_fd, struct err *e)
{
	static const int more[] = {SYS_lseek, SYS_pread64};

	if (confine_fds(d->sock, source_fd, e) < 0 || confine_caps(0, e) < 0 ||
	    confine_privs(e) < 0)
		return -1;
	/* A change of credentials may have cleared it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return confine_syscalls(more, ARRAY_LEN(more), e);
}

static void child_fill(struct decomp *d, struct ring *r)
{
	struct err e = {0};

	for (uint64_t i = 0;; i++) {
		const size_t at = i % RING_SLOTS;
		int64_t n;

		if (i >= RING_SLOTS && !recv_token(d->sock))
			return;
		n = produce(d, r->slot[at], &e);
		r->kind = d->kind;
		r->len[at] = n;
		if (n < 0)
			r->err = e;
		if (send_token(d->sock) < 0 || n <= 0)
			return;
	}
}

static _Noreturn void child_main(struct decomp *d, int source_fd, pid_t parent)
{
	struct err e = {0};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(125);
	if (confine_child(d, source_fd, &e) < 0) {
		d->ring->err = e;
		d->ring->len[0] = -1;
		(void)send_token(d->sock);
		_exit(1);
	}
	child_fill(d, d->ring);
	_exit(0);
}

int decomp_fork(struct decomp *d, int source_fd, struct err *e)
{
	const pid_t parent = getpid();
	autoclose int mine = -1;
	autoclose int theirs = -1;
	void *mem;
	int sv[2];

	assert(!d->started && !d->ring);
	mem = mmap(NULL, sizeof(struct ring), PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		return err_sys(e, "mmap", "ring of the decompressor");
	d->ring = mem;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sv) < 0)
		return err_sys(e, "socketpair", "for the decompressor");
	mine = sv[0];
	theirs = sv[1];
	d->child = fork();
	if (d->child < 0) {
		d->child = 0;
		return err_sys(e, "fork", "decompressor");
	}
	if (d->child == 0) {
		d->sock = take_fd(&theirs);
		child_main(d, source_fd, parent);
	}
	d->sock = take_fd(&mine);
	d->child_fd = (int)syscall(SYS_pidfd_open, d->child, 0);
	if (d->child_fd < 0)
		return err_sys(e, "pidfd_open", "decompressor");
	return 0;
}

static int64_t ring_next(struct decomp *d, const void **ret_p, struct err *e)
{
	struct ring *const r = d->ring;
	size_t at;
	int64_t n;

	/* The slot that the caller had is free again. */
	if (d->slots_taken > 0)
		(void)send_token(d->sock);
	if (!recv_token(d->sock))
		return err_set(e, ERR_GONE, "the decompressor died");
	at = d->slots_taken++ % RING_SLOTS;
	d->kind = r->kind;
	n = r->len[at];
	if (n < 0) {
		*e = r->err;
		return -1;
	}
	/* The child met untrusted bytes: its word is checked. */
	if (n > (int64_t)SLOT_SIZE)
		return err_set(e, ERR_INVALID, "the decompressor misbehaves");
	d->ended = n == 0;
	*ret_p = r->slot[at];
	return n;
}

/* ---- the caller's side --------------------------------------------------- */

/* The caller is done with its piece: what it did not hash is hashed now. */
static void finish_piece(struct decomp *d)
{
	if (d->piece_hashed < d->piece_len)
		hash_add(d->hash, d->piece + d->piece_hashed,
			 d->piece_len - d->piece_hashed);
	d->piece_len = 0;
	d->piece_hashed = 0;
}

void decomp_hash_also(struct decomp *d, struct hash *h, const void *p, size_t n)
{
	const uintptr_t at = (uintptr_t)p - (uintptr_t)d->piece;

	/* Elsewhere (a copy), or passed already: the piece is hashed apart. */
	if (at < d->piece_hashed || at > d->piece_len ||
	    n > d->piece_len - at) {
		hash_add(h, p, n);
		return;
	}
	hash_add(d->hash, d->piece + d->piece_hashed, at - d->piece_hashed);
	hash_add_both(d->hash, h, p, n);
	d->piece_hashed = at + n;
}

int64_t decomp_next(struct decomp *d, const void **ret_p, struct err *e)
{
	int64_t n;

	assert(!d->failed);
	if (d->ended)
		return 0;
	finish_piece(d);
	if (d->ring) {
		n = ring_next(d, ret_p, e);
	} else {
		if (!d->out)
			d->out = xmalloc(SLOT_SIZE);
		n = produce(d, d->out, e);
		*ret_p = d->out;
	}
	d->failed = n < 0;
	if (n > 0) {
		d->piece = *ret_p;
		d->piece_len = (size_t)n;
		d->size += (uint64_t)n;
	}
	return n;
}

int decomp_finish(struct decomp *d, struct digest *ret_diff_id,
		  uint64_t *ret_size, struct err *e)
{
	const void *p;
	int64_t n;

	do {
		n = decomp_next(d, &p, e);
	} while (n > 0);
	if (n < 0)
		return -1;
	hash_end(d->hash, ret_diff_id);
	d->hash = hash_begin(d->alg);
	*ret_size = d->size;
	/* It has nothing left to do but to exit. */
	if (d->child > 0)
		reap_child(d);
	return 0;
}
