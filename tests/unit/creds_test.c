#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "registry/base64.h"
#include "registry/creds.h"
#include "registry/login.h"

static char dir[] = "/tmp/creds-test.XXXXXX";

static void own_creds(struct creds *c)
{
	creds_free(c);
}
#define autocreds __attribute__((cleanup(own_creds)))

static void put(const char *name, const char *text, mode_t mode)
{
	autofree char *path = xasprintf("%s/%s", dir, name);
	struct err e = {0};
	char *const slash = strrchr(path, '/');

	*slash = '\0';
	if (fs_mkdirs_at(AT_FDCWD, path, 0700, &e) < 0)
		fail_msg("%s", e.text);
	*slash = '/';
	if (fs_replace_at(AT_FDCWD, path, text, strlen(text), mode, false, &e) <
	    0)
		fail_msg("%s", e.text);
}

static void set(const char *name, const char *value)
{
	autofree char *path = value ? xasprintf("%s/%s", dir, value) : NULL;

	if (path)
		(void)setenv(name, path, 1);
	else
		(void)unsetenv(name);
}

static int fresh(void **state)
{
	(void)state;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	assert_non_null(mkdtemp(dir));
	set("HOME", "home");
	set("XDG_RUNTIME_DIR", "run");
	set("XDG_CONFIG_HOME", NULL);
	set("DOCKER_CONFIG", NULL);
	set("REGISTRY_AUTH_FILE", NULL);
	return 0;
}

static int clean(void **state)
{
	struct err e = {0};

	(void)state;
	return fs_remove_tree_at(AT_FDCWD, dir, &e);
}

/* "ann:s3cret", "bob:pw" */
#define ANN "{\"auth\":\"YW5uOnMzY3JldA==\"}"
#define BOB "{\"auth\":\"Ym9iOnB3\"}"

/* Who is found in this document; "" for nobody. */
static const char *who(const char *doc, const char *registry,
		       const char *repository)
{
	static char user[64];
	autocreds struct creds c = {0};
	struct err e = {0};

	if (creds_parse(doc, strlen(doc), "f.json", registry, repository, &c,
			&e) < 0)
		fail_msg("%s", e.text);
	(void)snprintf(user, sizeof(user), "%s", c.user ? c.user : "");
	return user;
}

static void the_most_specific_entry_wins(void **state)
{
	static const char doc[] =
		"{\"auths\":{\"r.io\":" ANN ",\"r.io/a/b\":" BOB
		",\"r.io/a\":{\"username\":\"cat\",\"password\":\"x\"},"
		"\"r.io:5000\":{\"username\":\"eve\"}}}";

	(void)state;
	assert_string_equal(who(doc, "r.io", "x"), "ann");
	assert_string_equal(who(doc, "r.io", "a/b"), "bob");
	assert_string_equal(who(doc, "r.io", "a/b/c"), "bob");
	assert_string_equal(who(doc, "r.io", "a/bc"), "cat");
	assert_string_equal(who(doc, "r.io", "a"), "cat");
	assert_string_equal(who(doc, "r.io", "ab"), "ann");
	assert_string_equal(who(doc, "r.io:5000", "a/b"), "eve");
	assert_string_equal(who(doc, "r.i", "a"), "");
	assert_string_equal(who(doc, "xr.io", "a"), "");
	assert_string_equal(who(doc, "R.IO", "x"), "ann");
}

static void docker_hub_has_many_names(void **state)
{
	static const char *const keys[] = {
		"https://index.docker.io/v1/",
		"index.docker.io",
		"docker.io",
		"registry-1.docker.io",
		"https://docker.io",
		"docker.io/library",
	};
	char doc[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		(void)snprintf(doc, sizeof(doc), "{\"auths\":{\"%s\":%s}}",
			       keys[i], ANN);
		assert_string_equal(who(doc, "docker.io", "library/alpine"),
				    "ann");
		assert_string_equal(who(doc, "ghcr.io", "library/alpine"), "");
	}
	assert_string_equal(
		who("{\"auths\":{\"https://r.io/v2/\":" ANN "}}", "r.io", "a"),
		"ann");
}

static void passwords_may_hold_colons(void **state)
{
	/* u:a:b */
	static const char doc[] = "{\"auths\":{\"r.io\":{\"auth\":"
				  "\"dTphOmI=\"}}}";
	autocreds struct creds c = {0};
	struct err e = {0};

	(void)state;
	assert_int_equal(
		creds_parse(doc, strlen(doc), "f", "r.io", "x", &c, &e), 1);
	assert_string_equal(c.password, "a:b");
	autosecret char *basic = creds_basic(&c);
	assert_string_equal(basic, "Basic dTphOmI=");
}

