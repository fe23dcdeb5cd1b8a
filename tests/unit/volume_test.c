#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "store/volume.h"

static char *root;
static struct store *store;

static int up(void **state)
{
	char template[] = "/tmp/prism-volume-test.XXXXXX";
	struct err e = {0};

	(void)state;
	root = xstrdup(mkdtemp(template));
	if (store_open(root, false, &store, &e) < 0)
		fail_msg("%s", e.text);
	return 0;
}

static int down(void **state)
{
	struct err e = {0};

	(void)state;
	store_close(store);
	(void)fs_remove_tree_at(AT_FDCWD, root, &e);
	free(root);
	return 0;
}

static void names_are_dockers(void **state)
{
	static const char *const good[] = {"ab", "a.b", "A-_9", "0x"};
	static const char *const bad[] = {"",    "a",   ".lock", "-a", "_a",
					  "a/b", "a b", "..",    "a:b"};
	struct err e = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (volume_check_name(good[i], &e))
			fail_msg("%s: %s", good[i], e.text);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (!volume_check_name(bad[i], &e))
			fail_msg("'%s' was taken", bad[i]);
		assert_int_equal(e.kind, ERR_USAGE);
		err_clear(&e);
	}
}

static void made_once_found_again(void **state)
{
	autostrv struct strv labels = {0};
	const struct volume_new n = {.name = "data", .labels = &labels};
	autovolume struct volume a = {0};
	autovolume struct volume b = {0};
	autovolume struct volume c = {0};
	struct err e = {0};
	struct stat st;
	bool made = false;

	(void)state;
	strv_add(&labels, "k=v=w");
	strv_add(&labels, "bare");
	(void)umask(077);
	assert_int_equal(volume_make(store, &n, &a, &made, &e), 0);
	(void)umask(022);
	assert_true(made);
	assert_int_equal(stat(a.source, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0755);
	assert_int_equal(volume_make(store, &n, &b, &made, &e), 0);
	assert_false(made);
	assert_string_equal(a.source, b.source);
	assert_int_equal(volume_load(store, "data", &c, &e), 0);
	assert_int_equal(c.labels.n, 2);
	assert_string_equal(strv_getenv(&c.labels, "k"), "v=w");
	assert_string_equal(strv_getenv(&c.labels, "bare"), "");
	assert_false(c.anonymous);
	assert_int_equal(strlen(c.created), 20);
}

static void anonymous_ones_have_64_digits(void **state)
{
	const struct volume_new n = {0};
	autovolume struct volume v = {0};
	autovolume struct volume again = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(volume_make(store, &n, &v, NULL, &e), 0);
	assert_int_equal(strlen(v.name), 64);
	assert_int_equal(volume_load(store, v.name, &again, &e), 0);
	assert_true(again.anonymous);
}

static void a_device_is_another_directory(void **state)
{
	autostrv struct strv o = {0};
	autostrv struct strv other = {0};
	const struct volume_new n = {.name = "dev", .options = &o};
	const struct volume_new m = {.name = "dev", .options = &other};
	const struct volume_new plain = {.name = "dev"};
	autovolume struct volume v = {0};
	autovolume struct volume w = {0};
	struct err e = {0};

	(void)state;
	strv_add(&o, "type=none");
	strv_add(&o, "o=bind");
	strv_add(&o, "device=/srv");
	assert_int_equal(volume_make(store, &n, &v, NULL, &e), 0);
	assert_string_equal(v.source, "/srv");
	assert_int_equal(volume_make(store, &plain, &w, NULL, &e), 0);
	assert_string_equal(w.source, "/srv");
	strv_add(&other, "type=none");
	strv_add(&other, "o=bind");
	strv_add(&other, "device=/mnt");
	volume_free(&w);
	assert_int_equal(volume_make(store, &m, &w, NULL, &e), -1);
	assert_int_equal(e.kind, ERR_EXISTS);
}

static void options_that_cannot_be(void **state)
{
	static const struct {
		const char *v[3];
		int kind;
	} bad[] = {
		{{"type=tmpfs", "device=tmpfs"}, ERR_UNSUPPORTED},
		{{"type=nfs", "device=:/x", "o=addr=1.2.3.4"}, ERR_UNSUPPORTED},
		{{"device=/srv"}, ERR_USAGE},
		{{"type=none", "o=bind"}, ERR_USAGE},
		{{"type=none", "o=bind", "device=srv"}, ERR_USAGE},
		{{"size=3"}, ERR_USAGE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		autostrv struct strv o = {0};
		const struct volume_new n = {.name = "bad", .options = &o};
		autovolume struct volume v = {0};
		struct err e = {0};

		for (size_t k = 0; k < 3 && bad[i].v[k]; k++)
			strv_add(&o, bad[i].v[k]);
		if (volume_make(store, &n, &v, NULL, &e) == 0)
			fail_msg("case %zu was taken", i);
		if (e.kind != bad[i].kind)
			fail_msg("case %zu: kind %d: %s", i, e.kind, e.text);
	}
}

static void listed_and_removed(void **state)
{
	const struct volume_new n = {.name = "gone"};
	autovolume struct volume v = {0};
	autostrv struct strv before = {0};
	autostrv struct strv after = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(volume_make(store, &n, &v, NULL, &e), 0);
	assert_int_equal(volume_names(store, &before, &e), 0);
	assert_int_equal(volume_remove(store, "gone", &e), 0);
	assert_int_equal(volume_names(store, &after, &e), 0);
	assert_int_equal(before.n, after.n + 1);
	assert_int_equal(access(v.source, F_OK), -1);
	assert_int_equal(volume_remove(store, "gone", &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	assert_string_equal(e.text, "No such volume: gone");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_dockers),
		cmocka_unit_test(made_once_found_again),
		cmocka_unit_test(anonymous_ones_have_64_digits),
		cmocka_unit_test(a_device_is_another_directory),
		cmocka_unit_test(options_that_cannot_be),
		cmocka_unit_test(listed_and_removed),
	};

	return cmocka_run_group_tests(tests, up, down);
}
