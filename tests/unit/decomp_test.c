#include "store/decomp.h"

#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zstd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/hash.h"
#include "base/own.h"

#define MAX (16u << 20)

/* Bytes that are not all alike. */
static void noise(struct buf *b, size_t n)
{
	uint32_t x = 1;

	for (size_t i = 0; i < n; i++) {
		x = x * 1664525u + 1013904223u;
		buf_addc(b, (char)((i & 64) ? 'a' + (x >> 29) : x >> 24));
	}
}

static void add_gzip(struct buf *out, const void *p, size_t n)
{
	struct isal_zstream *z = calloc(1, sizeof(*z));
	const size_t max = n + n / 8 + 1024;
	void *const room = buf_room(out, max);

	isal_deflate_stateless_init(z);
	z->gzip_flag = IGZIP_GZIP;
	z->next_in = (uint8_t *)(uintptr_t)p;
	z->avail_in = (uint32_t)n;
	z->end_of_stream = 1;
	z->next_out = room;
	z->avail_out = (uint32_t)max;
	assert_int_equal(isal_deflate_stateless(z), COMP_OK);
	buf_grew(out, z->total_out);
	free(z);
}

static void add_zstd(struct buf *out, const void *p, size_t n)
{
	const size_t max = ZSTD_compressBound(n);
	const size_t got = ZSTD_compress(buf_room(out, max), max, p, n, 3);

	assert_false(ZSTD_isError(got));
	buf_grew(out, got);
}

/* A file in memory that holds b. */
static int file_of(const struct buf *b)
{
	const int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, buf_str(b), b->len), (ssize_t)b->len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

struct result {
	int rc;
	enum decomp_kind kind;
	struct digest digest;
	uint64_t size;
	struct buf out;
	struct err e;
};

static void run(const struct buf *in, bool forked, struct result *r)
{
	autoclose int fd = file_of(in);
	autodecomp struct decomp *d =
		decomp_open(decomp_read_fd, &fd, DIGEST_SHA256);
	const void *p;
	int64_t n = 1;

	*r = (struct result){.out = buf_make(MAX)};
	if (forked)
		assert_int_equal(decomp_fork(d, fd, &r->e), 0);
	while (n > 0) {
		n = decomp_next(d, &p, &r->e);
		if (n > 0)
			buf_add(&r->out, p, (size_t)n);
	}
	r->rc = (int)n;
	r->kind = decomp_get_kind(d);
	if (n == 0)
		r->rc = decomp_finish(d, &r->digest, &r->size, &r->e);
}

static void expect_plain(const struct buf *in, enum decomp_kind kind,
			 const struct buf *plain)
{
	for (int forked = 0; forked < 2; forked++) {
		struct digest want;
		struct result r;

		run(in, forked, &r);
		assert_string_equal(r.e.text, "");
		assert_int_equal(r.rc, 0);
		assert_int_equal(r.kind, kind);
		assert_int_equal(r.out.len, plain->len);
		assert_memory_equal(buf_str(&r.out), buf_str(plain),
				    plain->len);
		assert_int_equal(r.size, plain->len);
		hash_bytes(DIGEST_SHA256, buf_str(plain), plain->len, &want);
		assert_string_equal(r.digest.hex, want.hex);
		buf_free(&r.out);
	}
}

static void expect_refused(const struct buf *in, const char *words)
{
	for (int forked = 0; forked < 2; forked++) {
		struct result r;

		run(in, forked, &r);
		assert_int_equal(r.rc, -1);
		if (!strstr(r.e.text, words))
			fail_msg("expected '%s' in '%s'", words, r.e.text);
		buf_free(&r.out);
	}
}

static void plain_bytes_pass(void **state)
{
	static const size_t sizes[] = {0,   1,      9,      10,     11,
				       511, 262143, 262144, 262145, 3000001};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		autobuf struct buf b = buf_make(MAX);

		noise(&b, sizes[i]);
		expect_plain(&b, DECOMP_PLAIN, &b);
	}
}

