/*
 * push - an image into a registry, byte for byte as it lies in the store
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/oci.h"
#include "base/own.h"
#include "base/ref.h"
#include "base/str.h"
#include "cmd/cmd.h"
#include "cmd/image_progress.h"
#include "registry/registry.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/store.h"

struct push_opts {
	const char *platform;
	const char *authfile;
	const char *digestfile;
	bool quiet;
};

static const struct opt push_options[] = {
	{0, "platform", OPT_STR, offsetof(struct push_opts, platform),
	 "OS/ARCH[/VARIANT]", "Push the image of this platform"},
	{0, "authfile", OPT_STR, offsetof(struct push_opts, authfile), "FILE",
	 "Credentials, in the form of Docker's config.json"},
	{0, "digestfile", OPT_STR, offsetof(struct push_opts, digestfile),
	 "FILE", "Write the digest of what was pushed there"},
	{'q', "quiet", OPT_BOOL, offsetof(struct push_opts, quiet), NULL,
	 "Print the reference only"},
	{0},
};

struct push {
	const struct push_opts *opts;
	const char *source; /* what to push, if it is not ref's own image */
	struct ref ref;
	struct registry *registry;
	struct store *store;
	struct image image;
	struct buf manifest;
	struct progress progress;
	struct item *item; /* layers, the config last */
	struct registry_upload *upload;
	size_t n;
};

struct item {
	struct push *push;
	const struct oci_desc *desc;
	bool is_config;
	char *from;
};

/* ---- what there is to push ------------------------------------------------ */

static int no_such_image(const struct push *p, struct err *e)
{
	if (e->kind != ERR_NOTFOUND || p->opts->platform)
		return -1;
	e->hint[0] = '\0';
	return err_hint(e,
			"'prism images' lists what there is; 'prism tag IMAGE "
			"%.100s' gives an image this name",
			ref_familiar(&p->ref, (char[REF_TEXT_MAX]){0}));
}

static int find_image(struct push *p, struct err *e)
{
	struct oci_platform platform;
	struct ref from = p->ref;

	if (p->opts->platform &&
	    oci_platform_parse(p->opts->platform, &platform, e))
		return -1;
	if (p->source) {
		if (image_find_any(p->store, p->source, &p->image, e))
			return -1;
		from = p->image.ref;
		image_free(&p->image);
	}
	if (image_find(p->store, &from, p->opts->platform ? &platform : NULL,
		       &p->image, e))
		return p->source ? -1 : no_such_image(p, e);
	p->manifest = buf_make(MANIFEST_MAX);
	return blob_read(p->store, &p->image.manifest, &p->manifest, e);
}

static int add_item(struct push *p, const struct oci_desc *desc, bool is_config,
		    struct err *e)
{
	uint64_t size;

	for (size_t i = 0; i < p->n; i++)
		if (digest_eq(&p->item[i].desc->digest, &desc->digest))
			return 0;
	if (blob_size(p->store, &desc->digest, &size, e))
		return err_hint(e,
				"'prism pull' of the image fetches it again");
	if (size != desc->size)
		return err_set(e, ERR_MISMATCH,
			       "blob %s has not the size that the manifest "
			       "says; 'prism fsck' looks at all",
			       DIGEST_SHORT(&desc->digest));
	p->item[p->n++] =
		(struct item){.push = p, .desc = desc, .is_config = is_config};
	return 0;
}

/* Each blob once, however often the manifest names it. */
static int list_items(struct push *p, struct err *e)
{
	const struct oci_manifest *const m = &p->image.doc;

	p->item = xcalloc(m->n_layers + 1, sizeof(*p->item));
	for (size_t i = 0; i < m->n_layers; i++)
		if (add_item(p, &m->layers[i], false, e))
			return -1;
	return add_item(p, &m->config, true, e);
}

static void offer(struct push *p, const char *repository,
		  const struct oci_desc *desc)
{
	for (size_t i = 0; i < p->n; i++)
		if (!p->item[i].from &&
		    digest_eq(&p->item[i].desc->digest, &desc->digest))
			p->item[i].from = xstrdup(repository);
}

