/* The registry library against a registry that misbehaves: bytes and retries. */
#include "registry/http.h"
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

/* ---- manifests ----------------------------------------------------------- */

static int manifest(const char *tag, struct buf *b, struct digest *d,
		    struct err *e)
{
	const struct ref ref = rig_ref(rig, "main", tag);
	char type[128];

	return registry_manifest(rig->registry, &ref, NULL, b, type, d, e);
}

static void manifest_works(const char *tag)
{
	autobuf struct buf b = buf_make(0);
	struct err e = {0};
	struct digest d;

	if (manifest(tag, &b, &d, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(b.len > 0);
}

static void manifest_fails(const char *tag, enum err_kind kind,
			   const char *part)
{
	autobuf struct buf b = buf_make(0);
	struct err e = {0};
	struct digest d;

	if (manifest(tag, &b, &d, &e) == 0)
		fail_msg("'%s' was fetched", tag);
	shows(e.text, part);
	assert_int_equal(e.kind, kind);
	assert_int_equal(b.len, 0);
}

static void manifests_come_by_tag_and_digest(void **state)
{
	autobuf struct buf b = buf_make(0);
	struct ref ref = rig_ref(rig, "main", "latest");
	struct err e = {0};
	struct digest d;
	struct digest computed;
	char type[128];

	(void)state;
	rig_set(rig, "{}");
	if (registry_manifest(rig->registry, &ref, NULL, &b, type, &d, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(type, OCI_MT_INDEX);
	hash_bytes(DIGEST_SHA256, b.p, b.len, &computed);
	assert_true(digest_eq(&computed, &d));

	/* The digest of the reference goes before its tag. */
	ref.digest = d;
	memcpy(ref.tag, "none", 5);
	assert_int_equal(
		registry_manifest(rig->registry, &ref, NULL, &b, type, &d, &e),
		0);
	assert_int_equal(rig_count(rig, "/manifests/none"), 0);
}

static void requests_are_as_they_should_be(void **state)
{
	(void)state;
	rig_set(rig, "{}");
	manifest_works("latest");
	autojson json_t *log = rig_log(rig);
	const json_t *const first = json_array_get(log, 0);

	assert_int_equal(json_array_size(log), 1);
	assert_string_equal(
		json_string_value(json_object_get(first, "encoding")), "");
	shows(json_string_value(json_object_get(first, "agent")), "prism/");
	shows(json_string_value(json_object_get(first, "accept")),
	      OCI_MT_INDEX);
	shows(json_string_value(json_object_get(first, "accept")),
	      DOCKER_MT_MANIFEST);
}

static void a_missing_manifest_is_not_found(void **state)
{
	(void)state;
	rig_set(rig, "{}");
	manifest_fails("nope", ERR_NOTFOUND, "manifest unknown");
	assert_int_equal(rig_count(rig, "/manifests/"), 1);
}

static void wrong_manifests_are_refused(void **state)
{
	(void)state;
	rig_set(rig, "{\"rules\":[{\"flip\":5}]}");
	manifest_fails("latest", ERR_MISMATCH, "Docker-Content-Digest says");
	assert_int_equal(rig_count(rig, "/manifests/"), 2);

	rig_set(rig, "{\"rules\":[{\"flip\":5,\"times\":1}]}");
	manifest_works("latest");
	assert_int_equal(rig->n_notes, 1);

	rig_set(rig, "{\"rules\":[{\"no_digest\":true}]}");
	manifest_works("latest");

	rig_set(rig, "{\"rules\":[{\"digest\":\"rot13:xx\"}]}");
	manifest_works("latest");
}

static void a_login_page_is_named(void **state)
{
	(void)state;
	rig_set(rig, "{\"rules\":[{\"status\":200,\"body\":\"<html>pay\","
		     "\"headers\":{\"Content-Type\":\"text/html\"}}]}");
	manifest_fails("latest", ERR_NET, "a web page");
	assert_int_equal(rig_count(rig, "/manifests/"), 1);
}

static void an_encoded_manifest_is_refused(void **state)
{
	(void)state;
	rig_set(rig, "{\"rules\":[{\"gzip\":true}]}");
	manifest_fails("latest", ERR_NET, "encoded (gzip)");
}

static void an_endless_manifest_is_cut(void **state)
{
	(void)state;
	rig_set(rig, "{\"rules\":[{\"extra\":6000000,\"no_digest\":true}]}");
	manifest_fails("latest", ERR_TOOBIG, "more than 4194304");
	rig_set(rig, "{\"rules\":[{\"length\":6000000}]}");
	manifest_fails("latest", ERR_TOOBIG, "at most 4194304");
}

static void endless_headers_are_refused(void **state)
{
	autobuf struct buf ctl = buf_make(MIB(1));

	(void)state;
	buf_adds(&ctl, "{\"rules\":[{\"status\":200,\"headers\":{\"X\":\"x\"");
	for (int i = 0; i < 30; i++) {
		buf_addf(&ctl, ",\"X-%d\":\"", i);
		for (int k = 0; k < 3000; k++)
			buf_addc(&ctl, 'x');
		buf_adds(&ctl, "\"");
	}
	buf_adds(&ctl, "}}]}");
	rig_set(rig, buf_str(&ctl));
	manifest_fails("latest", ERR_TOOBIG, "endless headers");
}

static void words_of_the_registry_are_made_harmless(void **state)
{
	autobuf struct buf b = buf_make(0);
	struct err e = {0};
	struct digest d;

	(void)state;
	rig_set(rig, "{\"rules\":[{\"status\":400,\"body\":\"{\\\"errors\\\":[{"
		     "\\\"code\\\":\\\"X\\\",\\\"message\\\":"
		     "\\\"a\\\\u001b[31m\\\\nb\\\"}]}\"}]}");
	assert_int_equal(manifest("latest", &b, &d, &e), -1);
	shows(e.text, "X: a?[31m b");
	assert_null(strchr(e.text, '\x1b'));
}

/* ---- blobs --------------------------------------------------------------- */

static void is_whole(const struct rig_blob *b)
{
	struct digest d;

	hash_bytes(DIGEST_SHA256, b->bytes.p, b->bytes.len, &d);
	assert_true(digest_eq(&d, &b->desc.digest));
}

/* Fetch the 1,000,000 byte layer while `ctl` goes on; it must come right. */
static struct rig_blob fetch_with(const char *ctl, size_t have)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	struct rig_blob b = {.desc = rig_layer(rig, 2)};
	struct err e = {0};

	rig_set(rig, ctl);
	if (have) {
		b.bytes = buf_make(MIB(4));
		memset(buf_room(&b.bytes, have), 'h', have);
		buf_grew(&b.bytes, have);
	}
	if (rig_fetch(rig, &ref, &b, 1, have, &e) < 0)
		fail_msg("%s: %s", ctl, e.text);
	is_whole(&b);
	return b;
}

static void blob_works(const char *ctl, int requests, int restarts)
{
	struct rig_blob b = fetch_with(ctl, 0);

	assert_int_equal(b.restarts, restarts);
	assert_int_equal(rig_count(rig, "/blobs/"), requests);
	rig_blob_free(&b);
}

static void blob_fails(const char *ctl, int requests, enum err_kind kind,
		       const char *part)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	struct rig_blob b = {.desc = rig_layer(rig, 2)};
	struct err e = {0};

	rig_set(rig, ctl);
	if (rig_fetch(rig, &ref, &b, 1, 0, &e) == 0)
		fail_msg("came whole: %s", ctl);
	shows(e.text, part);
	assert_int_equal(e.kind, kind);
	assert_int_equal(rig_count(rig, "/blobs/"), requests);
	rig_blob_free(&b);
}

static void several_blobs_come_at_once(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	struct rig_blob b[9];
	struct err e = {0};

	(void)state;
	rig_set(rig, "{}");
	memset(b, 0, sizeof(b));
	for (size_t i = 0; i < ARRAY_LEN(b); i++)
		b[i].desc = rig_layer(rig, i % 3);
	if (rig_fetch(rig, &ref, b, ARRAY_LEN(b), 0, &e) < 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < ARRAY_LEN(b); i++) {
		is_whole(&b[i]);
		assert_int_equal(b[i].dones, 1);
		rig_blob_free(&b[i]);
	}
	assert_int_equal(rig_count(rig, "/blobs/"), ARRAY_LEN(b));
}

static void passing_errors_are_retried(void **state)
{
	static const int codes[] = {408, 429, 500, 502, 503, 504};
	char ctl[160];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		(void)snprintf(ctl, sizeof(ctl),
			       "{\"rules\":[{\"path\":\"/blobs/\",\"times\":4,"
			       "\"status\":%d}]}",
			       codes[i]);
		blob_works(ctl, 5, 0);
		assert_int_equal(rig->n_notes, 4);
		shows(rig->notes, "trying again in");
		shows(rig->notes, "(2 of 5)");
	}
	blob_works("{\"rules\":[{\"path\":\"/blobs/\",\"times\":1,"
		   "\"close\":true}]}",
		   2, 0);
}

static void five_tries_are_enough(void **state)
{
	(void)state;
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"status\":500}]}", 5,
		   ERR_NET, "(HTTP 500) (tried 5 times)");
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"status\":403}]}", 1,
		   ERR_AUTH, "(HTTP 403)");
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"status\":501}]}", 1,
		   ERR_NET, "(HTTP 501)");
}

