/* Capability words, Docker's rules, and what the kernel makes of the sets. */
#include "runtime/caps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linux/capability.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "runtime/caps_apply.h"

#define BIT(c) (UINT64_C(1) << (c))
#define ALL    ((UINT64_C(1) << 41) - 1)

static void words(void **state)
{
	struct err e = {0};
	uint64_t set = 0;
	char name[CAPS_NAME_MAX];

	(void)state;
	assert_int_equal(caps_parse("NET_ADMIN", &set, &e), 0);
	assert_int_equal(set, BIT(CAP_NET_ADMIN));
	assert_int_equal(caps_parse("cap_chown", &set, &e), 0);
	assert_int_equal(set, BIT(CAP_CHOWN));
	assert_int_equal(caps_parse("Cap_Bpf", &set, &e), 0);
	assert_int_equal(set, BIT(CAP_BPF));
	assert_int_equal(caps_parse("all", &set, &e), 0);
	assert_int_equal(set, ALL);
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		assert_int_equal(caps_parse(caps_name(cap, name), &set, &e), 0);
		assert_int_equal(set, BIT(cap));
	}
	assert_string_equal(caps_name(63, name), "CAP_63");
}

static void words_that_are_none(void **state)
{
	static const char *const bad[] = {
		"", "CAP_", "NOPE", "CAP_CAP_KILL", "KILL ", "5"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {0};
		uint64_t set = 77;

		assert_int_equal(caps_parse(bad[i], &set, &e), -1);
		assert_int_equal(e.kind, ERR_USAGE);
		assert_int_equal(set, 77);
	}
}

static void sets_as_text(void **state)
{
	char buf[40];

	(void)state;
	assert_string_equal(caps_text(0, buf, sizeof(buf)), "none");
	assert_string_equal(
		caps_text(BIT(CAP_CHOWN) | BIT(CAP_KILL), buf, sizeof(buf)),
		"CAP_CHOWN, CAP_KILL");
	(void)caps_text(ALL, buf, sizeof(buf));
	assert_true(strlen(buf) < sizeof(buf));
	assert_non_null(strstr(buf, "..."));
}

struct row {
	const char *add[3];
	const char *drop[3];
	bool privileged;
	uint64_t want;
	uint64_t added;
};

static size_t count(const char *const *v)
{
	size_t n = 0;

	while (n < 3 && v[n])
		n++;
	return n;
}

