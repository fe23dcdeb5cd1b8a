/*
 * What a confined process can still reach. Each test runs in a child, because
 * confinement cannot be undone.
 */
#include "store/confine.h"

#include "untarfix.h"

#include <sys/wait.h>

struct two {
	char base[64];
	int base_fd;
	int look;
	int change;
};

static void two_make(struct two *t)
{
	(void)snprintf(t->base, sizeof(t->base), "/tmp/prism-confine-XXXXXX");
	assert_non_null(mkdtemp(t->base));
	t->base_fd = open(t->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(t->base_fd, "look", 0755), 0);
	assert_int_equal(mkdirat(t->base_fd, "change", 0755), 0);
	assert_int_equal(symlinkat("../canary", t->base_fd, "look/up"), 0);
	t->look = openat(t->base_fd, "look", O_PATH | O_CLOEXEC);
	t->change = openat(t->base_fd, "change",
			   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(t->base_fd >= 0 && t->look >= 0 && t->change >= 0);
	(void)close(openat(t->base_fd, "canary", O_WRONLY | O_CREAT | O_CLOEXEC,
			   0600));
}

static void two_drop(struct two *t)
{
	struct err e = {0};

	(void)close(t->look);
	(void)close(t->change);
	(void)close(t->base_fd);
	assert_int_equal(fs_remove_tree_at(AT_FDCWD, t->base, &e), 0);
}

#define NEW_TWO(t)                                       \
	struct two t __attribute__((cleanup(two_drop))); \
	two_make(&t)

/* Exit status of a child: 0, or the number of the first false line. */
#define TRUE_OR_LINE(cond)               \
	do {                             \
		if (!(cond))             \
			return __LINE__; \
	} while (0)

static bool opens(int dirfd, const char *path, int flags)
{
	const int fd = openat(dirfd, path, flags | O_CLOEXEC, 0600);

	return fd >= 0 && close(fd) == 0;
}

static int child_looks(const struct two *t)
{
	struct stat here;
	struct stat up;
	struct err e = {0};

	TRUE_OR_LINE(confine_trees(&t->look, 1, t->change, &e) == 0);
	/* No path of the host exists. */
	TRUE_OR_LINE(!opens(AT_FDCWD, "/tmp", O_PATH));
	TRUE_OR_LINE(!opens(AT_FDCWD, "/proc", O_PATH));
	TRUE_OR_LINE(!opens(AT_FDCWD, t->base, O_PATH));
	TRUE_OR_LINE(!opens(AT_FDCWD, "new", O_WRONLY | O_CREAT));
	/* ".." leads nowhere. */
	TRUE_OR_LINE(!opens(t->look, "../canary", O_PATH));
	TRUE_OR_LINE(!opens(t->look, "up", O_PATH));
	TRUE_OR_LINE(!opens(t->change, "../canary", O_PATH));
	TRUE_OR_LINE(fstat(t->look, &here) == 0 &&
		     fstatat(t->look, "..", &up, 0) == 0 &&
		     here.st_ino == up.st_ino);
	/* One is read-only. */
	TRUE_OR_LINE(!opens(t->look, "new", O_WRONLY | O_CREAT) &&
		     errno == EROFS);
	TRUE_OR_LINE(fchownat(t->look, "", 1, 1, AT_EMPTY_PATH) < 0);
	TRUE_OR_LINE(opens(t->change, "new", O_WRONLY | O_CREAT));
	/* A device that was made there cannot be opened. */
	TRUE_OR_LINE(
		mknodat(t->change, "null", S_IFCHR | 0600, makedev(1, 3)) == 0);
	TRUE_OR_LINE(!opens(t->change, "null", O_RDONLY) && errno == EACCES);
	return 0;
}

static void trees_are_all_that_is_left(void **state)
{
	NEW_TWO(t);
	struct stat st;
	int status;
	pid_t pid;

	(void)state;
	NEED_ROOT();
	pid = fork();
	if (pid == 0)
		_exit(child_looks(&t) & 0xff);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* Its mounts are not visible outside. */
	assert_int_equal(fstatat(t.base_fd, "change/new", &st, 0), 0);
	assert_int_equal(fstatat(t.base_fd, "canary", &st, 0), 0);
	assert_true(opens(AT_FDCWD, "/tmp", O_PATH));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trees_are_all_that_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
