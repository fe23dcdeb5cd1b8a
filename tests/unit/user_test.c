/* --user against files of an image, hostile ones included. */
#include "runtime/user.h"

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

#include "base/buf.h"
#include "base/fs.h"
#include "base/own.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/ash\n"
			     "bin:x:1:1:bin:/bin:/sbin/nologin\n"
			     "guest:x:405:100:guest:/dev/null:/sbin/nologin\n"
			     "www:x:33:33::/var/www:/bin/sh\n"
			     "nohome:x:34:33:::\n"
			     "4242:x:7:7:odd:/odd:/bin/sh\n"
			     "last:x:500:500:no newline:/last:/bin/sh";

static const char group[] = "root:x:0:root\n"
			    "bin:x:1:root,bin,daemon\n"
			    "adm:x:4:root,www\n"
			    "users:x:100:games\n"
			    "www-data:x:33:\n"
			    "video:x:27:roots,www,xroot\n"
			    "docker:x:999:guest,www";

static int resolve(const char *p, const char *g, const char *user,
		   const char *add, struct user *u, struct err *e)
{
	const struct user_files f = {
		.passwd = p,
		.passwd_len = p ? strlen(p) : 0,
		.group = g,
		.group_len = g ? strlen(g) : 0,
	};
	const char *const adds[] = {add};
	const struct user_wish w = {
		.user = user,
		.group_add = adds,
		.n_group_add = add ? 1 : 0,
	};

	return user_resolve_text(&f, &w, u, e);
}

struct row {
	const char *user;
	const char *add;
	uint32_t uid;
	uint32_t gid;
	const char *home;
	bool known;
	uint32_t groups[5];
	size_t n_groups;
};

