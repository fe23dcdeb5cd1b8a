/*
 * push - images into a registry, byte for byte as they lie in the store
 *
 * Of an index all images go, and then the index itself, if the store has all of
 * them; else the one image for this machine, as with --platform.
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
#include "cmd/common_out.h"
#include "cmd/image_progress.h"
#include "registry/registry.h"
#include "store/blob.h"
#include "store/image.h"
#include "store/imagetree.h"
#include "store/store.h"

struct push_opts {
	const char *platform;
	const char *authfile;
	const char *digestfile;
	bool all_tags;
	bool quiet;
};

static const struct opt push_options[] = {
	{0, "platform", OPT_STR, offsetof(struct push_opts, platform),
	 "OS/ARCH[/VARIANT]", "Push the image of this platform"},
	{0, "authfile", OPT_STR, offsetof(struct push_opts, authfile), "FILE",
	 "Credentials, in the form of Docker's config.json"},
	{0, "digestfile", OPT_STR, offsetof(struct push_opts, digestfile),
	 "FILE", "Write the digest of what was pushed there"},
	{'a', "all-tags", OPT_BOOL, offsetof(struct push_opts, all_tags), NULL,
	 "Push all tags of the repository IMAGE"},
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
	struct progress progress;
	bool said; /* where to */
	/* Of one image: */
	struct image image;
	struct imagetree tree; /* what goes, the last under ref's name */
	struct item *item;     /* layers, then a config, for each manifest */
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

/*
 * The whole index, or else the one image; whether others are here is what says
 * if the name may lead to that one alone afterwards.
 */
static int choose(struct push *p, bool named, bool *ret_others, struct err *e)
{
	autoimagetree struct imagetree t = {0};
	autobuf struct buf missing = buf_make(KIB(4));
	const bool whole = named && !p->opts->platform;

	*ret_others = false;
	if (imagetree_read(p->store, &p->image.top, &t, e))
		return -1;
	if (!imagetree_top(&t)->is_index || (whole && t.missing.n == 0)) {
		p->tree = t;
		t = (struct imagetree){0};
		return 0;
	}
	if (imagetree_read(p->store, &p->image.manifest, &p->tree, e))
		return -1;
	for (size_t i = 0; i < t.n; i++)
		*ret_others |= !t.doc[i].is_index &&
			       !digest_eq(&t.doc[i].digest, &p->image.manifest);
	for (size_t i = 0; whole && i < t.missing.n; i++)
		buf_addf(&missing, "%s%s",
			 i ? ", " : ": not in the store: ", t.missing.v[i]);
	log_note("%s came as an index of several platforms; the image for %s "
		 "is pushed, the index is not%s",
		 ref_familiar(&p->image.ref, (char[REF_TEXT_MAX]){0}),
		 oci_platform_text(&p->image.config.platform,
				   (char[OCI_PLATFORM_TEXT_MAX]){0}),
		 buf_str(&missing));
	return 0;
}

