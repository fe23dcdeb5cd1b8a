/*
 * The registry library against a registry that misbehaves: tokens,
 * credentials, redirects, TLS, mirrors.
 */
#include "registry/http.h"
#include "registry/reach.h"
#include "tests/registry/rig.c"

static struct rig *rig;

static int up(void **state)
{
	(void)state;
	rig = rig_up();
	return 0;
}

static int down(void **state)
{
	(void)state;
	rig_down(rig);
	return 0;
}

static void shows(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text);
}

static void hides(const char *text, const char *secret)
{
	if (strstr(text, secret))
		fail_msg("'%s' is in '%s'", secret, text);
}

static int manifest_of(const struct ref *ref, struct err *e)
{
	autobuf struct buf b = buf_make(0);
	struct digest d;
	char type[128];

	return registry_manifest(rig->registry, ref, NULL, &b, type, &d, e);
}

static void works(const struct ref *ref)
{
	struct err e = {0};

	if (manifest_of(ref, &e) < 0)
		fail_msg("%s", e.text);
}

static struct err fails(const struct ref *ref, enum err_kind kind,
			const char *part)
{
	struct err e = {0};

	if (manifest_of(ref, &e) == 0)
		fail_msg("it works");
	shows(e.text, part);
	assert_int_equal(e.kind, kind);
	return e;
}

/* The manifest and the three layers. */
static int pull(const struct ref *ref, struct err *e)
{
	struct rig_blob b[3];
	int rc;

	if (manifest_of(ref, e) < 0)
		return -1;
	memset(b, 0, sizeof(b));
	for (size_t i = 0; i < 3; i++)
		b[i].desc = rig_layer(rig, i);
	rc = rig_fetch(rig, ref, b, 3, 0, e);
	for (size_t i = 0; i < 3; i++)
		rig_blob_free(&b[i]);
	return rc;
}

static void pulls(const struct ref *ref)
{
	struct err e = {0};

	if (pull(ref, &e) < 0)
		fail_msg("%s", e.text);
}

/* Field `key` of the first request whose path holds `path`. */
static void logged(const char *path, const char *key, char ret[512])
{
	autojson json_t *log = rig_log(rig);
	const json_t *entry;
	size_t i;

	json_array_foreach(log, i, entry)
	{
		if (!strstr(json_string_value(json_object_get(entry, "path")),
			    path))
			continue;
		(void)snprintf(ret, 512, "%s",
			       json_string_value(json_object_get(entry, key)));
		return;
	}
	fail_msg("no request for %s", path);
}

static const char *auth_file(const char *entry)
{
	char text[1024];

	(void)snprintf(text, sizeof(text), "{\"auths\":{\"127.0.0.1:%d\":%s}}",
		       rig_port(rig, "main"), entry);
	return rig_file(rig, "auth.json", text);
}

/* ---- tokens -------------------------------------------------------------- */

static void one_token_serves_a_pull(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	char path[512];

	(void)state;
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\"}}");
	pulls(&ref);
	assert_int_equal(rig_count(rig, "/token"), 1);
	assert_int_equal(rig_count(rig, "/manifests/"), 2);
	assert_int_equal(rig_count(rig, "/blobs/"), 3);
	logged("/token", "path", path);
	shows(path, "service=fake");
	shows(path, "scope=repository%3arepo%2fx%3apull");

	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\","
		     "\"token_key\":\"access_token\"}}");
	pulls(&ref);
}

static void credentials_go_to_the_token_server_only(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	autojson json_t *log = NULL;
	const json_t *entry;
	size_t i;

	(void)state;
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\",\"user\":\"ann\","
		     "\"password\":\"s3cret\"}}");
	/* ann:s3cret */
	rig_open(rig, NULL, auth_file("{\"auth\":\"YW5uOnMzY3JldA==\"}"), 0);
	pulls(&ref);
	log = rig_log(rig);
	json_array_foreach(log, i, entry)
	{
		const char *const path =
			json_string_value(json_object_get(entry, "path"));
		const char *const auth =
			json_string_value(json_object_get(entry, "auth"));

		if (!strncmp(path, "/token", 6))
			assert_string_equal(auth, "Basic YW5uOnMzY3JldA==");
		else
			assert_null(strstr(auth, "Basic"));
	}
}

