#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/term.h"

static void becomes(const char *s, enum term_how how, const char *want)
{
	autobuf struct buf b = buf_make(4096);

	term_escape(s, strlen(s), how, &b);
	assert_string_equal(buf_str(&b), want);
	assert_int_equal(term_is_plain(s, strlen(s), how), !strcmp(s, want));
	/* What was escaped is left alone from then on. */
	assert_true(term_is_plain(buf_str(&b), b.len, how));
}

static void text_that_is_shown_stays(void **state)
{
	static const char *const plain[] = {
		"",
		"a b ~ \\ \" '",
		"gr\xc3\xbc\xc3\x9f"
		"e \xe4\xb8\x96\xe7\x95\x8c",
		"\xc2\xa0", /* no-break space */
		"\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb", /* joined */
		"\xe2\x80\x8c",                                 /* non-joiner */
		"\xe2\x80\xa6 \xe2\x80\xa7", /* U+2026, U+2027 */
		"\xe2\x80\xaf",              /* U+202F */
		"\xf3\xa0\x82\x80",          /* U+E0080 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		becomes(plain[i], TERM_LINE, plain[i]);
		becomes(plain[i], TERM_LINES, plain[i]);
		becomes(plain[i], TERM_JSON, plain[i]);
	}
}

static void what_a_terminal_obeys_is_escaped(void **state)
{
	(void)state;
	becomes("\033]0;title\007", TERM_LINE, "\\x1b]0;title\\x07");
	becomes("\033[2J\r\b", TERM_LINE, "\\x1b[2J\\x0d\\x08");
	becomes("a\nb\tc", TERM_LINE, "a\\x0ab\\x09c");
	becomes("\x7f", TERM_LINE, "\\x7f");
	becomes("\xc2\x9b"
		"31m \xc2\x9d",
		TERM_LINE, "\\u009b31m \\u009d");
	becomes("\xc2\x80\xc2\x9f", TERM_LINE, "\\u0080\\u009f");
}

static void what_is_not_utf8_is_escaped(void **state)
{
	(void)state;
	becomes("\x9b"
		"31m",
		TERM_LINE, "\\x9b31m");
	becomes("\xff\xfe", TERM_LINE, "\\xff\\xfe");
	becomes("a\xc3", TERM_LINE, "a\\xc3");
	/* Overlong, of a surrogate, too large. */
	becomes("\xc0\x9b", TERM_LINE, "\\xc0\\x9b");
	becomes("\xe0\x82\x9b", TERM_LINE, "\\xe0\\x82\\x9b");
	becomes("\xed\xa0\x80", TERM_LINE, "\\xed\\xa0\\x80");
	becomes("\xf4\x90\x80\x80", TERM_LINE, "\\xf4\\x90\\x80\\x80");
	/* A control behind the beginning of a sequence is one. */
	becomes("\xe2\x80\033[m", TERM_LINE, "\\xe2\\x80\\x1b[m");
}

static void what_misleads_the_eye_is_escaped(void **state)
{
	(void)state;
	becomes("a\xe2\x80\xae"
		"cod.exe",
		TERM_LINE, "a\\u202ecod.exe");
	becomes("\xe2\x81\xa6x\xe2\x81\xa9", TERM_LINE, "\\u2066x\\u2069");
	becomes("\xd8\x9c\xe2\x80\x8e\xe2\x80\x8f", TERM_LINE,
		"\\u061c\\u200e\\u200f");
	becomes("al\xe2\x80\x8bpine", TERM_LINE, "al\\u200bpine");
	becomes("\xef\xbb\xbf"
		"a",
		TERM_LINE, "\\ufeffa");
	becomes("a\xe2\x80\xa8"
		"b\xe2\x80\xa9",
		TERM_LINE, "a\\u2028b\\u2029");
	becomes("\xf3\xa0\x81\x81", TERM_LINE, "\\U000e0041");
}

static void lines_keep_their_ends_and_tabs(void **state)
{
	(void)state;
	becomes("a\tb\nc\n", TERM_LINES, "a\tb\nc\n");
	becomes("a\r\n\v\f", TERM_LINES, "a\\x0d\n\\x0b\\x0c");
}

static void json_keeps_its_value(void **state)
{
	static const char nasty[] = "a\033\x7f\xc2\x9b\xe2\x80\xae"
				    "\xf3\xa0\x81\x81 \xc3\xbc";
	autobuf struct buf b = buf_make(4096);
	json_t *const doc = json_pack("{s:s}", nasty, nasty);
	char *const text = json_dumps(doc, JSON_INDENT(4));
	json_t *back;

	(void)state;
	term_escape(text, strlen(text), TERM_JSON, &b);
	assert_null(strchr(buf_str(&b), 0x7f));
	assert_null(strstr(buf_str(&b), "\xc2\x9b"));
	assert_non_null(strstr(buf_str(&b), "\\udb40\\udc41"));
	back = json_loads(buf_str(&b), 0, NULL);
	assert_true(json_equal(doc, back));
	json_decref(doc);
	json_decref(back);
	free(text);
	becomes("\xff", TERM_JSON, "\\ufffd");
}

/* No byte string leaves one that a terminal obeys. */
static void every_pair_of_bytes_is_safe(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 0x10000; i++) {
		const char s[] = {(char)(i >> 8), (char)i};
		autobuf struct buf b = buf_make(64);

		term_escape(s, sizeof(s), TERM_LINE, &b);
		for (size_t k = 0; k < b.len; k++) {
			const unsigned char c = (unsigned char)b.p[k];

			assert_true(c >= 0x20 && c != 0x7f);
			/* 0x80 to 0x9f only within a character */
			assert_true(c < 0x80 || c > 0x9f || k > 0);
		}
	}
}

static void a_line_fits_its_room(void **state)
{
	const char s[] = "ab\033\xc3\xbc"
			 "cd";
	char to[TERM_LINE_SIZE(sizeof(s))];

	(void)state;
	assert_string_equal(term_line(s, to, sizeof(to)), "ab\\x1b\xc3\xbc"
							  "cd");
	/* Neither an escape nor a character is cut. */
	assert_string_equal(term_line(s, to, 6), "ab");
	assert_string_equal(term_line(s, to, 7), "ab\\x1b");
	assert_string_equal(term_line(s, to, 8), "ab\\x1b");
	assert_string_equal(term_line(s, to, 9), "ab\\x1b\xc3\xbc");
	assert_string_equal(term_line("", to, 1), "");
}

static void the_room_is_enough_for_any_line(void **state)
{
	char to[TERM_LINE_SIZE(8)];

	(void)state;
	assert_int_equal(
		strlen(term_line("\1\2\3\4\5\6\7\x10", to, sizeof(to))), 32);
	assert_string_equal(
		term_line("\xf3\xa0\x81\x81\xf3\xa0\x81\x82", to, sizeof(to)),
		"\\U000e0041\\U000e0042");
	assert_string_equal(
		term_line("\xc2\x80\xc2\x81\xc2\x82\xc2\x83", to, sizeof(to)),
		"\\u0080\\u0081\\u0082\\u0083");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_that_is_shown_stays),
		cmocka_unit_test(what_a_terminal_obeys_is_escaped),
		cmocka_unit_test(what_is_not_utf8_is_escaped),
		cmocka_unit_test(what_misleads_the_eye_is_escaped),
		cmocka_unit_test(lines_keep_their_ends_and_tabs),
		cmocka_unit_test(json_keeps_its_value),
		cmocka_unit_test(every_pair_of_bytes_is_safe),
		cmocka_unit_test(a_line_fits_its_room),
		cmocka_unit_test(the_room_is_enough_for_any_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
