/*
 * How it works: each slot of a crew runs the errand of one blob. `got` counts the bytes that the caller's sink holds, so a
 * broken transfer goes on there, at whichever endpoint.
 */
#include "fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/own.h"
#include "base/str.h"
#include "registry/crew.h"
#include "registry/errand.h"

struct slot {
	struct errand errand;
	const struct transfer_env *env;
	struct registry_blob *b;
	char object[16 + DIGEST_TEXT_MAX];
	uint64_t got;
	uint64_t asked; /* where this exchange began */
	bool no_range;  /* ranges do not work here */
	bool again;     /* head refused: ask again, otherwise */
	bool ours;      /* our side refused */
	bool fetched;   /* something of it came just now */
	bool mismatched;
};

bool fetch_parse_range(const char *s, uint64_t *ret_first, uint64_t *ret_last,
		       uint64_t *ret_total)
{
	const char *const p = str_after(s, "bytes ");
	const char *const dash = p ? strchr(p, '-') : NULL;
	const char *const slash = dash ? strchr(dash, '/') : NULL;

	if (!slash ||
	    !str_to_u64n(p, (size_t)(dash - p), INT64_MAX, ret_first) ||
	    !str_to_u64n(dash + 1, (size_t)(slash - dash - 1), INT64_MAX,
			 ret_last))
		return false;
	*ret_total = UINT64_MAX;
	return !strcmp(slash + 1, "*") ||
	       str_to_u64(slash + 1, INT64_MAX, ret_total);
}

/* ---- the consumer of one blob -------------------------------------------- */

static int restart(struct slot *s, struct err *e)
{
	s->got = 0;
	if (s->b->restart(s->b->ctx, e) < 0) {
		s->ours = true;
		return -1;
	}
	return 0;
}

static int blob_begin(void *ctx, uint64_t *ret_from, struct err *e)
{
	struct slot *const s = ctx;

	if (s->got > 0 && s->no_range && restart(s, e) < 0)
		return -1;
	s->asked = s->got;
	s->again = false;
	*ret_from = s->got;
	return 0;
}

static bool range_is_right(const struct slot *s, const struct http_head *h)
{
	uint64_t first;
	uint64_t last;
	uint64_t total;

	return s->asked > 0 &&
	       fetch_parse_range(h->range, &first, &last, &total) &&
	       first == s->asked && last == s->b->desc.size - 1 &&
	       (total == s->b->desc.size || total == UINT64_MAX);
}

static int blob_head(void *ctx, const struct http_head *h, struct err *e)
{
	struct slot *const s = ctx;
	const uint64_t size = s->b->desc.size;
	const char *why = "";

	if (h->status == 206 && !range_is_right(s, h)) {
		s->again = !s->no_range;
		s->no_range = true;
		return err_set(e, ERR_MISMATCH,
			       "%s: answers a range that was not asked for",
			       s->errand.t.server);
	}
	if (h->status == 200 && s->got > 0 && restart(s, e) < 0)
		return -1;
	if (h->length < 0 || s->got + (uint64_t)h->length == size)
		return 0;
	if (!strncasecmp(h->type, "text/html", 9))
		why = "; it is a web page";
	else if (*h->encoding)
		why = "; it is encoded, which was not asked for";
	return err_set(e, ERR_MISMATCH,
		       "%s: sends %llu bytes, the manifest promises %llu%s",
		       s->errand.t.server,
		       (unsigned long long)s->got +
			       (unsigned long long)h->length,
		       (unsigned long long)size, why);
}

static int blob_sink(void *ctx, const void *p, size_t n, struct err *e)
{
	struct slot *const s = ctx;

	if (n > s->b->desc.size - s->got)
		return err_set(e, ERR_MISMATCH,
			       "%s: sends more than the %llu bytes that the "
			       "manifest promises",
			       s->errand.t.server,
			       (unsigned long long)s->b->desc.size);
	if (s->b->sink(s->b->ctx, p, n, e) < 0) {
		s->ours = true;
		return -1;
	}
	s->got += n;
	s->fetched = true;
	return 0;
}

/* All bytes are taken: are they the right ones? */
static enum verdict finish(struct slot *s, struct err *e)
{
	if (s->b->done(s->b->ctx, e) == 0)
		return VERDICT_DONE;
	if (e->kind != ERR_MISMATCH)
		return VERDICT_OURS;
	if (s->mismatched)
		return VERDICT_FAIL;