/* An image of another repository there: the registry may have its layers. */
static int look_for_sources(void *ctx, const struct ref *ref,
			    const struct digest *top,
			    const struct digest *manifest,
			    const struct err *bad)
{
	struct push *const p = ctx;
	autobuf struct buf text = buf_make(MANIFEST_MAX);
	struct oci_manifest m = {0};
	struct err ignored = {0};

	(void)top;
	if (bad || strcmp(ref->registry, p->ref.registry) != 0 ||
	    !strcmp(ref->repository, p->ref.repository) ||
	    blob_read(p->store, manifest, &text, &ignored) ||
	    oci_manifest_parse(buf_str(&text), text.len, &m, &ignored))
		return 0;
	for (size_t i = 0; i < m.n_layers; i++)
		offer(p, ref->repository, &m.layers[i]);
	oci_manifest_free(&m);
	return 0;
}

/* ---- the transfer ---------------------------------------------------------- */

static int open_item(void *ctx, struct err *e)
{
	const struct item *const it = ctx;

	return blob_open(it->push->store, &it->desc->digest, e);
}

static void say_done(void *ctx, const struct registry_upload *u)
{
	static const char *const words[] = {
		[REGISTRY_NOTHING] = "",
		[REGISTRY_SENT] = "Pushed",
		[REGISTRY_WAS_THERE] = "Layer already exists",
		[REGISTRY_MOUNTED] = "Mounted from ",
	};
	const struct item *const it = ctx;

	if (it->push->opts->quiet || it->is_config)
		return;
	progress_wipe(&it->push->progress);
	(void)printf("%s: %s%s\n", DIGEST_SHORT(&u->desc.digest), words[u->how],
		     u->how == REGISTRY_MOUNTED ? u->from : "");
	(void)fflush(stdout);
}

static int draw(void *ctx, struct err *e)
{
	struct push *const p = ctx;
	struct progress_state now = {.layers = p->n};

	(void)e;
	for (size_t i = 0; i < p->n; i++) {
		const struct registry_upload *const u = &p->upload[i];
		const bool free_of_charge = u->how == REGISTRY_WAS_THERE ||
					    u->how == REGISTRY_MOUNTED;

		now.want_bytes += free_of_charge ? 0 : u->desc.size;
		now.have_bytes += u->sent;
		now.layers_done += u->how != REGISTRY_NOTHING;
	}
	progress_draw(&p->progress, &now);
	return 0;
}

static int push_blobs(struct push *p, struct err *e)
{
	int rc;

	p->upload = xcalloc(p->n, sizeof(*p->upload));
	for (size_t i = 0; i < p->n; i++)
		p->upload[i] = (struct registry_upload){
			.desc = *p->item[i].desc,
			.from = p->item[i].from,
			.open = open_item,
			.done = say_done,
			.ctx = &p->item[i],
		};
	rc = registry_push(p->registry, &p->ref, p->upload, p->n, 0, draw, p,
			   e);
	progress_wipe(&p->progress);
	return rc;
}

static int push_manifest(struct push *p, struct err *e)
{
	/* Docker's say what they are, of OCI's not all do. */
	const char *const type = *p->image.doc.media_type
					 ? p->image.doc.media_type
					 : OCI_MT_MANIFEST;

	return registry_push_manifest(p->registry, &p->ref,
				      buf_str(&p->manifest), p->manifest.len,
				      type, &p->image.manifest, e);
}

/* ---- the name --------------------------------------------------------------- */

/* Is another platform of this index here, which the name has to lead to? */
static bool has_others(const struct push *p)
{
	autobuf struct buf text = buf_make(MANIFEST_MAX);
	struct oci_index index = {0};
	struct err ignored = {0};
	bool others = false;

	if (blob_read(p->store, &p->image.top, &text, &ignored) ||
	    oci_index_parse(buf_str(&text), text.len, &index, &ignored))
		return true;
	for (size_t i = 0; i < index.n; i++)
		others |= !digest_eq(&index.v[i].digest, &p->image.manifest) &&
			  blob_has(p->store, &index.v[i].digest);
	oci_index_free(&index);
	return others;
}

