#include "store/fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/ref.h"
#include "store/blob.h"
#include "store/gc.h"
#include "store/image.h"
#include "store/layer.h"
#include "store/ready.h"
#include "store/stack.h"
#include "store/volume.h"

void fsck_found(struct fsck *f, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	f->findings++;
	f->found(f->ctx, text);
}

int fsck_hash_fd(struct fsck *f, int fd, const char *what, enum digest_alg alg,
		 struct digest *ret, struct err *e)
{
	struct hash *const h = hash_begin(alg);
	autofree char *p = xmalloc(KIB(256));

	for (;;) {
		const int64_t n = io_read_full(fd, p, KIB(256), what, e);

		if (n < 0) {
			hash_drop(h);
			return -1;
		}
		if (n == 0)
			break;
		hash_add(h, p, (size_t)n);
		f->bytes += (uint64_t)n;
	}
	hash_end(h, ret);
	return 0;
}

static int check_blob(void *ctx, const struct digest *d, const char *name,
		      struct err *e)
{
	struct fsck *const f = ctx;
	autoclose int fd = -1;
	struct digest got;
	struct err why = {0};

	(void)e;
	f->blobs++;
	if (!d) {
		fsck_found(f, "blobs: '%s' is no digest", name);
		return 0;
	}
	if (f->quick)
		return 0;
	fd = blob_open(f->store, d, &why);
	if (fd < 0 || fsck_hash_fd(f, fd, name, d->alg, &got, &why))
		fsck_found(f, "blob %s: %s", DIGEST_TEXT(d), why.text);
	else if (!digest_eq(&got, d))
		fsck_found(f, "blob %s: damaged: its bytes are %s",
			   DIGEST_TEXT(d), DIGEST_TEXT(&got));
	return 0;
}

static int check_layer(void *ctx, const struct digest *d, const char *name,
		       struct err *e)
{
	struct fsck *const f = ctx;
	uint64_t size;
	struct err why = {0};

	f->layers++;
	if (!d) {
		fsck_found(f, "layers: '%s' is no digest", name);
		return 0;
	}
	if (layer_size(f->store, d, &size, &why))
		fsck_found(f, "layer %s: %s", DIGEST_SHORT(d), why.text);
	return fsck_layer(f, d, e);
}

/* ---- skeletons ----------------------------------------------------------- */

static int check_stack(struct fsck *f, const struct digest *d, int dir,
		       struct err *e)
{
	autobuf struct buf text = buf_make(KIB(256));
	const size_t max = 2 * LAYERS_MAX + 1;
	autofree struct stack_item *item = xcalloc(max, sizeof(*item));
	size_t n = 0;

	if (fs_read_at(dir, "stack", &text, e) ||
	    stack_parse(buf_str(&text), text.len, item, max, &n, e))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (item[i].own[0] &&
		    faccessat(dir, item[i].own, F_OK, AT_SYMLINK_NOFOLLOW))
			fsck_found(f, "skeleton %s: '%s' is missing",
				   DIGEST_SHORT(d), item[i].own);
	}
	return 0;
}

static int check_skeleton(void *ctx, const struct digest *d, const char *name,
			  struct err *e)
{
	struct fsck *const f = ctx;
	const int dir = store_dirfd(f->store, STORE_SKELETONS, e);
	autoclose int fd = -1;
	struct err why = {0};

	if (dir < 0)
		return -1;
	if (!d) {
		fsck_found(f, "skeletons: '%s' is no digest", name);
		return 0;
	}
	fd = fs_opendir_at(dir, DIGEST_PATH(d), &why);
	if (fd < 0 || check_stack(f, d, fd, &why))
		fsck_found(f, "skeleton %s: %s", DIGEST_SHORT(d), why.text);
	return 0;
}

/* ---- names --------------------------------------------------------------- */