static void refused_credentials_name_their_file(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	struct err e;

	(void)state;
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\",\"user\":\"ann\","
		     "\"password\":\"other\"}}");
	rig_open(rig, NULL, auth_file("{\"auth\":\"YW5uOnMzY3JldA==\"}"), 0);
	e = fails(&ref, ERR_AUTH, "incorrect username or password");
	shows(e.text, "auth.json");
	hides(e.text, "s3cret");
	hides(e.text, "YW5u");
	assert_int_equal(rig_count(rig, "/token"), 1);

	rig_set(rig, "{\"auth\":{\"kind\":\"basic\",\"user\":\"ann\","
		     "\"password\":\"other\"}}");
	rig_open(rig, NULL, auth_file("{\"auth\":\"YW5uOnMzY3JldA==\"}"), 0);
	e = fails(&ref, ERR_AUTH, "log in first");
	hides(e.text, "s3cret");
	assert_int_equal(rig_count(rig, "/manifests/"), 2);
}

static void an_identity_token_goes_by_post(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	char text[512];

	(void)state;
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\",\"identity\":"
		     "\"idt+/=&\",\"token_key\":\"access_token\"}}");
	rig_open(rig, NULL, auth_file("{\"identitytoken\":\"idt+/=&\"}"), 0);
	pulls(&ref);
	logged("/token", "method", text);
	assert_string_equal(text, "POST");
	logged("/token", "path", text);
	hides(text, "idt");
	logged("/token", "body", text);
	shows(text, "grant_type=refresh_token");
	shows(text, "refresh_token=idt%2B%2F%3D%26");
}

static void an_identity_token_is_not_redirected(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");

	(void)state;
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\",\"identity\":\"idt\"},"
		     "\"rules\":[{\"path\":\"main /token\",\"redirect\":"
		     "\"{other}/token\"}]}");
	rig_open(rig, NULL, auth_file("{\"identitytoken\":\"idt\"}"), 0);
	(void)fails(&ref, ERR_AUTH,
		    "a redirect with credentials to another host");
	assert_int_equal(rig_count(rig, "/token"), 1);
}

static void basic_works_and_needs_credentials(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");

	(void)state;
	rig_set(rig, "{\"auth\":{\"kind\":\"basic\",\"user\":\"ann\","
		     "\"password\":\"s3cret\"}}");
	(void)fails(&ref, ERR_AUTH, "user name and password");
	rig_open(rig, NULL, auth_file("{\"auth\":\"YW5uOnMzY3JldA==\"}"), 0);
	pulls(&ref);
}

static void a_token_that_runs_out_is_renewed(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");

	(void)state;
	/* Each of the first two blob requests makes all tokens void. */
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\"},\"rules\":["
		     "{\"path\":\"/blobs/\",\"times\":2,\"expire\":true}]}");
	pulls(&ref);
	assert_in_range(rig_count(rig, "/token"), 2, 3);
}

static void a_token_that_is_never_taken_is_an_error(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");

	(void)state;
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\"},\"rules\":["
		     "{\"path\":\"/manifests/\",\"expire\":true}]}");
	(void)fails(&ref, ERR_AUTH, "not authorised (HTTP 401)");
	assert_int_equal(rig_count(rig, "/token"), 1);
	assert_int_equal(rig_count(rig, "/manifests/"), 2);
}

