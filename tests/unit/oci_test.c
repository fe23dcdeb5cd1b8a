#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/oci.h"
#include "base/own.h"

#define HEX64  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define DIGEST "\"sha256:" HEX64 "\""
#define DESC(mt, more) \
	"{\"mediaType\":\"" mt "\",\"digest\":" DIGEST ",\"size\":7" more "}"
#define ON(os, arch, variant)                                       \
	",\"platform\":{\"os\":\"" os "\",\"architecture\":\"" arch \
	"\",\"variant\":\"" variant "\"}"
#define LAYER  DESC("application/vnd.oci.image.layer.v1.tar+gzip", "")
#define CONFIG DESC(OCI_MT_CONFIG, "")

/* ---- platforms ----------------------------------------------------------- */

static void platform_is(const char *s, const char *want)
{
	char text[OCI_PLATFORM_TEXT_MAX];
	struct oci_platform p;
	struct err e = {0};

	if (oci_platform_parse(s, &p, &e) < 0)
		fail_msg("'%s': %s", s, e.text);
	assert_string_equal(oci_platform_text(&p, text), want);
}

static void platforms_become_go_words(void **state)
{
	(void)state;
	platform_is("linux/amd64", "linux/amd64");
	platform_is("linux/x86_64", "linux/amd64");
	platform_is("Linux/AMD64", "linux/amd64");
	platform_is("amd64", "linux/amd64");
	platform_is("arm64", "linux/arm64");
	platform_is("aarch64", "linux/arm64");
	platform_is("arm/v7", "linux/arm/v7");
	platform_is("armhf", "linux/arm/v7");
	platform_is("linux/arm/7", "linux/arm/v7");
	platform_is("linux/arm64/v8", "linux/arm64/v8");
	platform_is("linux/newarch", "linux/newarch");
	platform_is("windows/amd64", "windows/amd64");
}

static void bad_platforms_are_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"/",
		"linux/",
		"/amd64",
		"linux//v7",
		"a/b/c/d",
		"foo",
		"foo/bar",
		"linux/a\nb",
		"linux/a b",
		"linux/amd64/",
		"arm/v7/x",
		"x/amd64/v1/",
	};
	struct oci_platform p;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = {0};

		if (oci_platform_parse(bad[i], &p, &e) == 0)
			fail_msg("accepted: '%s'", bad[i]);
	}
}

static int score(const char *want, const char *have)
{
	struct oci_platform w;
	struct oci_platform h;
	struct err e = {0};

	assert_int_equal(oci_platform_parse(want, &w, &e), 0);
	assert_int_equal(oci_platform_parse(have, &h, &e), 0);
	return oci_platform_match(&w, &h);
}

static void variants_fall_back_downwards_only(void **state)
{
	(void)state;
	assert_true(score("linux/arm/v7", "linux/arm/v7") >
		    score("linux/arm/v7", "linux/arm/v6"));
	assert_true(score("linux/arm/v7", "linux/arm/v6") >
		    score("linux/arm/v7", "linux/arm/v5"));
	assert_true(score("linux/arm/v7", "linux/arm/v5") > 0);
	assert_int_equal(score("linux/arm/v6", "linux/arm/v7"), 0);
	assert_int_equal(score("linux/arm64", "linux/arm64/v8"),
			 score("linux/arm64", "linux/arm64"));
	assert_int_equal(score("linux/arm64", "linux/arm64/v9"), 0);
	assert_int_equal(score("linux/arm64", "linux/arm/v7"), 0);
	assert_true(score("linux/amd64", "linux/amd64") >
		    score("linux/amd64", "linux/amd64/v2"));
	assert_true(score("linux/amd64", "linux/amd64/v2") >
		    score("linux/amd64", "linux/amd64/v3"));
	assert_true(score("linux/amd64", "linux/amd64/v3") > 0);
	assert_true(score("linux/amd64/v3", "linux/amd64") > 0);
	assert_int_equal(score("linux/amd64/v2", "linux/amd64/v3"), 0);
	assert_int_equal(score("linux/amd64", "windows/amd64"), 0);
	assert_int_equal(score("linux/amd64", "linux/386"), 0);
}

