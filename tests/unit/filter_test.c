#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/own.h"
#include "cmd/filter.h"

static const char *const known[] = {"label", "label!",   "name", "status",
				    "until", "dangling", "id",   NULL};

static struct filter parse(const char *const *args, size_t n)
{
	struct filter f = {0};
	struct err e = {0};
	autostrv struct strv v = {0};

	for (size_t i = 0; i < n; i++)
		strv_add(&v, args[i]);
	if (filter_parse(&v, known, &f, &e))
		fail_msg("%s", e.text);
	return f;
}

#define PARSE(...)                           \
	parse((const char *[]){__VA_ARGS__}, \
	      ARRAY_LEN(((const char *[]){__VA_ARGS__})))

static void values_of_one_key_are_alternatives(void **state)
{
	autofilter struct filter f =
		PARSE("status=running", "status=exited", "id=ab");

	(void)state;
	assert_true(filter_is(&f, "status", "running"));
	assert_true(filter_is(&f, "status", "exited"));
	assert_false(filter_is(&f, "status", "created"));
	assert_true(filter_is(&f, "name", "anything"));
	assert_true(filter_begins(&f, "id", "abcd"));
	assert_false(filter_begins(&f, "id", "xab"));
	assert_string_equal(filter_get(&f, "status", 1), "exited");
	assert_null(filter_get(&f, "status", 2));
	assert_false(filter_has(&f, "name"));
}

static void names_are_expressions(void **state)
{
	autofilter struct filter f = PARSE("name=^/?web", "name=x[");

	(void)state;
	assert_true(filter_matches(&f, "name", "web1"));
	assert_false(filter_matches(&f, "name", "myweb"));
	assert_true(filter_matches(&f, "name", "ax[b"));
}

static void labels_must_all_hold(void **state)
{
	autojson json_t *l = json_pack("{s:s, s:s}", "a", "1", "b", "");
	autofilter struct filter both = PARSE("label=a", "label=b=");
	autofilter struct filter wrong = PARSE("label=a", "label=a=2");
	autofilter struct filter not = PARSE("label!=a");
	autofilter struct filter none = {0};

	(void)state;
	assert_true(filter_labels(&both, l));
	assert_false(filter_labels(&wrong, l));
	assert_false(filter_labels(&not, l));
	assert_true(filter_labels(&none, l));
	assert_false(filter_labels(&both, NULL));
	assert_true(filter_labels(&not, NULL));
}

static void refused(const char *arg)
{
	struct filter f = {0};
	struct err e = {0};
	autostrv struct strv v = {0};

	strv_add(&v, arg);
	assert_int_equal(filter_parse(&v, known, &f, &e), -1);
	assert_int_equal(e.kind, ERR_USAGE);
	filter_free(&f);
}

static void what_is_not_known_is_refused(void **state)
{
	(void)state;
	refused("nope=1");
	refused("status");
	refused("=x");
	refused("");
}

static void booleans_and_times(void **state)
{
	autofilter struct filter f = PARSE("dangling=true", "until=1h30m");
	autofilter struct filter g =
		PARSE("dangling=0", "until=2024-01-01T00:00:00Z");
	autofilter struct filter h = PARSE("dangling=x", "until=tomorrow");
	struct err e = {0};
	int64_t when = 0;
	bool yes = false;

	(void)state;
	assert_int_equal(filter_bool(&f, "dangling", false, &yes, &e), 0);
	assert_true(yes);
	assert_int_equal(filter_bool(&g, "dangling", true, &yes, &e), 0);
	assert_false(yes);
	assert_int_equal(filter_time(&f, "until", &when, &e), 0);
	assert_in_range(when, time(NULL) - 5405, time(NULL) - 5399);
	assert_int_equal(filter_time(&g, "until", &when, &e), 0);
	assert_int_equal(when, 1704067200);
	assert_int_equal(filter_bool(&h, "dangling", false, &yes, &e), -1);
	err_clear(&e);
	assert_int_equal(filter_time(&h, "until", &when, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_of_one_key_are_alternatives),
		cmocka_unit_test(names_are_expressions),
		cmocka_unit_test(labels_must_all_hold),
		cmocka_unit_test(what_is_not_known_is_refused),
		cmocka_unit_test(booleans_and_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