static void who_is_who(void **state)
{
	static const struct row rows[] = {
		{NULL, NULL, 0, 0, "/root", true, {0, 1, 4}, 3},
		{"", NULL, 0, 0, "/root", true, {0, 1, 4}, 3},
		{"root", NULL, 0, 0, "/root", true, {0, 1, 4}, 3},
		{"0", NULL, 0, 0, "/root", true, {0, 1, 4}, 3},
		{"guest", NULL, 405, 100, "/dev/null", true, {100, 999}, 2},
		{"405", NULL, 405, 100, "/dev/null", true, {100, 999}, 2},
		{"guest:adm", NULL, 405, 4, "/dev/null", true, {4}, 1},
		{"guest:77", NULL, 405, 77, "/dev/null", true, {77}, 1},
		{"guest:", NULL, 405, 100, "/dev/null", true, {100, 999}, 2},
		{"405:0", NULL, 405, 0, "/dev/null", true, {0}, 1},
		/* a number is a number, even if an account is called so */
		{"4242", NULL, 4242, 0, "/", false, {0}, 1},
		{"4242:adm", NULL, 4242, 4, "/", false, {4}, 1},
		{"nohome", NULL, 34, 33, "/", true, {33}, 1},
		{"last", NULL, 500, 500, "/last", true, {500}, 1},
		{"www", NULL, 33, 33, "/var/www", true, {33, 4, 27, 999}, 4},
		{"guest",
		 "video",
		 405,
		 100,
		 "/dev/null",
		 true,
		 {100, 999, 27},
		 3},
		{"guest:adm", "1234", 405, 4, "/dev/null", true, {4, 1234}, 2},
		/* already there */
		{"guest", "docker", 405, 100, "/dev/null", true, {100, 999}, 2},
		{":adm", NULL, 0, 4, "/root", true, {4}, 1},
		{"2147483647", NULL, 2147483647, 0, "/", false, {0}, 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct err e = {0};
		struct user u;

		if (resolve(passwd, group, r->user, r->add, &u, &e) < 0)
			fail_msg("'%s': %s", r->user, e.text);
		if (u.uid != r->uid || u.gid != r->gid || u.known != r->known ||
		    strcmp(u.home, r->home) != 0 || u.n_groups != r->n_groups)
			fail_msg("'%s': %u:%u %s known %d, %zu groups", r->user,
				 u.uid, u.gid, u.home, u.known, u.n_groups);
		for (size_t k = 0; k < r->n_groups; k++)
			assert_int_equal(u.groups[k], r->groups[k]);
	}
}

static void who_is_nobody(void **state)
{
	static const struct {
		const char *user;
		const char *add;
		enum err_kind kind;
		const char *text;
	} rows[] = {
		{"nosuch", NULL, ERR_NOTFOUND,
		 "unable to find user nosuch: no matching entries in passwd "
		 "file"},
		{"root:nosuch", NULL, ERR_NOTFOUND,
		 "unable to find group nosuch: no matching entries in group "
		 "file"},
		{"root", "nosuch", ERR_NOTFOUND,
		 "unable to find group nosuch: no matching entries in group "
		 "file"},
		{"gues", NULL, ERR_NOTFOUND, "find user gues:"},
		{"guestx", NULL, ERR_NOTFOUND, "find user guestx:"},
		{"a:b:c", NULL, ERR_NOTFOUND, "find user a:"},
		{"2147483648", NULL, ERR_USAGE, "range 0-2147483647"},
		{"4294967295", NULL, ERR_USAGE, "range 0-2147483647"},
		{"0:4294967296", NULL, ERR_USAGE, "range 0-2147483647"},
		{"99999999999999999999999", NULL, ERR_USAGE, "range"},
		{"0", "4294967295", ERR_USAGE, "--group-add"},
		{"-1", NULL, ERR_NOTFOUND, "find user -1:"},
		{"root ", NULL, ERR_NOTFOUND, "find user root :"},
		{"0", "", ERR_NOTFOUND, "find group :"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = {0};
		static struct user u;

		assert_int_equal(resolve(passwd, group, rows[i].user,
					 rows[i].add, &u, &e),
				 -1);
		if (e.kind != (int)rows[i].kind ||
		    !strstr(e.text, rows[i].text))
			fail_msg("'%s': %s", rows[i].user, e.text);
	}
}

static void no_files_at_all(void **state)
{
	struct err e = {0};
	static struct user u;

	(void)state;
	assert_int_equal(resolve(NULL, NULL, NULL, NULL, &u, &e), 0);
	assert_int_equal(u.uid, 0);
	assert_int_equal(u.n_groups, 1);
	assert_string_equal(u.home, "/");
	assert_false(u.known);
	assert_int_equal(resolve(NULL, NULL, "12:34", NULL, &u, &e), 0);
	assert_int_equal(u.gid, 34);
	assert_int_equal(resolve(NULL, NULL, "root", NULL, &u, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
}

static void broken_lines_are_skipped(void **state)
{
	static const char p[] = "\n\n:::::::\n"
				":x:1:1:empty name:/:/\n"
				"#a:x:1:1::/:/\n"
				"a\n"
				"a:x\n"
				"a:x:1\n"
				"a:x:big:1::/:/\n"
				"a:x:4294967296:1::/:/\n"
				"a:x:4294967295:1::/:/\n"
				"a:x:-1:1::/:/\n"
				"a:x: 1:1::/:/\n"
				"a:x:1:::/:/\n"
				"a:x:9:8:good:/good:/bin/sh:more:more\n"
				"a:x:10:10:second:/second:/bin/sh\n";
	static const char g[] = "g\ng:x\ng:x:\ng:x:99999999999:a\n"
				":x:3:a\ng:x:5:,,a,,b,\ng:x:6:a\nh:x:7:aa,ab";
	struct err e = {0};
	static struct user u;

	(void)state;
	if (resolve(p, g, "a", NULL, &u, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(u.uid, 9);
	assert_int_equal(u.gid, 8);
	assert_string_equal(u.home, "/good");
	/* Lines "g" count for both numbers; ":x:3" has no name. */
	assert_int_equal(u.n_groups, 3);
	assert_int_equal(u.groups[1], 5);
	assert_int_equal(u.groups[2], 6);
	assert_int_equal(resolve(p, g, "#a", NULL, &u, &e), -1);
}

static void nul_bytes(void **state)
{
	static const char p[] = "a\0b:x:1:1::/:/\na:x:2:2::/h\0me:/\n"
				"a:x:3:3::/ok:/";
	const struct user_files f = {.passwd = p, .passwd_len = sizeof(p) - 1};
	const struct user_wish w = {.user = "a"};
	struct err e = {0};
	static struct user u;

	(void)state;
	if (user_resolve_text(&f, &w, &u, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(u.uid, 3);
}

static void long_things(void **state)
{
	autobuf struct buf p = buf_make(MIB(2));
	autobuf struct buf g = buf_make(MIB(2));
	struct err e = {0};
	static struct user u;

	(void)state;
	buf_adds(&p, "a:x:1:1::/");
	for (int i = 0; i < 5000; i++)
		buf_adds(&p, "0123456789");
	buf_adds(&p, ":/bin/sh\n");
	assert_int_equal(resolve(buf_str(&p), NULL, "a", NULL, &u, &e), 0);
	assert_string_equal(u.home, "/");
	for (int i = 0; i < GROUPS_MAX - 1; i++)
		buf_addf(&g, "g%d:x:%d:a\n", i, 1000 + i);
	assert_int_equal(resolve(buf_str(&p), buf_str(&g), "a", NULL, &u, &e),
			 0);
	assert_int_equal(u.n_groups, GROUPS_MAX);
	buf_adds(&g, "one:x:77:a\n");
	assert_int_equal(resolve(buf_str(&p), buf_str(&g), "a", NULL, &u, &e),
			 -1);
	assert_int_equal(e.kind, ERR_TOOBIG);
}

/* ---- on files ------------------------------------------------------------ */

static int make_root(char *dir, struct err *e)
{
	int fd;

	assert_non_null(mkdtemp(dir));
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(mkdirat(fd, "etc", 0755), 0);
	assert_int_equal(fs_replace_at(fd, "etc/passwd", passwd, strlen(passwd),
				       0644, false, e),
			 0);
	assert_int_equal(fs_replace_at(fd, "etc/group", group, strlen(group),
				       0644, false, e),
			 0);
	return fd;
}

static void files_of_an_image(void **state)
{
	char dir[] = "/tmp/prism-user-XXXXXX";
	struct user_wish w = {.user = "guest"};
	struct err e = {0};
	static struct user u;
	autoclose int root = make_root(dir, &e);

	(void)state;
	if (user_resolve(root, &w, &u, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(u.uid, 405);
	assert_int_equal(u.n_groups, 2);

	/* A symlink leads nowhere but inside. */
	assert_int_equal(unlinkat(root, "etc/passwd", 0), 0);
	assert_int_equal(symlinkat("/../../etc/passwd", root, "etc/passwd"), 0);
	assert_int_equal(user_resolve(root, &w, &u, &e), -1);
	err_clear(&e);

	/* Absent; not a regular file; too big; and when nobody needs it. */
	assert_int_equal(unlinkat(root, "etc/passwd", 0), 0);
	assert_int_equal(user_resolve(root, &w, &u, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	err_clear(&e);
	assert_int_equal(mkfifoat(root, "etc/passwd", 0644), 0);
	assert_int_equal(user_resolve(root, &w, &u, &e), -1);
	err_clear(&e);
	assert_int_equal(unlinkat(root, "etc/passwd", 0), 0);
	assert_int_equal(symlinkat("big", root, "etc/passwd"), 0);
	{
		autoclose int big = openat(
			root, "etc/big", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

		assert_int_equal(ftruncate(big, ETC_FILE_MAX + 1), 0);
	}
	assert_int_equal(user_resolve(root, &w, &u, &e), -1);
	assert_int_equal(e.kind, ERR_TOOBIG);
	err_clear(&e);
	w = (struct user_wish){.user = "7:8", .has_home = true};
	assert_int_equal(user_resolve(root, &w, &u, &e), 0);
	assert_int_equal(u.uid, 7);
	assert_int_equal(u.gid, 8);
	assert_int_equal(fs_remove_tree_at(AT_FDCWD, dir, &e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_who),
		cmocka_unit_test(who_is_nobody),
		cmocka_unit_test(no_files_at_all),
		cmocka_unit_test(broken_lines_are_skipped),
		cmocka_unit_test(nul_bytes),
		cmocka_unit_test(long_things),
		cmocka_unit_test(files_of_an_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
