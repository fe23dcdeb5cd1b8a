/*
 * save - images as an archive
 *
 * One form that everybody reads: an OCI image layout, which keeps every byte
 * and so every digest, with the manifest.json beside it that docker load and
 * older tools look for. Blobs lie there as they lie in the store. The same
 * images give the same bytes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/platform.h"
#include "cmd/cmd.h"
#include "cmd/image_output.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/imagetree.h"
#include "store/tarout.h"

#define LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"

struct save_opts {
	const char *output;
	const char *platform;
	const char *format;
	bool multi;
	bool quiet;
};

static const struct opt save_options[] = {
	{'o', "output", OPT_STR, offsetof(struct save_opts, output), "FILE",
	 "Write it there instead of to standard output"},
	{0, "platform", OPT_STR, offsetof(struct save_opts, platform),
	 "OS/ARCH[/VARIANT]", "Of several platforms, save this one"},
	{0, "format", OPT_STR, offsetof(struct save_opts, format), "FORMAT",
	 "docker-archive or oci-archive: one archive is both"},
	{'m', "multi-image-archive", OPT_BOOL,
	 offsetof(struct save_opts, multi), NULL,
	 "Several images in one archive are allowed anyway"},
	{'q', "quiet", OPT_BOOL, offsetof(struct save_opts, quiet), NULL,
	 "Nothing is printed anyway"},
	{0},
};

struct save {
	const struct save_opts *o;
	struct oci_platform platform;
	struct store *store;
	json_t *index;    /* manifests of index.json */
	json_t *saved;    /* manifest.json */
	struct digest *v; /* the blobs, each once */
	size_t n;
};

/* ---- what belongs to it ----------------------------------------------------- */

static bool has(const struct save *s, const struct digest *d)
{
	for (size_t i = 0; i < s->n; i++)
		if (digest_eq(&s->v[i], d))
			return true;
	return false;
}

static void add_blob(struct save *s, const struct digest *d)
{
	if (has(s, d))
		return;
	s->v = xrealloc(s->v, (s->n + 1) * sizeof(*s->v));
	s->v[s->n++] = *d;
}

static void add_image(struct save *s, const struct digest *manifest,
		      const struct oci_manifest *m)
{
	add_blob(s, manifest);
	add_blob(s, &m->config.digest);
	for (size_t i = 0; i < m->n_layers; i++)
		add_blob(s, &m->layers[i].digest);
}

/*
 * Of an index all that is here: what it lists beside that need not be. With
 * --platform of the images the one alone.
 */
static void add_tree(struct save *s, const struct imagetree *t)
{
	for (size_t i = t->n; i-- > 0;) {
		const struct imagetree_doc *const doc = &t->doc[i];

		if (doc->is_index)
			add_blob(s, &doc->digest);
		else if (!s->o->platform)
			add_image(s, &doc->digest, &doc->manifest);
	}
}

/* ---- the documents of the archive --------------------------------------------- */

static json_t *json_blob_name(const struct digest *d)
{
	autofree char *name = oci_layout_blob(d);

	return json_string(name);
}

/* In index.json: the name with its registry, and the tag alone. */
static void list_in_index(struct save *s, const struct imagetree_doc *top,
			  const struct ref *name)
{
	json_t *const m = json_pack(
		"{s:s, s:s, s:I}", "mediaType", top->media_type, "digest",
		DIGEST_TEXT(&top->digest), "size", (json_int_t)top->size);
	json_t *notes;

	if (name) {
		notes = json_pack("{s:s}", OCI_IMAGE_NAME,
				  ref_text(name, (char[REF_TEXT_MAX]){0}));
		if (*name->tag)
			(void)json_object_set_new(notes, OCI_REF_NAME,
						  json_string(name->tag));
		(void)json_object_set_new(m, "annotations", notes);
	}
	(void)json_array_append_new(s->index, m);
}

/* The entry of manifest.json with this config, made if it is not there. */
static json_t *saved_entry(struct save *s, const struct image *img)
{
	autofree char *config = oci_layout_blob(&img->config_digest);
	json_t *layers = json_array();
	json_t *x;

	for (size_t i = 0; i < img->doc.n_layers; i++)
		(void)json_array_append_new(
			layers, json_blob_name(&img->doc.layers[i].digest));
	for (size_t i = 0; i < json_array_size(s->saved); i++) {
		x = json_array_get(s->saved, i);
		if (!strcmp(json_string_value(json_object_get(x, "Config")),
			    config) &&
		    json_equal(json_object_get(x, "Layers"), layers)) {
			json_decref(layers);
			return x;
		}
	}
	x = json_pack("{s:s, s:[], s:o}", "Config", config, "RepoTags",
		      "Layers", layers);
	(void)json_array_append_new(s->saved, x);
	return x;
}

