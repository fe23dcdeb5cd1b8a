#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void grows_to_its_maximum(void **state)
{
	autobuf struct buf b = buf_make(200);

	(void)state;
	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 20; i++)
		buf_adds(&b, "0123456789");
	assert_false(b.over);
	assert_int_equal(b.len, 200);
	buf_addc(&b, 'x');
	assert_true(b.over);
	assert_int_equal(b.len, 200);
	assert_int_equal(strlen(buf_str(&b)), 200);
}

static void stays_in_the_caller_s_memory(void **state)
{
	char mem[16];
	autobuf struct buf b = buf_on(mem, sizeof(mem), 100);

	(void)state;
	assert_string_equal(buf_str(&b), "");
	buf_adds(&b, "fifteen letters");
	assert_ptr_equal(b.p, mem);
	assert_string_equal(mem, "fifteen letters");
}

static void leaves_it_when_it_is_full(void **state)
{
	char mem[16];
	autobuf struct buf b = buf_on(mem, sizeof(mem), 100);

	(void)state;
	buf_adds(&b, "fifteen letters");
	buf_addf(&b, " and %d more", 9);
	assert_ptr_not_equal(b.p, mem);
	assert_string_equal(buf_str(&b), "fifteen letters and 9 more");
	/* What was borrowed is as it was. */
	assert_string_equal(mem, "fifteen letters");
	buf_reset(&b);
	buf_adds(&b, "again");
	assert_string_equal(buf_str(&b), "again");
}

static void what_is_taken_is_the_taker_s(void **state)
{
	char mem[16];
	struct buf b = buf_on(mem, sizeof(mem), 100);
	char *p;

	(void)state;
	buf_adds(&b, "small");
	p = buf_take(&b);
	assert_ptr_not_equal(p, mem);
	assert_string_equal(p, "small");
	free(p);
	assert_int_equal(b.len, 0);
	buf_adds(&b, "a text that has no room in sixteen bytes");
	p = buf_take(&b);
	assert_string_equal(p, "a text that has no room in sixteen bytes");
	free(p);
	buf_free(&b);
}

static void the_maximum_holds_there_too(void **state)
{
	char mem[64];
	autobuf struct buf b = buf_on(mem, sizeof(mem), 10);

	(void)state;
	buf_adds(&b, "0123456789");
	assert_false(b.over);
	buf_addc(&b, 'x');
	assert_true(b.over);
	assert_string_equal(mem, "0123456789");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grows_to_its_maximum),
		cmocka_unit_test(stays_in_the_caller_s_memory),
		cmocka_unit_test(leaves_it_when_it_is_full),
		cmocka_unit_test(what_is_taken_is_the_taker_s),
		cmocka_unit_test(the_maximum_holds_there_too),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
