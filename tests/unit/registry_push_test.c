/* Pushes of the registry library against the fake registry. */
#include "tests/registry/rig.c"

#define SIZE KIB(700)

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

/* A blob of SIZE bytes, of which the file has `there`. */
struct blob {
	char path[128];
	int opened;
};

static int open_blob(void *ctx, struct err *e)
{
	struct blob *const b = ctx;

	(void)e;
	b->opened++;
	return open(b->path, O_RDONLY | O_CLOEXEC);
}

static int push(const char *listener, size_t there, registry_tick_fn tick,
		struct blob *b, struct err *e)
{
	const struct ref ref = rig_ref(rig, listener, "pushed");
	autofree char *text = xcalloc(1, SIZE + 1);
	struct registry_upload u = {
		.desc = {.size = SIZE}, .open = open_blob, .ctx = b};
	int rc;

	memset(text, 'b', SIZE);
	hash_bytes(DIGEST_SHA256, text, SIZE, &u.desc.digest);
	text[there] = '\0';
	(void)snprintf(b->path, sizeof(b->path), "%s",
		       rig_file(rig, "blob", text));
	rc = registry_push(rig->registry, &ref, &u, 1, 0, tick, NULL, e);
	if (rc == 0)
		assert_int_equal(u.how, REGISTRY_SENT);
	return rc;
}

static void a_blob_goes_over_tls_too(void **state)
{
	struct blob b = {0};
	struct err e = {0};

	(void)state;
	rig_set(rig, "{\"push\":{}}");
	if (push("tls", SIZE, NULL, &b, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(b.opened, 1);
	assert_int_equal(rig->n_notes, 0);
}

/* It may copy what it got to some other place first. */
static void an_answer_to_a_body_may_take_long(void **state)
{
	struct blob b = {0};
	struct err e = {0};

	(void)state;
	rig_set(rig, "{\"push\":{},\"rules\":[{\"method\":\"PUT\",\"path\":"
		     "\"/blobs/\",\"wait\":3.2}]}");
	rig_open(rig, NULL, NULL, 2);
	if (push("main", SIZE, NULL, &b, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(rig->n_notes, 0);
}

static void a_file_that_ends_early_is_no_reason_to_retry(void **state)
{
	struct blob b = {0};
	struct err e = {0};

	(void)state;
	rig_set(rig, "{\"push\":{}}");
	assert_int_equal(push("main", SIZE / 2, NULL, &b, &e), -1);
	assert_int_equal(e.kind, ERR_MISMATCH);
	shows(e.text, "what to send is shorter than it should be");
	assert_int_equal(rig->n_notes, 0);
}

static int stop(void *ctx, struct err *e)
{
	(void)ctx;
	return err_set(e, ERR_GONE, "enough");
}

static void the_tick_can_end_a_push(void **state)
{
	struct blob b = {0};
	struct err e = {0};

	(void)state;
	rig_set(rig, "{\"push\":{}}");
	assert_int_equal(push("main", SIZE, stop, &b, &e), -1);
	shows(e.text, "enough");
}

static void a_push_goes_on_with_the_scheme_that_answers(void **state)
{
	struct blob b = {0};
	struct err e = {0};

	(void)state;
	/* Plain HTTP, but the first request finds nobody at home. */
	rig_set(rig, "{\"push\":{},\"rules\":[{\"method\":\"HEAD\",\"path\":"
		     "\"/blobs/\",\"times\":1,\"close\":true}]}");
	if (push("main", SIZE, NULL, &b, &e) < 0)
		fail_msg("%s", e.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_blob_goes_over_tls_too),
		cmocka_unit_test(an_answer_to_a_body_may_take_long),
		cmocka_unit_test(a_file_that_ends_early_is_no_reason_to_retry),
		cmocka_unit_test(the_tick_can_end_a_push),
		cmocka_unit_test(a_push_goes_on_with_the_scheme_that_answers),
	};

	return cmocka_run_group_tests(tests, up, down);
}
