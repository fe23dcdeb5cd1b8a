#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "registry/auth.h"
#include "registry/challenge.h"
#include "registry/creds.h"
#include "registry/fetch.h"
#include "registry/text.h"
#include "registry/url.h"

/* ---- WWW-Authenticate ---------------------------------------------------- */

static struct challenge parse(const char *s)
{
	struct challenge c = {0};
	/* An exact copy, so that a read past the end is seen. */
	autofree char *copy = xmalloc(strlen(s) + 1);

	memcpy(copy, s, strlen(s));
	challenge_parse(copy, strlen(s), &c);
	return c;
}

static void challenges_are_read(void **state)
{
	struct challenge c;

	(void)state;
	c = parse("Bearer realm=\"https://a/t\",service=\"s x\",scope=\"y,z\"");
	assert_int_equal(c.kind, CHALLENGE_BEARER);
	assert_string_equal(c.realm, "https://a/t");
	assert_string_equal(c.service, "s x");

	c = parse("bearer  REALM = https://a/t , error=\"invalid_token\"");
	assert_int_equal(c.kind, CHALLENGE_BEARER);
	assert_string_equal(c.realm, "https://a/t");
	assert_string_equal(c.error, "invalid_token");

	c = parse("Basic realm=\"a \\\"b\\\" c\"");
	assert_int_equal(c.kind, CHALLENGE_BASIC);
	assert_string_equal(c.realm, "a \"b\" c");

	assert_int_equal(parse("Basic").kind, CHALLENGE_BASIC);
}

static void bearer_goes_before_basic(void **state)
{
	struct challenge c;

	(void)state;
	c = parse("Basic realm=\"b\", Bearer realm=\"https://a/t\"");
	assert_int_equal(c.kind, CHALLENGE_BEARER);
	c = parse("Negotiate abc==, Bearer realm=\"https://a/t\", "
		  "Basic realm=\"b\"");
	assert_int_equal(c.kind, CHALLENGE_BEARER);
	assert_string_equal(c.realm, "https://a/t");
	c = parse("Bearer service=\"x\", Basic realm=\"b\"");
	assert_int_equal(c.kind, CHALLENGE_BASIC);
}

static void broken_challenges_are_none(void **state)
{
	static const char *const bad[] = {
		"",
		",",
		"Bearer",
		"Bearer realm=",
		"Bearer realm=\"\"",
		"Bearer realm=\"https://a",
		"Bearer realm=\"https://a\\",
		"Bearer realm=\"https://a\r\nX: y\"",
		"Bearer realm=\"https://a\" ;",
		"Digest realm=\"x\"",
		"=",
		"\"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (parse(bad[i]).kind != CHALLENGE_NONE)
			fail_msg("taken: %s", bad[i]);
	}
}

static void a_realm_without_end_is_refused(void **state)
{
	char s[4096];

	(void)state;
	memset(s, 'a', sizeof(s));
	memcpy(s, "Bearer realm=\"", 14);
	s[sizeof(s) - 2] = '"';
	s[sizeof(s) - 1] = '\0';
	assert_int_equal(parse(s).kind, CHALLENGE_NONE);
}

/* ---- realms -------------------------------------------------------------- */

static bool realm_ok(const char *registry, const char *peer, const char *realm)
{
	const struct regconf conf = {0};
	autourl struct url r = {0};
	autourl struct url o = {0};
	struct err e = {0};
	bool only_public = false;

	assert_int_equal(url_parse(registry, &o, &e), 0);
	assert_int_equal(url_parse(realm, &r, &e), 0);
	if (auth_check_realm(&conf, &o, peer, &r, &only_public, &e) < 0) {
		assert_int_equal(e.kind, ERR_AUTH);
		return false;
	}
	assert_int_equal(only_public,
			 !host_is_private(peer) && !host_is_private(o.host));
	return true;
}

