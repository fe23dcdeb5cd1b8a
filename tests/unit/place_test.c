/* Mount targets, as far as the text decides; which fds stay open. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fdlist.h"
#include "base/own.h"
#include "runtime/place.h"

static void a_target_is_cleaned(void **state)
{
	static const char *const all[][2] = {
		{"/a", "/a"},
		{"//a//b/", "/a/b"},
		{"/a/./b/../c", "/a/c"},
		{"/../../proc", "/proc"},
		{"/a/../../proc/", "/proc"},
		{"/a/...", "/a/..."},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct err e = {0};
		autofree char *clean = NULL;

		assert_int_equal(place_clean(all[i][0], &clean, &e), 0);
		assert_string_equal(clean, all[i][1]);
	}
}

static void the_root_and_relative_paths_are_no_targets(void **state)
{
	static const char *const all[] = {"/", "//", "/..", "/a/..",
					  "",  "a",  "./a"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct err e = {0};
		char *clean = NULL;

		assert_int_equal(place_clean(all[i], &clean, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_null(clean);
	}
}

static int check(enum mount_type type, const char *source, const char *target)
{
	autofree char *from = source ? xstrdup(source) : NULL;
	autofree char *to = xstrdup(target);
	const struct mount_spec m = {
		.type = type, .source = from, .target = to};
	struct err e = {0};

	return place_check(&m, &e);
}

static void nothing_is_mounted_on_the_kernels_own(void **state)
{
	static const char *const all[] = {
		"/proc",         "/proc/",          "/proc/self",
		"/proc/kcore",   "/a/../proc/bus",  "/sys",
		"/sys/kernel",   "/x/..//sys/",     "/proc/cpuinfo/x",
		"/proc/version", "/proc/./cpuinfo",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		assert_int_equal(check(MOUNT_BIND, "/home/x", all[i]), -1);
		assert_int_equal(check(MOUNT_VOLUME, "/s", all[i]), -1);
		assert_int_equal(check(MOUNT_TMPFS, NULL, all[i]), -1);
	}
	assert_int_equal(check(MOUNT_BIND, "/x", "/process"), 0);
	assert_int_equal(check(MOUNT_BIND, "/x", "/system/proc"), 0);
	assert_int_equal(check(MOUNT_TMPFS, NULL, "/host/proc"), 0);
}

static void the_exceptions_are_for_bind_mounts(void **state)
{
	(void)state;
	assert_int_equal(check(MOUNT_BIND, "/var/lib/lxcfs/x", "/proc/cpuinfo"),
			 0);
	assert_int_equal(check(MOUNT_VOLUME, "/v", "/proc/cpuinfo"), -1);
	assert_int_equal(check(MOUNT_TMPFS, NULL, "/proc/uptime"), -1);
	assert_int_equal(check(MOUNT_BIND, "/sys", "/sys"), 0);
	assert_int_equal(check(MOUNT_BIND, "/sys/fs/cgroup", "/sys/fs/cgroup"),
			 0);
	assert_int_equal(check(MOUNT_BIND, "/system", "/sys/fs/cgroup"), -1);
	assert_int_equal(check(MOUNT_VOLUME, "/sys/x", "/sys/fs/cgroup"), -1);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void all_others_are_closed(void **state)
{
	struct fd_list l = {0};
	int fds[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = fcntl(0, F_DUPFD_CLOEXEC, 50);
		assert_true(fds[i] >= 50);
	}
	fd_list_add(&l, fds[4]);
	fd_list_add(&l, -1);
	fd_list_add(&l, fds[1]);
	fd_list_add(&l, fds[1]);
	fd_list_add(&l, 0);
	assert_int_equal(fd_list_close_others(&l), 0);
	for (int i = 0; i < 6; i++)
		assert_int_equal(is_open(fds[i]), i == 1 || i == 4);
	assert_true(is_open(0) && is_open(1) && is_open(2));
	free(l.v);
	l = (struct fd_list){0};
	assert_int_equal(fd_list_close_others(&l), 0);
	assert_false(is_open(fds[1]) || is_open(fds[4]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_target_is_cleaned),
		cmocka_unit_test(the_root_and_relative_paths_are_no_targets),
		cmocka_unit_test(nothing_is_mounted_on_the_kernels_own),
		cmocka_unit_test(the_exceptions_are_for_bind_mounts),
		cmocka_unit_test(all_others_are_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
