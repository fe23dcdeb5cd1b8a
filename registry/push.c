/*
 * How it works: each slot of a crew runs the errands of one blob, one after the
 * other: LOOK, then MOUNT or SEND. Both of these begin with a POST; what it
 * answers is followed by the PUT within the same transfer, whose retries begin
 * at the POST again.
 */
#include "push.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "registry/crew.h"
#include "registry/errand.h"

enum phase {
	PHASE_LOOK,
	PHASE_MOUNT,
	PHASE_SEND,
};

struct slot {
	const struct push_job *job;
	struct registry_upload *u;
	struct errand errand;
	bool under_way;
	enum phase phase;
	char *object;
	char *scope; /* of a mount */
	struct http_body body;
	bool missing; /* LOOK found nothing */
	bool refused; /* MOUNT is not to be had */
};

/* ---- one answer ---------------------------------------------------------- */

static bool is_success(long status)
{
	return status >= 200 && status <= 204 && status != 203;
}

/* What the registry says that it has; nothing, or nothing readable, is fine. */
static int check_digest(const struct transfer *t, const struct http_head *h,
			const struct digest *want, struct err *e)
{
	struct digest said = {0};
	struct err ignored = {0};

	if (!*h->digest || digest_parse(h->digest, &said, &ignored) < 0 ||
	    said.alg != want->alg || digest_eq(&said, want))
		return 0;
	return err_set(e, ERR_MISMATCH, "%s: keeps it as %s instead of %s",
		       t->server, DIGEST_TEXT(&said), DIGEST_TEXT(want));
}

static void blob_request(void *ctx, bool follows, struct http_exchange *x)
{
	const struct slot *const s = ctx;

	if (s->phase == PHASE_LOOK)
		x->method = HTTP_HEAD;
	else
		x->method = follows ? HTTP_PUT : HTTP_POST;
	if (follows)
		x->body = &s->body;
}

static int blob_follow(void *ctx, struct url *at, struct err *e)
{
	const struct slot *const s = ctx;

	return url_add_query(at, "digest", DIGEST_TEXT(&s->u->desc.digest), e);
}

static bool blob_takes(void *ctx, bool follows, const struct http_exchange *x)
{
	const struct slot *const s = ctx;
	const long status = x->got.status;

	if (s->phase == PHASE_LOOK)
		return status == 404 || status == 405;
	if (is_success(status))
		return true;
	if (follows)
		return status == 404;
	/* 405 is about all uploads. */
	return s->phase == PHASE_MOUNT &&
	       (status == 400 || status == 403 || status == 404);
}

static enum verdict judge_look(struct slot *s, const struct http_exchange *x)
{
	s->missing = x->got.status != 200;
	if (!s->missing)
		s->u->how = REGISTRY_WAS_THERE;
	return VERDICT_DONE;
}

/* The answer to the POST. */
static enum verdict judge_open(struct slot *s, const struct http_exchange *x,
			       struct err *e)
{
	const struct transfer *const t = &s->errand.t;

	if (x->got.status == 202)
		return VERDICT_FOLLOW;
	if (s->phase == PHASE_MOUNT && x->got.status == 201) {
		s->u->how = REGISTRY_MOUNTED;
		return check_digest(t, &x->got, &s->u->desc.digest, e) < 0
			       ? VERDICT_FAIL
			       : VERDICT_DONE;
	}
	if (s->phase == PHASE_MOUNT && !is_success(x->got.status)) {
		s->refused = true;
		return VERDICT_DONE;
	}
	err_set(e, ERR_NET, "%s: opens no upload (HTTP %ld)", t->server,
		x->got.status);
	return VERDICT_FAIL;
}

/* The answer to the PUT. */
static enum verdict judge_sent(struct slot *s, const struct http_exchange *x,
			       struct err *e)
{
	const struct transfer *const t = &s->errand.t;

	if (!is_success(x->got.status)) {
		err_set(e, ERR_NET, "%s: the upload was lost (HTTP %ld)",
			t->server, x->got.status);
		return VERDICT_RETRY;
	}
	if (check_digest(t, &x->got, &s->u->desc.digest, e) < 0)
		return VERDICT_FAIL;
	s->u->how = REGISTRY_SENT;
	return VERDICT_DONE;
}

static enum verdict blob_judge(void *ctx, const struct http_exchange *x,
			       struct err *e)
{
	struct slot *const s = ctx;

	/* Our own file could not be read. */
	if (x->refused)
		return VERDICT_OURS;
	if (s->phase == PHASE_LOOK)
		return judge_look(s, x);
	return s->errand.t.follows ? judge_sent(s, x, e) : judge_open(s, x, e);
}

static const struct transfer_ops blob_ops = {
	.request = blob_request,
	.follow = blob_follow,
	.takes = blob_takes,
	.judge = blob_judge,
};

/* ---- one blob ------------------------------------------------------------ */

static void end_errand(struct slot *s)
{
	if (s->under_way)
		errand_end(&s->errand);
	s->under_way = false;
	free(s->object);
	free(s->scope);
	s->object = NULL;
	s->scope = NULL;
}

static void end_slot(struct slot *s)
{
	end_errand(s);
	if (s->body.fd >= 0)
		(void)close(s->body.fd);
	s->body.fd = -1;
}

static char *object_of(const struct slot *s)
{
	const char *const digest = DIGEST_TEXT(&s->u->desc.digest);

	if (s->phase == PHASE_LOOK)
		return xasprintf("blobs/%s", digest);
	if (s->phase == PHASE_MOUNT)
		return xasprintf("blobs/uploads/?mount=%s&from=%s", digest,
				 s->u->from);
	return xstrdup("blobs/uploads/");
}