static void retry_after_is_honoured(void **state)
{
	const int64_t begun = http_now_ms();

	(void)state;
	blob_works("{\"rules\":[{\"path\":\"/blobs/\",\"times\":1,"
		   "\"status\":429,\"headers\":{\"Retry-After\":\"1\"}}]}",
		   2, 0);
	assert_true(http_now_ms() - begun >= 1000);
	shows(rig->notes, "trying again in 1.");
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"status\":429,"
		   "\"headers\":{\"Retry-After\":\"3600\"}}]}",
		   1, ERR_NET, "asks to wait 3600 s");
	assert_true(http_now_ms() - begun < 30000);
}

static void a_broken_blob_goes_on_where_it_was(void **state)
{
	struct rig_blob b =
		fetch_with("{\"rules\":[{\"path\":\"/blobs/\",\"times\":3,"
			   "\"cut\":300000}]}",
			   0);

	(void)state;
	assert_int_equal(b.restarts, 0);
	assert_int_equal(b.dones, 1);
	autojson json_t *log = rig_log(rig);
	assert_int_equal(json_array_size(log), 4);
	assert_string_equal(json_string_value(json_object_get(
				    json_array_get(log, 0), "range")),
			    "");
	for (size_t i = 1; i < 4; i++)
		shows(json_string_value(
			      json_object_get(json_array_get(log, i), "range")),
		      "bytes=");
	rig_blob_free(&b);
}