static void errors_hold_no_secrets(void **state)
{
	static const char *const bad[] = {
		"{\"auths\":{\"r.io\":{\"auth\":\"s3cret!\"}}}",
		"{\"auths\":{\"r.io\":{\"auth\":\"czNjcmV0\"}}}",
		"{\"auths\":{\"r.io\":{\"password\":7}}}",
		"{\"auths\":{\"r.io\":{\"auth\":\"s3cret",
		"{\"auths\":[\"s3cret\"]}",
		"{\"auths\":{\"r.io\":\"s3cret\"}}",
		"{\"auths\":{}} s3cret",
		"{\"credHelpers\":{\"r.io\":\"../s3cret\"}}",
		"{\"credsStore\":\"s3cret/x\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		autocreds struct creds c = {0};
		struct err e = {0};

		if (creds_parse(bad[i], strlen(bad[i]), "f.json", "r.io", "x",
				&c, &e) >= 0)
			fail_msg("taken: %s", bad[i]);
		if (strstr(e.text, "s3cret") || strstr(e.text, "czNj"))
			fail_msg("%s", e.text);
	}
}

static const char *found(const char *auth_file)
{
	static char user[64];
	autocreds struct creds c;
	struct err e = {0};

	if (creds_find(auth_file, "r.io", "x", &c, &e) < 0)
		fail_msg("%s", e.text);
	(void)snprintf(user, sizeof(user), "%s", c.user ? c.user : "");
	return user;
}

#define NAMED(user) "{\"auths\":{\"r.io\":{\"username\":\"" user "\"}}}"

static void files_are_asked_in_order(void **state)
{
	(void)state;
	assert_string_equal(found(NULL), "");
	put("home/.docker/config.json", NAMED("docker"), 0600);
	assert_string_equal(found(NULL), "docker");
	put("home/.config/containers/auth.json", NAMED("config"), 0600);
	assert_string_equal(found(NULL), "config");
	put("run/containers/auth.json", NAMED("run"), 0600);
	assert_string_equal(found(NULL), "run");
	/* A file that doesn't know the registry is passed over. */
	put("run/containers/auth.json", "{\"auths\":{\"r.io\":{}}}", 0600);
	assert_string_equal(found(NULL), "config");

	put("other.json", NAMED("env"), 0600);
	set("REGISTRY_AUTH_FILE", "other.json");
	assert_string_equal(found(NULL), "env");
	put("flag.json", NAMED("flag"), 0600);
	autofree char *flag = xasprintf("%s/flag.json", dir);
	assert_string_equal(found(flag), "flag");
	set("REGISTRY_AUTH_FILE", NULL);
	put("elsewhere/config.json", NAMED("moved"), 0600);
	put("home/.config/containers/auth.json", "{}", 0600);
	set("DOCKER_CONFIG", "elsewhere");
	assert_string_equal(found(NULL), "moved");
}

