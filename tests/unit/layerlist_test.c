#include "store/layerlist.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/own.h"

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const struct list_rec RECORDS[] = {
	{.type = 'f',
	 .mode = 04755,
	 .uid = 4294967294u,
	 .gid = 1,
	 .size = INT64_MAX,
	 .mtime_s = -1,
	 .mtime_ns = 999999999,
	 .sha256 = HEX,
	 .xattrs = HEX,
	 .path = "usr/bin/with blank\nand newline"},
	{.type = 'l',
	 .mode = 0777,
	 .mtime_s = INT64_MIN,
	 .path = "back\\slash\\x41",
	 .target = "\xff\xfe/\x01\x7f caf\xc3\xa9"},
	{.type = 'h',
	 .path = "hard",
	 .target = "usr/bin/with blank\nand newline"},
	{.type = 'c', .mode = 0666, .major = 1, .minor = 3, .path = "dev/null"},
	{.type = 'b',
	 .flags = LIST_SKIPPED,
	 .major = 4294967295u,
	 .minor = 0,
	 .path = "-"},
	{.type = 'p', .mtime_s = INT64_MAX, .path = "fifo"},
	{.type = 'w', .path = "gone"},
	{.type = 'x', .path = "replaced"},
	{.type = 'd',
	 .flags = LIST_IMPLIED | LIST_OPAQUE | LIST_SQUASHED,
	 .mode = 01777,
	 .path = "."},
};

static int fd_with(const void *p, size_t n)
{
	const int fd = memfd_create("list", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), (ssize_t)n);
	return fd;
}

static int sample(struct list_summary *s)
{
	const int fd = memfd_create("list", MFD_CLOEXEC);
	struct list_writer *w = list_writer_open(fd);
	struct err e = {0};

	for (size_t i = 0; i < ARRAY_LEN(RECORDS); i++)
		assert_int_equal(list_add(w, &RECORDS[i], &e), 0);
	*s = (struct list_summary){
		.implied = 1,
		.whiteouts = 2,
		.replaced = 3,
		.opaque_root = true,
		.root_mode = 01755,
		.root_uid = 7,
		.root_gid = 8,
		.root_xattrs = true,
	};
	assert_int_equal(list_end(w, s, &e), 0);
	list_writer_free(w);
	return fd;
}

static void assert_same(const struct list_rec *a, const struct list_rec *b)
{
	assert_int_equal(a->type, b->type);
	assert_int_equal(a->flags, b->flags);
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->gid, b->gid);
	assert_int_equal(a->size, b->size);
	assert_true(a->mtime_s == b->mtime_s);
	assert_int_equal(a->mtime_ns, b->mtime_ns);
	assert_string_equal(a->sha256, b->sha256);
	assert_string_equal(a->xattrs, b->xattrs);
	assert_string_equal(a->path, b->path);
	assert_int_equal(a->target != NULL, b->target != NULL);
	if (a->target)
		assert_string_equal(a->target, b->target);
	assert_int_equal(a->major, b->major);
	assert_int_equal(a->minor, b->minor);
}