static void progress_earns_new_tries(void **state)
{
	(void)state;
	/* 1,000,000 bytes in pieces of 90,000: twelve requests. */
	blob_works("{\"rules\":[{\"path\":\"/blobs/\",\"cut\":90000}]}", 12, 0);
	/* Pieces that are too small to be called progress. */
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"cut\":1000}]}", 5,
		   ERR_NET, "after 1000 bytes");
}

static void without_ranges_it_starts_again(void **state)
{
	(void)state;
	blob_works("{\"rules\":[{\"path\":\"/blobs/\",\"times\":2,"
		   "\"cut\":300000,\"no_range\":true},"
		   "{\"path\":\"/blobs/\",\"no_range\":true}]}",
		   3, 2);
	/* It never gets further, so five tries are all. */
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"cut\":300000,"
		   "\"no_range\":true}]}",
		   5, ERR_NET, "after 300000 bytes");
}

static void lies_about_ranges_are_seen(void **state)
{
	static const char *const lies[] = {"start", "total", "416"};
	char ctl[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		(void)snprintf(ctl, sizeof(ctl),
			       "{\"rules\":[{\"path\":\"/blobs/\",\"times\":1,"
			       "\"cut\":300000},{\"path\":\"/blobs/\","
			       "\"bad_range\":\"%s\"}]}",
			       lies[i]);
		blob_works(ctl, 3, 1);
	}
}

static void an_earlier_pull_is_gone_on_with(void **state)
{
	struct rig_blob b;

	(void)state;
	/* What is there is wrong: found out at the end, fetched from zero. */
	b = fetch_with("{}", 600000);
	assert_int_equal(b.restarts, 1);
	assert_int_equal(b.dones, 2);
	assert_int_equal(rig_count(rig, "/blobs/"), 2);
	rig_blob_free(&b);

	b = fetch_with("{}", 1000000);
	assert_int_equal(b.restarts, 1);
	assert_int_equal(rig_count(rig, "/blobs/"), 1);
	rig_blob_free(&b);

	b = fetch_with("{}", 1000001);
	assert_int_equal(b.restarts, 1);
	assert_int_equal(b.dones, 1);
	rig_blob_free(&b);
}

static void what_is_complete_is_not_fetched(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	struct rig_blob b = fetch_with("{}", 0);
	struct err e = {0};

	(void)state;
	rig_set(rig, "{}");
	assert_int_equal(rig_fetch(rig, &ref, &b, 1, b.desc.size, &e), 0);
	assert_int_equal(rig_count(rig, "/blobs/"), 0);
	assert_int_equal(b.dones, 2);
	rig_blob_free(&b);
}

