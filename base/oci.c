/*
 * How it works: each parser fills a zeroed struct field by field and frees it
 * again if a field is refused, so that what the caller gets is whole. Which
 * documents are images is decided by oci_doc_kind and by the media types that
 * a manifest names. Platforms stand in platform.c.
 */
#include "oci.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "json.h"
#include "limits.h"
#include "own.h"

#define MT_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+json"
#define MT_SCHEMA1_SIGNED \
	"application/vnd.docker.distribution.manifest.v1+prettyjws"

static bool is_index_type(const char *mt)
{
	return !strcmp(mt, OCI_MT_INDEX) || !strcmp(mt, DOCKER_MT_LIST);
}

static bool is_manifest_type(const char *mt)
{
	return !strcmp(mt, OCI_MT_MANIFEST) || !strcmp(mt, DOCKER_MT_MANIFEST);
}

static bool is_schema1_type(const char *mt)
{
	return !strcmp(mt, MT_SCHEMA1) || !strcmp(mt, MT_SCHEMA1_SIGNED);
}

/* A string into a fixed array; longer than it is refused, absent is empty. */
static int copy_str(const struct jval *o, const char *key, char *ret,
		    size_t size, struct err *e)
{
	const char *s;

	if (jget_str_opt(o, key, &s, e) < 0)
		return -1;
	if (!s)
		s = "";
	const size_t n = strlen(s);
	if (n >= size)
		return err_set(e, ERR_INVALID, "%s.%s: longer than %zu bytes",
			       o->path, key, size - 1);
	/* These travel into messages, headers and file names. */
	for (size_t i = 0; i < n; i++) {
		if (s[i] <= ' ' || s[i] >= 0x7f)
			return err_set(e, ERR_INVALID,
				       "%s.%s: not printable ASCII", o->path,
				       key);
	}
	memcpy(ret, s, n + 1);
	return 0;
}

static int dup_str(const struct jval *o, const char *key, char **ret,
		   struct err *e)
{
	const char *s;

	if (jget_str_opt(o, key, &s, e) < 0)
		return -1;
	*ret = s ? xstrdup(s) : NULL;
	return 0;
}

/* ---- descriptors --------------------------------------------------------- */

static int platform_of(const struct jval *o, struct oci_platform *ret,
		       struct err *e)
{
	if (copy_str(o, "os", ret->os, sizeof(ret->os), e) < 0 ||
	    copy_str(o, "architecture", ret->arch, sizeof(ret->arch), e) < 0 ||
	    copy_str(o, "variant", ret->variant, sizeof(ret->variant), e) < 0)
		return -1;
	oci_platform_normalise(ret);
	return 0;
}

static int desc_of(const struct jval *o, struct oci_desc *ret, struct err *e)
{
	struct jval platform;
	const char *digest;
	int64_t size;

	if (!jval_present(o))
		return err_set(e, ERR_INVALID, "%s: missing", o->path);
	if (copy_str(o, "mediaType", ret->media_type, sizeof(ret->media_type),
		     e) < 0 ||
	    jget_str(o, "digest", &digest, e) < 0 ||
	    jget_i64(o, "size", &size, e) < 0 ||
	    jget(o, "platform", &platform, e) < 0)
		return -1;
	if (digest_parse(digest, &ret->digest, e) < 0)
		return err_prefix(e, "%s.digest", o->path);
	if (size < 0)
		return err_set(e, ERR_INVALID, "%s.size: negative", o->path);
	ret->size = (uint64_t)size;

	ret->has_platform = jval_present(&platform);
	if (ret->has_platform)
		return platform_of(&platform, &ret->platform, e);
	return 0;
}

/* The member key, an array of descriptors, at most max. */
static int descs_of(const struct jval *doc, const char *key, size_t max,
		    struct oci_desc **ret, size_t *ret_n, struct err *e)
{
	struct jval a;
	struct jval item;

	if (jget(doc, key, &a, e) < 0)
		return -1;
	const int64_t n = jlen(&a, e);
	if (n < 0)
		return -1;
	if ((uint64_t)n > max)
		return err_set(e, ERR_TOOBIG,
			       "%s: %lld entries; at most %zu are possible",
			       a.path, (long long)n, max);

