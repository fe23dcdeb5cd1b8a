/*
 * units: sizes, durations and fractions
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"

static int64_t bytes(const char *s)
{
	int64_t n = -1;

	return units_bytes(s, &n) ? n : -1;
}

static int64_t duration(const char *s)
{
	int64_t n = -1;

	return units_duration_ns(s, &n) ? n : -1;
}

static void bytes_in_all_spellings(void **state)
{
	(void)state;
	assert_int_equal(bytes("0"), 0);
	assert_int_equal(bytes("4194304"), 4194304);
	assert_int_equal(bytes("7b"), 7);
	assert_int_equal(bytes("64k"), 65536);
	assert_int_equal(bytes("200M"), 200 << 20);
	assert_int_equal(bytes("16MiB"), 16 << 20);
	assert_int_equal(bytes("16 mb"), 16 << 20);
	assert_int_equal(bytes("1.5g"), INT64_C(3) << 29);
	assert_int_equal(bytes("2T"), INT64_C(2) << 40);
	assert_int_equal(bytes("1p"), INT64_C(1) << 50);
	assert_int_equal(bytes(".5k"), 512);
	assert_int_equal(bytes("0.001953125k"), 2);
	assert_int_equal(bytes("1.999999999p"), 2251799812559348);
}

static void bytes_refused(void **state)
{
	static const char *const bad[] = {
		"",      "m",     "-1",   "1x",  "1.",
		"1..5m", "1 m b", "1  m", "1bb", "1bib",
		"0x10",  "9000p", "1m ",  " 1m", "99999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		if (bytes(bad[i]) != -1)
			fail_msg("'%s' is %jd bytes", bad[i],
				 (intmax_t)bytes(bad[i]));
}

static void durations(void **state)
{
	(void)state;
	assert_int_equal(duration("0"), 0);
	assert_int_equal(duration("300ms"), 300000000);
	assert_int_equal(duration("1m30s"), INT64_C(90000000000));
	assert_int_equal(duration("1.5h"), INT64_C(5400000000000));
	assert_int_equal(duration("2us"), 2000);
	assert_int_equal(duration("5ns"), 5);
	assert_int_equal(duration(""), -1);
	assert_int_equal(duration("5"), -1);
	assert_int_equal(duration("-5s"), -1);
	assert_int_equal(duration("5x"), -1);
	assert_int_equal(duration("5s3"), -1);
	assert_int_equal(duration("s"), -1);
	assert_int_equal(duration("99999999999h"), -1);
}

static void fractions_and_numbers(void **state)
{
	int64_t n = 0;

	(void)state;
	assert_true(units_nano("1.5", &n));
	assert_int_equal(n, 1500000000);
	assert_true(units_nano(".1", &n));
	assert_int_equal(n, 100000000);
	assert_true(units_nano("2", &n));
	assert_int_equal(n, 2000000000);
	assert_false(units_nano("1.5x", &n));
	assert_false(units_nano("", &n));
	assert_false(units_nano("-1", &n));
	assert_true(units_i64("-1000", -1000, 1000, &n));
	assert_int_equal(n, -1000);
	assert_false(units_i64("1001", -1000, 1000, &n));
	assert_false(units_i64("--1", -1000, 1000, &n));
	assert_false(units_i64("1.0", -1000, 1000, &n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_in_all_spellings),
		cmocka_unit_test(bytes_refused),
		cmocka_unit_test(durations),
		cmocka_unit_test(fractions_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
