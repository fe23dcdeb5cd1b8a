/* When a container is started again, and after what pause. */
#include "runtime/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"
#include "base/own.h"

#define MS (CLOCK_SECOND / 1000)

static struct restart make(const char *policy)
{
	struct restart_policy p = {RESTART_NO, 0};
	struct restart r;
	struct err e = {0};

	if (restart_policy_parse(policy, &p, &e) < 0)
		fail_msg("%s", e.text);
	restart_init(&r, &p);
	return r;
}

static void reads_the_words(void **state)
{
	static const char *const bad[] = {"",
					  "yes",
					  "always:3",
					  "on-failure:",
					  "on-failure:-1",
					  "on-failure:x",
					  "no:1"};
	struct restart_policy p = {RESTART_NO, 0};
	struct err e = {0};

	(void)state;
	assert_int_equal(restart_policy_parse("on-failure:5", &p, &e), 0);
	assert_int_equal(p.when, RESTART_ON_FAILURE);
	assert_int_equal(p.max_retries, 5);
	assert_string_equal(restart_when_name(p.when), "on-failure");
	assert_int_equal(restart_policy_parse("unless-stopped", &p, &e), 0);
	assert_int_equal(p.max_retries, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (restart_policy_parse(bad[i], &p, &e) == 0)
			fail_msg("taken: '%s'", bad[i]);
		assert_int_equal(e.kind, ERR_USAGE);
		err_clear(&e);
	}
}

static void pauses_double_up_to_a_minute(void **state)
{
	struct restart r = make("always");
	int64_t want = 100 * MS;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_true(restart_decide(&r, i % 2, MS, false) == want);
		want = want * 2 > 60000 * MS ? 60000 * MS : want * 2;
	}
	assert_int_equal(r.count, 20);
	/* Ten good seconds, and it begins anew. */
	assert_true(restart_decide(&r, 0, 10000 * MS, false) == 100 * MS);
	assert_true(restart_decide(&r, 0, 9999 * MS, false) == 200 * MS);
}

static void ends_when_it_should(void **state)
{
	struct restart r = make("no");

	(void)state;
	assert_true(restart_decide(&r, 1, MS, false) < 0);
	r = make("on-failure");
	assert_true(restart_decide(&r, 0, MS, false) < 0);
	assert_true(restart_decide(&r, 1, MS, false) > 0);
	r = make("on-failure:2");
	assert_true(restart_decide(&r, 1, MS, false) > 0);
	assert_true(restart_decide(&r, 1, MS, false) > 0);
	assert_true(restart_decide(&r, 1, MS, false) < 0);
	assert_int_equal(r.count, 2);
	r = make("always");
	assert_true(restart_decide(&r, 0, MS, true) < 0);
	assert_int_equal(r.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_the_words),
		cmocka_unit_test(pauses_double_up_to_a_minute),
		cmocka_unit_test(ends_when_it_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
