#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"
#include "base/ref.h"
#include "cmd/cmd.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/store.h"

struct inspect_opts {
	const char *type;
};

static const struct opt inspect_options[] = {
	{0, "type", OPT_STR, offsetof(struct inspect_opts, type), "image",
	 "Look among images only"},
	{0},
};

/* jansson answers NULL when memory ends or a string is no UTF-8. */
static json_t *text_or_empty(const char *s)
{
	return json_string(s ? s : "");
}

static json_t *list_or_null(const struct strv *a)
{
	json_t *list;

	if (a->n == 0)
		return json_null();
	list = json_array();
	for (size_t i = 0; i < a->n; i++)
		(void)json_array_append_new(list, json_string(a->v[i]));
	return list;
}

/* {"80/tcp": {}}: how Docker writes sets. */
static json_t *set_or_null(const struct strv *a)
{
	json_t *set;

	if (a->n == 0)
		return json_null();
	set = json_object();
	for (size_t i = 0; i < a->n; i++)
		(void)json_object_set_new(set, a->v[i], json_object());
	return set;
}

static json_t *labels_or_null(const struct strv *a)
{
	json_t *map;

	if (a->n == 0)
		return json_null();
	map = json_object();
	for (size_t i = 0; i < a->n; i++) {
		const char *const eq = strchr(a->v[i], '=');
		autofree char *key = xstrndup(
			a->v[i], eq ? (size_t)(eq - a->v[i]) : strlen(a->v[i]));

		(void)json_object_set_new(map, key,
					  text_or_empty(eq ? eq + 1 : NULL));
	}
	return map;
}

static json_t *config_json(const struct oci_image *c)
{
	json_t *const o = json_object();

	(void)json_object_set_new(o, "User", text_or_empty(c->user));
	if (c->exposed_ports.n)
		(void)json_object_set_new(o, "ExposedPorts",
					  set_or_null(&c->exposed_ports));
	(void)json_object_set_new(o, "Env", list_or_null(&c->env));
	(void)json_object_set_new(o, "Cmd", list_or_null(&c->cmd));
	(void)json_object_set_new(o, "Volumes", set_or_null(&c->volumes));
	(void)json_object_set_new(o, "WorkingDir",
				  text_or_empty(c->working_dir));
	(void)json_object_set_new(o, "Entrypoint",
				  list_or_null(&c->entrypoint));
	(void)json_object_set_new(o, "Labels", labels_or_null(&c->labels));
	if (c->stop_signal)
		(void)json_object_set_new(o, "StopSignal",
					  json_string(c->stop_signal));
	return o;
}

/* ---- names --------------------------------------------------------------- */

struct names {
	struct store *store;
	const struct digest *id;
	json_t *tags;
	json_t *digests;
};

static void add_once(json_t *list, const char *text)
{
	size_t i;
	json_t *v;

	json_array_foreach(list, i,
			   v) if (!strcmp(json_string_value(v), text)) return;
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

/* ---- one image ----------------------------------------------------------- */

static int add_layers(struct store *s, const struct image *img, json_t *layers,
		      uint64_t *ret_size, struct err *e)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < img->config.n_diff_ids; i++) {
		const struct digest *const d = &img->config.diff_ids[i];
		uint64_t n = 0;

		(void)json_array_append_new(layers,
					    json_string(DIGEST_TEXT(d)));
		if (layer_size(s, d, &n, e))
			return -1;
		sum += n;
	}
	*ret_size = sum;
	return 0;
}

static json_t *image_json(struct store *s, const struct image *img,
			  struct err *e)
{
	json_t *const o = json_object();
	json_t *const layers = json_array();
	struct names n = {
		.store = s,
		.id = &img->config_digest,
		.tags = json_array(),
		.digests = json_array(),
	};
	uint64_t size = 0;
	const int rc = image_each(s, add_name, &n, e) ||
		       add_layers(s, img, layers, &size, e);

	(void)json_object_set_new(
		o, "Id", json_string(DIGEST_TEXT(&img->config_digest)));
	(void)json_object_set_new(o, "RepoTags", n.tags);
	(void)json_object_set_new(o, "RepoDigests", n.digests);
	(void)json_object_set_new(o, "Created",
				  text_or_empty(img->config.created));
	(void)json_object_set_new(o, "Author",
				  text_or_empty(img->config.author));
	(void)json_object_set_new(o, "Config", config_json(&img->config));
	(void)json_object_set_new(o, "Architecture",
				  json_string(img->config.platform.arch));
	if (img->config.platform.variant[0])
		(void)json_object_set_new(
			o, "Variant",
			json_string(img->config.platform.variant));
	(void)json_object_set_new(o, "Os",
				  json_string(img->config.platform.os));
	(void)json_object_set_new(o, "Size", json_integer((json_int_t)size));
	(void)json_object_set_new(
		o, "RootFS",
		json_pack("{s:s, s:o}", "Type", "layers", "Layers", layers));
	if (rc == 0)
		return o;
	json_decref(o);
	return NULL;
}

static int inspect_run(const struct globals *g, void *fields, int argc,
		       char **argv, struct err *e)
{
	const struct inspect_opts *const o = fields;
	autojson json_t *all = json_array();
	autostore struct store *s = NULL;
	autofree char *text = NULL;
	bool missing = false;

	if (o->type && strcmp(o->type, "image") != 0)
		return err_set(e, ERR_USAGE, "--type: only 'image' is known");
	if (cmd_open_store(g, &s, e))
		return -1;
	for (int i = 0; i < argc; i++) {
		autoimage struct image img = {0};
		struct err why = {0};
		json_t *one = NULL;

		if (image_find_any(s, argv[i], &img, &why) == 0)
			one = image_json(s, &img, &why);
		if (one) {
			(void)json_array_append_new(all, one);
			continue;
		}
		missing = true;
		/* Scripts know Docker's sentence. */
		if (why.kind == ERR_NOTFOUND || why.kind == ERR_USAGE)
			(void)fprintf(stderr, "Error: No such object: %s\n",
				      argv[i]);
		else
			cmd_print_error("inspect", &why);
	}
	text = json_dumps(all, JSON_INDENT(4));
	(void)printf("%s\n", text ? text : "[]");
	return missing;
}

extern const struct command cmd_inspect;
const struct command cmd_inspect = {
	.name = "inspect",
	.operands = "IMAGE...",
	.summary = "Show what is known of images, as JSON",
	.opts = inspect_options,
	.fields_size = sizeof(struct inspect_opts),
	.min_operands = 1,
	.max_operands = -1,
	.run = inspect_run,
};