static void bad_token_answers_are_refused(void **state)
{
	static const char *const bodies[] = {
		"{}",
		"[]",
		"not json s3cret",
		"{\\\"token\\\":7}",
		"{\\\"token\\\":\\\"a\\\\r\\\\nX: y\\\"}",
		"{\\\"token\\\":\\\"\\\"}",
	};
	const struct ref ref = rig_ref(rig, "main", "latest");
	char ctl[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct err e = {0};

		(void)snprintf(ctl, sizeof(ctl),
			       "{\"auth\":{\"kind\":\"bearer\","
			       "\"token_body\":\"%s\"}}",
			       bodies[i]);
		rig_set(rig, ctl);
		if (manifest_of(&ref, &e) == 0)
			fail_msg("taken: %s", bodies[i]);
		hides(e.text, "s3cret");
	}
}

static void token_servers_are_retried(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");

	(void)state;
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\"},\"rules\":["
		     "{\"path\":\"/token\",\"times\":2,\"status\":503}]}");
	works(&ref);
	assert_int_equal(rig_count(rig, "/token"), 3);
}

static void a_realm_elsewhere_without_tls_is_refused(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");

	(void)state;
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\",\"realm\":"
		     "\"http://auth.invalid/token\"}}");
	(void)fails(&ref, ERR_AUTH, "http://auth.invalid/token is not https");
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\",\"realm\":"
		     "\"file:///etc/passwd\"}}");
	(void)fails(&ref, ERR_INVALID, "not an http or https URL");
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\",\"realm\":"
		     "\"{other}/token\"}}");
	works(&ref);
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\",\"challenge\":"
		     "\"Negotiate\"}}");
	(void)fails(&ref, ERR_AUTH, "without a way to log in");
}

static void public_means_public(void **state)
{
	struct http_exchange x = {.only_public = true, .direct = true};
	struct http *h;
	struct err e = {0};
	autourl struct url u = {0};
	autofree char *text =
		xasprintf("http://localhost:%d/token", rig_port(rig, "main"));

	(void)state;
	rig_set(rig, "{}");
	assert_int_equal(url_parse(text, &u, &e), 0);
	assert_int_equal(http_make(5000, &h, &e), 0);
	x.url = &u;
	http_start(h, &x);
	while (!http_check_time(h, &x))
		assert_int_equal(http_turn(h, 100, &e), 0);
	assert_true(x.was_private);
	assert_int_not_equal(x.code, CURLE_OK);
	http_stop(h, &x);
	http_free(h);
	assert_int_equal(rig_count(rig, "/token"), 0);
}

/* ---- redirects ----------------------------------------------------------- */

static void other_hosts_get_no_credentials(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	autojson json_t *log = NULL;
	const json_t *entry;
	size_t i;
	int elsewhere = 0;

	(void)state;
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\"},\"rules\":["
		     "{\"path\":\"main /v2/repo/x/blobs/\","
		     "\"redirect\":\"{other}{path}?sig=geheim\"}]}");
	pulls(&ref);
	log = rig_log(rig);
	json_array_foreach(log, i, entry)
	{
		if (strcmp(json_string_value(
				   json_object_get(entry, "listener")),
			   "other") != 0)
			continue;
		elsewhere++;
		assert_string_equal(
			json_string_value(json_object_get(entry, "auth")), "");
	}
	assert_int_equal(elsewhere, 3);
}

static void signed_urls_stay_out_of_messages(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	struct rig_blob b = {.desc = rig_layer(rig, 1)};
	struct err e = {0};

	(void)state;
	rig_set(rig, "{\"rules\":["
		     "{\"path\":\"main /v2/repo/x/blobs/\","
		     "\"redirect\":\"{other}{path}?sig=geheim\"},"
		     "{\"path\":\"other\",\"status\":500}]}");
	assert_int_equal(rig_fetch(rig, &ref, &b, 1, 0, &e), -1);
	shows(e.text, "(redirected to 127.0.0.1)");
	hides(e.text, "geheim");
	hides(rig->notes, "geheim");
	rig_blob_free(&b);
}