	autofree struct oci_desc *v = xcalloc((size_t)n + 1, sizeof(*v));
	for (size_t i = 0; i < (size_t)n; i++) {
		if (jat(&a, i, &item, e) < 0 || desc_of(&item, &v[i], e) < 0)
			return -1;
	}
	*ret = take_ptr(&v);
	*ret_n = (size_t)n;
	return 0;
}

/* ---- which document ------------------------------------------------------ */

static int schema1_refused(struct err *e)
{
	err_set(e, ERR_UNSUPPORTED,
		"the image is in Docker's schema 1 format of before 2016");
	return err_hint(e, "push it again with a current docker, podman or "
			   "skopeo to convert it");
}

static bool has(const struct jval *doc, const char *key)
{
	return json_object_get(doc->v, key) != NULL;
}

/*
 * The mediaType inside must agree with the members: a document that is both
 * index and manifest means one thing to one tool and another to the next
 * (CVE-2021-41190).
 */
static int kind_by_members(const struct jval *doc, const char *mt,
			   const char *content_type, enum oci_doc *ret,
			   struct err *e)
{
	const bool index = has(doc, "manifests");
	const bool manifest = has(doc, "layers") || has(doc, "config");

	if (index && manifest)
		return err_set(e, ERR_INVALID,
			       "manifest: both 'manifests' and 'layers' or "
			       "'config' are there, so it is ambiguous");
	if (!index && !manifest) {
		if (!*mt && content_type && is_schema1_type(content_type))
			return schema1_refused(e);
		return err_set(e, ERR_INVALID,
			       "manifest: neither an index ('manifests') nor "
			       "an image manifest ('config', 'layers')");
	}
	if (*mt && index != is_index_type(mt))
		return err_set(e, ERR_INVALID,
			       "manifest: mediaType is '%s', but the members "
			       "are those of %s",
			       mt, index ? "an index" : "a manifest");
	*ret = index ? OCI_DOC_INDEX : OCI_DOC_MANIFEST;
	return 0;
}

int oci_doc_kind(const char *p, size_t len, const char *content_type,
		 enum oci_doc *ret, struct err *e)
{
	autojson json_t *doc = json_parse(p, len, "manifest", e);
	char mt[128];
	int64_t version;

	if (!doc)
		return -1;
	struct jval v = jval_root(doc, "manifest");
	if (jget_i64_opt(&v, "schemaVersion", 2, &version, e) < 0 ||
	    copy_str(&v, "mediaType", mt, sizeof(mt), e) < 0)
		return -1;
	if (version == 1 || is_schema1_type(mt))
		return schema1_refused(e);
	if (version != 2)
		return err_set(e, ERR_INVALID,
			       "manifest.schemaVersion: %lld is unknown",
			       (long long)version);
	if (*mt && !is_index_type(mt) && !is_manifest_type(mt))
		return err_set(e, ERR_UNSUPPORTED,
			       "this is not an image but '%s'", mt);
	return kind_by_members(&v, mt, content_type, ret, e);
}

/* ---- index --------------------------------------------------------------- */

int oci_index_parse(const char *p, size_t len, struct oci_index *ret,
		    struct err *e)
{
	autojson json_t *doc = json_parse(p, len, "index", e);
	struct oci_index x = {0};

	if (!doc)
		return -1;
	const struct jval v = jval_root(doc, "index");
	if (copy_str(&v, "mediaType", x.media_type, sizeof(x.media_type), e) <
		    0 ||
	    descs_of(&v, "manifests", INDEX_MAX, &x.v, &x.n, e) < 0)
		return -1;
	*ret = x;
	return 0;
}

void oci_index_free(struct oci_index *x)
{
	free(x->v);
	*x = (struct oci_index){0};
}

/* ---- manifest ------------------------------------------------------------ */

/*
 * What old Docker versions and some registries wrote instead of the config's
 * type (moby issues 22378, 30083) is an image too.
 */
static bool is_image_config_type(const char *mt)
{
	static const char *const types[] = {
		DOCKER_MT_CONFIG,           OCI_MT_CONFIG, "application/json",
		"application/octet-stream", "text/html",   "",
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (!strcmp(mt, types[i]))
			return true;
	}
	return false;
}