static void a_wrong_byte_is_fetched_once_more(void **state)
{
	(void)state;
	blob_works("{\"rules\":[{\"path\":\"/blobs/\",\"times\":1,"
		   "\"flip\":777}]}",
		   2, 1);
	shows(rig->notes, "once more");
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"flip\":777}]}", 2,
		   ERR_MISMATCH, "digest is sha256:");
}

static void sizes_have_to_agree(void **state)
{
	(void)state;
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"length\":5}]}", 1,
		   ERR_MISMATCH,
		   "1000005 bytes, the manifest promises 1000000");
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"length\":-5}]}", 1,
		   ERR_MISMATCH, "999995 bytes");
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"extra\":5}]}", 1,
		   ERR_MISMATCH, "more than the 1000000 bytes");
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"status\":200,"
		   "\"body\":\"<html>\",\"headers\":{\"Content-Type\":"
		   "\"text/html\"}}]}",
		   1, ERR_MISMATCH, "it is a web page");
}

static void chunks_and_encodings(void **state)
{
	(void)state;
	blob_works("{\"rules\":[{\"path\":\"/blobs/\","
		   "\"chunked\":\"whole\"}]}",
		   1, 0);
	blob_works("{\"rules\":[{\"path\":\"/blobs/\",\"times\":1,"
		   "\"chunked\":\"cut\"}]}",
		   2, 0);
	/* The header alone, as some stores send it, does no harm. */
	blob_works("{\"rules\":[{\"path\":\"/blobs/\","
		   "\"encoding\":\"gzip\"}]}",
		   1, 0);
	blob_fails("{\"rules\":[{\"path\":\"/blobs/\",\"gzip\":true}]}", 1,
		   ERR_MISMATCH, "it is encoded");
}

static void silence_ends(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	struct rig_blob b = {.desc = rig_layer(rig, 2)};
	struct err e = {0};

	(void)state;
	rig_set(rig, "{\"rules\":[{\"path\":\"/blobs/\",\"times\":1,"
		     "\"stall\":400000,\"for\":20}]}");
	rig_open(rig, NULL, NULL, 1);
	const int64_t begun = http_now_ms();
	if (rig_fetch(rig, &ref, &b, 1, 0, &e) < 0)
		fail_msg("%s", e.text);
	is_whole(&b);
	assert_int_equal(b.restarts, 0);
	shows(rig->notes, "no byte for 1 s");
	assert_true(http_now_ms() - begun < 18000);
	rig_blob_free(&b);
}

static void silence_for_ever_is_an_error(void **state)
{
	autobuf struct buf b = buf_make(0);
	struct err e = {0};
	struct digest d;

	(void)state;
	rig_set(rig, "{\"rules\":[{\"stall\":0,\"for\":20}]}");
	rig_open(rig, NULL, NULL, 1);
	const int64_t begun = http_now_ms();
	assert_int_equal(manifest("latest", &b, &d, &e), -1);
	shows(e.text, "no byte for 1 s (tried 5 times)");
	assert_true(http_now_ms() - begun < 18000);
}

static void slow_is_not_silent(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	struct rig_blob b = {.desc = rig_layer(rig, 1)};
	struct err e = {0};

	(void)state;
	/* Longer than what is allowed, which is much for the time between two
	 * pieces, also where the fake has to wait for a processor. */
	rig_set(rig, "{\"rules\":[{\"path\":\"/blobs/\",\"rate\":800}]}");
	rig_open(rig, NULL, NULL, 3);
	const int64_t begun = http_now_ms();
	if (rig_fetch(rig, &ref, &b, 1, 0, &e) < 0)
		fail_msg("%s", e.text);
	is_whole(&b);
	assert_true(http_now_ms() - begun > 3000);
	assert_int_equal(rig->n_notes, 0);
	rig_blob_free(&b);
}

#define STOPPED_MS 3000

/* Stops us for a while, soon after this. */
static int be_stopped(void *ctx, struct err *e)
{
	pid_t *const pid = ctx;

	(void)e;
	if (*pid)
		return 0;
	*pid = fork();
	assert_true(*pid >= 0);
	if (*pid)
		return 0;
	(void)usleep(50000);
	(void)kill(getppid(), SIGSTOP);
	(void)usleep(STOPPED_MS * 1000);
	(void)kill(getppid(), SIGCONT);
	_exit(0);
}

