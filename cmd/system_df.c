/*
 * system df - what the store holds, how much of it is in use, and how much
 * could go
 *
 * Images: blobs and unpacked layers, each counted once. What containers need of
 * them is what image prune -a would leave.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/own.h"
#include "cmd/content.h"
#include "cmd/ctr.h"
#include "cmd/listing.h"
#include "cmd/ps_size.h"
#include "cmd/size.h"
#include "runtime/container_volumes.h"
#include "store/image.h"
#include "store/volume.h"

struct df_opts {
	const char *format;
};

static const struct opt df_options[] = {
	{0, "format", OPT_STR, offsetof(struct df_opts, format), "TEMPLATE",
	 "'table TEMPLATE', TEMPLATE or 'json'"},
	{0},
};

/* One kind. */
struct usage {
	size_t total;
	size_t active;
	uint64_t bytes;
	uint64_t used; /* of them: by what is active */
};

struct df {
	struct ctr ctr;
	struct listing listing;
	/* Digests of the blobs and layers that containers need. */
	struct digest *needed;
	size_t n_needed;
	struct digest *image; /* ids, each once */
	size_t n_image;
	struct usage images;
	struct usage containers;
	struct usage volumes;
};

/* ---- images ------------------------------------------------------------------ */

static bool is_in(const struct digest *v, size_t n, const struct digest *d)
{
	for (size_t i = 0; i < n; i++)
		if (digest_eq(&v[i], d))
			return true;
	return false;
}

static void put(struct digest **v, size_t *n, const struct digest *d)
{
	if (is_in(*v, *n, d))
		return;
	*v = xrealloc(*v, (*n + 1) * sizeof(**v));
	(*v)[(*n)++] = *d;
}

static void need(struct df *f, const struct digest *d)
{
	put(&f->needed, &f->n_needed, d);
}

static void need_image(struct df *f, const struct image *img)
{
	need(f, &img->manifest);
	need(f, &img->config_digest);
	for (size_t i = 0; i < img->doc.n_layers; i++) {
		need(f, &img->doc.layers[i].digest);
		need(f, &img->config.diff_ids[i]);
	}
}

static int one_name(void *ctx, const struct ref *ref, const struct digest *top,
		    const struct digest *manifest, const struct err *bad)
{
	struct df *const f = ctx;
	autoimage struct image img = {0};
	struct err ignored = {0};
	const size_t before = f->n_image;

	if (bad || image_load(f->ctr.store, ref, top, manifest, &img, &ignored))
		return 0;
	put(&f->image, &f->n_image, &img.config_digest);
	f->images.total += f->n_image - before;
	if (!is_in(f->needed, f->n_needed, manifest))
		return 0;
	f->images.active += f->n_image - before;
	need(f, top);
	return 0;
}

static void count(void *ctx, const struct digest *d, uint64_t bytes)
{
	struct df *const f = ctx;

	f->images.bytes += bytes;
	if (is_in(f->needed, f->n_needed, d))
		f->images.used += bytes;
}

/* ---- containers and volumes ----------------------------------------------------- */

/* It may have lost its name, and stays as long as the container does. */
static void need_image_of(struct df *f, const struct container_info *i)
{
	const struct ref none = {0};
	autoimage struct image img = {0};
	struct err ignored = {0};
	struct digest d;

	if (i->manifest && digest_parse(i->manifest, &d, &ignored) == 0 &&
	    image_load(f->ctr.store, &none, &d, &d, &img, &ignored) == 0)
		need_image(f, &img);
}

static int one_container(void *ctx, struct container *c, struct err *e)
{
	struct df *const f = ctx;
	autoinfo struct container_info i = {0};
	struct run_spec s = {0};
	const bool runs = lock_is_held(c->lock_fd);
	uint64_t written = 0;
	uint64_t root = 0;

	if (container_load(&f->ctr.home, c, &s, &i, e) == 0) {
		need_image_of(f, &i);
		ps_size(f->ctr.store, c, &s, &written, &root);
		f->containers.total++;
		f->containers.active += runs;
		f->containers.bytes += written;
		f->containers.used += runs ? written : 0;
	}
	spec_free(&s);
	/* One that is removed meanwhile is not there. */
	err_clear(e);
	return 0;
}