static int artifact(const char *type, struct err *e)
{
	return err_set(e, ERR_UNSUPPORTED,
		       "this is not an image but an artifact of type '%s'",
		       type);
}

/* Compression is seen in the bytes later; that it is a tar must be said. */
static int check_layer_type(const char *mt, size_t i, struct err *e)
{
	if (strstr(mt, "+encrypted"))
		return err_set(e, ERR_UNSUPPORTED,
			       "layer %zu is encrypted ('%s')", i + 1, mt);
	if (*mt && !strstr(mt, "tar") && strcmp(mt, "application/octet-stream"))
		return err_set(e, ERR_UNSUPPORTED,
			       "this is not an image: layer %zu is of type "
			       "'%s'",
			       i + 1, mt);
	return 0;
}

static int manifest_content(const struct jval *v, struct oci_manifest *m,
			    struct err *e)
{
	struct jval config;

	if (copy_str(v, "mediaType", m->media_type, sizeof(m->media_type), e) <
		    0 ||
	    jget(v, "config", &config, e) < 0)
		return -1;
	if (is_index_type(m->media_type) || has(v, "manifests"))
		return err_set(e, ERR_INVALID,
			       "manifest: an index where the manifest of one "
			       "platform should be");
	if (*m->media_type && !is_manifest_type(m->media_type))
		return artifact(m->media_type, e);
	if (desc_of(&config, &m->config, e) < 0)
		return -1;
	return descs_of(v, "layers", LAYERS_MAX, &m->layers, &m->n_layers, e);
}

static int check_image(const struct jval *v, const struct oci_manifest *m,
		       struct err *e)
{
	char type[128];

	if (copy_str(v, "artifactType", type, sizeof(type), e) < 0)
		return -1;
	if (!is_image_config_type(m->config.media_type))
		return artifact(*type ? type : m->config.media_type, e);
	if (m->config.size > CONFIG_MAX)
		return err_set(e, ERR_TOOBIG,
			       "manifest.config.size: %llu is more than %zu",
			       (unsigned long long)m->config.size, CONFIG_MAX);
	for (size_t i = 0; i < m->n_layers; i++) {
		if (check_layer_type(m->layers[i].media_type, i, e) < 0)
			return -1;
	}
	return 0;
}

static int manifest_parse(const char *p, size_t len, bool any,
			  struct oci_manifest *ret, struct err *e)
{
	autojson json_t *doc = json_parse(p, len, "manifest", e);
	struct oci_manifest m = {0};

	if (!doc)
		return -1;
	const struct jval v = jval_root(doc, "manifest");
	if (!json_is_object(doc))
		return err_set(e, ERR_INVALID, "manifest: not an object");
	if (manifest_content(&v, &m, e) < 0 ||
	    (!any && check_image(&v, &m, e) < 0)) {
		oci_manifest_free(&m);
		return -1;
	}
	*ret = m;
	return 0;
}

int oci_manifest_parse(const char *p, size_t len, struct oci_manifest *ret,
		       struct err *e)
{
	return manifest_parse(p, len, false, ret, e);
}

int oci_manifest_content(const char *p, size_t len, struct oci_manifest *ret,
			 struct err *e)
{
	return manifest_parse(p, len, true, ret, e);
}

void oci_manifest_free(struct oci_manifest *m)
{
	free(m->layers);
	*m = (struct oci_manifest){0};
}

/* ---- image config -------------------------------------------------------- */

/* Refuse an absurdly long set or list: callers search it for each word. */
static int check_words(const struct jval *v, size_t n, struct err *e)
{
	return n <= WORDS_MAX ? 0
			      : err_set(e, ERR_TOOBIG,
					"%s: %zu entries; at most %d are taken",
					v->path, n, WORDS_MAX);
}

/* As a set of Go's, {"80/tcp": {}}, and labels are. */
static int check_object(const struct jval *v, struct err *e)
{
	if (!json_is_object(v->v))
		return err_set(e, ERR_INVALID, "%s: not an object", v->path);
	return check_words(v, json_object_size(v->v), e);
}

static int strings_of(const struct jval *o, const char *key, struct strv *ret,
		      struct err *e)
{
	struct jval a;
	const char *s;

