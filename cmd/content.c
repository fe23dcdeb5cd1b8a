#include "cmd/content.h"

#include "store/blob.h"
#include "store/layer.h"

struct walk {
	struct store *store;
	content_fn fn;
	void *ctx;
};

static int one_blob(void *ctx, const struct digest *d, const char *name,
		    struct err *e)
{
	const struct walk *const w = ctx;
	uint64_t n = 0;

	(void)name;
	(void)e;
	if (d && blob_size(w->store, d, &n, &(struct err){0}) == 0)
		w->fn(w->ctx, d, n);
	return 0;
}

static int one_layer(void *ctx, const struct digest *d, const char *name,
		     struct err *e)
{
	const struct walk *const w = ctx;
	uint64_t n = 0;

	(void)name;
	(void)e;
	if (d && layer_size(w->store, d, &n, &(struct err){0}) == 0)
		w->fn(w->ctx, d, n);
	return 0;
}

int content_each(struct store *s, content_fn fn, void *ctx, struct err *e)
{
	struct walk w = {.store = s, .fn = fn, .ctx = ctx};

	return blob_each(s, one_blob, &w, e) ||
			       blob_each_in(s, STORE_LAYERS, one_layer, &w, e)
		       ? -1
		       : 0;
}
