/* What follows from the results of health checks. */
#include "runtime/health.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"

#define S CLOCK_SECOND

static struct health_spec spec_of(const char *kind, const char *what)
{
	struct health_spec s = {0};

	strv_add(&s.test, kind);
	if (what)
		strv_add(&s.test, what);
	return s;
}

static void add(struct health *h, int code, int64_t now)
{
	const struct health_result r = {.exit_code = code,
					.output = xstrdup("out")};

	health_add(h, r, now);
}

static const char *status(struct health *h)
{
	struct container_state s = {0};

	health_state(h, &s);
	return s.health ? s.health : "none";
}

static void three_failures_in_a_row(void **state)
{
	struct health_spec spec = spec_of("CMD-SHELL", "true");
	struct health h = {0};

	(void)state;
	health_begin(&h, &spec, 100 * S);
	assert_string_equal(status(&h), "starting");
	assert_true(h.due_ns == 130 * S);
	assert_true(health_timeout_ns(&h) == 30 * S);
	add(&h, 1, 131 * S);
	assert_true(h.due_ns == 161 * S);
	add(&h, 1, 161 * S);
	assert_string_equal(status(&h), "starting");
	add(&h, -1, 191 * S);
	assert_string_equal(status(&h), "unhealthy");
	add(&h, 0, 221 * S);
	assert_string_equal(status(&h), "healthy");
	assert_int_equal(h.streak, 0);
	add(&h, 1, 251 * S);
	assert_string_equal(status(&h), "healthy");
	for (int i = 0; i < 10; i++)
		add(&h, i, 300 * S);
	assert_int_equal(h.n, HEALTH_RESULTS_MAX);
	assert_int_equal(h.results[0].exit_code, 5);
	assert_int_equal(h.results[4].exit_code, 9);
	health_free(&h);
	strv_free(&spec.test);
}

static void the_start_period_forgives(void **state)
{
	struct health_spec spec = spec_of("CMD", "/check");
	struct health h = {0};

	(void)state;
	spec.retries = 1;
	spec.interval_ns = 10 * S;
	spec.timeout_ns = S;
	spec.start_period_ns = 60 * S;
	spec.start_interval_ns = 2 * S;
	health_begin(&h, &spec, 0);
	assert_true(h.due_ns == 2 * S);
	assert_true(health_timeout_ns(&h) == S);
	add(&h, 1, 2 * S);
	add(&h, 1, 30 * S);
	assert_string_equal(status(&h), "starting");
	assert_int_equal(h.streak, 0);
	assert_true(h.due_ns == 32 * S);
	/* One that worked ends it. */
	add(&h, 0, 32 * S);
	assert_string_equal(status(&h), "healthy");
	assert_true(h.due_ns == 42 * S);
	add(&h, 1, 42 * S);
	assert_string_equal(status(&h), "unhealthy");
	health_begin(&h, &spec, 100 * S);
	assert_string_equal(status(&h), "starting");
	add(&h, 1, 161 * S);
	assert_string_equal(status(&h), "unhealthy");
	health_free(&h);
	strv_free(&spec.test);
}

static void none_is_none(void **state)
{
	struct health_spec none = spec_of("NONE", NULL);
	const struct health_spec empty = {0};
	struct health h = {0};

	(void)state;
	assert_false(health_is_wanted(&none));
	assert_false(health_is_wanted(&empty));
	health_begin(&h, &none, 0);
	assert_string_equal(status(&h), "none");
	assert_true(h.due_ns < 0);
	strv_free(&none.test);
}

static void the_words_of_a_check(void **state)
{
	struct run_spec s = {0};
	struct strv args = {0};

	(void)state;
	s.health = spec_of("CMD-SHELL", "a && b");
	health_args(&s, &args);
	assert_int_equal(args.n, 3);
	assert_string_equal(args.v[0], "/bin/sh");
	assert_string_equal(args.v[2], "a && b");
	strv_free(&args);
	strv_add(&s.shell, "/bin/bash");
	strv_add(&s.shell, "-ec");
	health_args(&s, &args);
	assert_string_equal(args.v[0], "/bin/bash");
	assert_int_equal(args.n, 3);
	strv_free(&args);
	spec_free(&s);
	s.health = spec_of("CMD", "/check");
	health_args(&s, &args);
	assert_int_equal(args.n, 1);
	assert_string_equal(args.v[0], "/check");
	strv_free(&args);
	spec_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_failures_in_a_row),
		cmocka_unit_test(the_start_period_forgives),
		cmocka_unit_test(none_is_none),
		cmocka_unit_test(the_words_of_a_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
