#include <string.h>

#include "base/limits.h"
#include "base/own.h"
#include "base/ref.h"
#include "cmd/inspect.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/store.h"

/* ---- names --------------------------------------------------------------- */

struct names {
	struct store *store;
	const struct digest *id;
	json_t *tags;
	json_t *digests;
};

static void add_once(json_t *list, const char *text)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (!strcmp(json_string_value(json_array_get(list, i)), text))
			return;
	(void)json_array_append_new(list, json_string(text));
}

static int add_name(void *ctx, const struct ref *ref, const struct digest *top,
		    const struct digest *manifest, const struct err *bad)
{
	struct names *const n = ctx;
	const char *const name =
		ref_familiar_name(ref, (char[REF_TEXT_MAX]){0});
	autofree char *by_digest = xasprintf("%s@%s", name, DIGEST_TEXT(top));
	autoimage struct image img = {0};
	struct err ignored = {0};

	if (bad || image_load(n->store, ref, top, manifest, &img, &ignored) ||
	    !digest_eq(&img.config_digest, n->id))
		return 0;
	if (!digest_is_set(&ref->digest)) {
		autofree char *by_tag = xasprintf("%s:%s", name, ref->tag);

		add_once(n->tags, by_tag);
	}
	add_once(n->digests, by_digest);
	return 0;
}

/* ---- the config ---------------------------------------------------------- */

static void put_text(json_t *o, const char *key, const json_t *from)
{
	const char *const s = json_string_value(json_object_get(from, key));

	(void)json_object_set_new(o, key, json_string(s ? s : ""));
}

/*
 * Docker's members in Docker's order, those of the image where it has them;
 * what else the image's config holds (Healthcheck, Shell...) follows.
 */
static json_t *config_of(const json_t *from)
{
	static const char *const texts[] = {"Hostname", "Domainname", "User"};
	static const char *const flags[] = {
		"AttachStdin", "AttachStdout", "AttachStderr",
		"Tty",         "OpenStdin",    "StdinOnce",
	};
	static const char *const others[] = {
		"ExposedPorts", "Env",        "Cmd",     "Image",  "Volumes",
		"WorkingDir",   "Entrypoint", "OnBuild", "Labels",
	};
	json_t *const o = json_object();
	json_t *const copy = json_deep_copy(from);
	const char *key;
	json_t *value;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		put_text(o, texts[i], from);
	for (size_t i = 0; i < ARRAY_LEN(flags); i++)
		(void)json_object_set_new(
			o, flags[i],
			json_boolean(
				json_is_true(json_object_get(from, flags[i]))));
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		json_t *const v = json_object_get(copy, others[i]);

		if (!strcmp(others[i], "Image") ||
		    !strcmp(others[i], "WorkingDir"))
			put_text(o, others[i], from);
		else if (v || strcmp(others[i], "ExposedPorts") != 0)
			(void)json_object_set_new(
				o, others[i], v ? json_incref(v) : json_null());
	}
	json_object_foreach(copy, key, value)
	{
		if (!json_object_get(o, key))
			(void)json_object_set(o, key, value);
	}
	json_decref(copy);
	return o;
}

/* The image's own document, as it came. */
static json_t *read_config(struct store *s, const struct image *img,
			   struct err *e)
{
	autobuf struct buf b = buf_make(CONFIG_MAX);

	if (blob_read(s, &img->config_digest, &b, e))
		return NULL;
	return json_parse(buf_str(&b), b.len, "config of the image", e);
}

/* ---- the document -------------------------------------------------------- */

static json_t *layers_of(struct store *s, const struct image *img,
			 uint64_t *ret_size, struct err *e)
{
	json_t *const layers = json_array();

	*ret_size = 0;
	for (size_t i = 0; i < img->config.n_diff_ids; i++) {
		const struct digest *const d = &img->config.diff_ids[i];
		uint64_t n = 0;

		(void)json_array_append_new(layers,
					    json_string(DIGEST_TEXT(d)));
		if (layer_size(s, d, &n, e)) {
			json_decref(layers);
			return NULL;
		}
		*ret_size += n;
	}
	return layers;
}

static json_t *last_comment(const json_t *doc)
{
	const json_t *const history = json_object_get(doc, "history");
	const size_t n = json_array_size(history);
	const char *const s = json_string_value(json_object_get(
		n ? json_array_get(history, n - 1) : NULL, "comment"));

	return json_string(s ? s : "");
}

static json_t *document(const struct image *img, const json_t *config,
			const struct names *names, json_t *layers,
			uint64_t size)
{
	const struct oci_image *const c = &img->config;
	json_t *const o = json_pack(
		"{s:s, s:O, s:O, s:s, s:o, s:s, s:s, s:s, s:o, s:s}", "Id",
		DIGEST_TEXT(&img->config_digest), "RepoTags", names->tags,
		"RepoDigests", names->digests, "Parent", "", "Comment",
		last_comment(config), "Created", c->created ? c->created : "",
		"DockerVersion", "", "Author", c->author ? c->author : "",
		"Config", config_of(json_object_get(config, "config")),
		"Architecture", c->platform.arch);

	if (c->platform.variant[0])
		(void)json_object_set_new(o, "Variant",
					  json_string(c->platform.variant));
	(void)json_object_set_new(o, "Os", json_string(c->platform.os));
	(void)json_object_set_new(o, "Size", json_integer((json_int_t)size));
	(void)json_object_set_new(o, "VirtualSize",
				  json_integer((json_int_t)size));
	(void)json_object_set_new(
		o, "GraphDriver",
		json_pack("{s:{}, s:s}", "Data", "Name", "overlay"));
	(void)json_object_set_new(
		o, "RootFS",
		json_pack("{s:s, s:O}", "Type", "layers", "Layers", layers));
	(void)json_object_set_new(
		o, "Metadata",
		json_pack("{s:s}", "LastTagTime", "0001-01-01T00:00:00Z"));
	(void)json_object_set_new(o, "Digest",
				  json_string(DIGEST_TEXT(&img->top)));
	return o;
}

json_t *inspect_image(const struct inspect_ask *a, const char *text,
		      struct err *e)
{
	autoimage struct image img = {0};
	autojson json_t *config = NULL;
	autojson json_t *layers = NULL;
	autojson json_t *tags = json_array();
	autojson json_t *digests = json_array();
	struct names n = {
		.store = a->store,
		.id = &img.config_digest,
		.tags = tags,
		.digests = digests,
	};
	uint64_t size = 0;

	if (image_find_any(a->store, text, &img, e))
		return NULL;
	config = read_config(a->store, &img, e);
	if (!config)
		return NULL;
	layers = layers_of(a->store, &img, &size, e);
	if (!layers || image_each(a->store, add_name, &n, e))
		return NULL;
	return document(&img, config, &n, layers, size);
}
