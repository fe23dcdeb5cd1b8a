/*
 * load - the images of an archive into the store
 *
 * An archive is one more place that an image comes from (image_source.h): the
 * rest is what pull does, with the same checks. Of an index the image for this
 * machine is loaded; what else the archive has of it is kept.
 */
#include <stdio.h>

#include "base/own.h"
#include "base/platform.h"
#include "base/ref.h"
#include "base/trace.h"
#include "cmd/cmd.h"
#include "cmd/common_out.h"
#include "cmd/image_archive.h"
#include "cmd/image_fetch.h"
#include "cmd/image_input.h"
#include "cmd/image_rest.h"
#include "cmd/image_store.h"
#include "store/image.h"

struct load_opts {
	const char *input;
	const char *platform;
	bool quiet;
};

static const struct opt load_options[] = {
	{'i', "input", OPT_STR, offsetof(struct load_opts, input), "FILE",
	 "Read it there (a tar, or an image layout) instead of standard input"},
	{0, "platform", OPT_STR, offsetof(struct load_opts, platform),
	 "OS/ARCH[/VARIANT]",
	 "Load the images for this platform, and no other"},
	{'q', "quiet", OPT_BOOL, offsetof(struct load_opts, quiet), NULL,
	 "No progress"},
	{0},
};

struct load {
	const struct load_opts *o;
	struct oci_platform platform;
	struct store *store;
	struct untar_opts untar;
	struct tarfiles *files;
	struct image_archive *archive;
	struct progress progress;
};

static int one_name(const struct load *l, const char *name,
		    const struct resolved *x, struct err *e)
{
	struct ref ref;

	if (ref_parse(name, &ref, e) ||
	    image_tag(l->store, &ref, &x->top, &x->manifest_digest, e))
		return -1;
	out_line("Loaded image: %s",
		 ref_familiar(&ref, (char[REF_TEXT_MAX]){0}));
	return 0;
}

static int name_it(const struct load *l, const struct archived_image *image,
		   const struct resolved *x, struct err *e)
{
	for (size_t i = 0; i < image->names.n; i++)
		if (one_name(l, image->names.v[i], x, e))
			return -1;
	if (image->names.n > 0)
		return 0;
	if (image_store_unnamed(l->store, &x->manifest_digest, e))
		return -1;
	out_line("Loaded image ID: %s",
		 DIGEST_TEXT(&x->manifest.config.digest));
	return 0;
}

static int get_image(struct load *l, struct archived_image *image,
		     struct resolved *x, struct err *e)
{
	const struct image_source source = image_archive_source(image);
	const struct ref none = {0}; /* what it is called comes later */
	const struct fetch f = {
		.source = &source,
		.store = l->store,
		.image = x,
		.untar = l->untar,
		.progress = &l->progress,
	};
	STEP(e, "load", "take %s",
	     image->names.n > 0 ? image->names.v[0]
				: "an image without a name");

	if (resolve_image(&source, l->store, &none, &l->platform,
			  l->o->platform != NULL, x, e))
		return -1;
	if (!fetch_is_complete(&f) && fetch_image(&f, e))
		return -1;
	/* Without a name nothing would lead to the others. */
	return l->o->platform || !image->names.n
		       ? 0
		       : image_rest_keep(&f, image, e);
}

static int one_image(struct load *l, struct archived_image *image,
		     struct err *e)
{
	struct resolved x = {0};
	int rc = get_image(l, image, &x, e);

	progress_wipe(&l->progress);
	if (rc == 0)
		rc = name_it(l, image, &x, e);
	resolved_free(&x);
	return rc;
}

static int all_images(struct load *l, struct err *e)
{
	const size_t n = image_archive_count(l->archive);

	if (n == 0)
		return err_set(e, ERR_INVALID, "there is no image in it");
	for (size_t i = 0; i < n; i++)
		if (one_image(l, image_archive_at(l->archive, i), e))
			return -1;
	return 0;
}

static int load_all(struct load *l, const struct globals *g, int fd,
		    struct err *e)
{
	if (image_store_open(g, &l->store, &l->untar, e) ||
	    tarfiles_open(l->store, fd, &l->files, e) ||
	    image_archive_open(l->files, &l->archive, e))
		return -1;
	return all_images(l, e);
}

static int load_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	struct load l = {.o = fields};
	autoclose int fd = -1;
	int rc;

	(void)argc;
	(void)argv;
	if (oci_platform_or_host(l.o->platform, &l.platform, e))
		return -1;
	/* While we are still the user who may read it. */
	fd = image_input_open(l.o->input, e);
	if (fd < 0)
		return -1;
	progress_begin(&l.progress, "load", l.o->quiet || g->quiet);
	rc = load_all(&l, g, fd, e);
	progress_wipe(&l.progress);
	image_archive_free(l.archive);
	tarfiles_free(l.files);
	store_close(l.store);
	return rc;
}

extern const struct command cmd_load;
const struct command cmd_load = {
	.name = "load",
	.operands = "",
	.summary = "Take images from an archive",
	.opts = load_options,
	.fields_size = sizeof(struct load_opts),
	.min_operands = 0,
	.max_operands = 0,
	.run = load_run,
};