static void a_401_of_another_host_gets_nothing(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");

	(void)state;
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\"},\"rules\":["
		     "{\"path\":\"main /v2/repo/x/manifests\","
		     "\"redirect\":\"{other}{path}\"},"
		     "{\"path\":\"other\",\"status\":401,\"headers\":{"
		     "\"WWW-Authenticate\":\"Basic realm=x\"}}]}");
	(void)fails(&ref, ERR_AUTH, "(HTTP 401)");
	assert_int_equal(rig_count(rig, "/token"), 0);
}

static void redirects_are_counted(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");

	(void)state;
	rig_set(rig, "{\"rules\":[{\"redirect\":\"{main}{path}\"}]}");
	(void)fails(&ref, ERR_NET, "more than 10 redirects");
	assert_int_equal(rig_count(rig, "/manifests/"), 11);

	rig_set(rig, "{\"rules\":[{\"redirect\":\"file:///etc/passwd\"}]}");
	(void)fails(&ref, ERR_INVALID, "redirect");
	rig_set(rig, "{\"rules\":[{\"redirect\":\"http://u:p@x.invalid/\"}]}");
	(void)fails(&ref, ERR_INVALID, "user name");
	rig_set(rig, "{\"rules\":[{\"times\":1,"
		     "\"redirect\":\"../manifests/one\"}]}");
	works(&ref);
	assert_int_equal(rig_count(rig, "/manifests/one"), 1);
}

/* The fake registry is on loopback, so it may name hosts there. */
static void no_registry_sends_us_everywhere(void **state)
{
	static const char *const places[] = {
		"169.254.169.254",
		"0xa9fea9fe",
		"2852039166",
		"0251.0376.0251.0376",
		"169.16689662",
		"169.254.169.254.",
		"[::ffff:169.254.169.254]",
		"[::ffff:a9fe:a9fe]",
		"[::169.254.169.254]",
		"[64:ff9b::a9fe:a9fe]",
		"[64:ff9b:1::a9fe:a9fe]",
		"[2002:a9fe:a9fe::1]",
		"[fe80::1]",
		"[fe80::1%25lo]",
		"[febf::1]",
		"[fd00:ec2::254]",
		"[fd20:ce::254]",
		"100.100.100.200",
		"168.63.129.16",
		"224.0.0.251",
		"[ff02::fb]",
		"255.255.255.255",
	};
	const struct ref ref = rig_ref(rig, "main", "latest");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		autofree char *rule = xasprintf(
			"{\"rules\":[{\"path\":\"/manifests/\",\"redirect\":"
			"\"http://%s:1/latest/meta-data\"}]}",
			places[i]);
		autofree char *realm =
			xasprintf("{\"auth\":{\"kind\":\"bearer\",\"realm\":"
				  "\"https://%s:1/token\"}}",
				  places[i]);

		rig_set(rig, rule);
		(void)fails(&ref, ERR_NET, ": that address is ");
		rig_set(rig, realm);
		(void)fails(&ref, ERR_AUTH, ": that address is ");
	}
	rig_set(rig, "{\"rules\":[{\"path\":\"/manifests/\",\"times\":1,"
		     "\"redirect\":\"{other}{path}\"}]}");
	works(&ref);
}

