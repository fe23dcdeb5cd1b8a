/* Which keys leave a container, and that no other key is lost. */
#include "runtime/detach_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/own.h"

static struct detach_keys make(const char *s)
{
	struct detach_keys k;
	struct err e = {0};

	if (detach_keys_parse(s, &k, &e) < 0)
		fail_msg("%s", e.text);
	return k;
}

/* Feed text in pieces of `piece`; true when the sequence came. */
static bool feed(struct detach_keys *k, const char *text, size_t piece,
		 char *out)
{
	const size_t n = strlen(text);
	size_t at = 0;

	for (size_t i = 0; i < n; i += piece) {
		size_t got = 0;
		const bool done =
			detach_keys_feed(k, (const unsigned char *)text + i,
					 n - i < piece ? n - i : piece,
					 (unsigned char *)out + at, &got);

		at += got;
		out[at] = '\0';
		if (done)
			return true;
	}
	out[at] = '\0';
	return false;
}

static void parses(void **state)
{
	static const char *const bad[] = {"ctrl-",   "ctrl-A", "ctrl-pq", "ab",
					  "ctrl-p,", ",a",     "ctrl-1"};
	struct detach_keys k = make("ctrl-p,ctrl-q");
	struct err e = {0};

	(void)state;
	assert_int_equal(k.n, 2);
	assert_int_equal(k.keys[0], 16);
	assert_int_equal(k.keys[1], 17);
	k = make("ctrl-@,ctrl-[,ctrl-_,x");
	assert_int_equal(k.n, 4);
	assert_memory_equal(k.keys, "\0\x1b\x1fx", 4);
	assert_int_equal(make("").n, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (detach_keys_parse(bad[i], &k, &e) == 0)
			fail_msg("taken: '%s'", bad[i]);
		err_clear(&e);
	}
}

static void finds_the_sequence(void **state)
{
	static const struct {
		const char *keys, *typed, *sent;
		bool leaves;
	} cases[] = {
		{"ctrl-p,ctrl-q", "abc\x10\x11xyz", "abc", true},
		{"ctrl-p,ctrl-q", "abc\x10z\x11", "abc\x10z\x11", false},
		{"ctrl-p,ctrl-q", "\x10\x10\x11", "\x10", true},
		{"ctrl-p,ctrl-q", "\x11\x10", "\x11", false},
		{"a,a,b", "xaaab", "xa", true},
		{"a,b,a,c", "ababac", "ab", true},
		{"q", "wq", "w", true},
		{"", "anything \x10\x11", "anything \x10\x11", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		for (size_t piece = 1; piece < 8; piece++) {
			struct detach_keys k = make(cases[i].keys);
			char out[64];

			assert_int_equal(feed(&k, cases[i].typed, piece, out),
					 cases[i].leaves);
			assert_string_equal(out, cases[i].sent);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses),
		cmocka_unit_test(finds_the_sequence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