	if (jget(o, key, &a, e) < 0)
		return -1;
	/* Docker before 1.9 wrote a command of one word as a plain string. */
	if (json_is_string(a.v)) {
		strv_add(ret, json_string_value(a.v));
		return 0;
	}
	const int64_t n = jlen(&a, e);
	if (n < 0 || check_words(&a, (size_t)n, e) < 0)
		return -1;
	for (size_t i = 0; i < (size_t)n; i++) {
		if (jat_str(&a, i, &s, e) < 0)
			return -1;
		strv_add(ret, s);
	}
	return 0;
}

/* The names are what counts. */
static int keys_of(const struct jval *o, const char *key, struct strv *ret,
		   struct err *e)
{
	struct jval set;

	if (jget(o, key, &set, e) < 0)
		return -1;
	if (!jval_present(&set))
		return 0;
	if (check_object(&set, e) < 0)
		return -1;

	for (void *it = json_object_iter((json_t *)(uintptr_t)set.v); it;
	     it = json_object_iter_next((json_t *)(uintptr_t)set.v, it))
		strv_add(ret, json_object_iter_key(it));
	return 0;
}

static int labels_of(const struct jval *o, const char *key, struct strv *ret,
		     struct err *e)
{
	struct jval set;
	const char *value;

	if (jget(o, key, &set, e) < 0)
		return -1;
	if (!jval_present(&set))
		return 0;
	if (check_object(&set, e) < 0)
		return -1;

	for (void *it = json_object_iter((json_t *)(uintptr_t)set.v); it;
	     it = json_object_iter_next((json_t *)(uintptr_t)set.v, it)) {
		const char *const k = json_object_iter_key(it);

		if (jget_str_opt(&set, k, &value, e) < 0)
			return -1;
		strv_take(ret, xasprintf("%s=%s", k, value ? value : ""));
	}
	return 0;
}

static int health_of(const struct jval *o, struct oci_health *h, struct err *e)
{
	struct jval v;
	int64_t *const numbers[] = {&h->interval_ns, &h->timeout_ns,
				    &h->start_period_ns, &h->start_interval_ns,
				    &h->retries};
	static const char *const keys[] = {"Interval", "Timeout", "StartPeriod",
					   "StartInterval", "Retries"};

	if (jget(o, "Healthcheck", &v, e) < 0)
		return -1;
	if (!jval_present(&v))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (jget_i64_opt(&v, keys[i], 0, numbers[i], e) < 0)
			return -1;
	return strings_of(&v, "Test", &h->test, e);
}

static int run_config_of(const struct jval *doc, struct oci_image *c,
			 struct err *e)
{
	struct jval o;

	if (jget(doc, "config", &o, e) < 0)
		return -1;
	if (dup_str(&o, "User", &c->user, e) < 0 ||
	    dup_str(&o, "WorkingDir", &c->working_dir, e) < 0 ||
	    dup_str(&o, "StopSignal", &c->stop_signal, e) < 0 ||
	    strings_of(&o, "Env", &c->env, e) < 0 ||
	    strings_of(&o, "Entrypoint", &c->entrypoint, e) < 0 ||
	    strings_of(&o, "Cmd", &c->cmd, e) < 0 ||
	    keys_of(&o, "Volumes", &c->volumes, e) < 0 ||
	    keys_of(&o, "ExposedPorts", &c->exposed_ports, e) < 0 ||
	    labels_of(&o, "Labels", &c->labels, e) < 0 ||
	    strings_of(&o, "Shell", &c->shell, e) < 0)
		return -1;
	return health_of(&o, &c->health, e);
}

static int diff_ids_of(const struct jval *doc, struct oci_image *c,
		       struct err *e)
{
	struct jval rootfs;
	struct jval ids;
	const char *type;
	const char *s;

	if (jget(doc, "rootfs", &rootfs, e) < 0 ||
	    jget_str_opt(&rootfs, "type", &type, e) < 0 ||
	    jget(&rootfs, "diff_ids", &ids, e) < 0)
		return -1;
	if (!jval_present(&rootfs))
		return err_set(e, ERR_INVALID,
			       "%s: missing; this is not the config of an "
			       "image",
			       rootfs.path);
	if (type && strcmp(type, "layers") != 0)
		return err_set(e, ERR_UNSUPPORTED, "%s.type: not 'layers'",
			       rootfs.path);
	const int64_t n = jlen(&ids, e);
	if (n < 0)
		return -1;
	if (n > LAYERS_MAX)
		return err_set(e, ERR_TOOBIG, "%s: %lld layers; at most %d",
			       ids.path, (long long)n, LAYERS_MAX);

