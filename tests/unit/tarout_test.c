#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/own.h"
#include "store/tarin.h"
#include "store/tarout.h"

static char *dir; /* of the test; the working directory */

static int up(void **state)
{
	char template[] = "/tmp/prism-tarout-test.XXXXXX";

	(void)state;
	dir = xstrdup(mkdtemp(template));
	assert_int_equal(chdir(dir), 0);
	return 0;
}

static int down(void **state)
{
	struct err e = {0};

	(void)state;
	assert_int_equal(chdir("/"), 0);
	(void)fs_remove_tree_at(AT_FDCWD, dir, &e);
	free(dir);
	return 0;
}

static void put(const char *path, const char *text)
{
	autofile FILE *f = fopen(path, "we");

	assert_non_null(f);
	(void)fputs(text, f);
}

static int to_fd(void *ctx, const void *p, size_t n, struct err *e)
{
	return io_write_all(*(int *)ctx, p, n, "tar", e);
}

/* The tree at `from` as a tar under `as`; an fd to read it. */
static int tar_of(const char *from, const char *as, const struct tarout_opts *o)
{
	int fd = open(".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	autotarout struct tarout *t = tarout_open(to_fd, &fd, o);
	struct err e = {0};

	if (tarout_add(t, AT_FDCWD, from, as, &e) || tarout_end(t, &e))
		fail_msg("%s", e.text);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void untar_into(int tar, const char *to)
{
	autoclose int fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct tarin_opts o = {
		.root_fd = -1, .dir_fd = fd, .no_owner = geteuid() != 0};
	struct err e = {0};

	if (tarin(tar, &o, &e))
		fail_msg("%s", e.text);
}

static void names_of(const char *from, const char *as,
		     const struct tarout_opts *o, struct buf *out)
{
	autoclose int fd = tar_of(from, as, o);
	char block[512];

	/* Names of the headers alone; PAX headers left out. */
	while (read(fd, block, sizeof(block)) == (ssize_t)sizeof(block) &&
	       block[0]) {
		size_t size = 0;

		for (const char *p = block + 124; *p >= '0' && *p <= '7'; p++)
			size = 8 * size + (size_t)(*p - '0');
		if (block[156] != 'x')
			buf_addf(out, "%.100s\n", block);
		(void)lseek(fd, (off_t)((size + 511) / 512 * 512), SEEK_CUR);
	}
}

static void a_tree_comes_back_as_it_was(void **state)
{
	const struct timespec t[2] = {{.tv_nsec = UTIME_NOW},
				      {981173106, 123456789}};
	struct stat a, b;
	char text[64] = "";
	int fd;

	(void)state;
	assert_int_equal(mkdir("a", 0755), 0);
	assert_int_equal(mkdir("a/ro", 0755), 0);
	put("a/ro/in", "in a read-only directory");
	put("a/f", "text");
	put("a/n\xc3\xa4me\nand\xff"
	    "bytes",
	    "odd");
	assert_int_equal(link("a/f", "a/g"), 0);
	assert_int_equal(symlink("/nowhere", "a/l"), 0);
	assert_int_equal(mkfifo("a/p", 0640), 0);
	assert_int_equal(setxattr("a/f", "user.k", "v\0w", 3, 0), 0);
	assert_int_equal(chmod("a/f", 04751), 0);
	assert_int_equal(utimensat(AT_FDCWD, "a/f", t, 0), 0);
	assert_int_equal(chmod("a/ro", 0555), 0);
	assert_int_equal(utimensat(AT_FDCWD, "a/ro", t, 0), 0);

	assert_int_equal(mkdir("b", 0700), 0);
	fd = tar_of("a", "copy", &(struct tarout_opts){0});
	untar_into(fd, "b");
	(void)close(fd);

	assert_int_equal(stat("b/copy/f", &b), 0);
	assert_int_equal(stat("a/f", &a), 0);
	assert_int_equal(b.st_mode, a.st_mode);
	assert_int_equal(b.st_nlink, 2);
	assert_int_equal(b.st_mtim.tv_sec, 981173106);
	assert_int_equal(b.st_mtim.tv_nsec, 123456789);
	assert_int_equal(getxattr("b/copy/f", "user.k", text, sizeof(text)), 3);
	assert_memory_equal(text, "v\0w", 3);
	assert_int_equal(lstat("b/copy/p", &b), 0);
	assert_int_equal(b.st_mode, S_IFIFO | 0640);
	assert_int_equal(readlink("b/copy/l", text, sizeof(text)), 8);
	assert_int_equal(stat("b/copy/ro", &b), 0);
	assert_int_equal(b.st_mode & 07777, 0555);
	assert_int_equal(b.st_mtim.tv_nsec, 123456789);
	assert_int_equal(access("b/copy/ro/in", F_OK), 0);
	assert_int_equal(access("b/copy/n\xc3\xa4me\nand\xff"
				"bytes",
				F_OK),
			 0);
}

static void holes_stay_holes(void **state)
{
	struct stat st;
	char c = 1;
	int fd;

	(void)state;
	assert_int_equal(mkdir("s", 0755), 0);
	fd = open("s/hole", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(pwrite(fd, "x", 1, 8 << 20), 1);
	assert_int_equal(ftruncate(fd, 32 << 20), 0);
	(void)close(fd);
	fd = open("s/all", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	(void)close(fd);

	assert_int_equal(mkdir("s2", 0755), 0);
	fd = tar_of("s", "", &(struct tarout_opts){0});
	assert_int_equal(fstat(fd, &st), 0);
	if (st.st_size > 1 << 20)
		fail_msg("%jd bytes of tar", (intmax_t)st.st_size);
	untar_into(fd, "s2");
	(void)close(fd);
	assert_int_equal(stat("s2/hole", &st), 0);
	assert_int_equal(st.st_size, 32 << 20);
	fd = open("s2/hole", O_RDONLY | O_CLOEXEC);
	assert_int_equal(pread(fd, &c, 1, 8 << 20), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(pread(fd, &c, 1, 9 << 20), 1);
	assert_int_equal(c, 0);
	(void)close(fd);
	assert_int_equal(stat("s2/all", &st), 0);
	assert_int_equal(st.st_size, 4 << 20);
}

static void whiteouts_become_names(void **state)
{
	const struct tarout_opts o = {.layer = true, .userxattr = true};
	autobuf struct buf names = buf_make(4096);

	(void)state;
	assert_int_equal(mkdir("u", 0755), 0);
	assert_int_equal(mkdir("u/opq", 0755), 0);
	put("u/opq/new", "");
	if (mknod("u/gone", S_IFCHR, makedev(0, 0)) ||
	    setxattr("u/opq", "user.overlay.opaque", "y", 1, 0))
		skip();
	names_of("u", "", &o, &names);
	assert_string_equal(buf_str(&names), ".wh.gone\nopq/\n"
					     "opq/.wh..wh..opq\nopq/new\n");
}

static void a_redirect_is_refused(void **state)
{
	const struct tarout_opts o = {.layer = true, .userxattr = true};
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	autotarout struct tarout *t = tarout_open(to_fd, &fd, &o);
	struct err e = {0};

	(void)state;
	assert_int_equal(mkdir("r", 0755), 0);
	assert_int_equal(setxattr("r", "user.overlay.redirect", "x", 1, 0), 0);
	assert_int_equal(tarout_add(t, AT_FDCWD, "r", ".", &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	(void)close(fd);
}

static void names_as_asked(void **state)
{
	autobuf struct buf dot = buf_make(4096);
	autobuf struct buf none = buf_make(4096);
	autobuf struct buf file = buf_make(4096);

	(void)state;
	assert_int_equal(mkdir("n", 0755), 0);
	assert_int_equal(mkdir("n/d", 0755), 0);
	put("n/d/f", "");
	names_of("n", ".", &(struct tarout_opts){0}, &dot);
	assert_string_equal(buf_str(&dot), "./\n./d/\n./d/f\n");
	names_of("n", "", &(struct tarout_opts){0}, &none);
	assert_string_equal(buf_str(&none), "d/\nd/f\n");
	names_of("n/d/f", "other", &(struct tarout_opts){0}, &file);
	assert_string_equal(buf_str(&file), "other\n");
}

static void what_is_in_the_way(void **state)
{
	autoclose int to = -1;
	struct tarin_opts o = {.root_fd = -1, .no_owner = true};
	struct err e = {0};
	struct stat st;
	int fd;

	(void)state;
	assert_int_equal(mkdir("w", 0755), 0);
	assert_int_equal(mkdir("w/x", 0755), 0);
	put("y", "new");
	assert_int_equal(mkdir("z", 0755), 0);
	to = o.dir_fd = open("w", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fd = tar_of("y", "x", &(struct tarout_opts){0});
	assert_int_equal(tarin(fd, &o, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	err_clear(&e);
	(void)close(fd);
	/* A link is replaced, not followed. */
	assert_int_equal(symlink("x", "w/l"), 0);
	fd = tar_of("y", "l", &(struct tarout_opts){0});
	assert_int_equal(tarin(fd, &o, &e), 0);
	assert_int_equal(lstat("w/l", &st), 0);
	assert_true(S_ISREG(st.st_mode));
	(void)close(fd);
	fd = tar_of("z", "l", &(struct tarout_opts){0});
	assert_int_equal(tarin(fd, &o, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
	(void)close(fd);
}

static void no_way_out(void **state)
{
	autoclose int to = -1;
	struct tarin_opts o = {.root_fd = -1, .no_owner = true};
	struct err e = {0};
	int fd;

	(void)state;
	assert_int_equal(mkdir("out", 0755), 0);
	assert_int_equal(mkdir("in", 0755), 0);
	assert_int_equal(symlink("../out", "in/link"), 0);
	put("secret", "s");
	to = o.dir_fd = open("in", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = tar_of("secret", "../out/a", &(struct tarout_opts){0});
	assert_int_equal(tarin(fd, &o, &e), -1);
	assert_int_equal(e.kind, ERR_INVALID);
	err_clear(&e);
	(void)close(fd);
	fd = tar_of("secret", "link/a", &(struct tarout_opts){0});
	assert_int_equal(tarin(fd, &o, &e), -1);
	(void)close(fd);
	assert_int_equal(access("out/a", F_OK), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tree_comes_back_as_it_was),
		cmocka_unit_test(holes_stay_holes),
		cmocka_unit_test(whiteouts_become_names),
		cmocka_unit_test(a_redirect_is_refused),
		cmocka_unit_test(names_as_asked),
		cmocka_unit_test(what_is_in_the_way),
		cmocka_unit_test(no_way_out),
	};

	return cmocka_run_group_tests(tests, up, down);
}