/*
 * Of an index one platform was pushed: that is what the name means in the
 * registry now, and what RepoDigests has to say.
 */
static int rename_index(struct push *p, struct err *e)
{
	if (digest_eq(&p->image.top, &p->image.manifest))
		return 0;
	log_note("%s came as an index of several platforms; the image for %s "
		 "was pushed, the index was not",
		 ref_familiar(&p->image.ref, (char[REF_TEXT_MAX]){0}),
		 oci_platform_text(&p->image.config.platform,
				   (char[OCI_PLATFORM_TEXT_MAX]){0}));
	if (p->source || has_others(p))
		return 0;
	return image_tag(p->store, &p->ref, &p->image.manifest,
			 &p->image.manifest, e);
}

static int write_digest(const struct push *p, struct err *e)
{
	const char *const text = DIGEST_TEXT(&p->image.manifest);
	const char *const path = p->opts->digestfile;
	autoclose int fd = -1;

	if (!path)
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, "open", "%s", path);
	return io_write_all(fd, text, strlen(text), path, e);
}

/* ---- all of it --------------------------------------------------------------- */

static int push_image(struct push *p, struct err *e)
{
	if (find_image(p, e) || list_items(p, e) ||
	    image_each(p->store, look_for_sources, p, e))
		return -1;
	if (!p->opts->quiet)
		(void)printf("The push refers to repository [%s/%s]\n",
			     p->ref.registry, p->ref.repository);
	if (push_blobs(p, e) || push_manifest(p, e) || rename_index(p, e) ||
	    write_digest(p, e))
		return -1;
	if (p->opts->quiet)
		(void)printf("%s\n",
			     ref_text(&p->ref, (char[REF_TEXT_MAX]){0}));
	else
		(void)printf("%s: digest: %s size: %zu\n", p->ref.tag,
			     DIGEST_TEXT(&p->image.manifest), p->manifest.len);
	return 0;
}

static int prepare(struct push *p, const struct globals *g, const char *name,
		   struct err *e)
{
	const struct registry_opts o = {
		.config_path = g->config,
		.auth_file = p->opts->authfile,
		.note = progress_note,
		.note_ctx = &p->progress,
	};

	if (ref_parse(name, &p->ref, e))
		return -1;
	if (digest_is_set(&p->ref.digest)) {
		(void)err_set(e, ERR_USAGE,
			      "'%s': nothing can be pushed to a digest", name);
		return err_hint(e, "name a tag; the digest follows from the "
				   "image");
	}
	progress_begin(&p->progress, name, p->opts->quiet || g->quiet);
	return registry_make(&o, &p->registry, e) ||
			       cmd_open_store(g, &p->store, e)
		       ? -1
		       : 0;
}

static void clean_up(struct push *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->item[i].from);
	free(p->item);
	free(p->upload);
	buf_free(&p->manifest);
	image_free(&p->image);
	registry_free(p->registry);
	store_close(p->store);
}

static int push_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	struct push p = {.opts = fields, .source = argc > 1 ? argv[0] : NULL};
	const char *const to = argv[argc - 1];
	/* As podman writes it. */
	const char *const bare = str_after(to, "docker://");
	int rc;

	rc = prepare(&p, g, bare ? bare : to, e);
	if (rc == 0)
		rc = push_image(&p, e);
	clean_up(&p);
	return rc;
}

extern const struct command cmd_push;
const struct command cmd_push = {
	.name = "push",
	.operands = "IMAGE [DESTINATION]",
	.summary = "Send an image to a registry",
	.opts = push_options,
	.fields_size = sizeof(struct push_opts),
	.min_operands = 1,
	.max_operands = 2,
	.run = push_run,
};