static void realms_may_not_lead_inside(void **state)
{
	static const char *const private[] = {
		"https://10.0.0.1/t",          "https://172.16.0.1/t",
		"https://172.31.9.9/t",        "https://192.168.1.1/t",
		"https://100.64.0.1/t",        "https://[fd00::1]/t",
		"https://[::ffff:10.0.0.1]/t",
	};
	static const char *const loopback[] = {
		"https://127.0.0.1/t",   "https://127.1/t",
		"https://2130706433/t",  "https://0x7f000001/t",
		"https://localhost/t",   "https://localhost./t",
		"https://x.localhost/t", "https://0.0.0.0/t",
		"https://[::1]/t",       "https://[::]/t",
	};
	static const char *const link_local[] = {
		"https://169.254.169.254/t",
		"https://[fe80::1]/t",
		"https://[fd00:ec2::254]/t",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(private); i++) {
		if (realm_ok("https://ghcr.io/", "140.82.1.1", private[i]))
			fail_msg("taken: %s", private[i]);
		if (!realm_ok("https://reg.lan/", "10.1.1.1", private[i]))
			fail_msg("refused inside: %s", private[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(loopback); i++) {
		if (realm_ok("https://ghcr.io/", "140.82.1.1", loopback[i]) ||
		    realm_ok("https://reg.lan/", "10.1.1.1", loopback[i]) ||
		    realm_ok("https://reg.lan/", "", loopback[i]))
			fail_msg("taken: %s", loopback[i]);
		if (!realm_ok("https://reg.lan/", "127.0.0.1", loopback[i]))
			fail_msg("refused here: %s", loopback[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(link_local); i++) {
		if (realm_ok("https://ghcr.io/", "140.82.1.1", link_local[i]) ||
		    realm_ok("https://reg.lan/", "10.1.1.1", link_local[i]) ||
		    realm_ok("http://reg.lan/", "127.0.0.1", link_local[i]))
			fail_msg("taken: %s", link_local[i]);
	}
	assert_true(realm_ok("https://169.254.1.1/", "169.254.1.1",
			     "https://169.254.1.1:81/t"));
	assert_true(realm_ok("https://ghcr.io/", "140.82.1.1",
			     "https://auth.example.com/t"));
	assert_true(realm_ok("https://ghcr.io/", "140.82.1.1",
			     "https://172.32.0.1/t"));
	assert_false(
		realm_ok("https://ghcr.io/", "140.82.1.1", "http://ghcr.io/t"));
	assert_true(
		realm_ok("http://reg.lan/", "10.0.0.1", "http://reg.lan:81/t"));
	assert_false(realm_ok("http://reg.lan/", "10.0.0.1",
			      "http://elsewhere.com/t"));
}

/* ---- URLs ---------------------------------------------------------------- */

static void origins_are_compared(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		bool same;
	} pairs[] = {
		{"https://a/x", "https://a:443/y?z", true},
		{"https://a/", "https://A/", true},
		{"http://a/", "https://a/", false},
		{"https://a/", "https://a:444/", false},
		{"https://a/", "https://a.b/", false},
		{"http://127.0.0.1/", "http://127.1/", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		autourl struct url a = {0};
		autourl struct url b = {0};
		struct err e = {0};

		assert_int_equal(url_parse(pairs[i].a, &a, &e), 0);
		assert_int_equal(url_parse(pairs[i].b, &b, &e), 0);
		assert_int_equal(url_same_origin(&a, &b), pairs[i].same);
	}
}

static void shown_urls_hide_the_query(void **state)
{
	autourl struct url u = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(url_parse("https://a/b?sig=geheim#f", &u, &e), 0);
	assert_string_equal(u.shown, "https://a/b");
	assert_string_equal(u.text, "https://a/b?sig=geheim");
	assert_int_equal(url_add_query(&u, "scope", "a:b c&d", &e), 0);
	assert_string_equal(u.text, "https://a/b?sig=geheim&scope=a%3ab+c%26d");
}

static void odd_urls_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"a",
		"ftp://a/",
		"file:///x",
		"http://",
		"http:///x",
		"http://u@a/",
		"http://u:p@a/",
		"http://a:0/",
		"http://a:x/",
		"http://a:99999/",
		"gopher://a/",
		"//a/b",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		autourl struct url u = {0};
		struct err e = {0};

		if (url_parse(bad[i], &u, &e) == 0)
			fail_msg("taken: %s", bad[i]);
	}
}

/* ---- small things of the protocol ---------------------------------------- */

static void ranges_are_read_strictly(void **state)
{
	static const char *const bad[] = {
		"",
		"bytes",
		"bytes ",
		"bytes */5",
		"bytes 1-2",
		"bytes 1-/3",
		"bytes -2/3",
		"1-2/3",
		"bytes 1-2/",
		"bytes 1-2/x",
		"bytes 1 -2/3",
		"bytes 0x1-2/3",
		"bytes 1-2/3 ",
		"bytes=1-2/3",
	};
	uint64_t a;
	uint64_t b;
	uint64_t c;

	(void)state;
	assert_true(fetch_parse_range("bytes 5-9/10", &a, &b, &c));
	assert_int_equal(a, 5);
	assert_int_equal(b, 9);
	assert_int_equal(c, 10);
	assert_true(fetch_parse_range("bytes 5-9/*", &a, &b, &c));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (fetch_parse_range(bad[i], &a, &b, &c))
			fail_msg("taken: %s", bad[i]);
	}
}

static void retry_after_is_seconds_or_a_date(void **state)
{
	(void)state;
	assert_int_equal(retry_after_seconds("17", 0), 17);
	assert_int_equal(retry_after_seconds("", 0), -1);
	assert_int_equal(retry_after_seconds("soon", 0), -1);
	assert_int_equal(retry_after_seconds("-5", 0), -1);
	/* 784111777, the example of RFC 9110. */
	assert_int_equal(
		retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT", 784111770),
		7);
	assert_int_equal(
		retry_after_seconds("Sun, 06 Nov 1994 08:49:37 GMT", 784111790),
		0);
}

static void error_bodies_are_read(void **state)
{
	static const struct {
		const char *body;
		const char *type;
		const char *text;
	} cases[] = {
		{"{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}", "",
		 "DENIED: no"},
		{"{\"errors\":[{\"code\":\"DENIED\"}]}", "", "DENIED"},
		{"{\"errors\":[]}", "", ""},
		{"{\"errors\":[7]}", "", ""},
		{"{\"details\":\"bad password\"}", "", "bad password"},
		{"<html><body>x", "text/plain", "a web page"},
		{"x", "text/html; charset=utf-8", "a web page"},
		{"plain\n\twords\x1b[1m", "text/plain", "plain words?[1m"},
		{"{broken", "", ""},
		{"", "", ""},
	};
	char buf[TEXT_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		assert_string_equal(text_of_error(cases[i].body,
						  strlen(cases[i].body),
						  cases[i].type, buf),
				    cases[i].text);
}

static void tokens_are_taken_from_either_name(void **state)
{
	static const char *const good[] = {
		"{\"token\":\"abc\"}",
		"{\"access_token\":\"abc\",\"expires_in\":3}",
		"{\"token\":\"abc\",\"access_token\":\"def\"}",
		"{\"token\":\"\",\"access_token\":\"abc\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		autosecret char *header = NULL;
		struct err e = {0};

		if (auth_parse_token(good[i], strlen(good[i]), &header, &e) < 0)
			fail_msg("%s: %s", good[i], e.text);
		assert_string_equal(header, "Bearer abc");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(challenges_are_read),
		cmocka_unit_test(bearer_goes_before_basic),
		cmocka_unit_test(broken_challenges_are_none),
		cmocka_unit_test(a_realm_without_end_is_refused),
		cmocka_unit_test(realms_may_not_lead_inside),
		cmocka_unit_test(origins_are_compared),
		cmocka_unit_test(shown_urls_hide_the_query),
		cmocka_unit_test(odd_urls_are_refused),
		cmocka_unit_test(ranges_are_read_strictly),
		cmocka_unit_test(retry_after_is_seconds_or_a_date),
		cmocka_unit_test(error_bodies_are_read),
		cmocka_unit_test(tokens_are_taken_from_either_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