static void check_part(struct fsck *f, const char *name, const char *what,
		       const struct oci_desc *desc)
{
	uint64_t size;
	struct err why = {0};

	if (blob_size(f->store, &desc->digest, &size, &why))
		fsck_found(f, "image %s: %s: %s", name, what, why.text);
	else if (size != desc->size)
		fsck_found(f,
			   "image %s: %s: blob %s has %" PRIu64
			   " bytes instead of %" PRIu64,
			   name, what, DIGEST_SHORT(&desc->digest), size,
			   desc->size);
}

/* What a start takes from the name's file must be what the blobs say. */
static void check_ready(struct fsck *f, const struct image *img,
			const char *name)
{
	struct err why = {0};

	if (ready_check(f->store, img, &why) < 0)
		fsck_found(f, "image %s: %s", name, why.text);
}

static int check_name(void *ctx, const struct ref *ref,
		      const struct digest *top, const struct digest *manifest,
		      const struct err *bad)
{
	struct fsck *const f = ctx;
	char name[REF_TEXT_MAX];
	autoimage struct image img = {0};
	struct err why = {0};

	f->names++;
	(void)ref_familiar(ref, name);
	if (bad) {
		fsck_found(f, "image %s: %s", name, bad->text);
		return 0;
	}
	if (!blob_has(f->store, top))
		fsck_found(f,
			   "image %s: blob %s, which the name points at, "
			   "is missing",
			   name, DIGEST_SHORT(top));
	if (image_load(f->store, ref, top, manifest, &img, &why)) {
		fsck_found(f, "%s", why.text);
		return 0;
	}
	check_part(f, name, "config", &img.doc.config);
	for (size_t i = 0; i < img.doc.n_layers; i++) {
		char what[32];

		(void)snprintf(what, sizeof(what), "layer %zu", i + 1);
		check_part(f, name, what, &img.doc.layers[i]);
		if (!layer_has(f->store, &img.config.diff_ids[i]))
			fsck_found(f, "image %s: %s: %s is not unpacked", name,
				   what, DIGEST_SHORT(&img.config.diff_ids[i]));
	}
	check_ready(f, &img, name);
	return 0;
}

/* ---- volumes ------------------------------------------------------------- */

static void check_volume(struct fsck *f, const char *name)
{
	const int volumes =
		store_dirfd(f->store, STORE_VOLUMES, &(struct err){0});
	autofree char *data = xasprintf("%s/_data", name);
	autovolume struct volume v = {0};
	autoclose int fd = -1;
	struct err why = {0};

	f->volumes++;
	if (volume_check_name(name, &why)) {
		fsck_found(f, "volumes: '%s' is no name of a volume", name);
		return;
	}
	if (volume_load(f->store, name, &v, &why)) {
		fsck_found(f, "%s", why.text);
		return;
	}
	fd = fs_opendir_at(volumes, data, &why);
	if (fd < 0 && why.kind == ERR_NOTFOUND)
		fsck_found(f, "volume %s: its directory is missing", name);
}

static int check_volumes(struct fsck *f, struct err *e)
{
	autostrv struct strv names = {0};

	if (volume_names(f->store, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		check_volume(f, names.v[i]);
	return 0;
}

static int clean_tmp(struct fsck *f, struct err *e)
{
	int rc;

	if (!store_try_exclusive(f->store))
		return 0;
	rc = gc_tmp(f->store, true, &f->leftovers, e);
	store_share(f->store);
	return rc;
}

int fsck_run(struct fsck *f, struct err *e)
{
	if (clean_tmp(f, e))
		return -1;
	if (blob_each(f->store, check_blob, f, e))
		return -1;
	if (blob_each_in(f->store, STORE_LAYERS, check_layer, f, e))
		return -1;
	if (blob_each_in(f->store, STORE_SKELETONS, check_skeleton, f, e))
		return -1;
	if (image_each(f->store, check_name, f, e))
		return -1;
	return check_volumes(f, e);
}
