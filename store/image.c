#include "store/image.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crash.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "store/blob.h"
#include "store/ready.h"

/* "sha512:<hex>\n" twice; what stands behind them is ready.h's. */
#define NAME_LINES_MAX (2 * DIGEST_TEXT_MAX)

void image_free(struct image *i)
{
	oci_manifest_free(&i->doc);
	oci_image_free(&i->config);
	*i = (struct image){0};
}

void own_image(struct image *i)
{
	image_free(i);
}

/* ---- one name ------------------------------------------------------------ */

char *image_name_path(const struct ref *ref)
{
	if (digest_is_set(&ref->digest))
		return xasprintf("images/%s/%s/@%s", ref->registry,
				 ref->repository, DIGEST_TEXT(&ref->digest));
	return xasprintf("images/%s/%s/:%s", ref->registry, ref->repository,
			 ref->tag);
}

static int parse_name_file(const char *text, size_t n, struct digest *ret_top,
			   struct digest *ret_manifest, struct err *e)
{
	const char *const nl = memchr(text, '\n', n);
	const size_t first = nl ? (size_t)(nl - text) : 0;
	autofree char *top = NULL;
	autofree char *manifest = NULL;

	const char *const end = nl ? memchr(nl + 1, '\n', n - first - 1) : NULL;

	if (!end || memchr(text, '\0', (size_t)(end - text)))
		return err_set(e, ERR_INVALID, "not two lines");
	top = xstrndup(text, first);
	manifest = xstrndup(nl + 1, (size_t)(end - nl) - 1);
	if (digest_parse(top, ret_top, e) ||
	    digest_parse(manifest, ret_manifest, e))
		return -1;
	return 0;
}

static int read_name_at(int dirfd, const char *path, struct digest *ret_top,
			struct digest *ret_manifest, struct err *e)
{
	char text[NAME_LINES_MAX];
	ssize_t n;
	autoclose int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return err_set(e, ERR_NOTFOUND, "%s: does not exist", path);
	if (fd < 0)
		return err_sys(e, "openat", "%s", path);
	n = read(fd, text, sizeof(text));
	if (n < 0)
		return err_sys(e, "read", "%s", path);

	ERR_IN(e, "%s", path);
	return parse_name_file(text, (size_t)n, ret_top, ret_manifest, e);
}

/* ---- all names ----------------------------------------------------------- */

struct walk {
	image_fn fn;
	void *ctx;
	struct ref ref; /* registry and repository as far as we are down */
};

static int walk_name(struct walk *w, int fd, const char *name, struct err *e)
{
	struct ref ref = w->ref;
	struct err bad = {0};
	struct digest top = {0};
	struct digest manifest = {0};
	int n;

	(void)e;
	if (name[0] == '@') {
		if (digest_parse(name + 1, &ref.digest, &bad))
			return w->fn(w->ctx, &ref, &top, &manifest, &bad);
	} else {
		n = snprintf(ref.tag, sizeof(ref.tag), "%s", name + 1);
		if (n < 0 || (size_t)n >= sizeof(ref.tag))
			(void)err_set(&bad, ERR_INVALID, "%s: not a tag", name);
	}
	if (!err_is(&bad))
		(void)read_name_at(fd, name, &top, &manifest, &bad);
	/* It was there when the folder was read and is gone now. */
	if (bad.kind == ERR_NOTFOUND)
		return 0;
	return w->fn(w->ctx, &ref, &top, &manifest, err_is(&bad) ? &bad : NULL);
}

static int walk_dir(struct walk *w, int fd, struct err *e);