/* ---- index --------------------------------------------------------------- */

static const char index_text[] =
	"{\"schemaVersion\":2,\"manifests\":[" DESC("application/x-unknown", ON("linux", "amd64", "")) "," DESC(
		OCI_MT_MANIFEST,
		ON("unknown", "unknown",
		   "")) "," DESC(OCI_MT_MANIFEST,
				 "") "," DESC(OCI_MT_MANIFEST,
					      ON("linux", "amd64",
						 "v3")) "," DESC(OCI_MT_MANIFEST,
								 ON("linux",
								    "amd64",
								    "")) "," DESC(DOCKER_MT_MANIFEST,
										  ON("linux",
										     "amd64",
										     "")) "," DESC(OCI_MT_MANIFEST,
												   ON("linux",
												      "arm",
												      "v5")) "," DESC(OCI_MT_MANIFEST,
														      ON("linux",
															 "arm",
															 "v6")) "]}";

static int selected(const char *platform, bool *unjudged, struct err *e)
{
	struct oci_index x;
	struct oci_platform want;
	const struct oci_desc *d;
	int at = -1;

	assert_int_equal(oci_platform_parse(platform, &want, e), 0);
	if (oci_index_parse(index_text, strlen(index_text), &x, e) < 0)
		fail_msg("%s", e->text);
	if (oci_index_select(&x, &want, &d, unjudged, e) == 0)
		at = (int)(d - x.v);
	oci_index_free(&x);
	return at;
}

static void the_first_of_the_best_is_selected(void **state)
{
	struct err e = {0};
	bool unjudged = true;

	(void)state;
	assert_int_equal(selected("linux/amd64", &unjudged, &e), 4);
	assert_false(unjudged);
	assert_int_equal(selected("linux/amd64/v3", &unjudged, &e), 3);
	assert_int_equal(selected("linux/arm/v7", &unjudged, &e), 7);
	assert_int_equal(selected("linux/s390x", &unjudged, &e), 2);
	assert_true(unjudged);
}