static void a_login_is_for_a_host(void **state)
{
	static const char *const pairs[][2] = {
		{"r.io", "r.io"},
		{"https://r.io:5000/v2/", "r.io:5000"},
		{"http://r.io/team", "r.io"},
		{"[::1]:5000/x", "[::1]:5000"},
		{"https://index.docker.io/v1/", "docker.io"},
		{"registry-1.docker.io", "docker.io"},
		{"https://", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		autofree char *server = login_server(pairs[i][0]);

		assert_string_equal(server, pairs[i][1]);
	}
}

static void a_login_replaces_its_entries_alone(void **state)
{
	struct login l = {.user = xstrdup("u"), .password = xstrdup("a:b")};
	static const char before[] =
		"{\"a\":1.5,\"auths\":{\"http://R.io\":" ANN ",\"r.io/y\":" BOB
		",\"r.io\":{\"auth\":\"\",\"note\":[]}},\"z\":null}";
	static const char after[] =
		"{\"a\":1.5,\"auths\":{\"r.io/y\":" BOB
		",\"r.io\":{\"auth\":\"dTphOmI=\",\"note\":[]}},\"z\":null}";
	autofree char *file = xasprintf("%s/f.json", dir);
	struct err e = {0};
	bool helper = true;

	(void)state;
	put("f.json", before, 0640);
	if (login_keep(file, "r.io", &l, &helper, &e) < 0)
		fail_msg("%s", e.text);
	login_free(&l);
	assert_false(helper);
	autojson json_t *want =
		json_parse(after, sizeof(after) - 1, "want", &e);
	autojson json_t *have = json_load_file(file, 0, NULL);
	assert_true(json_equal(have, want));
	assert_string_equal(found(file), "u");
	assert_int_equal(login_drop(file, "r.io", &e), 1);
	assert_string_equal(found(file), "");
	assert_int_equal(login_drop(file, "r.io", &e), 0);
}

static void a_named_file_has_to_exist(void **state)
{
	autocreds struct creds c;
	struct err e = {0};

	(void)state;
	assert_int_equal(creds_find("/nonexistent/x", "r.io", "x", &c, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
}

static void helper(const char *name, const char *script)
{
	autofree char *path = xasprintf("bin/docker-credential-%s", name);
	autofree char *bin = xasprintf("%s/bin:/usr/bin:/bin", dir);

	put(path, script, 0700);
	(void)setenv("PATH", bin, 1);
}

static int ask(const char *doc, const char *registry, struct creds *c,
	       struct err *e)
{
	return creds_parse(doc, strlen(doc), "f.json", registry, "x", c, e);
}

static void helpers_are_run(void **state)
{
	autocreds struct creds c = {0};
	autocreds struct creds token = {0};
	struct err e = {0};

	(void)state;
	helper("t1", "#!/bin/sh\nread -r s || :\n"
		     "[ \"$1\" = get ] && [ $# = 1 ] || exit 9\n"
		     "echo \"{\\\"ServerURL\\\":\\\"$s\\\","
		     "\\\"Username\\\":\\\"for $s\\\","
		     "\\\"Secret\\\":\\\"pw\\\"}\"\n");
	if (ask("{\"credsStore\":\"t1\"}", "r.io", &c, &e) != 1)
		fail_msg("%s", e.text);
	assert_string_equal(c.user, "for r.io");
	assert_string_equal(c.password, "pw");
	creds_free(&c);
	assert_int_equal(ask("{\"credHelpers\":{\"docker.io\":\"t1\"},"
			     "\"credsStore\":\"none\"}",
			     "docker.io", &c, &e),
			 1);
	assert_string_equal(c.user, "for https://index.docker.io/v1/");

	helper("t2", "#!/bin/sh\necho '{\"Username\":\"<token>\","
		     "\"Secret\":\"idt\"}'\n");
	assert_int_equal(ask("{\"credsStore\":\"t2\"}", "r.io", &token, &e), 1);
	assert_string_equal(token.identity, "idt");
	assert_null(token.user);
}

static void helpers_may_know_nothing_or_fail(void **state)
{
	autocreds struct creds c = {0};
	struct err e = {0};

	(void)state;
	helper("none", "#!/bin/sh\n"
		       "echo 'credentials not found in native keychain'\n"
		       "exit 1\n");
	assert_int_equal(ask("{\"credsStore\":\"none\"}", "r.io", &c, &e), 0);

	helper("bad", "#!/bin/sh\necho 'keychain is locked'\nexit 1\n");
	assert_int_equal(ask("{\"credsStore\":\"bad\"}", "r.io", &c, &e), -1);
	assert_non_null(strstr(e.text, "keychain is locked"));
	err_clear(&e);
	assert_int_equal(ask("{\"credsStore\":\"absent\"}", "r.io", &c, &e),
			 -1);
	assert_non_null(strstr(e.text, "docker-credential-absent: no such"));
	err_clear(&e);

	helper("noise", "#!/bin/sh\necho '{\"Username\":\"a\" s3cret'\n");
	assert_int_equal(ask("{\"credsStore\":\"noise\"}", "r.io", &c, &e), -1);
	assert_null(strstr(e.text, "s3cret"));
	err_clear(&e);

	/* One that never reads and never stops writing. */
	helper("flood", "#!/bin/sh\nexec cat /dev/zero\n");
	assert_int_equal(ask("{\"credsStore\":\"flood\"}", "r.io", &c, &e), -1);
	assert_int_equal(e.kind, ERR_TOOBIG);
}

static void base64_is_strict(void **state)
{
	static const char *const bad[] = {"a",    "aaaaa", "a b=", "YQ==\n",
					  "Y=Q=", "====",  "-_-_"};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < 70; i++) {
		char data[70];

		memset(data, (int)i * 7, i);
		autofree char *text = base64_encode(data, i);
		autofree char *back = base64_decode(text, &n);
		assert_non_null(back);
		assert_int_equal(n, i);
		assert_memory_equal(back, data, i);
	}
	autofree char *unpadded = base64_decode("YQ", &n);
	assert_string_equal(unpadded, "a");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (base64_decode(bad[i], &n))
			fail_msg("taken: %s", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_most_specific_entry_wins),
		cmocka_unit_test(docker_hub_has_many_names),
		cmocka_unit_test(passwords_may_hold_colons),
		cmocka_unit_test(errors_hold_no_secrets),
		cmocka_unit_test_setup_teardown(files_are_asked_in_order, fresh,
						clean),
		cmocka_unit_test(a_login_is_for_a_host),
		cmocka_unit_test_setup_teardown(
			a_login_replaces_its_entries_alone, fresh, clean),
		cmocka_unit_test_setup_teardown(a_named_file_has_to_exist,
						fresh, clean),
		cmocka_unit_test_setup_teardown(helpers_are_run, fresh, clean),
		cmocka_unit_test_setup_teardown(
			helpers_may_know_nothing_or_fail, fresh, clean),
		cmocka_unit_test(base64_is_strict),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