/* By its name, through all hops, and on a connection that is there already. */
static void reach_is_what_a_connection_reaches(void **state)
{
	struct http *h;
	struct err e = {0};
	autourl struct url u = {0};
	autofree char *text =
		xasprintf("http://localhost:%d/_log", rig_port(rig, "main"));

	(void)state;
	rig_set(rig, "{}");
	assert_int_equal(url_parse(text, &u, &e), 0);
	assert_int_equal(http_make(5000, &h, &e), 0);
	/* Sent from elsewhere, by the user, and then from elsewhere again. */
	for (int i = 0; i < 3; i++) {
		struct http_exchange x = {.url = &u,
					  .direct = true,
					  .sent = i != 1,
					  .home = "198.51.100.7"};

		http_start(h, &x);
		while (!http_check_time(h, &x))
			assert_int_equal(http_turn(h, 100, &e), 0);
		if (i == 1)
			assert_int_equal(x.code, CURLE_OK);
		else
			assert_int_not_equal(x.code, CURLE_OK);
		if (i == 1)
			assert_null(x.unreachable);
		else
			shows(x.unreachable, "loopback");
		http_stop(h, &x);
	}
	http_free(h);
	assert_int_equal(rig_count(rig, "/_log"), 0);
}

static void proxies_are_the_users_choice(void **state)
{
	(void)state;
	assert_int_equal(setenv("https_proxy", "http://u:p@127.0.0.2:3128/", 1),
			 0);
	assert_int_equal(setenv("http_proxy", "[::1]:80", 1), 0);
	assert_true(reach_is_proxy("127.0.0.2", 3128));
	assert_true(reach_is_proxy("::1", 80));
	assert_false(reach_is_proxy("127.0.0.2", 3129));
	assert_false(reach_is_proxy("127.0.0.1", 3128));
	assert_int_equal(unsetenv("https_proxy"), 0);
	assert_int_equal(unsetenv("http_proxy"), 0);
	assert_false(reach_is_proxy("127.0.0.2", 3128));
}

static void homes_reach_themselves(void **state)
{
	(void)state;
	assert_null(reach_refuses("10.0.0.1", NULL));
	assert_null(reach_refuses("192.168.1.1", "198.51.100.7"));
	assert_null(reach_refuses("registry.lan", NULL));
	assert_null(reach_refuses("[fd12::1]", NULL));
	assert_non_null(reach_refuses("127.0.0.1", NULL));
	assert_non_null(reach_refuses("localhost", ""));
	assert_non_null(reach_refuses("a.localhost.", "198.51.100.7"));
	assert_non_null(reach_refuses("0.0.0.0", "10.0.0.1"));
	assert_non_null(reach_refuses("[::]", "10.0.0.1"));
	assert_null(reach_refuses("[::1]", "127.0.0.1"));
	assert_null(reach_refuses("169.254.1.2", "169.254.1.2"));
	assert_null(reach_refuses("[::ffff:169.254.1.2]", "169.254.1.2"));
	assert_non_null(reach_refuses("169.254.1.3", "169.254.1.2"));
	assert_non_null(reach_refuses("169.254.1.2", "127.0.0.1"));
}

static void tls_is_not_left_again(void **state)
{
	const struct ref ref = rig_ref(rig, "tls", "latest");

	(void)state;
	rig_set(rig, "{\"rules\":[{\"path\":\"tls\","
		     "\"redirect\":\"{other}{path}\"}]}");
	(void)fails(&ref, ERR_NET, "from https to http");
	/* A token server without TLS neither. */
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\",\"realm\":"
		     "\"{other}/token\"}}");
	(void)fails(&ref, ERR_AUTH, "is not https: refused");
	rig_set(rig, "{\"auth\":{\"kind\":\"bearer\",\"realm\":"
		     "\"{tls}/token\"}}");
	works(&ref);
}

/* ---- TLS ----------------------------------------------------------------- */

static void loopback_speaks_either(void **state)
{
	const struct ref plain = rig_ref(rig, "main", "latest");
	const struct ref tls = rig_ref(rig, "tls", "latest");

	(void)state;
	rig_set(rig, "{}");
	pulls(&tls);
	pulls(&plain);
	assert_int_equal(rig->n_notes, 0);
}

