#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"

static json_t *parse(const char *s, struct err *e)
{
	return json_parse(s, strlen(s), "doc", e);
}

static void refused(const char *s, enum err_kind kind)
{
	struct err e = {0};
	json_t *const doc = parse(s, &e);

	if (doc)
		fail_msg("accepted: %s", s);
	assert_int_equal(e.kind, kind);
	assert_int_equal(strncmp(e.text, "doc: ", 5), 0);
}

static void what_is_not_strict_json_is_refused(void **state)
{
	(void)state;
	refused("", ERR_INVALID);
	refused("{", ERR_INVALID);
	refused("{} x", ERR_INVALID);
	refused("{}{}", ERR_INVALID);
	refused("{\"a\":1,\"a\":2}", ERR_INVALID);
	refused("{\"b\":{\"a\":1,\"a\":1}}", ERR_INVALID);
	refused("{\"a\":\"\xff\"}", ERR_INVALID);
	refused("{\"a\":\"\xc0\xaf\"}", ERR_INVALID);
	refused("{\"a\":\"\xed\xa0\x80\"}", ERR_INVALID);
	refused("{\"a\":\"\\u0000\"}", ERR_INVALID);
	refused("{'a':1}", ERR_INVALID);
	refused("{\"a\":1,}", ERR_INVALID);
	refused("{\"a\":99999999999999999999}", ERR_INVALID);
	refused("nul", ERR_INVALID);
}

static void a_nul_byte_is_not_an_end(void **state)
{
	struct err e = {0};

	(void)state;
	assert_null(json_parse("{}\0{}", 5, "doc", &e));
	assert_int_equal(e.kind, ERR_INVALID);
}

static void errors_do_not_carry_control_characters(void **state)
{
	struct err e = {0};

	(void)state;
	assert_null(parse("{\"a\": \x1b[31mred", &e));
	assert_null(strchr(e.text, '\x1b'));
}

/* n opening brackets and n closing ones. */
static void nested(struct buf *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_addc(b, '[');
	for (size_t i = 0; i < n; i++)
		buf_addc(b, ']');
}

static void depth_ends_at_the_limit(void **state)
{
	autobuf struct buf ok = buf_make(4096);
	autobuf struct buf deep = buf_make(4096);
	struct err e = {0};

	(void)state;
	nested(&ok, JSON_DEPTH_MAX);
	autojson json_t *doc = json_parse(ok.p, ok.len, "doc", &e);
	assert_non_null(doc);

	nested(&deep, JSON_DEPTH_MAX + 1);
	assert_null(json_parse(deep.p, deep.len, "doc", &e));
	assert_int_equal(e.kind, ERR_TOOBIG);
}

static void brackets_in_strings_do_not_count(void **state)
{
	autobuf struct buf b = buf_make(4096);
	struct err e = {0};

	(void)state;
	buf_adds(&b, "{\"a\":\"\\\"");
	for (int i = 0; i < 200; i++)
		buf_addc(&b, '[');
	buf_adds(&b, "\"}");
	autojson json_t *doc = json_parse(b.p, b.len, "doc", &e);
	assert_non_null(doc);
}

static void getters_name_the_path(void **state)
{
	struct err e = {0};
	autojson json_t *doc =
		parse("{\"rootfs\":{\"diff_ids\":[\"a\",7],\"n\":\"x\"}}", &e);
	const struct jval root = jval_root(doc, "config");
	struct jval rootfs;
	struct jval ids;
	const char *s;
	int64_t n;

	(void)state;
	assert_int_equal(jget(&root, "rootfs", &rootfs, &e), 0);
	assert_int_equal(jget(&rootfs, "diff_ids", &ids, &e), 0);
	assert_int_equal(jlen(&ids, &e), 2);
	assert_int_equal(jat_str(&ids, 0, &s, &e), 0);
	assert_string_equal(s, "a");

	assert_int_equal(jat_str(&ids, 1, &s, &e), -1);
	assert_string_equal(e.text, "config.rootfs.diff_ids[1]: not a string");
	err_clear(&e);
	assert_int_equal(jget_i64(&rootfs, "n", &n, &e), -1);
	assert_string_equal(e.text, "config.rootfs.n: not an integer");
	err_clear(&e);
	assert_int_equal(jget_str(&rootfs, "none", &s, &e), -1);
	assert_string_equal(e.text, "config.rootfs.none: missing");
	err_clear(&e);
	assert_int_equal(jget_str(&ids, "k", &s, &e), -1);
	assert_string_equal(e.text, "config.rootfs.diff_ids: not an object");
}

static void absent_and_null_are_the_same(void **state)
{
	struct err e = {0};
	autojson json_t *doc = parse("{\"a\":null}", &e);
	const struct jval root = jval_root(doc, "d");
	struct jval v;
	const char *s = "x";
	bool b = false;
	int64_t n = 0;

	(void)state;
	assert_int_equal(jget(&root, "a", &v, &e), 0);
	assert_false(jval_present(&v));
	assert_int_equal(jlen(&v, &e), 0);
	assert_int_equal(jget_str_opt(&root, "a", &s, &e), 0);
	assert_null(s);
	assert_int_equal(jget_bool_opt(&root, "b", true, &b, &e), 0);
	assert_true(b);
	assert_int_equal(jget_i64_opt(&v, "c", 5, &n, &e), 0);
	assert_int_equal(n, 5);
}

static void a_long_path_is_cut(void **state)
{
	struct err e = {0};
	char key[512];
	struct jval v;

	(void)state;
	memset(key, 'k', sizeof(key) - 1);
	key[sizeof(key) - 1] = '\0';
	const struct jval root = jval_root(NULL, "d");
	assert_int_equal(jget(&root, key, &v, &e), 0);
	assert_int_equal(strlen(v.path), sizeof(v.path) - 1);
}

/* Last: it is for the rest of the process. */
static void kept_memory_is_used_again(void **state)
{
	const size_t n = 200002;
	autofree char *big = xcalloc(1, n);
	struct err e = {0};
	const void *first;
	json_t *doc;

	(void)state;
	memset(big, 'x', n);
	big[0] = big[n - 1] = '"';
	json_keep_memory();
	doc = json_object();
	first = doc;
	json_decref(doc);
	doc = json_object();
	assert_ptr_equal(doc, first);
	json_decref(doc);
	for (int i = 0; i < 3; i++) {
		doc = json_parse("{\"a\":[1,2,{\"b\":\"c\"}]}", 21, "d", &e);
		assert_non_null(doc);
		json_decref(doc);
		doc = json_loadb(big, n, JSON_DECODE_ANY, NULL);
		assert_int_equal(json_string_length(doc), n - 2);
		json_decref(doc);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_strict_json_is_refused),
		cmocka_unit_test(a_nul_byte_is_not_an_end),
		cmocka_unit_test(errors_do_not_carry_control_characters),
		cmocka_unit_test(depth_ends_at_the_limit),
		cmocka_unit_test(brackets_in_strings_do_not_count),
		cmocka_unit_test(getters_name_the_path),
		cmocka_unit_test(absent_and_null_are_the_same),
		cmocka_unit_test(a_long_path_is_cut),
		cmocka_unit_test(kept_memory_is_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
