#include "crew.h"

struct crew {
	const struct crew_ops *ops;
	void *ctx;
	size_t n;
	size_t parallel;
	size_t next;
	bool busy[CREW_MAX];
};

size_t crew_size(int parallel)
{
	if (parallel <= 0)
		return CREW_DEFAULT;
	return parallel < CREW_MAX ? (size_t)parallel : CREW_MAX;
}

/* Fill one slot, step it. */
static int advance(struct crew *c, size_t slot, struct err *e)
{
	int rc = c->busy[slot];

	while (rc == 0 && c->next < c->n)
		rc = c->ops->begin(c->ctx, slot, c->next++, e);
	c->busy[slot] = rc > 0;
	if (rc <= 0)
		return rc;
	rc = c->ops->step(c->ctx, slot, e);
	c->busy[slot] = rc > 0;
	return rc;
}

/* All slots once. Returns how many are busy, or -1. */
static int go_round(struct crew *c, int64_t *ret_due_ms, struct err *e)
{
	int busy = 0;

	*ret_due_ms = 1000;
	for (size_t i = 0; i < c->parallel; i++) {
		if (advance(c, i, e) < 0)
			return -1;
		const int64_t due = c->busy[i]       ? c->ops->due_ms(c->ctx, i)
				    : c->next < c->n ? 0
						     : *ret_due_ms;
		if (due < *ret_due_ms)
			*ret_due_ms = due;
		busy += c->busy[i];
	}
	return busy;
}

int crew_run(struct http *http, const struct crew_ops *ops, void *ctx, size_t n,
	     size_t parallel, struct err *e)
{
	struct crew c = {.ops = ops, .ctx = ctx, .n = n, .parallel = parallel};
	int64_t due_ms = 0;
	int busy;

	do {
		busy = go_round(&c, &due_ms, e);
		if (busy > 0 && http_turn(http, due_ms, e) < 0)
			busy = -1;
	} while (busy > 0 || (busy == 0 && c.next < n));

	for (size_t i = 0; i < parallel; i++) {
		if (c.busy[i])
			ops->end(ctx, i);
	}
	return busy;
}