static void gzip_members_follow_each_other(void **state)
{
	autobuf struct buf plain = buf_make(MAX);
	autobuf struct buf gz = buf_make(MAX);

	(void)state;
	noise(&plain, 3000001);
	add_gzip(&gz, plain.p, 1000000);
	add_gzip(&gz, plain.p + 1000000, 1);
	add_gzip(&gz, plain.p, 0); /* an empty one */
	add_gzip(&gz, plain.p + 1000001, 2000000);
	expect_plain(&gz, DECOMP_GZIP, &plain);
}

static void gzip_zero_padding_is_accepted(void **state)
{
	static const size_t pads[] = {1, 2, 512, 200000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pads); i++) {
		autobuf struct buf plain = buf_make(MAX);
		autobuf struct buf gz = buf_make(MAX);

		noise(&plain, 100000);
		add_gzip(&gz, plain.p, plain.len);
		for (size_t k = 0; k < pads[i]; k++)
			buf_addc(&gz, 0);
		expect_plain(&gz, DECOMP_GZIP, &plain);
	}
}

static void gzip_garbage_behind_is_refused(void **state)
{
	static const char *const tails[] = {"x", "\x1f", "\x1f\x8c", "garbage"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		autobuf struct buf gz = buf_make(MAX);

		add_gzip(&gz, "hello", 5);
		buf_adds(&gz, tails[i]);
		expect_refused(&gz, "garbage behind the end");
	}
	{
		autobuf struct buf gz = buf_make(MAX);

		add_gzip(&gz, "hello", 5);
		buf_add(&gz, "\0\0\0x", 4);
		expect_refused(&gz, "garbage behind the end");
	}
}

static void gzip_cut_anywhere_is_refused(void **state)
{
	autobuf struct buf plain = buf_make(MAX);
	autobuf struct buf gz = buf_make(MAX);

	(void)state;
	noise(&plain, 200);
	add_gzip(&gz, plain.p, plain.len);
	for (size_t n = 2; n < gz.len; n++) {
		autobuf struct buf cut = buf_make(MAX);

		buf_add(&cut, gz.p, n);
		expect_refused(&cut, "gzip: ");
	}
}

/* Also the trailer: CRC32 and ISIZE, which libarchive does not look at. */
static void gzip_trailer_is_checked(void **state)
{
	(void)state;
	for (size_t back = 1; back <= 8; back++) {
		autobuf struct buf plain = buf_make(MAX);
		autobuf struct buf gz = buf_make(MAX);

		noise(&plain, 70000);
		add_gzip(&gz, plain.p, plain.len);
		gz.p[gz.len - back] ^= 0x40;
		expect_refused(&gz, "checksum or the length in its trailer");
	}
}

static void zstd_frames_follow_each_other(void **state)
{
	autobuf struct buf plain = buf_make(MAX);
	autobuf struct buf z = buf_make(MAX);

	(void)state;
	noise(&plain, 2000000);
	/* A skippable frame in front, one between, one behind. */
	buf_add(&z, "\x5f\x2a\x4d\x18\x03\0\0\0abc", 11);
	add_zstd(&z, plain.p, 700000);
	buf_add(&z, "\x50\x2a\x4d\x18\0\0\0\0", 8);
	add_zstd(&z, plain.p + 700000, 1300000);
	buf_add(&z, "\x51\x2a\x4d\x18\x01\0\0\0z", 9);
	expect_plain(&z, DECOMP_ZSTD, &plain);
}

static void zstd_cut_or_garbage_is_refused(void **state)
{
	autobuf struct buf plain = buf_make(MAX);
	autobuf struct buf z = buf_make(MAX);

	(void)state;
	noise(&plain, 300);
	add_zstd(&z, plain.p, plain.len);
	for (size_t n = 4; n < z.len; n++) {
		autobuf struct buf cut = buf_make(MAX);

		buf_add(&cut, z.p, n);
		expect_refused(&cut, "zstd: ");
	}
	buf_adds(&z, "garbage");
	expect_refused(&z, "zstd: ");
}

static void other_forms_are_refused_by_name(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *name;
	} forms[] = {
		{"\xfd\x37\x7a\x58\x5a\x00\x00\x04\xe6\xd6\xb4\x46", 12, "xz"},
		{"BZh91AY&SY....", 14, "bzip2"},
		{"\x04\x22\x4d\x18\x64\x40\xa7", 7, "lz4"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		autobuf struct buf b = buf_make(MAX);

		buf_add(&b, forms[i].bytes, forms[i].n);
		expect_refused(&b, forms[i].name);
	}
}