static void certificates_are_always_checked(void **state)
{
	const struct ref ref = rig_ref(rig, "rogue", "latest");
	char config[256];
	struct err e;

	(void)state;
	rig_set(rig, "{}");
	e = fails(&ref, ERR_NET, "certificate is not trusted");
	shows(e.hint, "update-ca-certificates");

	/* Insecure allows plain HTTP, not a bad certificate. */
	(void)snprintf(config, sizeof(config),
		       "{\"insecure-registries\":[\"127.0.0.1:%d\"]}",
		       rig_port(rig, "rogue"));
	rig_open(rig, rig_file(rig, "config.json", config), NULL, 0);
	(void)fails(&ref, ERR_NET, "certificate is not trusted");

	/* A redirect into it is no better. */
	const struct ref main_ref = rig_ref(rig, "main", "latest");
	rig_set(rig, "{\"rules\":[{\"path\":\"main\","
		     "\"redirect\":\"{rogue}{path}\"}]}");
	(void)fails(&main_ref, ERR_NET, "certificate is not trusted");
}

static void a_loopback_that_fails_is_still_retried(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");

	(void)state;
	/* No answer at all might have been TLS; it is not, so go on. */
	rig_set(rig, "{\"rules\":[{\"path\":\"/manifests/\",\"times\":3,"
		     "\"close\":true}]}");
	works(&ref);
}

/* ---- mirrors ------------------------------------------------------------- */

static struct ref parse(const char *s)
{
	struct err e = {0};
	struct ref ref;

	assert_int_equal(ref_parse(s, &ref, &e), 0);
	return ref;
}

/* %d: the ports of main and other. */
static void with_config(const char *ctl, const char *format)
{
	char text[512];
	const char *p = format;
	size_t n = 0;
	int which = 0;

	for (; *p && n + 8 < sizeof(text); p++) {
		if (*p != '$') {
			text[n++] = *p;
			continue;
		}
		n += (size_t)snprintf(
			text + n, 8, "%d",
			rig_port(rig, which++ ? "other" : "main"));
	}
	text[n] = '\0';
	rig_set(rig, ctl);
	rig_open(rig, rig_file(rig, "config.json", text), NULL, 0);
}

static void docker_hub_comes_from_a_mirror(void **state)
{
	const struct ref ref = parse("alpine");

	(void)state;
	with_config("{}", "{\"registry-mirrors\":[\"http://127.0.0.1:$/\"]}");
	pulls(&ref);
	assert_int_equal(rig_count(rig, "/v2/library/alpine/manifests/latest"),
			 1);
	assert_int_equal(rig->n_notes, 0);
}

static void mirrors_are_passed_over(void **state)
{
	static const char *const bad[] = {
		"{\"rules\":[{\"path\":\"main\",\"status\":404}]}",
		"{\"rules\":[{\"path\":\"main\",\"status\":500}]}",
		"{\"rules\":[{\"path\":\"main\",\"status\":401}]}",
		"{\"rules\":[{\"path\":\"main\",\"close\":true}]}",
		"{\"rules\":[{\"path\":\"main\",\"status\":429,\"headers\":{"
		"\"Retry-After\":\"30\"}}]}",
		"{\"rules\":[{\"path\":\"main\",\"flip\":3}]}",
		"{\"rules\":[{\"path\":\"main\",\"status\":200,\"body\":"
		"\"hi\",\"headers\":{\"Content-Type\":\"text/html\"}}]}",
	};
	const struct ref ref = parse("reg.invalid/a/b:latest");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		with_config(bad[i],
			    "{\"registry-mirrors\":{\"reg.invalid\":["
			    "\"http://127.0.0.1:$\",\"http://127.0.0.1:$\"]}}");
		pulls(&ref);
		shows(rig->notes, "; asking 127.0.0.1:");
		/* The blobs know already who is good. */
		assert_int_equal(rig_count(rig, "/blobs/"), 3);
	}
}

