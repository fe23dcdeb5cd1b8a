/*
 * manifest inspect - what a registry holds under a name, without fetching it
 */
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/ref.h"
#include "base/trace.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "cmd/image_progress.h"
#include "registry/registry.h"

struct manifest_opts {
	const char *authfile;
};

static const struct opt manifest_options[] = {
	{0, "authfile", OPT_STR, offsetof(struct manifest_opts, authfile),
	 "FILE", "Credentials, in the form of Docker's config.json"},
	{0},
};

static int print_document(const struct buf *b, struct err *e)
{
	autojson json_t *doc =
		json_parse(buf_str(b), b->len, "the manifest", e);

	if (!doc)
		return -1;
	out_json(doc, JSON_INDENT(4));
	return 0;
}

static int inspect(struct registry *r, const struct ref *ref, struct err *e)
{
	autobuf struct buf b = buf_make(MANIFEST_MAX);
	struct digest d;
	char type[128];
	STEP(e, "resolve", "ask for %s",
	     ref_familiar(ref, (char[REF_TEXT_MAX]){0}));

	if (registry_manifest(r, ref,
			      digest_is_set(&ref->digest) ? &ref->digest : NULL,
			      &b, type, &d, e))
		return -1;
	return print_document(&b, e);
}

static int manifest_run(const struct globals *g, void *fields, int argc,
			char **argv, struct err *e)
{
	const struct manifest_opts *const opts = fields;
	struct progress none = {0};
	const struct registry_opts o = {
		.config_path = g->config,
		.auth_file = opts->authfile,
		.note = progress_note,
		.note_ctx = &none,
	};
	struct registry *r = NULL;
	struct ref ref;
	int rc;

	(void)argc;
	if (ref_parse(argv[0], &ref, e) || registry_make(&o, &r, e))
		return -1;
	rc = inspect(r, &ref, e);
	registry_free(r);
	return rc;
}

extern const struct command cmd_manifest_inspect;
const struct command cmd_manifest_inspect = {
	.name = "manifest inspect",
	.operands = "IMAGE",
	.summary = "Show what a registry holds under a name",
	.opts = manifest_options,
	.fields_size = sizeof(struct manifest_opts),
	.min_operands = 1,
	.max_operands = 1,
	.run = manifest_run,
};