static int one_image(struct save *s, const struct image *img, bool named,
		     struct err *e)
{
	const struct digest *const top = named ? &img->top : &img->manifest;
	autoimagetree struct imagetree t = {0};
	json_t *const entry = saved_entry(s, img);

	if (imagetree_read(s->store, top, &t, e))
		return -1;
	add_tree(s, &t);
	add_image(s, &img->manifest, &img->doc);
	list_in_index(s, imagetree_top(&t), named ? &img->ref : NULL);
	if (named && *img->ref.tag)
		(void)json_array_append_new(
			json_object_get(entry, "RepoTags"),
			json_string(ref_familiar(&img->ref,
						 (char[REF_TEXT_MAX]){0})));
	return 0;
}

/* By a name it keeps that name; by its id it has none. */
static int one_word(struct save *s, const char *text, struct err *e)
{
	autoimage struct image img = {0};
	bool named;

	return image_find_named(s->store, text,
				s->o->platform ? &s->platform : NULL, &img,
				&named, e)
		       ? -1
		       : one_image(s, &img, named, e);
}

/* ---- writing ---------------------------------------------------------------------- */

static int put_json(struct tarout *t, const char *name, const json_t *doc,
		    struct err *e)
{
	char *const text = json_dumps(doc, JSON_COMPACT);
	int rc;

	if (!text)
		return err_set(e, ERR_INVALID, "%s has no JSON form", name);
	rc = tarout_text(t, name, text, strlen(text), e);
	free(text);
	return rc;
}

static int put_blob(const struct save *s, struct tarout *t,
		    const struct digest *d, struct err *e)
{
	autofree char *name = oci_layout_blob(d);
	autoclose int fd = blob_open(s->store, d, e);
	uint64_t size;

	if (fd < 0 || blob_size(s->store, d, &size, e))
		return -1;
	return tarout_file(t, name, fd, size, e);
}

/* The documents first: who reads a stream knows then what will come. */
static int write_archive(void *ctx, int out, struct err *e)
{
	const struct save *const s = ctx;
	const struct tarout_opts none = {0};
	autotarout struct tarout *t =
		tarout_open(image_output_sink, &out, &none);
	autojson json_t *index =
		json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
			  OCI_MT_INDEX, "manifests", s->index);

	if (tarout_text(t, "oci-layout", LAYOUT, strlen(LAYOUT), e) ||
	    put_json(t, "index.json", index, e) ||
	    put_json(t, "manifest.json", s->saved, e))
		return -1;
	for (size_t i = 0; i < s->n; i++)
		if (put_blob(s, t, &s->v[i], e))
			return -1;
	return tarout_end(t, e);
}

static int check_opts(struct save *s, struct err *e)
{
	const struct save_opts *const o = s->o;

	if (o->platform && oci_platform_parse(o->platform, &s->platform, e))
		return -1;
	if (o->format && strcmp(o->format, "docker-archive") != 0 &&
	    strcmp(o->format, "oci-archive") != 0)
		return err_set(e, ERR_USAGE,
			       "--format '%s': not docker-archive or "
			       "oci-archive",
			       o->format);
	return image_output_check(o->output, e);
}

static int save_words(struct save *s, const struct globals *g, int argc,
		      char **argv, struct err *e)
{
	if (check_opts(s, e) || cmd_open_store(g, &s->store, e))
		return -1;
	for (int i = 0; i < argc; i++)
		if (one_word(s, argv[i], e))
			return -1;
	return image_output(s->o->output, write_archive, s, e);
}

static int save_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	struct save s = {
		.o = fields, .index = json_array(), .saved = json_array()};
	const int rc = save_words(&s, g, argc, argv, e);

	json_decref(s.index);
	json_decref(s.saved);
	free(s.v);
	store_close(s.store);
	return rc;
}

extern const struct command cmd_save;
const struct command cmd_save = {
	.name = "save",
	.operands = "IMAGE...",
	.summary = "Write images to an archive",
	.opts = save_options,
	.fields_size = sizeof(struct save_opts),
	.min_operands = 1,
	.max_operands = -1,
	.run = save_run,
};
