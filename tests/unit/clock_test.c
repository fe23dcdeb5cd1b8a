/* Moments as text, both ways. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/own.h"

#define AT INT64_C(1714558272000000000) /* 2024-05-01T10:11:12Z */

static void writes_as_go_does(void **state)
{
	char b[CLOCK_TEXT_MAX];

	(void)state;
	assert_string_equal(clock_text(AT, false, b), "2024-05-01T10:11:12Z");
	assert_string_equal(clock_text(AT, true, b),
			    "2024-05-01T10:11:12.000000000Z");
	assert_string_equal(clock_text(AT + 500000000, false, b),
			    "2024-05-01T10:11:12.5Z");
	assert_string_equal(clock_text(AT + 1, false, b),
			    "2024-05-01T10:11:12.000000001Z");
	assert_string_equal(clock_text(0, false, b), "1970-01-01T00:00:00Z");
	assert_string_equal(
		clock_text(INT64_C(951782399) * CLOCK_SECOND, false, b),
		"2000-02-28T23:59:59Z");
	assert_string_equal(
		clock_text(INT64_C(951782400) * CLOCK_SECOND, false, b),
		"2000-02-29T00:00:00Z");
}

static void reads_what_it_writes(void **state)
{
	(void)state;
	for (int64_t t = 1; t < INT64_C(4000000000); t += 86399 * 97 + 13) {
		const int64_t ns = t * CLOCK_SECOND + t % CLOCK_SECOND;
		char b[CLOCK_TEXT_MAX];
		int64_t back = 0;

		assert_true(clock_parse(clock_text(ns, t % 2, b), &back));
		assert_true(back == ns);
	}
}

struct pair {
	const char *text;
	int64_t ns;
};

static void reads_since_and_until(void **state)
{
	static const struct pair good[] = {
		{"2024-05-01T10:11:12Z", AT},
		{"2024-05-01T12:11:12+02:00", AT},
		{"2024-05-01T10:11:12", AT},
		{"2024-05-01T10:11", AT - 12 * CLOCK_SECOND},
		{"2024-05-01", AT - (10 * 3600 + 672) * CLOCK_SECOND},
		{"1714558272", AT},
		{"1714558272.25", AT + CLOCK_SECOND / 4},
		{"1714558272.000000001", AT + 1},
		{"12s", AT - 12 * CLOCK_SECOND},
		{"1h30m", AT - 5400 * CLOCK_SECOND},
		{"1.5h", AT - 5400 * CLOCK_SECOND},
		{"250ms", AT - CLOCK_SECOND / 4},
	};
	static const char *const bad[] = {
		"",
		"x",
		"1 s",
		"s",
		"2024-13-01",
		"2024-05-01T",
		"1h3x",
		"--1h",
		"1..5",
		"5.",
		"2024-05-01T10:11:12Zx",
		"99999999999999999999",
		"9999999999h",
	};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (!clock_parse_when(good[i].text, AT, &ns))
			fail_msg("refused: %s", good[i].text);
		if (ns != good[i].ns)
			fail_msg("%s: %lld", good[i].text, (long long)ns);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		if (clock_parse_when(bad[i], AT, &ns))
			fail_msg("taken: '%s'", bad[i]);
}

static void reads_durations(void **state)
{
	int64_t ns = -1;

	(void)state;
	assert_true(clock_parse_duration("0", &ns));
	assert_true(ns == 0);
	assert_true(clock_parse_duration("1m0.5s", &ns));
	assert_true(ns == 60 * CLOCK_SECOND + CLOCK_SECOND / 2);
	assert_true(clock_parse_duration("7us", &ns));
	assert_true(ns == 7000);
	assert_false(clock_parse_duration("30", &ns));
	assert_false(clock_parse_duration("-1s", &ns));
	assert_false(clock_parse_duration(".s", &ns));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(writes_as_go_does),
		cmocka_unit_test(reads_what_it_writes),
		cmocka_unit_test(reads_since_and_until),
		cmocka_unit_test(reads_durations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