static int one_volume(struct df *f, const char *name, struct err *e)
{
	autovolume struct volume v = {0};
	autostrv struct strv users = {0};
	struct err ignored = {0};
	uint64_t n = 0;

	if (volume_load(f->ctr.store, name, &v, &ignored))
		return 0;
	if (container_volumes_users(&f->ctr.home, name, &users, e))
		return -1;
	/* What another directory holds is not in the store. */
	if (!strv_getenv(&v.options, "device") &&
	    volume_size(&v, &n, &ignored) < 0)
		n = 0;
	f->volumes.total++;
	f->volumes.active += users.n > 0;
	f->volumes.bytes += n;
	f->volumes.used += users.n > 0 ? n : 0;
	return 0;
}

static int all_volumes(struct df *f, struct err *e)
{
	autostrv struct strv names = {0};

	if (volume_names(f->ctr.store, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (one_volume(f, names.v[i], e))
			return -1;
	return 0;
}

/* ---- the table -------------------------------------------------------------------- */

static void add_row(struct df *f, const char *type, const struct usage *u)
{
	const uint64_t idle = u->bytes - u->used;
	autofree char *size = size_text(u->bytes);
	autofree char *text = size_text(idle);
	autofree char *total = xasprintf("%zu", u->total);
	autofree char *active = xasprintf("%zu", u->active);
	/* As Docker: a part of nothing has no percentage. */
	autofree char *reclaimable =
		u->bytes == 0 ? xstrdup(text)
			      : xasprintf("%s (%" PRIu64 "%%)", text,
					  idle * 100 / u->bytes);

	listing_add(&f->listing,
		    json_pack("{s:s, s:s, s:s, s:s, s:s}", "Type", type,
			      "TotalCount", total, "Active", active, "Size",
			      size, "Reclaimable", reclaimable),
		    NULL);
}

static int gather(struct df *f, struct err *e)
{
	/* Containers first: what they need is in use. */
	if (container_each(&f->ctr.home, one_container, f, e) ||
	    image_each(f->ctr.store, one_name, f, e) ||
	    content_each(f->ctr.store, count, f, e) || all_volumes(f, e))
		return -1;
	add_row(f, "Images", &f->images);
	add_row(f, "Containers", &f->containers);
	add_row(f, "Local Volumes", &f->volumes);
	return 0;
}

static int df_run(const struct globals *g, void *fields, int argc, char **argv,
		  struct err *e)
{
	static const struct listing_title titles[] = {
		{"Type", "TYPE"},
		{"TotalCount", "TOTAL"},
		{"Active", "ACTIVE"},
		{"Size", "SIZE"},
		{"Reclaimable", "RECLAIMABLE"},
		{0},
	};
	const struct df_opts *const o = fields;
	struct df f = {.listing = {
			       .titles = titles,
			       .table = "{{.Type}}\t{{.TotalCount}}\t"
					"{{.Active}}\t{{.Size}}\t"
					"{{.Reclaimable}}",
		       }};
	int rc = listing_open(&f.listing, o->format, e);

	(void)argc;
	(void)argv;
	if (rc == 0)
		rc = ctr_open(g, &f.ctr, e);
	if (rc == 0)
		rc = gather(&f, e);
	if (rc == 0)
		rc = listing_print(&f.listing, e);
	free(f.needed);
	free(f.image);
	ctr_close(&f.ctr);
	listing_free(&f.listing);
	return rc;
}

extern const struct command cmd_system_df;
const struct command cmd_system_df = {
	.name = "system df",
	.operands = "",
	.summary = "Show what the store holds and what could go",
	.opts = df_options,
	.fields_size = sizeof(struct df_opts),
	.max_operands = 0,
	.run = df_run,
};