static int start(struct slot *s, enum phase phase, struct err *e)
{
	end_errand(s);
	s->phase = phase;
	if (phase != PHASE_LOOK && s->body.fd < 0)
		s->body.fd = s->u->open(s->u->ctx, e);
	if (phase != PHASE_LOOK && s->body.fd < 0)
		return -1;
	s->object = object_of(s);
	if (phase == PHASE_MOUNT)
		s->scope = xasprintf("%s repository:%s:pull", s->job->scope,
				     s->u->from);
	s->errand = (struct errand){
		.env = s->job->env,
		.auth = s->job->auth,
		.places = s->job->places,
		.repository = s->job->repository,
		.scope = s->scope ? s->scope : s->job->scope,
		.object = s->object,
		.accept = "*/*",
		.ops = &blob_ops,
		.ctx = s,
	};
	s->under_way = errand_begin(&s->errand, e) == 0;
	return s->under_way ? 1 : -1;
}

/* An errand has ended: what comes next? */
static int go_on(struct slot *s, struct err *e)
{
	const struct err failed = s->errand.err;
	const bool not_from_there = s->phase == PHASE_MOUNT &&
				    !s->errand.t.follows &&
				    (s->refused || failed.kind == ERR_AUTH);

	if (not_from_there)
		return start(s, PHASE_SEND, e);
	if (err_is(&failed)) {
		*e = failed;
		return -1;
	}
	if (s->phase == PHASE_LOOK && s->missing)
		return start(s, s->u->from ? PHASE_MOUNT : PHASE_SEND, e);
	s->u->sent = s->u->how == REGISTRY_SENT ? s->u->desc.size : 0;
	if (s->u->done)
		s->u->done(s->u->ctx, s->u);
	return 0;
}

/* ---- all of them --------------------------------------------------------- */

struct pushing {
	const struct push_job *job;
	struct slot slot[CREW_MAX];
};

static int begin(void *ctx, size_t slot, size_t item, struct err *e)
{
	struct pushing *const p = ctx;
	struct slot *const s = &p->slot[slot];
	struct registry_upload *const u = &p->job->uploads[item];
	ERR_IN(e, "blob %s", DIGEST_SHORT(&u->desc.digest));

	*s = (struct slot){
		.job = p->job,
		.u = u,
		.body = {.fd = -1,
			 .size = u->desc.size,
			 .type = "application/octet-stream",
			 .once = true},
	};
	return start(s, PHASE_LOOK, e);
}

static int step(void *ctx, size_t slot, struct err *e)
{
	struct slot *const s = &((struct pushing *)ctx)->slot[slot];
	ERR_IN(e, "blob %s", DIGEST_SHORT(&s->u->desc.digest));
	int rc;

	if (errand_step(&s->errand))
		return 1;
	rc = go_on(s, e);
	if (rc <= 0)
		end_slot(s);
	return rc;
}

static int64_t due_ms(void *ctx, size_t slot)
{
	return errand_due_ms(&((struct pushing *)ctx)->slot[slot].errand);
}

static void end(void *ctx, size_t slot)
{
	end_slot(&((struct pushing *)ctx)->slot[slot]);
}

static int on_tick(void *ctx, struct err *e)
{
	struct pushing *const p = ctx;

	for (size_t i = 0; i < p->job->parallel; i++) {
		const struct slot *const s = &p->slot[i];

		if (s->under_way)
			s->u->sent = s->errand.t.x.n_sent;
	}
	return p->job->tick ? p->job->tick(p->job->tick_ctx, e) : 0;
}

int push_blobs(const struct push_job *job, struct err *e)
{
	static const struct crew_ops ops = {
		.begin = begin,
		.step = step,
		.due_ms = due_ms,
		.end = end,
	};
	autofree struct pushing *p = xcalloc(1, sizeof(*p));
	int rc;

	p->job = job;
	http_set_tick(job->env->http, on_tick, p);
	rc = crew_run(job->env->http, &ops, p, job->n, job->parallel, e);
	http_set_tick(job->env->http, NULL, NULL);
	return rc;
}

/* ---- the manifest -------------------------------------------------------- */

struct manifest_put {
	const struct errand *errand;
	const struct http_body *body;
	const struct digest *digest;
};

static void manifest_request(void *ctx, bool follows, struct http_exchange *x)
{
	const struct manifest_put *const k = ctx;

	(void)follows;
	x->method = HTTP_PUT;
	x->body = k->body;
}

static bool manifest_takes(void *ctx, bool follows,
			   const struct http_exchange *x)
{
	(void)ctx;
	(void)follows;
	return is_success(x->got.status);
}

static enum verdict manifest_judge(void *ctx, const struct http_exchange *x,
				   struct err *e)
{
	const struct manifest_put *const k = ctx;

	return x->refused || check_digest(&k->errand->t, &x->got, k->digest,
					  e) < 0
		       ? VERDICT_FAIL
		       : VERDICT_DONE;
}

static const struct transfer_ops manifest_ops = {
	.request = manifest_request,
	.takes = manifest_takes,
	.judge = manifest_judge,
};

int push_manifest(const struct push_job *job, const char *name,
		  const struct http_body *body, const struct digest *digest,
		  struct err *e)
{
	autofree char *object = xasprintf("manifests/%s", name);
	struct manifest_put k = {.body = body, .digest = digest};
	autoerrand struct errand errand = {
		.env = job->env,
		.auth = job->auth,
		.places = job->places,
		.repository = job->repository,
		.scope = job->scope,
		.object = object,
		.accept = "*/*",
		.ops = &manifest_ops,
		.ctx = &k,
	};

	k.errand = &errand;
	return errand_run(&errand, e);
}