/* One part of a name further down; fits, or it is not one of ours. */
static int walk_down(struct walk *w, int fd, const char *name, struct err *e)
{
	const struct ref was = w->ref;
	char *const to = was.registry[0] ? w->ref.repository : w->ref.registry;
	const size_t used = strlen(to);
	const int n = snprintf(to + used, sizeof(was.repository) - used, "%s%s",
			       used ? "/" : "", name);
	autoclose int sub = -1;
	int r = 0;

	_Static_assert(sizeof(was.repository) == sizeof(was.registry),
		       "one size for both");
	if (n > 0 && (size_t)n < sizeof(was.repository) - used) {
		sub = openat(fd, name,
			     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			r = walk_dir(w, sub, e);
		else if (errno != ENOENT && errno != ENOTDIR)
			r = err_sys(e, "openat", "images: %s", name);
	}
	w->ref = was;
	return r;
}

static int walk_dir(struct walk *w, int fd, struct err *e)
{
	const int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *ent;

	if (!d) {
		const int saved = errno;

		if (copy >= 0)
			(void)close(copy);
		return err_sysno(e, saved, "opendir", "images");
	}
	while ((ent = readdir(d))) {
		const char *const name = ent->d_name;
		const bool is_name = name[0] == ':' || name[0] == '@';
		int r;

		if (name[0] == '.')
			continue;
		r = is_name ? walk_name(w, fd, name, e)
			    : walk_down(w, fd, name, e);
		if (r)
			return r;
	}
	return 0;
}

int image_each(struct store *s, image_fn fn, void *ctx, struct err *e)
{
	struct walk w = {.fn = fn, .ctx = ctx};
	const int fd = store_dirfd(s, STORE_IMAGES, e);

	return fd < 0 ? -1 : walk_dir(&w, fd, e);
}

/* ---- finding ------------------------------------------------------------- */

struct by_digest {
	const struct ref *want;
	struct digest *top;
	struct digest *manifest;
	bool found;
};

static int match_digest(void *ctx, const struct ref *ref,
			const struct digest *top, const struct digest *manifest,
			const struct err *bad)
{
	struct by_digest *const m = ctx;

	(void)ref;
	if (bad || (!digest_eq(top, &m->want->digest) &&
		    !digest_eq(manifest, &m->want->digest)))
		return 0;
	*m->top = *top;
	*m->manifest = *manifest;
	m->found = true;
	return 1;
}

/* A tag of the same repository that resolved to the digest will do. */
static int resolve_by_tags(struct store *s, const struct ref *ref,
			   struct digest *ret_top, struct digest *ret_manifest,
			   struct err *e)
{
	struct by_digest m = {
		.want = ref, .top = ret_top, .manifest = ret_manifest};
	struct walk w = {.fn = match_digest, .ctx = &m, .ref = *ref};
	autofree char *path =
		xasprintf("%s/%s", ref->registry, ref->repository);
	const int images = store_dirfd(s, STORE_IMAGES, e);
	autoclose int fd = -1;

	if (images < 0)
		return -1;
	fd = openat(images, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "openat", "images/%s", path);
	if (fd >= 0 && walk_dir(&w, fd, e) < 0)
		return -1;
	return m.found ? 0 : err_set(e, ERR_NOTFOUND, "no such digest");
}

int image_resolve(struct store *s, const struct ref *ref,
		  struct digest *ret_top, struct digest *ret_manifest,
		  struct err *e)
{
	autofree char *path = image_name_path(ref);
	const char *const text = ref_familiar(ref, (char[REF_TEXT_MAX]){0});

	if (read_name_at(store_dirfd(s, STORE_ROOT, e), path, ret_top,
			 ret_manifest, e) == 0)
		return 0;
	if (e->kind == ERR_NOTFOUND && digest_is_set(&ref->digest)) {
		err_clear(e);
		if (resolve_by_tags(s, ref, ret_top, ret_manifest, e) == 0)
			return 0;
	}
	if (e->kind != ERR_NOTFOUND)
		return -1;

	err_clear(e);
	(void)err_set(e, ERR_NOTFOUND, "image %s is not in the store", text);
	return err_hint(e, "'prism pull %s' fetches it", text);
}

int image_load(struct store *s, const struct ref *ref, const struct digest *top,
	       const struct digest *manifest, struct image *ret, struct err *e)
{
	autobuf struct buf text = buf_make(MANIFEST_MAX);
	autobuf struct buf config = buf_make(CONFIG_MAX);
	autoimage struct image img = {
		.ref = *ref, .top = *top, .manifest = *manifest};

	ERR_IN(e, "image %s", ref_familiar(ref, (char[REF_TEXT_MAX]){0}));
	if (blob_read(s, manifest, &text, e) ||
	    oci_manifest_parse(buf_str(&text), text.len, &img.doc, e))
		return -1;
	img.config_digest = img.doc.config.digest;
	if (blob_read(s, &img.config_digest, &config, e) ||
	    oci_image_parse(buf_str(&config), config.len, &img.config, e))
		return -1;
	if (img.config.n_diff_ids != img.doc.n_layers)
		return err_set(e, ERR_INVALID,
			       "%zu layers, but %zu diff ids in the config",
			       img.doc.n_layers, img.config.n_diff_ids);
	*ret = img;
	img = (struct image){0};
	return 0;
}

/*
 * The manifest of another platform, if the name resolved to an index and that
 * manifest was pulled as well. False if not; what is wrong with the index is
 * of no interest here.
 */
static bool other_platform(struct store *s, const struct digest *top,
			   const struct oci_platform *want, struct digest *ret)
{
	autobuf struct buf text = buf_make(MANIFEST_MAX);
	struct oci_index index = {0};
	const struct oci_desc *desc = NULL;
	enum oci_doc kind = OCI_DOC_MANIFEST;
	struct err ignored = {0};
	bool unjudged = false;
	bool found;

	if (blob_read(s, top, &text, &ignored) ||
	    oci_doc_kind(buf_str(&text), text.len, NULL, &kind, &ignored) ||
	    kind != OCI_DOC_INDEX ||
	    oci_index_parse(buf_str(&text), text.len, &index, &ignored))
		return false;

	found = oci_index_select(&index, want, &desc, &unjudged, &ignored) ==
			0 &&
		!unjudged && blob_has(s, &desc->digest);
	if (found)
		*ret = desc->digest;
	oci_index_free(&index);
	return found;
}

static int wrong_platform(const struct image *img,
			  const struct oci_platform *want, struct err *e)
{
	const char *const text =
		ref_familiar(&img->ref, (char[REF_TEXT_MAX]){0});
	char wanted[OCI_PLATFORM_TEXT_MAX];

	(void)oci_platform_text(want, wanted);
	(void)err_set(e, ERR_NOTFOUND,
		      "image %s is in the store for %s only, not for %s", text,
		      oci_platform_text(&img->config.platform,
					(char[OCI_PLATFORM_TEXT_MAX]){0}),
		      wanted);
	return err_hint(e, "'prism pull --platform %s %s' fetches it", wanted,
			text);
}

int image_find(struct store *s, const struct ref *ref,
	       const struct oci_platform *platform, struct image *ret,
	       struct err *e)
{
	struct oci_platform want = {0};
	struct digest top = {0};
	struct digest manifest = {0};
	autoimage struct image img = {0};

	if (image_resolve(s, ref, &top, &manifest, e) ||
	    image_load(s, ref, &top, &manifest, &img, e))
		return -1;

	if (platform)
		want = *platform;
	else
		oci_platform_host(&want);
	if (!oci_platform_match(&want, &img.config.platform)) {
		if (other_platform(s, &top, &want, &manifest)) {
			image_free(&img);
			return image_load(s, ref, &top, &manifest, ret, e);
		}
		if (platform)
			return wrong_platform(&img, &want, e);
	}
	*ret = img;
	img = (struct image){0};
	return 0;
}

/* ---- by id --------------------------------------------------------------- */

struct by_id {
	struct store *store;
	const char *prefix;
	struct image found;
	bool ambiguous;
};

static int match_id(void *ctx, const struct ref *ref, const struct digest *top,
		    const struct digest *manifest, const struct err *bad)
{
	struct by_id *const m = ctx;
	autoimage struct image img = {0};
	struct err ignored = {0};

	/* A broken image is found by its name, and by fsck. */
	if (bad || image_load(m->store, ref, top, manifest, &img, &ignored) ||
	    !str_starts(img.config_digest.hex, m->prefix))
		return 0;
	if (!digest_is_set(&m->found.config_digest)) {
		m->found = img;
		img = (struct image){0};
	} else if (!digest_eq(&img.config_digest, &m->found.config_digest)) {
		m->ambiguous = true;
	}
	return 0;
}

/* The hex digits of what may be an image id, or NULL. */
static const char *id_digits(const char *text)
{
	const char *const rest = str_after(text, "sha256:");
	const char *const hex = rest ? rest : text;
	const size_t n = strlen(hex);

	if (n < 2 || n > 64 || strspn(hex, "0123456789abcdef") != n)
		return NULL;
	return hex;
}

static int find_id(struct store *s, const char *text, const char *prefix,
		   struct image *ret, struct err *e)
{
	struct by_id m = {.store = s, .prefix = prefix};

	if (image_each(s, match_id, &m, e)) {
		image_free(&m.found);
		return -1;
	}
	if (m.ambiguous) {
		image_free(&m.found);
		return err_set(e, ERR_USAGE,
			       "%s: several images have an id that begins so",
			       text);
	}
	if (!digest_is_set(&m.found.config_digest))
		return err_set(e, ERR_NOTFOUND,
			       "no image is named %s, and "
			       "none has such an id",
			       text);
	*ret = m.found;
	return 0;
}

int image_find_named(struct store *s, const char *text,
		     const struct oci_platform *platform, struct image *ret,
		     bool *ret_named, struct err *e)
{
	const char *const prefix = id_digits(text);
	autoimage struct image img = {0};
	struct ref ref;

	*ret_named = ref_parse(text, &ref, e) == 0;
	if (*ret_named && image_find(s, &ref, platform, ret, e) == 0)
		return 0;
	if (!prefix ||
	    (e->kind != ERR_NOTFOUND && e->kind != ERR_INVALID &&
	     e->kind != ERR_USAGE) ||
	    (*ret_named && platform && image_is_named(s, &ref)))
		return -1;

	err_clear(e);
	*ret_named = false;
	if (find_id(s, text, prefix, &img, e))
		return -1;
	if (platform && !oci_platform_match(platform, &img.config.platform))
		return wrong_platform(&img, platform, e);
	*ret = img;
	img = (struct image){0};
	return 0;
}

int image_find_any(struct store *s, const char *text, struct image *ret,
		   struct err *e)
{
	bool named;

	return image_find_named(s, text, NULL, ret, &named, e);
}

/* ---- changing names ------------------------------------------------------ */

/* Sync each folder on the way to a name, the name's own first. */
static int sync_up(struct store *s, const char *path, struct err *e)
{
	autofree char *part = xstrdup(path);
	char *slash;

	while ((slash = strrchr(part, '/'))) {
		autoclose int fd = -1;

		*slash = '\0';
		fd = fs_opendir_at(store_dirfd(s, STORE_ROOT, e), part, e);
		if (fd < 0 || fs_sync_dir(fd, part, e))
			return -1;
	}
	return 0;
}

static int write_tag_file(int tmp, const char *name, const struct buf *text,
			  struct err *e)
{
	autoclose int fd = openat(
		tmp, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "openat", "tmp/%s", name);
	if (io_write_all(fd, buf_str(text), text->len, name, e))
		return -1;
	if (fsync(fd))
		return err_sys(e, "fsync", "tmp/%s", name);
	return 0;
}

static int put_name(struct store *s, const char *path, const struct buf *text,
		    struct err *e)
{
	const int tmp = store_dirfd(s, STORE_TMP, e);
	const int root = store_dirfd(s, STORE_ROOT, e);
	autofree char *dir =
		xstrndup(path, (size_t)(strrchr(path, '/') - path));
	char unique[17];
	char name[32];

	if (tmp < 0)
		return -1;
	str_random_hex(unique, 8);
	(void)snprintf(name, sizeof(name), "tag-%s", unique);
	if (write_tag_file(tmp, name, text, e) ||
	    fs_mkdirs_at(root, dir, 0700, e)) {
		store_explain(s, e);
		(void)unlinkat(tmp, name, 0);
		return -1;
	}
	crash_point("tag-file");
	if (renameat(tmp, name, root, path)) {
		(void)err_sys(e, "renameat", "tmp/%s -> %s", name, path);
		(void)unlinkat(tmp, name, 0);
		return -1;
	}
	crash_point("tag-renamed");
	return sync_up(s, path, e);
}

int image_tag(struct store *s, const struct ref *ref, const struct digest *top,
	      const struct digest *manifest, struct err *e)
{
	autofree char *path = image_name_path(ref);
	autobuf struct buf text = buf_make(CONFIG_MAX + MIB(1));
	autobuf struct buf ready = buf_make(CONFIG_MAX + MIB(1));
	struct err ignored = {0};

	buf_addf(&text, "%s\n%s\n", DIGEST_TEXT(top), DIGEST_TEXT(manifest));
	/* A start reads the blobs themselves where this part is missing. */
	if (ready_text(s, ref, top, manifest, &ready, &ignored) == 0)
		buf_add(&text, buf_str(&ready), ready.len);
	return put_name(s, path, &text, e);
}

bool image_is_named(struct store *s, const struct ref *ref)
{
	autofree char *path = image_name_path(ref);
	struct err ignored = {0};

	return faccessat(store_dirfd(s, STORE_ROOT, &ignored), path, F_OK, 0) ==
	       0;
}

int image_untag(struct store *s, const struct ref *ref, struct err *e)
{
	autofree char *path = image_name_path(ref);
	const int root = store_dirfd(s, STORE_ROOT, e);
	char *slash;

	if (unlinkat(root, path, 0)) {
		if (errno == ENOENT || errno == ENOTDIR)
			return err_set(
				e, ERR_NOTFOUND, "image %s is not in the store",
				ref_familiar(ref, (char[REF_TEXT_MAX]){0}));
		return err_sys(e, "unlinkat", "%s", path);
	}
	crash_point("untagged");
	if (sync_up(s, path, e))
		return -1;

	/* Folders that are empty now; the first that is not ends it. */
	while ((slash = strrchr(path, '/')) && slash != strchr(path, '/')) {
		*slash = '\0';
		if (unlinkat(root, path, AT_REMOVEDIR))
			break;
	}
	return 0;
}