static void who_is_stopped_heard_no_silence(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	struct rig_blob got = {.desc = rig_layer(rig, 1),
			       .bytes = buf_make(MIB(1))};
	struct registry_blob b = {.desc = got.desc,
				  .sink = take,
				  .restart = again,
				  .done = done,
				  .ctx = &got};
	struct err e = {0};
	pid_t pid = 0;

	(void)state;
	rig_set(rig, "{\"rules\":[{\"path\":\"/blobs/\",\"rate\":3000}]}");
	rig_open(rig, NULL, NULL, 2);
	if (registry_fetch(rig->registry, &ref, &b, 1, 0, be_stopped, &pid,
			   &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	is_whole(&got);
	assert_int_equal(rig->n_notes, 0);
	rig_blob_free(&got);
}

/* ---- our own side -------------------------------------------------------- */

static void a_full_disk_is_final(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	struct rig_blob b = {.desc = rig_layer(rig, 2), .fail_at = 500000};
	struct err e = {0};

	(void)state;
	rig_set(rig, "{}");
	assert_int_equal(rig_fetch(rig, &ref, &b, 1, 0, &e), -1);
	assert_int_equal(e.kind, ERR_SYS);
	assert_int_equal(e.sys, ENOSPC);
	assert_int_equal(rig_count(rig, "/blobs/"), 1);
	rig_blob_free(&b);
}

static int stop_now(void *ctx, struct err *e)
{
	int *const n = ctx;

	if (++*n < 3)
		return 0;
	return err_set(e, ERR_GONE, "interrupted");
}

static int drop(void *ctx, const void *p, size_t n, struct err *e)
{
	(void)ctx;
	(void)p;
	(void)n;
	(void)e;
	return 0;
}

static void the_tick_can_end_it(void **state)
{
	const struct ref ref = rig_ref(rig, "main", "latest");
	struct registry_blob b = {.desc = rig_layer(rig, 2), .sink = drop};
	struct err e = {0};
	int ticks = 0;

	(void)state;
	rig_set(rig, "{\"rules\":[{\"path\":\"/blobs/\",\"stall\":9,"
		     "\"for\":20}]}");
	const int64_t begun = http_now_ms();
	assert_int_equal(registry_fetch(rig->registry, &ref, &b, 1, 0, stop_now,
					&ticks, &e),
			 -1);
	shows(e.text, "interrupted");
	assert_true(http_now_ms() - begun < 18000);
}

static void nobody_there_is_said_at_once(void **state)
{
	struct ref ref = rig_ref(rig, "main", "latest");
	autobuf struct buf b = buf_make(0);
	struct err e = {0};
	struct digest d;
	char type[128];

	(void)state;
	rig_set(rig, "{}");
	memcpy(ref.registry, "127.0.0.1:1", 12);
	assert_int_equal(
		registry_manifest(rig->registry, &ref, NULL, &b, type, &d, &e),
		-1);
	assert_int_equal(e.kind, ERR_NET);
	shows(e.text, "cannot reach 127.0.0.1:1");
	shows(e.hint, "online");
	assert_int_equal(rig->n_notes, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(manifests_come_by_tag_and_digest),
		cmocka_unit_test(requests_are_as_they_should_be),
		cmocka_unit_test(a_missing_manifest_is_not_found),
		cmocka_unit_test(wrong_manifests_are_refused),
		cmocka_unit_test(a_login_page_is_named),
		cmocka_unit_test(an_encoded_manifest_is_refused),
		cmocka_unit_test(an_endless_manifest_is_cut),
		cmocka_unit_test(endless_headers_are_refused),
		cmocka_unit_test(words_of_the_registry_are_made_harmless),
		cmocka_unit_test(several_blobs_come_at_once),
		cmocka_unit_test(passing_errors_are_retried),
		cmocka_unit_test(five_tries_are_enough),
		cmocka_unit_test(retry_after_is_honoured),
		cmocka_unit_test(a_broken_blob_goes_on_where_it_was),
		cmocka_unit_test(progress_earns_new_tries),
		cmocka_unit_test(without_ranges_it_starts_again),
		cmocka_unit_test(lies_about_ranges_are_seen),
		cmocka_unit_test(an_earlier_pull_is_gone_on_with),
		cmocka_unit_test(what_is_complete_is_not_fetched),
		cmocka_unit_test(a_wrong_byte_is_fetched_once_more),
		cmocka_unit_test(sizes_have_to_agree),
		cmocka_unit_test(chunks_and_encodings),
		cmocka_unit_test(silence_ends),
		cmocka_unit_test(silence_for_ever_is_an_error),
		cmocka_unit_test(slow_is_not_silent),
		cmocka_unit_test(who_is_stopped_heard_no_silence),
		cmocka_unit_test(a_full_disk_is_final),
		cmocka_unit_test(the_tick_can_end_it),
		cmocka_unit_test(nobody_there_is_said_at_once),
	};

	return cmocka_run_group_tests(tests, up, down);
}