/* A source that gives one byte at a time, then fails. */
struct dribble {
	const struct buf *b;
	size_t at;
	size_t fail_at;
};

static int64_t dribble(void *ctx, void *p, size_t n, struct err *e)
{
	struct dribble *const d = ctx;

	assert_true(n > 0);
	if (d->at == d->fail_at)
		return err_set(e, ERR_NET, "the line was cut");
	if (d->at == d->b->len)
		return 0;
	memcpy(p, d->b->p + d->at++, 1);
	return 1;
}

static int drain(struct dribble *src, struct digest *digest, uint64_t *size,
		 struct err *e)
{
	autodecomp struct decomp *d = decomp_open(dribble, src, DIGEST_SHA512);

	return decomp_finish(d, digest, size, e);
}

static void single_bytes_and_failing_sources(void **state)
{
	autobuf struct buf plain = buf_make(MAX);
	autobuf struct buf gz = buf_make(MAX);
	struct dribble src = {&gz, 0, SIZE_MAX};
	struct digest digest;
	struct err e = {0};
	uint64_t size;

	(void)state;
	noise(&plain, 5000);
	add_gzip(&gz, plain.p, plain.len);
	assert_int_equal(drain(&src, &digest, &size, &e), 0);
	assert_int_equal(size, 5000);
	assert_int_equal(digest.alg, DIGEST_SHA512);
	src = (struct dribble){&gz, 0, 100};
	assert_int_equal(drain(&src, &digest, &size, &e), -1);
	assert_int_equal(e.kind, ERR_NET);
	assert_string_equal(e.text, "the line was cut");
}

/* Hash [at, at + n) of all bytes also, a part per piece; or a copy of it. */
static void hash_some(const struct buf *in, bool forked, size_t at, size_t n,
		      bool copied, struct digest *ret_some,
		      struct digest *ret_all)
{
	autoclose int fd = file_of(in);
	autodecomp struct decomp *d =
		decomp_open(decomp_read_fd, &fd, DIGEST_SHA256);
	struct hash *const h = hash_begin(DIGEST_SHA256);
	struct err e = {0};
	const void *p;
	uint64_t size;
	size_t pos = 0;
	int64_t got;

	if (forked)
		assert_int_equal(decomp_fork(d, fd, &e), 0);
	for (got = decomp_next(d, &p, &e); got > 0;
	     got = decomp_next(d, &p, &e)) {
		const size_t end = pos + (size_t)got;
		const size_t from = at > pos ? at : pos;
		const size_t to = at + n < end ? at + n : end;
		autofree unsigned char *copy = xmalloc((size_t)got);

		memcpy(copy, p, (size_t)got);
		if (from < to)
			decomp_hash_also(
				d, h,
				(copied ? copy : (const unsigned char *)p) +
					(from - pos),
				to - from);
		pos = end;
	}
	assert_int_equal(got, 0);
	assert_int_equal(decomp_finish(d, ret_all, &size, &e), 0);
	hash_end(h, ret_some);
}

static void parts_are_hashed_also(void **state)
{
	static const struct {
		size_t at;
		size_t n;
	} part[] = {{0, 1},       {0, 64},         {512, 3000},
		    {100, 70000}, {262144, 1024},  {200000, 300000},
		    {0, 600000},  {599999, 1},     {512, 0},
		    {3, 500001},  {262000, 144000}};
	autobuf struct buf plain = buf_make(MAX);
	autobuf struct buf gz = buf_make(MAX);
	struct digest all;

	(void)state;
	noise(&plain, 600000);
	add_gzip(&gz, plain.p, plain.len);
	hash_bytes(DIGEST_SHA256, plain.p, plain.len, &all);
	for (size_t i = 0; i < 4 * ARRAY_LEN(part); i++) {
		const size_t at = part[i / 4].at;
		const size_t n = part[i / 4].n;
		struct digest some;
		struct digest got;
		struct digest want;

		hash_some(&gz, i & 1, at, n, i & 2, &some, &got);
		assert_string_equal(got.hex, all.hex);
		hash_bytes(DIGEST_SHA256, plain.p + at, n, &want);
		assert_string_equal(some.hex, want.hex);
	}
}

