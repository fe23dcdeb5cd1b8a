#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/own.h"
#include "registry/endpoint.h"
#include "registry/regconf.h"

static struct regconf parse(const char *s)
{
	struct regconf c = {0};
	struct err e = {0};

	if (regconf_parse(s, strlen(s), "c.json", &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static void dockers_words_are_understood(void **state)
{
	struct regconf c = parse(
		"{\"registry-mirrors\":[\"https://m1/\",\"http://m2:5000\"],"
		"\"insecure-registries\":[\"r:5000\"],\"live-restore\":true}");

	(void)state;
	assert_int_equal(c.n_mirrors, 2);
	assert_string_equal(c.mirrors[0].registry, "docker.io");
	assert_string_equal(c.mirrors[0].url, "https://m1");
	assert_string_equal(c.mirrors[1].url, "http://m2:5000");
	assert_true(regconf_is_insecure(&c, "r:5000"));
	assert_true(regconf_is_insecure(&c, "R:5000"));
	assert_false(regconf_is_insecure(&c, "r:5001"));
	assert_false(regconf_is_insecure(&c, "r"));
	regconf_free(&c);
	regconf_free(&c);
}

static void mirrors_for_every_registry(void **state)
{
	struct regconf c = parse("{\"registry-mirrors\":{"
				 "\"index.docker.io\":[\"https://a\"],"
				 "\"ghcr.io\":[\"https://b/p/\"]}}");
	struct endpoints s;

	(void)state;
	assert_string_equal(c.mirrors[0].registry, "docker.io");
	endpoints_make(&c, "ghcr.io", &s);
	assert_int_equal(s.n, 2);
	assert_string_equal(s.v[0].server, "b");
	assert_string_equal(s.v[0].rest, "b/p");
	assert_true(s.v[0].tls);
	assert_string_equal(s.v[1].rest, "ghcr.io");
	assert_true(s.v[1].tls);
	assert_int_equal(s.v[1].probe, PROBE_SETTLED);
	endpoints_free(&s);

	endpoints_make(&c, "docker.io", &s);
	assert_string_equal(s.v[1].server, "docker.io");
	assert_string_equal(s.v[1].rest, "registry-1.docker.io");
	endpoints_free(&s);
	regconf_free(&c);
}

static void networks_hold_addresses_only(void **state)
{
	struct regconf c =
		parse("{\"insecure-registries\":[\"10.1.0.0/16\","
		      "\"192.168.4.0/22\",\"fd00::/8\",\"0.0.0.1/33\","
		      "\"host/8\",\"1.2.3.4/\"]}");
	static const struct {
		const char *registry;
		bool insecure;
	} cases[] = {
		{"10.1.2.3", true},
		{"10.1.2.3:5000", true},
		{"10.2.0.1", false},
		{"192.168.7.255", true},
		{"192.168.8.0", false},
		{"[fd12::1]:5000", true},
		{"[fe12::1]:5000", false},
		{"host", false},
		{"1.2.3.4", false},
		{"0.0.0.1", false},
		{"10.1.2.3.example.com", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (regconf_is_insecure(&c, cases[i].registry) !=
		    cases[i].insecure)
			fail_msg("%s", cases[i].registry);
	}
	regconf_free(&c);
}

static void errors_name_file_and_key(void **state)
{
	static const struct {
		const char *text;
		const char *part;
	} bad[] = {
		{"{", "c.json: not valid JSON"},
		{"[]", "c.json: not an object"},
		{"{\"registry-mirrors\":\"x\"}",
		 "c.json.registry-mirrors: not an array"},
		{"{\"registry-mirrors\":[7]}",
		 "c.json.registry-mirrors[0]: not a string"},
		{"{\"registry-mirrors\":[\"https://a\",\"b:5000\"]}",
		 "c.json.registry-mirrors[1]"},
		{"{\"registry-mirrors\":[\"https://u:p@a\"]}",
		 "c.json.registry-mirrors[0]"},
		{"{\"registry-mirrors\":[\"https://a?b\"]}",
		 "c.json.registry-mirrors[0]"},
		{"{\"registry-mirrors\":{\"x\":7}}",
		 "c.json.registry-mirrors.x: not an array"},
		{"{\"insecure-registries\":{}}",
		 "c.json.insecure-registries: not an array"},
		{"{\"insecure-registries\":[\"\"]}",
		 "c.json.insecure-registries[0]: empty"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct regconf c = {0};
		struct err e = {0};

		if (regconf_parse(bad[i].text, strlen(bad[i].text), "c.json",
				  &c, &e) == 0)
			fail_msg("taken: %s", bad[i].text);
		if (!strstr(e.text, bad[i].part))
			fail_msg("'%s' not in '%s'", bad[i].part, e.text);
	}
}

static void a_named_file_has_to_exist(void **state)
{
	struct regconf c;
	struct err e = {0};

	(void)state;
	assert_int_equal(regconf_load("/nonexistent/c.json", &c, &e), -1);
	err_clear(&e);
	(void)setenv("PRISM_CONFIG", "/nonexistent/d.json", 1);
	assert_int_equal(regconf_load(NULL, &c, &e), -1);
	assert_non_null(strstr(e.text, "d.json"));
	(void)unsetenv("PRISM_CONFIG");
}

static struct endpoint only(const struct regconf *c, const char *registry)
{
	struct endpoints s;
	struct endpoint p;

	endpoints_make(c, registry, &s);
	assert_int_equal(s.n, 1);
	p = s.v[0];
	endpoints_free(&s);
	return p;
}

static void plain_http_is_only_for_few(void **state)
{
	struct regconf c = parse("{\"insecure-registries\":[\"lan:5000\"]}");

	(void)state;
	assert_int_equal(only(&c, "ghcr.io").probe, PROBE_SETTLED);
	assert_int_equal(only(&c, "10.0.0.1:5000").probe, PROBE_SETTLED);
	assert_int_equal(only(&c, "127.0.0.1.evil.com").probe, PROBE_SETTLED);
	assert_int_equal(only(&c, "localhost.evil.com").probe, PROBE_SETTLED);
	assert_false(only(&c, "localhost:5000").tls);
	assert_false(only(&c, "127.9.9.9").tls);
	assert_false(only(&c, "[::1]:5000").tls);
	assert_true(only(&c, "lan:5000").tls);
	assert_int_equal(only(&c, "lan:5000").probe, PROBE_FIRST);
	regconf_free(&c);
}

static void the_scheme_is_found_out_once(void **state)
{
	struct endpoint p = {.has_port = true, .probe = PROBE_FIRST};

	(void)state;
	/* Plain does not work: TLS; neither does: plain again, for good. */
	assert_true(endpoint_failed(&p, false, FAILURE_NOT_HTTP));
	assert_true(p.tls);
	/* Another transfer that still used the first scheme. */
	assert_true(endpoint_failed(&p, false, FAILURE_NOT_HTTP));
	assert_true(p.tls);
	assert_true(endpoint_failed(&p, true, FAILURE_TLS));
	assert_false(p.tls);
	assert_false(endpoint_failed(&p, false, FAILURE_NOT_HTTP));

	/* A certificate that is not trusted is no reason to do without. */
	p = (struct endpoint){.tls = true, .probe = PROBE_FIRST};
	assert_false(endpoint_failed(&p, true, FAILURE_CERTIFICATE));
	assert_true(p.tls);
	assert_false(endpoint_failed(&p, true, FAILURE_TLS));
	assert_true(p.tls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dockers_words_are_understood),
		cmocka_unit_test(mirrors_for_every_registry),
		cmocka_unit_test(networks_hold_addresses_only),
		cmocka_unit_test(errors_name_file_and_key),
		cmocka_unit_test(a_named_file_has_to_exist),
		cmocka_unit_test(plain_http_is_only_for_few),
		cmocka_unit_test(the_scheme_is_found_out_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
