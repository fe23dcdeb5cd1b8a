#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/ref.h"

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void is(const char *s, const char *full, const char *familiar)
{
	char buf[REF_TEXT_MAX];
	struct err e = {0};
	struct ref r;

	if (ref_parse(s, &r, &e) < 0)
		fail_msg("'%s': %s", s, e.text);
	assert_string_equal(ref_text(&r, buf), full);
	assert_string_equal(ref_familiar(&r, buf), familiar);
	/* What we print must come back as the same. */
	assert_int_equal(ref_parse(buf, &r, &e), 0);
	assert_string_equal(ref_text(&r, buf), full);
}

static void names_are_normalised_as_docker_does(void **state)
{
	(void)state;
	is("alpine", "docker.io/library/alpine:latest", "alpine:latest");
	is("alpine:3.20", "docker.io/library/alpine:3.20", "alpine:3.20");
	is("user/app", "docker.io/user/app:latest", "user/app:latest");
	is("docker.io/alpine", "docker.io/library/alpine:latest",
	   "alpine:latest");
	is("index.docker.io/library/a:1", "docker.io/library/a:1", "a:1");
	is("localhost/x", "localhost/x:latest", "localhost/x:latest");
	is("localhost:5000/x", "localhost:5000/x:latest",
	   "localhost:5000/x:latest");
	is("localhost:5000", "docker.io/library/localhost:5000",
	   "localhost:5000");
	is("[::1]:5000/x:t", "[::1]:5000/x:t", "[::1]:5000/x:t");
	is("127.0.0.1:5000/a/b/c", "127.0.0.1:5000/a/b/c:latest",
	   "127.0.0.1:5000/a/b/c:latest");
	is("Host/x", "Host/x:latest", "Host/x:latest");
	is("a.b/c", "a.b/c:latest", "a.b/c:latest");
	is("a_b/c", "docker.io/a_b/c:latest", "a_b/c:latest");
	is("a__b-c---d.e", "docker.io/library/a__b-c---d.e:latest",
	   "a__b-c---d.e:latest");
	is("x:_T.-9", "docker.io/library/x:_T.-9", "x:_T.-9");
	is("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest");
}

static void digests_stand_beside_tags(void **state)
{
	struct err e = {0};
	struct ref r;

	(void)state;
	is("ghcr.io/a/b@sha256:" HEX64, "ghcr.io/a/b@sha256:" HEX64,
	   "ghcr.io/a/b@sha256:" HEX64);
	is("a:t@sha256:" HEX64, "docker.io/library/a:t@sha256:" HEX64,
	   "a:t@sha256:" HEX64);
	assert_int_equal(ref_parse("a@sha256:" HEX64, &r, &e), 0);
	assert_string_equal(r.tag, "");
	assert_true(digest_is_set(&r.digest));
}

/*
 * What is left out of a shown name must be what ref_parse adds, also without
 * its tag: every combination of these parts.
 */
static void shown_names_mean_the_same(void **state)
{
	static const char *const hosts[] = {
		"",           "docker.io/",     "index.docker.io/",
		"Docker.io/", "x.docker.io/",   "localhost/",
		"a.b:80/",    "docker.io:443/", "[::1]:5/",
	};
	static const char *const parts[] = {
		"a",
		"library",
		"localhost",
		"docker.io",
		"index.docker.io",
		"x.docker.io",
		"a.b",
		HEX64,
	};
	static const char *const ends[] = {
		"", ":t", ":Latest", "@sha256:" HEX64, ":t@sha256:" HEX64,
	};
	const size_t n = sizeof(parts) / sizeof(parts[0]);
	size_t tried = 0;

	(void)state;
	for (size_t i = 0; i < 5 * 9 * (n + n * n + n * n * n); i++) {
		const char *const end = ends[i % 5];
		const char *const host = hosts[i / 5 % 9];
		const size_t path = i / 45;
		char in[REF_TEXT_MAX], full[REF_TEXT_MAX], again[REF_TEXT_MAX];
		char shown[REF_TEXT_MAX];
		struct err e = {0};
		struct ref r, back;

		if (path < n)
			(void)snprintf(in, sizeof(in), "%s%s%s", host,
				       parts[path], end);
		else if (path < n + n * n)
			(void)snprintf(in, sizeof(in), "%s%s/%s%s", host,
				       parts[(path - n) / n],
				       parts[(path - n) % n], end);
		else
			(void)snprintf(in, sizeof(in), "%s%s/%s/%s%s", host,
				       parts[(path - n - n * n) / n / n],
				       parts[(path - n - n * n) / n % n],
				       parts[(path - n - n * n) % n], end);
		if (ref_parse(in, &r, &e) < 0)
			continue;
		tried++;
		(void)ref_text(&r, full);
		(void)ref_familiar(&r, shown);
		if (ref_parse(shown, &back, &e) < 0 ||
		    strcmp(ref_text(&back, again), full) != 0)
			fail_msg("'%s' is shown as '%s'", full, shown);
		(void)ref_familiar_name(&r, shown);
		if (ref_parse(shown, &back, &e) < 0 ||
		    strcmp(back.registry, r.registry) != 0 ||
		    strcmp(back.repository, r.repository) != 0)
			fail_msg("'%s' has the name '%s'", full, shown);
	}
	assert_true(tried > 20000);
}

