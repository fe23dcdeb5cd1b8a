/* Signals by name and by number. */
#include "base/signame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#include "base/own.h"

static void words_that_are_signals(void **state)
{
	static const struct {
		const char *word;
		int sig;
	} rows[] = {
		{"TERM", SIGTERM},
		{"SIGTERM", SIGTERM},
		{"sigterm", SIGTERM},
		{"Kill", SIGKILL},
		{"15", 15},
		{"1", 1},
		{"64", 64},
		{"HUP", SIGHUP},
		{"SIGWINCH", SIGWINCH},
		{"IOT", SIGABRT},
		{"POLL", SIGIO},
		{"RTMIN", 34},
		{"SIGRTMIN+3", 37},
		{"rtmin+0", 34},
		{"RTMIN+30", 64},
		{"RTMAX", 64},
		{"RTMAX-30", 34},
		{"sigrtmax-1", 63},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int sig = -1;

		if (!signame_parse(rows[i].word, &sig) || sig != rows[i].sig)
			fail_msg("'%s' gives %d", rows[i].word, sig);
	}
}

static void words_that_are_not(void **state)
{
	static const char *const words[] = {
		"",           "NOPE",    "SIG",
		"SIGSIGTERM", "0",       "65",
		"-1",         "+9",      "9 ",
		" 9",         "0x9",     "TERM ",
		"RTMIN+31",   "RTMIN-1", "RTMAX+1",
		"RTMAX-31",   "RTMIN+",  "RTMIN+-1",
		"RTMIN+1x",   "RTMINX",  "99999999999999999999",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		int sig = -7;

		if (signame_parse(words[i], &sig))
			fail_msg("'%s' gives %d", words[i], sig);
		assert_int_equal(sig, -7);
	}
}

static void every_name_leads_back(void **state)
{
	char buf[SIGNAME_MAX];

	(void)state;
	for (int sig = 1; sig <= 64; sig++) {
		int back = -1;

		/* 32 and 33 are the C library's and have no name. */
		if (sig == 32 || sig == 33)
			continue;
		assert_true(signame_parse(signame_text(sig, buf), &back));
		assert_int_equal(back, sig);
	}
	assert_string_equal(signame_text(SIGABRT, buf), "SIGABRT");
	assert_string_equal(signame_text(37, buf), "SIGRTMIN+3");
	assert_string_equal(signame_text(64, buf), "SIGRTMAX");
	assert_string_equal(signame_text(99, buf), "signal 99");
	assert_string_equal(signame_text(0, buf), "signal 0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_that_are_signals),
		cmocka_unit_test(words_that_are_not),
		cmocka_unit_test(every_name_leads_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