static void dockers_rules(void **state)
{
	static const struct row rows[] = {
		{.want = CAPS_DEFAULT},
		{.add = {"NET_ADMIN"},
		 .want = CAPS_DEFAULT | BIT(CAP_NET_ADMIN),
		 .added = BIT(CAP_NET_ADMIN)},
		{.drop = {"ALL"}, .want = 0},
		{.drop = {"all"},
		 .add = {"CAP_NET_RAW", "chown"},
		 .want = BIT(CAP_NET_RAW) | BIT(CAP_CHOWN),
		 .added = BIT(CAP_NET_RAW) | BIT(CAP_CHOWN)},
		{.drop = {"kill", "MKNOD"},
		 .want = CAPS_DEFAULT & ~(BIT(CAP_KILL) | BIT(CAP_MKNOD))},
		{.add = {"ALL"}, .want = ALL, .added = ALL},
		{.add = {"ALL"},
		 .drop = {"SYS_ADMIN"},
		 .want = ALL & ~BIT(CAP_SYS_ADMIN),
		 .added = ALL & ~BIT(CAP_SYS_ADMIN)},
		/* dropped and added: added */
		{.add = {"KILL"},
		 .drop = {"KILL"},
		 .want = CAPS_DEFAULT,
		 .added = BIT(CAP_KILL)},
		{.privileged = true, .drop = {"KILL"}, .want = ALL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct caps_wish w = {
			.add = rows[i].add,
			.n_add = count(rows[i].add),
			.drop = rows[i].drop,
			.n_drop = count(rows[i].drop),
			.privileged = rows[i].privileged,
		};
		struct err e = {0};
		struct caps c;

		if (caps_compute(&w, ALL, 40, &c, &e) < 0)
			fail_msg("row %zu: %s", i, e.text);
		if (c.bounding != rows[i].want || c.added != rows[i].added ||
		    c.missing)
			fail_msg("row %zu: %llx, added %llx, missing %llx", i,
				 (unsigned long long)c.bounding,
				 (unsigned long long)c.added,
				 (unsigned long long)c.missing);
	}
}

static void what_the_caller_lacks_is_named(void **state)
{
	static const char *const add[] = {"SYS_ADMIN", "NET_ADMIN"};
	const uint64_t have = ALL & ~(BIT(CAP_SYS_ADMIN) | BIT(CAP_MKNOD));
	struct caps_wish w = {.add = add, .n_add = 2};
	struct err e = {0};
	struct caps c;

	(void)state;
	assert_int_equal(caps_compute(&w, have, 40, &c, &e), 0);
	assert_int_equal(c.bounding,
			 (CAPS_DEFAULT & ~BIT(CAP_MKNOD)) | BIT(CAP_NET_ADMIN));
	assert_int_equal(c.added, BIT(CAP_NET_ADMIN));
	assert_int_equal(c.missing, BIT(CAP_SYS_ADMIN) | BIT(CAP_MKNOD));
	assert_int_equal(c.missing_asked, BIT(CAP_SYS_ADMIN));

	w = (struct caps_wish){.privileged = true};
	assert_int_equal(caps_compute(&w, have, 40, &c, &e), 0);
	assert_int_equal(c.missing_asked, BIT(CAP_SYS_ADMIN) | BIT(CAP_MKNOD));
	/* An old kernel's list is shorter: nothing is missing then. */
	assert_int_equal(caps_compute(&w, BIT(38) - 1, 37, &c, &e), 0);
	assert_int_equal(c.bounding, BIT(38) - 1);
	assert_int_equal(c.missing, 0);
}

static void errors_name_the_option(void **state)
{
	static const char *const bad[] = {"KILL", "FLY"};
	const struct caps_wish w = {.drop = bad, .n_drop = 2};
	struct err e = {0};
	struct caps c;

	(void)state;
	assert_int_equal(caps_compute(&w, ALL, 40, &c, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	assert_non_null(strstr(e.text, "--cap-drop"));
	assert_non_null(strstr(e.text, "'FLY'"));
}

static void sets_by_user(void **state)
{
	const struct caps c = {
		.bounding = CAPS_DEFAULT | BIT(CAP_NET_ADMIN),
		.added = BIT(CAP_NET_ADMIN),
	};
	struct caps_sets s;

	(void)state;
	caps_for_user(&c, 0, &s);
	assert_int_equal(s.bounding, c.bounding);
	assert_int_equal(s.permitted, c.bounding);
	assert_int_equal(s.effective, c.bounding);
	assert_int_equal(s.inheritable, 0);
	assert_int_equal(s.ambient, 0);
	caps_for_user(&c, 405, &s);
	assert_int_equal(s.bounding, c.bounding);
	assert_int_equal(s.permitted, c.added);
	assert_int_equal(s.effective, c.added);
	assert_int_equal(s.inheritable, c.added);
	assert_int_equal(s.ambient, c.added);
}

static void caller(void **state)
{
	struct caps_caller c;
	struct err e = {0};

	(void)state;
	if (caps_of_caller(&c, &e) < 0)
		fail_msg("%s", e.text);
	assert_in_range(c.last_cap, 37, 62);
	assert_int_equal(c.bounding >> (c.last_cap + 1), 0);
	for (int cap = 0; cap <= c.last_cap; cap++)
		assert_int_equal(c.bounding >> cap & 1,
				 prctl(PR_CAPBSET_READ, cap, 0, 0, 0));
}

/* 0, or the number of the expectation that failed; in a child, as root. */
static int become(uint32_t uid, const struct caps_sets *s, int last_cap)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2];

	if (caps_apply_bounding(s->bounding, last_cap) < 0)
		return 1;
	if (uid && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return 2;
	if (uid && (setgid(uid) < 0 || setuid(uid) < 0))
		return 3;
	if (caps_apply_sets(s->permitted, s->effective, s->inheritable,
			    s->ambient) < 0)
		return 4;
	for (int cap = 0; cap <= 40; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) !=
		    (int)(s->bounding >> cap & 1))
			return 5;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0) !=
		    (int)(s->ambient >> cap & 1))
			return 6;
	}
	if (syscall(SYS_capget, &head, d) < 0)
		return 7;
	if ((d[0].permitted | (uint64_t)d[1].permitted << 32) != s->permitted)
		return 8;
	if ((d[0].effective | (uint64_t)d[1].effective << 32) != s->effective)
		return 9;
	if ((d[0].inheritable | (uint64_t)d[1].inheritable << 32) !=
	    s->inheritable)
		return 10;
	/* What is gone does not come back. */
	if (caps_apply_sets(s->permitted | BIT(CAP_SYS_BOOT), s->effective, 0,
			    0) == 0)
		return 11;
	return 0;
}

static void try_become(uint32_t uid, const struct caps *c, int last_cap)
{
	struct caps_sets s;
	int status = 0;
	pid_t pid;

	caps_for_user(c, uid, &s);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(become(uid, &s, last_cap));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void kernel_obeys(void **state)
{
	static const char *const add[] = {"NET_ADMIN", "BPF"};
	const struct caps_wish w = {.add = add, .n_add = 2};
	struct caps_caller have;
	struct err e = {0};
	struct caps c;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(caps_of_caller(&have, &e), 0);
	assert_int_equal(caps_compute(&w, have.bounding & have.permitted,
				      have.last_cap, &c, &e),
			 0);
	try_become(0, &c, have.last_cap);
	try_become(405, &c, have.last_cap);
	/* without knowing the last one; with none at all */
	try_become(0, &c, -1);
	c = (struct caps){0};
	try_become(0, &c, have.last_cap);
	try_become(1000, &c, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words),
		cmocka_unit_test(words_that_are_none),
		cmocka_unit_test(sets_as_text),
		cmocka_unit_test(dockers_rules),
		cmocka_unit_test(what_the_caller_lacks_is_named),
		cmocka_unit_test(errors_name_the_option),
		cmocka_unit_test(sets_by_user),
		cmocka_unit_test(caller),
		cmocka_unit_test(kernel_obeys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