static void what_is_written_is_read(void **state)
{
	struct list_summary s;
	struct list_summary got;
	autoclose int fd = sample(&s);
	struct list_reader *r = NULL;
	struct list_rec rec;
	struct err e = {0};

	(void)state;
	assert_int_equal(list_open(fd, &r, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(RECORDS); i++) {
		assert_int_equal(list_next(r, &rec, &e), 1);
		assert_same(&rec, &RECORDS[i]);
	}
	assert_int_equal(list_next(r, &rec, &e), 0);
	assert_int_equal(list_next(r, &rec, &e), 0);
	list_close(r);
	assert_int_equal(list_summary_read(fd, &got, &e), 0);
	assert_int_equal(got.entries, ARRAY_LEN(RECORDS));
	assert_int_equal(got.implied, 1);
	assert_int_equal(got.whiteouts, 2);
	assert_int_equal(got.replaced, 3);
	assert_true(got.opaque_root);
	assert_false(got.root_implied);
	assert_int_equal(got.root_mode, 01755);
	assert_int_equal(got.root_uid, 7);
	assert_int_equal(got.root_gid, 8);
	assert_true(got.root_xattrs);
}

static void only_some_types_are_given(void **state)
{
	struct list_summary s;
	autoclose int fd = sample(&s);
	struct list_reader *r = NULL;
	struct list_rec rec;
	struct err e = {0};

	(void)state;
	assert_int_equal(list_open(fd, &r, &e), 0);
	list_only(r, "dw");
	assert_int_equal(list_next(r, &rec, &e), 1);
	assert_int_equal(rec.type, 'w');
	assert_int_equal(list_next(r, &rec, &e), 1);
	assert_int_equal(rec.type, 'd');
	assert_int_equal(list_next(r, &rec, &e), 0);
	list_close(r);
}

/* Larger than the reader's and the writer's buffers. */
static void long_lists_pass(void **state)
{
	const int count = 30000;
	autoclose int fd = memfd_create("list", MFD_CLOEXEC);
	struct list_writer *w = list_writer_open(fd);
	struct list_reader *r = NULL;
	struct list_summary s = {0};
	struct list_rec rec;
	struct err e = {0};
	char name[64];

	(void)state;
	for (int i = 0; i < count; i++) {
		(void)snprintf(name, sizeof(name), "dir with blank/%d", i);
		rec = (struct list_rec){
			.type = 'f', .size = (uint64_t)i, .path = name};
		assert_int_equal(list_add(w, &rec, &e), 0);
	}
	assert_int_equal(list_end(w, &s, &e), 0);
	list_writer_free(w);
	assert_int_equal(list_open(fd, &r, &e), 0);
	for (int i = 0; i < count; i++) {
		assert_int_equal(list_next(r, &rec, &e), 1);
		assert_int_equal(rec.size, i);
	}
	assert_int_equal(list_next(r, &rec, &e), 0);
	list_close(r);
}

/* 0 if the whole list reads well. */
static int read_all(const void *p, size_t n)
{
	autoclose int fd = fd_with(p, n);
	struct list_reader *r = NULL;
	struct list_rec rec;
	struct err e = {0};
	int rc;

	if (list_open(fd, &r, &e) < 0) {
		assert_true(err_is(&e));
		return -1;
	}
	while ((rc = list_next(r, &rec, &e)) > 0)
		assert_true(rec.path[0] != '\0');
	assert_int_equal(rc < 0, err_is(&e));
	list_close(r);
	return rc;
}

/* A list that was cut anywhere is never taken for a whole one. */
static void a_cut_list_is_refused(void **state)
{
	struct list_summary s;
	autoclose int fd = sample(&s);
	char all[8192];
	const ssize_t n = pread(fd, all, sizeof(all), 0);

	(void)state;
	assert_true(n > 0 && n < (ssize_t)sizeof(all));
	assert_int_equal(read_all(all, (size_t)n), 0);
	for (ssize_t i = 0; i < n; i++) {
		autoclose int cut = fd_with(all, (size_t)i);
		struct list_summary got;
		struct err e = {0};

		assert_int_equal(read_all(all, (size_t)i), -1);
		assert_int_equal(list_summary_read(cut, &got, &e), -1);
	}
}

static void damaged_records_are_refused(void **state)
{
	static const char *const lines[] = {
		"f - 644 0 0 0 0.000000000 - -",       /* no path */
		"f - 644 0 0 0 0.000000000 - - ",      /* empty path */
		"f - 644 0 0 0 0.000000000 - - a b",   /* a target */
		"l - 777 0 0 0 0.000000000 - - a",     /* no target */
		"l - 777 0 0 0 0.000000000 - - a b c", /* one too many */
		"f - 648 0 0 0 0.000000000 - - a",     /* not octal */
		"f - 644 -1 0 0 0.000000000 - - a",    /* negative id */
		"f - 644 0 4294967296 0 0.000000000 - - a",
		"f - 644 0 0 0 0.0 - - a", /* short time */
		"f - 644 0 0 0 0.00000000x - - a",
		"f - 644 0 0 0 9223372036854775808.000000000 - - a",
		"f - 644 0 0 0 0.000000000 abc - a", /* short digest */
		"f z 644 0 0 0 0.000000000 - - a",   /* unknown flag */
		"q - 644 0 0 0 0.000000000 - - a",   /* unknown type */
		"ff - 644 0 0 0 0.000000000 - - a",
		"f  - 644 0 0 0 0.000000000 - - a",
		"f - 644 0 0 0 0.000000000 - - a\\x4", /* bad escapes */
		"f - 644 0 0 0 0.000000000 - - a\\x00b",
		"f - 644 0 0 0 0.000000000 - - a\\n",
		"f - 644 0 0 0 0.000000000 - - a\\xGG",
		"c - 644 0 0 0 0.000000000 - - a", /* no numbers */
		"c - 644 0 0 0 0.000000000 - - a 1",
		"c - 644 0 0 0 0.000000000 - - a 1:x",
		"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		autobuf struct buf b = buf_make(4096);

		buf_addf(&b, "prism-list 1\n%s\nend 1 0 0 0 0 0 755 0 0 0\n",
			 lines[i]);
		if (read_all(b.p, b.len) == 0)
			fail_msg("accepted: '%s'", lines[i]);
	}
}

static void damaged_frames_are_refused(void **state)
{
	static const char *const lists[] = {
		"",
		"prism-list 2\nend 0 0 0 0 0 0 755 0 0 0\n",
		"prism-list 1\n",
		"prism-list 1\nend 1 0 0 0 0 0 755 0 0 0\n", /* counts one */
		"prism-list 1\nend 0 0 0 0 2 0 755 0 0 0\n",
		"prism-list 1\nend 0 0 0 0 0 0 755 0 0\n",
		"prism-list 1\nend 0 0 0 0 0 0 755 0 0 0 1\n",
		"prism-list 1\nend 0 0 0 0 0 0 755 0 0 0\nmore\n",
		"prism-list 1\nend 0 0 0 0 0 0 755 0 0 0\n\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		if (read_all(lists[i], strlen(lists[i])) == 0)
			fail_msg("accepted: '%s'", lists[i]);
	assert_int_equal(
		read_all("prism-list 1\nend 0 0 0 0 0 0 755 0 0 0\n", 39), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(only_some_types_are_given),
		cmocka_unit_test(long_lists_pass),
		cmocka_unit_test(a_cut_list_is_refused),
		cmocka_unit_test(damaged_records_are_refused),
		cmocka_unit_test(damaged_frames_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