static void hub_names_keep_their_registry_where_it_matters(void **state)
{
	(void)state;
	is("docker.io/x.docker.io/foo", "docker.io/x.docker.io/foo:latest",
	   "docker.io/x.docker.io/foo:latest");
	is("docker.io/localhost/x:1", "docker.io/localhost/x:1",
	   "docker.io/localhost/x:1");
	is("index.docker.io/index.docker.io/a",
	   "docker.io/index.docker.io/a:latest",
	   "docker.io/index.docker.io/a:latest");
	is("docker.io/library/a.b/c", "docker.io/library/a.b/c:latest",
	   "library/a.b/c:latest");
	is("docker.io/library/localhost", "docker.io/library/localhost:latest",
	   "localhost:latest");
	is("docker.io/library/a.b", "docker.io/library/a.b:latest",
	   "a.b:latest");
}

static void bad_names_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"/",
		"/a",
		"a/",
		"a//b",
		"a:",
		":a",
		"@",
		"a@",
		"a@sha256:12",
		"a@md5:0123456789abcdef0123456789abcdef",
		"a@sha256:" HEX64 "@sha256:" HEX64,
		"Alpine",
		"user/App",
		"host.x/A",
		"https://ghcr.io/a",
		"a..b",
		"a___b",
		"-a",
		"a-",
		"_a",
		".a",
		"..",
		"../a",
		"a/../b",
		"host.x/..",
		"./a.b",
		".../a",
		"-.x/a",
		"a.-b/c",
		"host.:5/a",
		"host:0/a",
		"host:65536/a",
		"host:/a",
		"host:1x/a",
		"[::1/a",
		"[::1]x/a",
		"[g::1]:5/a",
		"u:p@host.x/a",
		"a b",
		"a\nb",
		"a:-t",
		"a:.t",
		"a:t/",
		"a:t:u",
		"a\xc3\xa4",
		HEX64,
	};
	struct ref r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = {0};

		if (ref_parse(bad[i], &r, &e) == 0)
			fail_msg("accepted: '%s'", bad[i]);
		assert_true(err_is(&e));
		assert_null(strchr(e.text, '\n'));
	}
}

static void lengths_are_bounded(void **state)
{
	char s[2048];
	struct err e = {0};
	struct ref r;

	(void)state;
	for (size_t n = 1; n < sizeof(s); n++) {
		memset(s, 'a', n);
		s[n] = '\0';
		err_clear(&e);
		/* 64 times 'a' is an id; "library/" counts. */
		assert_int_equal(ref_parse(s, &r, &e) == 0,
				 n != 64 && n <= 255 - 8);
	}
	memset(s, 'a', 300);
	memcpy(s, "a:", 2);
	s[2 + 128] = '\0';
	err_clear(&e);
	assert_int_equal(ref_parse(s, &r, &e), 0);
	memset(s + 2, 'a', 129);
	s[2 + 129] = '\0';
	assert_int_equal(ref_parse(s, &r, &e), -1);
}

static void a_url_gets_a_hint(void **state)
{
	struct err e = {0};
	struct ref r;

	(void)state;
	assert_int_equal(ref_parse("https://ghcr.io/a", &r, &e), -1);
	assert_string_equal(e.hint, "leave out 'https://'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_normalised_as_docker_does),
		cmocka_unit_test(digests_stand_beside_tags),
		cmocka_unit_test(shown_names_mean_the_same),
		cmocka_unit_test(
			hub_names_keep_their_registry_where_it_matters),
		cmocka_unit_test(bad_names_are_refused),
		cmocka_unit_test(lengths_are_bounded),
		cmocka_unit_test(a_url_gets_a_hint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
