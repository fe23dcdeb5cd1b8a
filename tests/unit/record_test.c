#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "runtime/record.h"

/* String literals are const; the fields that hold them are not. */
#define S(x) ((char *)(uintptr_t)(x))

struct part {
	char *name;
	uint32_t n;
};

struct whole {
	bool yes;
	int i;
	uint16_t port;
	uint32_t u;
	char word[4];
	int64_t big;
	uint64_t bits;
	char *text;
	struct strv words;
	struct part one;
	struct part *many;
	size_t n_many;
	struct part few[3];
	size_t n_few;
};

static const struct record_field part_fields[] = {
	RECORD(struct part, name),
	RECORD(struct part, n),
	{0},
};

static const struct record_field whole_fields[] = {
	RECORD(struct whole, yes),
	RECORD(struct whole, i),
	RECORD(struct whole, port),
	RECORD(struct whole, u),
	RECORD_TEXT(struct whole, word),
	RECORD(struct whole, big),
	RECORD(struct whole, bits),
	RECORD(struct whole, text),
	RECORD(struct whole, words),
	RECORD_IN(struct whole, one, part_fields),
	RECORD_LIST(struct whole, many, n_many, part_fields),
	RECORD_FIXED(struct whole, few, n_few, part_fields),
	{0},
};

static int read_text(const char *text, struct whole *ret, struct err *e)
{
	autojson json_t *doc = json_parse(text, strlen(text), "test", e);
	struct jval v;

	if (!doc)
		return -1;
	v = jval_root(doc, "test");
	return record_read(whole_fields, &v, ret, e);
}

/* Write, read, and give back what came of it. */
static struct whole there_and_back(const struct whole *w)
{
	autobuf struct buf b = buf_make(MIB(1));
	struct whole ret = {0};
	struct err e = {0};

	record_add(&b, whole_fields, w);
	assert_false(b.over);
	if (read_text(buf_str(&b), &ret, &e) < 0)
		fail_msg("%s: %s", buf_str(&b), e.text);
	return ret;
}

static void every_type_comes_back(void **state)
{
	struct part many[] = {{S("a"), 1}, {NULL, 2}, {S(""), 0}};
	struct whole w = {
		.yes = true,
		.i = -7,
		.port = 65535,
		.u = UINT32_MAX,
		.word = "rwm",
		.big = INT64_MIN + 1,
		.bits = UINT64_MAX,
		.text = S("t"),
		.one = {S("one"), 9},
		.many = many,
		.n_many = 3,
		.few = {{S("x"), 1}, {S("y"), 2}},
		.n_few = 2,
	};
	struct whole r;

	(void)state;
	strv_add(&w.words, "");
	strv_add(&w.words, "two");
	r = there_and_back(&w);
	assert_true(r.yes);
	assert_int_equal(r.i, -7);
	assert_int_equal(r.port, 65535);
	assert_int_equal(r.u, UINT32_MAX);
	assert_string_equal(r.word, "rwm");
	assert_true(r.big == INT64_MIN + 1);
	assert_true(r.bits == UINT64_MAX);
	assert_string_equal(r.text, "t");
	assert_int_equal(r.words.n, 2);
	assert_string_equal(r.words.v[0], "");
	assert_string_equal(r.words.v[1], "two");
	assert_string_equal(r.one.name, "one");
	assert_int_equal(r.one.n, 9);
	assert_int_equal(r.n_many, 3);
	assert_string_equal(r.many[0].name, "a");
	assert_null(r.many[1].name);
	assert_int_equal(r.many[1].n, 2);
	assert_string_equal(r.many[2].name, "");
	assert_int_equal(r.n_few, 2);
	assert_string_equal(r.few[1].name, "y");
	record_free(whole_fields, &r);
	assert_null(r.many);
	assert_null(r.text);
	strv_free(&w.words);
}

static void nothing_is_nothing(void **state)
{
	autobuf struct buf b = buf_make(KIB(1));
	const struct whole w = {0};
	struct whole r;

	(void)state;
	record_add(&b, whole_fields, &w);
	assert_string_equal(buf_str(&b), "{\"one\":{}}");
	r = there_and_back(&w);
	assert_memory_equal(&r, &w, sizeof(r));
}

static void one_string(const char *s)
{
	struct whole w = {.text = S(s)};
	struct whole r = there_and_back(&w);

	assert_string_equal(r.text, s);
	record_free(whole_fields, &r);
}

static void any_bytes_come_back(void **state)
{
	char all[256];

	(void)state;
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	one_string(all);
	one_string("quote \" backslash \\ slash / \b\f\n\r\t\x7f");
	one_string("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x99");
	/* Cut, overlong, a surrogate, past the end of Unicode. */
	one_string("\xe2\x82");
	one_string("\xc0\xaf");
	one_string("\xe0\x80\xaf");
	one_string("\xed\xa0\x80");
	one_string("\xf4\x90\x80\x80");
	one_string("\xff\xfe\xfd");
	/* The characters that stand for raw bytes, as themselves. */
	one_string("\xef\x9e\x80\xef\x9f\xbf\xef\x9d\xbf\xef\xa0\x80");
}

static void wrong_types_are_refused(void **state)
{
	static const char *const bad[] = {
		"{\"yes\":1}",
		"{\"i\":\"1\"}",
		"{\"i\":3000000000}",
		"{\"u\":-1}",
		"{\"port\":65536}",
		"{\"word\":\"four\"}",
		"{\"text\":[]}",
		"{\"words\":\"a\"}",
		"{\"words\":[1]}",
		"{\"one\":[]}",
		"{\"many\":{}}",
		"{\"many\":[1]}",
		"{\"few\":[{},{},{},{}]}",
		"[]",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct whole r = {0};
		struct err e = {0};

		if (read_text(bad[i], &r, &e) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_true(err_is(&e));
		record_free(whole_fields, &r);
	}
}

static void unknown_keys_are_left_alone(void **state)
{
	struct whole r = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(read_text("{\"new\":{\"x\":[1]},\"i\":4}", &r, &e), 0);
	assert_int_equal(r.i, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_comes_back),
		cmocka_unit_test(nothing_is_nothing),
		cmocka_unit_test(any_bytes_come_back),
		cmocka_unit_test(wrong_types_are_refused),
		cmocka_unit_test(unknown_keys_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