static int find_image(struct push *p, bool *ret_others, struct err *e)
{
	const struct oci_platform *want = NULL;
	struct oci_platform platform;
	bool named = true;
	int rc;

	if (p->opts->platform) {
		if (oci_platform_parse(p->opts->platform, &platform, e))
			return -1;
		want = &platform;
	}
	if (p->source)
		rc = image_find_named(p->store, p->source, want, &p->image,
				      &named, e);
	else if (image_find(p->store, &p->ref, want, &p->image, e))
		rc = no_such_image(p, e);
	else
		rc = 0;
	return rc ? -1 : choose(p, named, ret_others, e);
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

/* Each blob once, however often the manifests name it. */
static int list_items(struct push *p, struct err *e)
{
	const struct imagetree *const t = &p->tree;
	size_t most = 0;

	for (size_t i = 0; i < t->n; i++)
		most += t->doc[i].manifest.n_layers + 1;
	p->item = xcalloc(most, sizeof(*p->item));
	for (size_t i = 0; i < t->n; i++) {
		const struct oci_manifest *const m = &t->doc[i].manifest;

		for (size_t k = 0; k < m->n_layers; k++)
			if (add_item(p, &m->layers[k], false, e))
				return -1;
		if (!t->doc[i].is_index && add_item(p, &m->config, true, e))
			return -1;
	}
	return 0;
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
	out_line("%s: %s%s", DIGEST_SHORT(&u->desc.digest), words[u->how],
		 u->how == REGISTRY_MOUNTED ? u->from : "");
	(void)out_flush();
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

/* What an index lists goes by its digest; the last one gets the tag. */
static int push_manifests(struct push *p, struct err *e)
{
	for (size_t i = 0; i < p->tree.n; i++) {
		const struct imagetree_doc *const doc = &p->tree.doc[i];
		autobuf struct buf text = buf_make(MANIFEST_MAX);
		struct ref to = p->ref;

		if (i + 1 < p->tree.n)
			to.digest = doc->digest;
		if (blob_read(p->store, &doc->digest, &text, e) ||
		    registry_push_manifest(p->registry, &to, buf_str(&text),
					   text.len, doc->media_type,
					   &doc->digest, e))
			return -1;
	}
	return 0;
}

/* ---- the name --------------------------------------------------------------- */

/*
 * Of an index one platform was pushed: that is what the name means in the
 * registry now, and what RepoDigests has to say.
 */
static int rename_index(struct push *p, struct err *e)
{
	if (digest_eq(&p->image.top, &imagetree_top(&p->tree)->digest))
		return 0;
	return image_tag(p->store, &p->ref, &p->image.manifest,
			 &p->image.manifest, e);
}

static int write_digest(const struct push *p, struct err *e)
{
	const char *const text = DIGEST_TEXT(&imagetree_top(&p->tree)->digest);
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
	bool others;

	if (find_image(p, &others, e) || list_items(p, e) ||
	    image_each(p->store, look_for_sources, p, e))
		return -1;
	if (!p->opts->quiet && !p->said)
		out_line("The push refers to repository [%s/%s]",
			 p->ref.registry, p->ref.repository);
	p->said = true;
	if (push_blobs(p, e) || push_manifests(p, e) ||
	    (!p->source && !others && rename_index(p, e)) || write_digest(p, e))
		return -1;
	if (p->opts->quiet)
		out_line("%s", ref_text(&p->ref, (char[REF_TEXT_MAX]){0}));
	else
		out_line("%s: digest: %s size: %zu", p->ref.tag,
			 DIGEST_TEXT(&imagetree_top(&p->tree)->digest),
			 (size_t)imagetree_top(&p->tree)->size);
	return 0;
}

static void forget_image(struct push *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->item[i].from);
	free(p->item);
	free(p->upload);
	p->item = NULL;
	p->upload = NULL;
	p->n = 0;
	imagetree_free(&p->tree);
	image_free(&p->image);
}

/* ---- all tags ----------------------------------------------------------------- */

struct tags {
	const struct ref *of;
	struct strv found;
};

static int note_tag(void *ctx, const struct ref *ref, const struct digest *top,
		    const struct digest *manifest, const struct err *bad)
{
	struct tags *const t = ctx;

	(void)top;
	(void)manifest;
	(void)bad;
	if (!digest_is_set(&ref->digest) &&
	    !strcmp(ref->registry, t->of->registry) &&
	    !strcmp(ref->repository, t->of->repository))
		strv_add(&t->found, ref->tag);
	return 0;
}

static int push_tags(struct push *p, const struct strv *tags, struct err *e)
{
	for (size_t i = 0; i < tags->n; i++) {
		int rc;

		(void)snprintf(p->ref.tag, sizeof(p->ref.tag), "%s",
			       tags->v[i]);
		rc = push_image(p, e);
		forget_image(p);
		if (rc)
			return -1;
	}
	return 0;
}

static int push_all_tags(struct push *p, struct err *e)
{
	struct tags t = {.of = &p->ref};
	int rc = image_each(p->store, note_tag, &t, e);

	if (rc == 0 && t.found.n == 0)
		rc = err_set(
			e, ERR_NOTFOUND, "no tag of %s is in the store",
			ref_familiar_name(&p->ref, (char[REF_TEXT_MAX]){0}));
	strv_sort(&t.found);
	if (rc == 0)
		rc = push_tags(p, &t.found, e);
	strv_free(&t.found);
	return rc;
}

static bool ends_in_tag(const char *name)
{
	const char *const slash = strrchr(name, '/');

	return strchr(slash ? slash : name, ':');
}

static int check_all_tags(const struct push *p, const char *name, struct err *e)
{
	if (!p->opts->all_tags)
		return 0;
	if (p->source || p->opts->digestfile)
		return err_set(e, ERR_USAGE, "--all-tags conflicts with %s",
			       p->source ? "a destination" : "--digestfile");
	if (ends_in_tag(name))
		return err_set(e, ERR_USAGE,
			       "'%s': tag can't be used with --all-tags/-a",
			       name);
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

	if (ref_parse(name, &p->ref, e) || check_all_tags(p, name, e))
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
		rc = p.opts->all_tags ? push_all_tags(&p, e)
				      : push_image(&p, e);
	forget_image(&p);
	registry_free(p.registry);
	store_close(p.store);
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