static void no_platform_lists_what_there_is(void **state)
{
	static const char text[] = "{\"manifests\":[" DESC(
		OCI_MT_MANIFEST,
		ON("linux", "amd64", "")) "," DESC(OCI_MT_MANIFEST,
						   ON("linux", "arm",
						      "v6")) "]}";
	struct err e = {0};
	struct oci_index x;
	struct oci_platform want = {.os = "linux", .arch = "s390x"};
	const struct oci_desc *d;
	bool unjudged;

	(void)state;
	assert_int_equal(oci_index_parse(text, strlen(text), &x, &e), 0);
	assert_int_equal(oci_index_select(&x, &want, &d, &unjudged, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	assert_string_equal(e.text, "no image for linux/s390x; there is: "
				    "linux/amd64, linux/arm/v6");
	oci_index_free(&x);
}

static void index_counts_are_bounded(void **state)
{
	autobuf struct buf b = buf_make(1 << 20);
	struct err e = {0};
	struct oci_index x;

	(void)state;
	buf_adds(&b, "{\"manifests\":[0");
	for (int i = 0; i < 1000; i++)
		buf_adds(&b, ",0");
	buf_adds(&b, "]}");
	assert_int_equal(oci_index_parse(b.p, b.len, &x, &e), -1);
	assert_int_equal(e.kind, ERR_TOOBIG);
}

/* ---- which document ------------------------------------------------------ */

static enum err_kind kind(const char *s, const char *type, enum oci_doc *ret)
{
	struct err e = {0};

	(void)oci_doc_kind(s, strlen(s), type, ret, &e);
	return (enum err_kind)e.kind;
}

static void documents_are_told_apart(void **state)
{
	enum oci_doc d;

	(void)state;
	assert_int_equal(kind("{\"schemaVersion\":2,\"manifests\":[]}",
			      OCI_MT_MANIFEST, &d),
			 0);
	assert_int_equal(d, OCI_DOC_INDEX);
	assert_int_equal(kind("{\"schemaVersion\":2,\"config\":{}}", "", &d),
			 0);
	assert_int_equal(d, OCI_DOC_MANIFEST);
	assert_int_equal(kind("{\"mediaType\":\"" DOCKER_MT_LIST
			      "\",\"manifests\":[]}",
			      "", &d),
			 0);
	assert_int_equal(d, OCI_DOC_INDEX);
}

static void ambiguous_and_foreign_documents_are_refused(void **state)
{
	enum oci_doc d;

	(void)state;
	assert_int_equal(kind("{\"manifests\":[],\"layers\":[]}", "", &d),
			 ERR_INVALID);
	assert_int_equal(kind("{\"mediaType\":\"" OCI_MT_INDEX
			      "\",\"layers\":[]}",
			      "", &d),
			 ERR_INVALID);
	assert_int_equal(kind("{\"mediaType\":\"" OCI_MT_MANIFEST
			      "\",\"manifests\":[]}",
			      "", &d),
			 ERR_INVALID);
	assert_int_equal(kind("{\"schemaVersion\":1,\"fsLayers\":[]}", "", &d),
			 ERR_UNSUPPORTED);
	assert_int_equal(kind("{\"mediaType\":\"application/vnd.docker."
			      "distribution.manifest.v1+prettyjws\"}",
			      "", &d),
			 ERR_UNSUPPORTED);
	assert_int_equal(kind("{\"mediaType\":\"application/vnd.oci.artifact."
			      "manifest.v1+json\"}",
			      "", &d),
			 ERR_UNSUPPORTED);
	assert_int_equal(kind("{}", "", &d), ERR_INVALID);
	assert_int_equal(kind("[]", "", &d), ERR_INVALID);
	assert_int_equal(kind("<html>", "text/html", &d), ERR_INVALID);
}

/* ---- manifest ------------------------------------------------------------ */

static int manifest(const char *s, struct oci_manifest *m, struct err *e)
{
	return oci_manifest_parse(s, strlen(s), m, e);
}

static void a_manifest_is_read(void **state)
{
	struct err e = {0};
	struct oci_manifest m;

	(void)state;
	assert_int_equal(manifest("{\"config\":" CONFIG ",\"layers\":[" LAYER
				  "," LAYER "]}",
				  &m, &e),
			 0);
	assert_int_equal(m.n_layers, 2);
	assert_int_equal(m.layers[1].size, 7);
	assert_string_equal(m.config.digest.hex, HEX64);
	assert_string_equal(m.config.media_type, OCI_MT_CONFIG);
	oci_manifest_free(&m);
	oci_manifest_free(&m);
}

static void manifest_refused(const char *s, enum err_kind want,
			     const char *part)
{
	struct err e = {0};
	struct oci_manifest m;

	if (manifest(s, &m, &e) == 0)
		fail_msg("accepted: %s", s);
	if (!strstr(e.text, part))
		fail_msg("'%s' not in '%s'", part, e.text);
	assert_int_equal(e.kind, want);
}

static void bad_manifests_are_refused(void **state)
{
	(void)state;
	manifest_refused("7", ERR_INVALID, "manifest");
	manifest_refused("{}", ERR_INVALID, "manifest.config: missing");
	manifest_refused("{\"config\":{\"digest\":" DIGEST ",\"size\":-1}}",
			 ERR_INVALID, "manifest.config.size: negative");
	manifest_refused("{\"config\":{\"digest\":" DIGEST ",\"size\":1.5}}",
			 ERR_INVALID, "manifest.config.size");
	manifest_refused("{\"config\":{\"digest\":\"sha256:../../x\","
			 "\"size\":1}}",
			 ERR_INVALID, "manifest.config.digest");
	manifest_refused("{\"config\":" CONFIG ",\"layers\":{}}", ERR_INVALID,
			 "manifest.layers: not an array");
	manifest_refused("{\"config\":" CONFIG ",\"layers\":[" LAYER ",null]}",
			 ERR_INVALID, "manifest.layers[1]: missing");
	manifest_refused("{\"config\":{\"digest\":" DIGEST
			 ",\"size\":9000000}}",
			 ERR_TOOBIG, "manifest.config.size");
	manifest_refused("{\"mediaType\":\"" OCI_MT_INDEX
			 "\",\"manifests\":[]}",
			 ERR_INVALID, "an index where");
}

static void artifacts_are_refused_by_name(void **state)
{
	(void)state;
	manifest_refused(
		"{\"config\":" DESC("application/vnd.cncf.helm.config.v1+json",
				    "") ",\"layers\":[]}",
		ERR_UNSUPPORTED, "application/vnd.cncf.helm.config.v1+json");
	manifest_refused(
		"{\"artifactType\":\"application/x-thing\",\"config\":" DESC(
			"application/vnd.oci.empty.v1+json",
			"") ",\"layers\":[]}",
		ERR_UNSUPPORTED, "application/x-thing");
	manifest_refused("{\"config\":" CONFIG ",\"layers\":[" DESC(
				 "application/vnd.in-toto+json", "") "]}",
			 ERR_UNSUPPORTED, "application/vnd.in-toto+json");
	manifest_refused(
		"{\"config\":" CONFIG ",\"layers\":[" DESC(
			"application/vnd.oci.image.layer.v1.tar+gzip+encrypted",
			"") "]}",
		ERR_UNSUPPORTED, "encrypted");
}

static void what_an_artifact_is_made_of_can_be_read(void **state)
{
	static const char text[] =
		"{\"config\":" CONFIG
		",\"layers\":[" DESC("application/vnd.in-toto+json", "") "]}";
	struct oci_manifest m;
	struct err e = {0};

	(void)state;
	assert_int_equal(oci_manifest_content(text, strlen(text), &m, &e), 0);
	assert_int_equal(m.n_layers, 1);
	assert_string_equal(m.layers[0].media_type,
			    "application/vnd.in-toto+json");
	oci_manifest_free(&m);
}

/* ---- config -------------------------------------------------------------- */

static void a_config_is_read(void **state)
{
	static const char text[] =
		"{\"os\":\"linux\",\"architecture\":\"arm64\",\"config\":{"
		"\"User\":\"app\",\"Env\":[\"A=1\",\"B=\"],\"Entrypoint\":null,"
		"\"Cmd\":[\"sh\",\"-c\",\"x y\"],\"WorkingDir\":\"/w\","
		"\"StopSignal\":\"SIGQUIT\",\"Volumes\":{\"/v\":{}},"
		"\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{}},"
		"\"Shell\":[\"/bin/ash\",\"-c\"],"
		"\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"true\"],"
		"\"Interval\":5000000000,\"Retries\":4},"
		"\"Labels\":{\"z\":\"1\",\"a\":\"x=y\"}},"
		"\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[" DIGEST "]},"
		"\"history\":[]}";
	struct err e = {0};
	struct oci_image c;

	(void)state;
	if (oci_image_parse(text, strlen(text), &c, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(c.platform.arch, "arm64");
	assert_string_equal(c.user, "app");
	assert_int_equal(c.env.n, 2);
	assert_string_equal(c.env.v[1], "B=");
	assert_int_equal(c.entrypoint.n, 0);
	assert_int_equal(c.cmd.n, 3);
	assert_string_equal(c.cmd.v[2], "x y");
	assert_string_equal(c.working_dir, "/w");
	assert_string_equal(c.stop_signal, "SIGQUIT");
	assert_string_equal(c.volumes.v[0], "/v");
	assert_string_equal(c.exposed_ports.v[1], "53/udp");
	assert_string_equal(c.labels.v[0], "z=1");
	assert_string_equal(c.labels.v[1], "a=x=y");
	assert_string_equal(c.shell.v[0], "/bin/ash");
	assert_int_equal(c.health.test.n, 2);
	assert_string_equal(c.health.test.v[1], "true");
	assert_int_equal(c.health.interval_ns, INT64_C(5000000000));
	assert_int_equal(c.health.timeout_ns, 0);
	assert_int_equal(c.health.retries, 4);
	assert_int_equal(c.n_diff_ids, 1);
	assert_null(c.author);
	oci_image_free(&c);
	oci_image_free(&c);
}

static void bad_configs_are_refused(void **state)
{
	static const struct {
		const char *text;
		const char *part;
	} bad[] = {
		{"[]", "not an object"},
		{"{}", "config.rootfs: missing"},
		{"{\"rootfs\":{\"diff_ids\":[7]}}",
		 "config.rootfs.diff_ids[0]: not a string"},
		{"{\"rootfs\":{\"diff_ids\":[\"sha256:AB\"]}}",
		 "config.rootfs.diff_ids[0]"},
		{"{\"rootfs\":{\"type\":\"magic\",\"diff_ids\":[]}}",
		 "not 'layers'"},
		{"{\"config\":{\"Env\":{}},\"rootfs\":{}}",
		 "config.config.Env"},
		{"{\"config\":{\"Env\":[1]},\"rootfs\":{}}",
		 "config.config.Env[0]"},
		{"{\"config\":{\"Labels\":{\"a\":1}},\"rootfs\":{}}",
		 "config.config.Labels.a"},
		{"{\"config\":{\"User\":0},\"rootfs\":{}}",
		 "config.config.User"},
		{"{\"config\":{\"Healthcheck\":{\"Test\":{}}},"
		 "\"rootfs\":{}}",
		 "config.config.Healthcheck.Test"},
		{"{\"config\":[],\"rootfs\":{}}", "config.config"},
		{"{\"os\":\"li\\nnux\",\"rootfs\":{}}", "config.os"},
		{"{\"os\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\","
		 "\"rootfs\":{}}",
		 "config.os"},
	};
	struct oci_image c;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct err e = {0};

		if (oci_image_parse(bad[i].text, strlen(bad[i].text), &c, &e) ==
		    0)
			fail_msg("accepted: %s", bad[i].text);
		if (!strstr(e.text, bad[i].part))
			fail_msg("'%s' not in '%s'", bad[i].part, e.text);
	}
}

/* {"config":{KEY:[WORD,...]}} or {KEY:{"0WORD",...}}: 10,001 of them. */
static void too_many_refused(const char *key, bool set, const char *word)
{
	autobuf struct buf b = buf_make(1 << 20);
	autofree char *want = xasprintf("config.config.%s: 10001 entries", key);
	struct oci_image c;
	struct err e = {0};

	buf_addf(&b, "{\"config\":{\"%s\":%s", key, set ? "{" : "[");
	for (int i = 0; i < 10001; i++)
		buf_addf(&b, "%s\"%d%s", i ? "," : "", i, word);
	buf_addf(&b, "%s},\"rootfs\":{}}", set ? "}" : "]");
	assert_int_equal(oci_image_parse(buf_str(&b), b.len, &c, &e), -1);
	assert_int_equal(e.kind, ERR_TOOBIG);
	assert_non_null(strstr(e.text, want));
}

static void words_of_a_config_are_bounded(void **state)
{
	(void)state;
	too_many_refused("Env", false, "=x\"");
	too_many_refused("Cmd", false, "\"");
	too_many_refused("Labels", true, "\":\"\"");
	too_many_refused("Volumes", true, "\":{}");
	too_many_refused("ExposedPorts", true, "\":{}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(platforms_become_go_words),
		cmocka_unit_test(bad_platforms_are_refused),
		cmocka_unit_test(variants_fall_back_downwards_only),
		cmocka_unit_test(the_first_of_the_best_is_selected),
		cmocka_unit_test(no_platform_lists_what_there_is),
		cmocka_unit_test(index_counts_are_bounded),
		cmocka_unit_test(documents_are_told_apart),
		cmocka_unit_test(ambiguous_and_foreign_documents_are_refused),
		cmocka_unit_test(a_manifest_is_read),
		cmocka_unit_test(bad_manifests_are_refused),
		cmocka_unit_test(artifacts_are_refused_by_name),
		cmocka_unit_test(what_an_artifact_is_made_of_can_be_read),
		cmocka_unit_test(a_config_is_read),
		cmocka_unit_test(bad_configs_are_refused),
		cmocka_unit_test(words_of_a_config_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
