/*
 * under: the directory below all layers
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "store/store.h"
#include "store/under.h"

static mode_t mode_of(int dir, const char *name)
{
	struct stat st = {0};

	assert_int_equal(fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode;
}

static void made_once_and_complete(void **state)
{
	char root[] = "/tmp/prism-under.XXXXXX";
	struct store *s = NULL;
	struct err e = {0};
	char link[32] = "";
	struct stat first, second;
	int fs;

	(void)state;
	assert_non_null(mkdtemp(root));
	if (store_open(root, false, &s, &e) < 0)
		fail_msg("%s", e.text);
	(void)umask(077);
	if (under_ensure(s, &e) < 0)
		fail_msg("%s", e.text);
	(void)umask(022);
	fs = openat(store_dirfd(s, STORE_ROOT, &e), UNDER_PATH,
		    O_PATH | O_DIRECTORY);
	assert_true(fs >= 0);
	assert_int_equal(mode_of(fs, "etc"), S_IFDIR | 0755);
	assert_int_equal(mode_of(fs, "run"), S_IFDIR | 0755);
	assert_int_equal(mode_of(fs, ".dockerenv"), S_IFREG | 0644);
	assert_int_equal(mode_of(fs, "run/.containerenv"), S_IFREG | 0644);
	assert_true(readlinkat(fs, "etc/mtab", link, sizeof(link) - 1) > 0);
	assert_string_equal(link, "/proc/mounts");
	/* A second time finds the first one's, and leaves nothing in tmp/. */
	assert_int_equal(fstat(fs, &first), 0);
	assert_int_equal(under_ensure(s, &e), 0);
	assert_int_equal(
		fstatat(store_dirfd(s, STORE_ROOT, &e), UNDER_PATH, &second, 0),
		0);
	assert_int_equal(first.st_ino, second.st_ino);
	assert_int_equal(
		unlinkat(store_dirfd(s, STORE_ROOT, &e), "tmp", AT_REMOVEDIR),
		0);
	(void)close(fs);
	store_close(s);
	assert_int_equal(fs_remove_tree_at(AT_FDCWD, root, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_once_and_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
