#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/ref.h"
#include "base/trace.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "cmd/image_fetch.h"
#include "cmd/image_progress.h"
#include "cmd/image_resolve.h"
#include "cmd/image_store.h"
#include "registry/registry.h"
#include "store/image.h"
#include "store/store.h"

struct pull_opts {
	const char *platform;
	const char *authfile;
	bool quiet;
};

static const struct opt pull_options[] = {
	{0, "platform", OPT_STR, offsetof(struct pull_opts, platform),
	 "OS/ARCH[/VARIANT]", "Pull for this platform"},
	{0, "authfile", OPT_STR, offsetof(struct pull_opts, authfile), "FILE",
	 "Credentials, in the form of Docker's config.json"},
	{'q', "quiet", OPT_BOOL, offsetof(struct pull_opts, quiet), NULL,
	 "Print the reference only"},
	{0},
};

struct pull {
	const struct pull_opts *opts;
	struct ref ref;
	struct oci_platform platform;
	struct registry *registry;
	struct store *store;
	struct untar_opts untar;
	struct progress progress;
	struct resolved image;
};

static void say_layer(void *ctx, const struct oci_desc *layer, bool was_there)
{
	const struct pull *const p = ctx;

	if (!p->opts->quiet)
		out_line("%s: %s", DIGEST_SHORT(&layer->digest),
			 was_there ? "Already exists" : "Pull complete");
}

static bool is_up_to_date(const struct pull *p, const struct fetch *f)
{
	struct digest top = {0};
	struct digest manifest = {0};
	struct err ignored = {0};

	/* A tag that resolves to the digest is not the digest's own name. */
	return image_is_named(p->store, &p->ref) &&
	       image_resolve(p->store, &p->ref, &top, &manifest, &ignored) ==
		       0 &&
	       digest_eq(&top, &p->image.top) &&
	       digest_eq(&manifest, &p->image.manifest_digest) &&
	       fetch_is_complete(f);
}

static void print_result(const struct pull *p, bool fresh)
{
	const char *const full = ref_text(&p->ref, (char[REF_TEXT_MAX]){0});

	if (!p->opts->quiet) {
		out_line("Digest: %s", DIGEST_TEXT(&p->image.top));
		out_line("Status: %s %s",
			 fresh ? "Downloaded newer image for"
			       : "Image is up to date for",
			 ref_familiar(&p->ref, (char[REF_TEXT_MAX]){0}));
	}
	out_line("%s", full);
}

static int pull_image(struct pull *p, struct err *e)
{
	const struct image_source source = image_source_registry(p->registry);
	const struct fetch f = {
		.source = &source,
		.store = p->store,
		.image = &p->image,
		.untar = p->untar,
		.progress = &p->progress,
		.layer_done = say_layer,
		.ctx = p,
	};
	bool fresh;

	{
		STEP(e, "resolve", "ask for %s",
		     ref_familiar(&p->ref, (char[REF_TEXT_MAX]){0}));
		if (resolve_image(&source, p->store, &p->ref, &p->platform,
				  p->opts->platform != NULL, &p->image, e))
			return -1;
	}
	fresh = !is_up_to_date(p, &f);
	if (!p->opts->quiet)
		out_line("%s: Pulling from %s",
			 digest_is_set(&p->ref.digest)
				 ? DIGEST_TEXT(&p->ref.digest)
				 : p->ref.tag,
			 p->ref.repository);
	if (fresh) {
		STEP(e, "fetch", "fetch %zu layers",
		     p->image.manifest.n_layers);
		if (fetch_image(&f, e))
			return -1;
	}
	if (fresh && image_tag(p->store, &p->ref, &p->image.top,
			       &p->image.manifest_digest, e))
		return -1;
	print_result(p, fresh);
	return 0;
}

static int prepare(struct pull *p, const struct globals *g, const char *name,
		   struct err *e)
{
	const struct registry_opts o = {
		.config_path = g->config,
		.auth_file = p->opts->authfile,
		.note = progress_note,
		.note_ctx = &p->progress,
	};

	if (ref_parse(name, &p->ref, e) ||
	    oci_platform_or_host(p->opts->platform, &p->platform, e))
		return -1;
	progress_begin(&p->progress, name, p->opts->quiet || g->quiet);
	/* While we are still the user whose credentials these are. */
	if (registry_make(&o, &p->registry, e))
		return -1;
	return image_store_open(g, &p->store, &p->untar, e);
}

static int pull_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	struct pull p = {.opts = fields};
	int rc;

	(void)argc;
	rc = prepare(&p, g, argv[0], e);
	if (rc == 0)
		rc = pull_image(&p, e);
	progress_wipe(&p.progress);
	resolved_free(&p.image);
	registry_free(p.registry);
	store_close(p.store);
	return rc;
}

extern const struct command cmd_pull;
const struct command cmd_pull = {
	.name = "pull",
	.operands = "IMAGE",
	.summary = "Fetch an image from a registry",
	.opts = pull_options,
	.fields_size = sizeof(struct pull_opts),
	.min_operands = 1,
	.max_operands = 1,
	.run = pull_run,
};