	/* What an earlier pull left does not count against the registry. */
	s->mismatched = s->fetched;
	transfer_note(s->env, "%s; fetching it once more", e->text);
	err_clear(e);
	s->fetched = false;
	if (restart(s, e) < 0)
		return VERDICT_OURS;
	return VERDICT_AGAIN;
}

static enum verdict blob_judge(void *ctx, const struct http_exchange *x,
			       struct err *e)
{
	struct slot *const s = ctx;
	const uint64_t size = s->b->desc.size;

	if (x->refused)
		return s->ours ? VERDICT_OURS
			       : (s->again ? VERDICT_AGAIN : VERDICT_FAIL);
	if (x->got.status == 416 && s->got < size) {
		if (s->asked > 0 && !s->no_range) {
			s->no_range = true;
			return VERDICT_AGAIN;
		}
		err_set(e, ERR_NET, "%s: has no such range (HTTP 416)",
			s->errand.t.server);
		return VERDICT_FAIL;
	}
	if (s->got < size) {
		err_set(e, ERR_NET, "%s: ended after %llu of %llu bytes",
			s->errand.t.server, (unsigned long long)s->got,
			(unsigned long long)size);
		return VERDICT_RETRY;
	}
	return finish(s, e);
}

static uint64_t blob_progress(void *ctx)
{
	const struct slot *const s = ctx;

	return s->got;
}

static const struct transfer_ops blob_ops = {
	.begin = blob_begin,
	.head = blob_head,
	.sink = blob_sink,
	.judge = blob_judge,
	.progress = blob_progress,
};

/* ---- slots --------------------------------------------------------------- */

struct fetching {
	const struct fetch_job *job;
	struct slot slot[CREW_MAX];
};

/* 1: under way; 0: all of it was here; -1. */
static int slot_begin(struct slot *s, const struct fetch_job *job,
		      struct registry_blob *b, struct err *e)
{
	ERR_IN(e, "blob %s", DIGEST_SHORT(&b->desc.digest));

	*s = (struct slot){
		.env = job->env,
		.b = b,
		.got = b->have,
	};
	(void)snprintf(s->object, sizeof(s->object), "blobs/%s",
		       DIGEST_TEXT(&b->desc.digest));
	if (s->got > b->desc.size && restart(s, e) < 0)
		return -1;
	/* Nothing is left to fetch, unless it turns out to be wrong. */
	if (s->got == b->desc.size) {
		const enum verdict v = finish(s, e);

		if (v != VERDICT_AGAIN)
			return v == VERDICT_DONE ? 0 : -1;
	}
	s->errand = (struct errand){
		.env = job->env,
		.auth = job->auth,
		.places = job->places,
		.repository = job->repository,
		.scope = job->scope,
		.object = s->object,
		.accept = "*/*",
		.ops = &blob_ops,
		.ctx = s,
	};
	return errand_begin(&s->errand, e) < 0 ? -1 : 1;
}

static int begin(void *ctx, size_t slot, size_t item, struct err *e)
{
	struct fetching *const f = ctx;

	return slot_begin(&f->slot[slot], f->job, &f->job->blobs[item], e);
}

static int step(void *ctx, size_t slot, struct err *e)
{
	struct slot *const s = &((struct fetching *)ctx)->slot[slot];

	if (errand_step(&s->errand))
		return 1;
	const struct err failed = s->errand.err;
	errand_end(&s->errand);
	if (!err_is(&failed))
		return 0;
	*e = failed;
	return err_prefix(e, "blob %s", DIGEST_SHORT(&s->b->desc.digest));
}

static int64_t due_ms(void *ctx, size_t slot)
{
	return errand_due_ms(&((struct fetching *)ctx)->slot[slot].errand);
}

static void end(void *ctx, size_t slot)
{
	errand_end(&((struct fetching *)ctx)->slot[slot].errand);
}

int fetch_blobs(const struct fetch_job *job, struct err *e)
{
	static const struct crew_ops ops = {
		.begin = begin,
		.step = step,
		.due_ms = due_ms,
		.end = end,
	};
	autofree struct fetching *f = xcalloc(1, sizeof(*f));

	f->job = job;
	return crew_run(job->env->http, &ops, f, job->n, job->parallel, e);
}