	c->diff_ids = xcalloc((size_t)n + 1, sizeof(*c->diff_ids));
	c->n_diff_ids = (size_t)n;
	for (size_t i = 0; i < c->n_diff_ids; i++) {
		if (jat_str(&ids, i, &s, e) < 0)
			return -1;
		if (digest_parse(s, &c->diff_ids[i], e) < 0)
			return err_prefix(e, "%s[%zu]", ids.path, i);
	}
	return 0;
}

int oci_image_parse(const char *p, size_t len, struct oci_image *ret,
		    struct err *e)
{
	autojson json_t *doc = json_parse(p, len, "config", e);
	struct oci_image c = {0};

	if (!doc)
		return -1;
	const struct jval v = jval_root(doc, "config");
	if (!json_is_object(doc))
		return err_set(e, ERR_INVALID, "config: not an object");
	if (platform_of(&v, &c.platform, e) < 0 ||
	    dup_str(&v, "created", &c.created, e) < 0 ||
	    dup_str(&v, "author", &c.author, e) < 0 ||
	    run_config_of(&v, &c, e) < 0 || diff_ids_of(&v, &c, e) < 0) {
		oci_image_free(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

void oci_image_free(struct oci_image *c)
{
	free(c->created);
	free(c->author);
	free(c->user);
	free(c->working_dir);
	free(c->stop_signal);
	strv_free(&c->env);
	strv_free(&c->entrypoint);
	strv_free(&c->cmd);
	strv_free(&c->volumes);
	strv_free(&c->exposed_ports);
	strv_free(&c->labels);
	strv_free(&c->shell);
	strv_free(&c->health.test);
	free(c->diff_ids);
	*c = (struct oci_image){0};
}

/* ---- choosing a platform ------------------------------------------------- */

static bool is_attestation(const struct oci_desc *d)
{
	return d->has_platform && !strcmp(d->platform.os, "unknown") &&
	       !strcmp(d->platform.arch, "unknown");
}

static bool is_candidate(const struct oci_desc *d)
{
	return (is_manifest_type(d->media_type) ||
		is_index_type(d->media_type)) &&
	       !is_attestation(d);
}

static int no_platform(const struct oci_index *x,
		       const struct oci_platform *want, struct err *e)
{
	char text[OCI_PLATFORM_TEXT_MAX];
	autobuf struct buf list = buf_make(400);

	for (size_t i = 0; i < x->n; i++) {
		if (!is_candidate(&x->v[i]))
			continue;
		buf_adds(&list, list.len ? ", " : "");
		buf_adds(&list, oci_platform_text(&x->v[i].platform, text));
	}
	if (!list.len)
		return err_set(e, ERR_NOTFOUND,
			       "no image for any platform in the index");
	return err_set(e, ERR_NOTFOUND, "no image for %s; there is: %s%s",
		       oci_platform_text(want, text), buf_str(&list),
		       list.over ? ", ..." : "");
}

int oci_index_select(const struct oci_index *x, const struct oci_platform *want,
		     const struct oci_desc **ret, bool *ret_unjudged,
		     struct err *e)
{
	const struct oci_desc *best = NULL;
	const struct oci_desc *unjudged = NULL;
	int best_score = 0;

	for (size_t i = 0; i < x->n; i++) {
		const struct oci_desc *const d = &x->v[i];

		if (!is_candidate(d))
			continue;
		if (!d->has_platform) {
			unjudged = unjudged ? unjudged : d;
			continue;
		}
		const int score = oci_platform_match(want, &d->platform);
		if (score > best_score) {
			best = d;
			best_score = score;
		}
	}
	if (!best && !unjudged)
		return no_platform(x, want, e);
	*ret = best ? best : unjudged;
	*ret_unjudged = !best;
	return 0;
}

char *oci_layout_blob(const struct digest *d)
{
	return xasprintf("blobs/%s", DIGEST_PATH(d));
}
