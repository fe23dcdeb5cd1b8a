/*
 * userns: the caller's ids elsewhere in the map
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/userns.h"

static uint32_t outside(const struct idmap *m, uint32_t inside)
{
	uint32_t id;

	return idmap_uid_outside(m, inside, &id) ? id : UINT32_MAX;
}

/* 0 is user 500, the rest a range. */
static struct idmap usual(void)
{
	return (struct idmap){
		.uid = {{0, 500, 1}, {1, 100000, 65536}},
		.gid = {{0, 500, 1}, {1, 100000, 65536}},
		.n_uid = 2,
		.n_gid = 2,
	};
}

static void own_id_and_root_change_places(void **state)
{
	struct idmap m = usual();
	struct err e = {0};

	(void)state;
	assert_int_equal(idmap_keep_id(&m, 1000, 1000, &e), 0);
	assert_int_equal(outside(&m, 1000), 500);
	assert_int_equal(outside(&m, 0), 100999);
	/* All others stay where they were. */
	assert_int_equal(outside(&m, 1), 100000);
	assert_int_equal(outside(&m, 999), 100998);
	assert_int_equal(outside(&m, 1001), 101000);
	assert_int_equal(outside(&m, 65536), 165535);
	assert_int_equal(outside(&m, 65537), UINT32_MAX);
}

static void at_the_ends_of_the_range(void **state)
{
	struct idmap m = usual();
	struct err e = {0};

	(void)state;
	assert_int_equal(idmap_keep_id(&m, 1, 65536, &e), 0);
	assert_int_equal(outside(&m, 1), 500);
	assert_int_equal(outside(&m, 0), 100000);
	assert_int_equal(outside(&m, 2), 100001);
	assert_int_equal(m.n_uid, 3);
	assert_int_equal(m.n_gid, 3);
}

static void root_stays_root(void **state)
{
	struct idmap m = usual();
	struct err e = {0};

	(void)state;
	assert_int_equal(idmap_keep_id(&m, 0, 0, &e), 0);
	assert_int_equal(outside(&m, 0), 500);
	assert_int_equal(m.n_uid, 2);
}

static void beyond_the_range_and_with_one_id(void **state)
{
	struct idmap m = usual();
	struct idmap single = {.uid = {{0, 500, 1}},
			       .gid = {{0, 500, 1}},
			       .n_uid = 1,
			       .n_gid = 1,
			       .single = true};
	struct err e = {0};

	(void)state;
	assert_int_equal(idmap_keep_id(&m, 100000, 100000, &e), 0);
	assert_int_equal(outside(&m, 100000), 500);
	assert_int_equal(outside(&m, 0), UINT32_MAX);
	assert_int_equal(outside(&m, 1), 100000);
	assert_int_equal(idmap_keep_id(&single, 500, 500, &e), 0);
	assert_int_equal(outside(&single, 500), 500);
	assert_int_equal(outside(&single, 0), UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_id_and_root_change_places),
		cmocka_unit_test(at_the_ends_of_the_range),
		cmocka_unit_test(root_stays_root),
		cmocka_unit_test(beyond_the_range_and_with_one_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
