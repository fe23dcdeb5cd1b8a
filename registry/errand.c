#include "errand.h"

#include <stdio.h>
#include <string.h>

#include "base/own.h"

#define CAUSE_MAX 200

static struct endpoint *here(const struct errand *r)
{
	return &r->places->v[r->at];
}

static int start(struct errand *r, struct err *e)
{
	struct endpoint *const p = here(r);
	autourl struct url u = {0};
	autofree char *text = xasprintf(
		"%s://%s/v2/%s%s%s", p->tls ? "https" : "http", p->rest,
		r->repository ? r->repository : "", r->repository ? "/" : "",
		r->repository ? r->object : "");

	if (url_parse(text, &u, e) < 0)
		return err_prefix(e, "%s", p->server);
	auth_target_make(r->auth, p->server, r->repository, r->scope, &u,
			 &r->target);
	r->t = (struct transfer){
		.env = r->env,
		.ops = r->ops,
		.ctx = r->ctx,
		.auth = &r->target.face,
		.accept = r->accept,
		.server = p->server,
		.direct = p->loopback,
		.hurry = r->tried + 1 < r->places->n,
		.probing = p->probe == PROBE_FIRST,
		.limit_ms = r->limit_ms,
	};
	r->tls = p->tls;
	transfer_begin(&r->t, &u);
	r->running = true;
	return 0;
}

static void stop(struct errand *r)
{
	if (!r->running)
		return;
	transfer_end(&r->t);
	auth_target_free(&r->target);
	r->running = false;
}

int errand_begin(struct errand *r, struct err *e)
{
	r->first = r->places->good;
	r->at = r->first;
	r->causes = buf_make(1024);
	return start(r, e);
}

void errand_end(struct errand *r)
{
	stop(r);
	buf_free(&r->causes);
}

/* The good one first, then the others in order. */
static void next_place(struct errand *r)
{
	if (r->at == r->first)
		r->at = r->first == 0 ? 1 : 0;
	else
		r->at += r->at + 1 == r->first ? 2 : 1;
	r->tried++;
}

/* All were asked: one error out of the causes. */
static void give_up(struct errand *r)
{
	struct err last = r->t.err;

	if (r->places->n == 1) {
		r->err = last;
		return;
	}
	buf_addf(&r->causes, "%.*s", CAUSE_MAX, last.text);
	err_set(&r->err, (enum err_kind)last.kind, "%s", buf_str(&r->causes));
	r->err.sys = last.sys;
	memcpy(r->err.hint, last.hint, sizeof(r->err.hint));
}

/* The transfer failed: true if there is something else to try. */
static bool try_elsewhere(struct errand *r)
{
	const struct err *const why = &r->t.err;
	bool again = endpoint_failed(here(r), r->tls, r->t.failure);

	if (!again && r->t.failure == FAILURE_OURS) {
		r->err = *why;
		return false;
	}
	if (!again && r->tried + 1 >= r->places->n) {
		give_up(r);
		return false;
	}
	if (!again) {
		buf_addf(&r->causes, "%.*s; ", CAUSE_MAX, why->text);
		next_place(r);
		transfer_note(r->env, "%s; asking %s", why->text,
			      here(r)->server);
	}
	stop(r);
	return start(r, &r->err) == 0;
}

bool errand_step(struct errand *r)
{
	if (transfer_step(&r->t))
		return true;
	if (r->t.state == TRANSFER_FAILED)
		return try_elsewhere(r);
	endpoint_answered(here(r), r->tls);
	r->places->good = r->at;
	return false;
}

int64_t errand_due_ms(const struct errand *r)
{
	/* What ended while another's loop turned is to be looked at now. */
	if (r->t.state == TRANSFER_RUNNING && r->t.x.done)
		return 0;
	return transfer_due_ms(&r->t);
}

int errand_run(struct errand *r, struct err *e)
{
	if (errand_begin(r, e) < 0)
		return -1;
	while (errand_step(r)) {
		if (http_turn(r->env->http, errand_due_ms(r), e) < 0)
			return -1;
	}
	if (!err_is(&r->err))
		return 0;
	*e = r->err;
	return -1;
}