/* The same bytes twice, and then those before them. */
static void parts_out_of_order_are_hashed_also(void **state)
{
	autobuf struct buf plain = buf_make(MAX);
	struct hash *const h = hash_begin(DIGEST_SHA256);
	struct hash *const want = hash_begin(DIGEST_SHA256);
	static const size_t at[] = {512, 512, 0, 600, 4000};
	struct err e = {0};
	struct digest a;
	struct digest b;
	uint64_t size;
	const void *p;

	(void)state;
	noise(&plain, 5000);
	{
		autoclose int fd = file_of(&plain);
		autodecomp struct decomp *d =
			decomp_open(decomp_read_fd, &fd, DIGEST_SHA256);

		assert_int_equal(decomp_next(d, &p, &e), 5000);
		for (size_t i = 0; i < ARRAY_LEN(at); i++) {
			decomp_hash_also(d, h, (const char *)p + at[i], 1000);
			hash_add(want, plain.p + at[i], 1000);
		}
		assert_int_equal(decomp_finish(d, &a, &size, &e), 0);
	}
	hash_bytes(DIGEST_SHA256, plain.p, plain.len, &b);
	assert_string_equal(a.hex, b.hex);
	hash_end(h, &a);
	hash_end(want, &b);
	assert_string_equal(a.hex, b.hex);
}

/* The child is gone before all is read: no hang, no zombie, no SIGPIPE. */
static void a_child_may_be_dropped(void **state)
{
	autobuf struct buf b = buf_make(MAX);
	struct err e = {0};

	(void)state;
	noise(&b, 8u << 20);
	for (int i = 0; i < 3; i++) {
		autoclose int fd = file_of(&b);
		autodecomp struct decomp *d =
			decomp_open(decomp_read_fd, &fd, DIGEST_SHA256);
		const void *p;

		assert_int_equal(decomp_fork(d, fd, &e), 0);
		for (int k = 0; k < i; k++)
			assert_true(decomp_next(d, &p, &e) > 0);
	}
}

/* In a child without PROT_EXEC, open or sockets the work still gets done. */
static int64_t nosy(void *ctx, void *p, size_t n, struct err *e)
{
	if (open("/etc/passwd", O_RDONLY) >= 0)
		return err_set(e, ERR_INVALID, "could open");
	if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
		 -1, 0) != MAP_FAILED)
		return err_set(e, ERR_INVALID, "could make code");
	if (fork() >= 0)
		return err_set(e, ERR_INVALID, "could fork");
	return decomp_read_fd(ctx, p, n, e);
}

static void the_child_is_confined(void **state)
{
	autobuf struct buf plain = buf_make(MAX);
	autobuf struct buf gz = buf_make(MAX);
	struct digest digest;
	struct err e = {0};
	uint64_t size = 0;

	(void)state;
	noise(&plain, 500000);
	add_gzip(&gz, plain.p, plain.len);
	{
		autoclose int fd = file_of(&gz);
		autodecomp struct decomp *d =
			decomp_open(nosy, &fd, DIGEST_SHA256);

		assert_int_equal(decomp_fork(d, fd, &e), 0);
		(void)decomp_finish(d, &digest, &size, &e);
	}
	assert_string_equal(e.text, "");
	assert_int_equal(size, 500000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_bytes_pass),
		cmocka_unit_test(gzip_members_follow_each_other),
		cmocka_unit_test(gzip_zero_padding_is_accepted),
		cmocka_unit_test(gzip_garbage_behind_is_refused),
		cmocka_unit_test(gzip_cut_anywhere_is_refused),
		cmocka_unit_test(gzip_trailer_is_checked),
		cmocka_unit_test(zstd_frames_follow_each_other),
		cmocka_unit_test(zstd_cut_or_garbage_is_refused),
		cmocka_unit_test(other_forms_are_refused_by_name),
		cmocka_unit_test(single_bytes_and_failing_sources),
		cmocka_unit_test(parts_are_hashed_also),
		cmocka_unit_test(parts_out_of_order_are_hashed_also),
		cmocka_unit_test(a_child_may_be_dropped),
		cmocka_unit_test(the_child_is_confined),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
