/* A program gets some of the caller's files directly, and pipes for the rest. */
#include "runtime/stdfds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "runtime/hub.h"

static char dir[64];

static int make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/prism-stdfds.XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int remove_dir(void **state)
{
	(void)state;
	(void)unlink("file");
	(void)unlink("fifo");
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static int open_file(int flags)
{
	const int fd = open("file", flags | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd > 2);
	return fd;
}

static void make(int in, int out, int err, struct stdfds *ret)
{
	const int own[] = {in, out, err};
	struct err e = {0};

	if (stdfds_make(own, ret, &e) < 0)
		fail_msg("%s", e.text);
}

static void expect_pipe(const struct stdfds *s, int i)
{
	struct stat a, b;

	assert_true(s->theirs[i] > 2);
	assert_true(s->ours[i] > 2);
	assert_int_equal(fstat(s->theirs[i], &a), 0);
	assert_int_equal(fstat(s->ours[i], &b), 0);
	assert_true(S_ISFIFO(a.st_mode));
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(fcntl(s->theirs[i], F_GETFL) & O_ACCMODE,
			 i == 0 ? O_RDONLY : O_WRONLY);
}

static void expect_itself(int fd)
{
	struct stdfds s = STDFDS_NONE;

	make(fd, fd, fd, &s);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(s.theirs[i], fd);
		assert_int_equal(s.ours[i], -1);
	}
	assert_false(stdfds_is_copied(&s));
}

static void expect_copied(int fd)
{
	struct stdfds s = STDFDS_NONE;

	make(fd, fd, -1, &s);
	assert_true(stdfds_is_copied(&s));
	expect_pipe(&s, 0);
	expect_pipe(&s, 1);
	stdfds_close(&s);
	assert_false(stdfds_is_copied(&s));
}

static void pipes_and_sockets_are_lent(void **state)
{
	int p[2];

	(void)state;
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	expect_itself(p[1]);
	(void)close(p[0]);
	(void)close(p[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p),
			 0);
	expect_itself(p[1]);
	(void)close(p[0]);
	(void)close(p[1]);
}

static void what_has_a_name_is_copied(void **state)
{
	static const char *const names[] = {"file", "fifo", ".", "/dev/full",
					    "/proc/self/status"};

	(void)state;
	(void)close(open_file(O_RDWR));
	assert_int_equal(mkfifo("fifo", 0600), 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const int fd =
			open(names[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);

		assert_true(fd > 2);
		expect_copied(fd);
		(void)close(fd);
	}
}

static void the_null_device_is_the_container_s(void **state)
{
	struct stdfds s = STDFDS_NONE;
	const int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	make(fd, fd, STDFDS_NULL, &s);
	for (int i = 0; i < 3; i++)
		assert_int_equal(s.theirs[i], STDFDS_NULL);
	assert_false(stdfds_is_copied(&s));
	(void)close(fd);
}

/* Two fds of one file, as `> f 2>&1` or `> f 2> f` gives them. */
static void expect_shared(int out, int err, bool shared)
{
	struct stdfds s = STDFDS_NONE;

	make(STDFDS_NULL, out, err, &s);
	expect_pipe(&s, 1);
	if (shared) {
		assert_int_equal(s.theirs[2], s.theirs[1]);
		assert_int_equal(s.ours[2], -1);
	} else {
		expect_pipe(&s, 2);
		assert_int_not_equal(s.theirs[2], s.theirs[1]);
	}
	stdfds_close(&s);
}

static void one_file_is_one_pipe(void **state)
{
	const int a = open_file(O_WRONLY | O_TRUNC);
	const int b = open_file(O_WRONLY);
	const int c = open_file(O_WRONLY | O_APPEND);
	const int other = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	expect_shared(a, a, true);
	expect_shared(a, b, true);
	expect_shared(a, c, false);
	expect_shared(a, other, false);
	assert_int_equal(write(a, "x", 1), 1);
	expect_shared(a, b, false);
	expect_shared(STDFDS_PIPE, STDFDS_PIPE, false);
	(void)close(a);
	(void)close(b);
	(void)close(c);
	(void)close(other);
}

static void the_hub_gets_our_ends(void **state)
{
	const int fd = open_file(O_RDWR);
	struct hub_ends ends = HUB_ENDS_NONE;
	struct stdfds s = STDFDS_NONE;
	int given[4];

	(void)state;
	make(fd, STDFDS_PIPE, STDFDS_PIPE, &s);
	memcpy(given, s.ours, sizeof(s.ours));
	given[3] = s.theirs[0];
	stdfds_ends(&s, &ends);
	assert_int_equal(ends.in, given[0]);
	assert_int_equal(ends.out, given[1]);
	assert_int_equal(ends.err, given[2]);
	assert_int_equal(ends.in_theirs, given[3]);
	assert_int_equal(ends.master, -1);
	assert_false(stdfds_is_copied(&s));
	for (size_t i = 0; i < ARRAY_LEN(given); i++)
		assert_int_equal(close(given[i]), 0);
	(void)close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipes_and_sockets_are_lent),
		cmocka_unit_test(what_has_a_name_is_copied),
		cmocka_unit_test(the_null_device_is_the_container_s),
		cmocka_unit_test(one_file_is_one_pipe),
		cmocka_unit_test(the_hub_gets_our_ends),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