static void a_mirror_that_breaks_midway_is_left(void **state)
{
	const struct ref ref = parse("reg.invalid/a/b:latest");
	struct rig_blob b = {.desc = rig_layer(rig, 2)};
	struct err e = {0};

	(void)state;
	with_config("{\"rules\":[{\"path\":\"main\",\"times\":1,"
		    "\"cut\":400000},{\"path\":\"main\",\"status\":500}]}",
		    "{\"registry-mirrors\":{\"reg.invalid\":["
		    "\"http://127.0.0.1:$\",\"http://127.0.0.1:$\"]}}");
	if (rig_fetch(rig, &ref, &b, 1, 0, &e) < 0)
		fail_msg("%s", e.text);
	/* What the first gave is kept. */
	assert_int_equal(b.restarts, 0);
	assert_int_equal(b.dones, 1);
	rig_blob_free(&b);
}

static void all_that_failed_are_named(void **state)
{
	const struct ref ref = parse("reg.invalid/a/b:latest");
	struct err e;

	(void)state;
	with_config("{\"rules\":[{\"path\":\"main\",\"status\":404}]}",
		    "{\"registry-mirrors\":{\"reg.invalid\":["
		    "\"http://127.0.0.1:$\",\"http://127.0.0.1:1/x\"]}}");
	e = fails(&ref, ERR_NET, "not found (HTTP 404)");
	shows(e.text, "cannot reach 127.0.0.1:1");
	shows(e.text, "cannot reach reg.invalid: the name has no address");
	assert_int_equal(rig->n_notes, 2);
}

static void mirrors_may_have_a_path(void **state)
{
	const struct ref ref = parse("reg.invalid/a/b:latest");

	(void)state;
	with_config("{\"rules\":[{\"path\":\"/pre/fix/v2/a/b/manifests/\","
		    "\"redirect\":\"{main}/v2/a/b/manifests/latest\"}]}",
		    "{\"registry-mirrors\":{\"reg.invalid\":["
		    "\"http://127.0.0.1:$/pre/fix/\"]}}");
	works(&ref);
	assert_int_equal(rig_count(rig, "/pre/fix/v2/a/b/manifests/latest"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_token_serves_a_pull),
		cmocka_unit_test(credentials_go_to_the_token_server_only),
		cmocka_unit_test(refused_credentials_name_their_file),
		cmocka_unit_test(an_identity_token_goes_by_post),
		cmocka_unit_test(an_identity_token_is_not_redirected),
		cmocka_unit_test(basic_works_and_needs_credentials),
		cmocka_unit_test(a_token_that_runs_out_is_renewed),
		cmocka_unit_test(a_token_that_is_never_taken_is_an_error),
		cmocka_unit_test(bad_token_answers_are_refused),
		cmocka_unit_test(token_servers_are_retried),
		cmocka_unit_test(a_realm_elsewhere_without_tls_is_refused),
		cmocka_unit_test(public_means_public),
		cmocka_unit_test(other_hosts_get_no_credentials),
		cmocka_unit_test(signed_urls_stay_out_of_messages),
		cmocka_unit_test(a_401_of_another_host_gets_nothing),
		cmocka_unit_test(redirects_are_counted),
		cmocka_unit_test(no_registry_sends_us_everywhere),
		cmocka_unit_test(reach_is_what_a_connection_reaches),
		cmocka_unit_test(proxies_are_the_users_choice),
		cmocka_unit_test(homes_reach_themselves),
		cmocka_unit_test(tls_is_not_left_again),
		cmocka_unit_test(loopback_speaks_either),
		cmocka_unit_test(certificates_are_always_checked),
		cmocka_unit_test(a_loopback_that_fails_is_still_retried),
		cmocka_unit_test(docker_hub_comes_from_a_mirror),
		cmocka_unit_test(mirrors_are_passed_over),
		cmocka_unit_test(a_mirror_that_breaks_midway_is_left),
		cmocka_unit_test(all_that_failed_are_named),
		cmocka_unit_test(mirrors_may_have_a_path),
	};

	return cmocka_run_group_tests(tests, up, down);
}
