/*
 * How it works: READY -> RUNNING -> (DONE | FAILED | READY again, for a
 * redirect, a new token or a consumer's wish | WAITING -> READY, for a retry).
 * A retry starts at the first URL again: signed URLs of redirects expire, and
 * an upload that was begun may hold some of the bytes.
 */
#include "transfer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/log.h"
#include "base/own.h"
#include "registry/creds.h"
#include "registry/reach.h"
#include "registry/text.h"

#define BACKOFF_MAX_MS 60000
/* One byte per attempt is no progress that earns new attempts. */
#define PROGRESS_MIN   65536

void transfer_note(const struct transfer_env *env, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (!env->note)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	env->note(env->note_ctx, text);
}

void transfer_begin(struct transfer *t, const struct url *url)
{
	t->state = TRANSFER_READY;
	url_copy(url, &t->origin);
	url_copy(url, &t->at);
	t->high = t->ops->progress ? t->ops->progress(t->ctx) : 0;
}

void transfer_end(struct transfer *t)
{
	if (!t->env)
		return;
	http_stop(t->env->http, &t->x);
	url_free(&t->origin);
	url_free(&t->at);
	secret_free(t->used);
	t->used = NULL;
}

/* ---- the ends ------------------------------------------------------------ */

static void change(struct transfer *t, enum transfer_state state)
{
	http_stop(t->env->http, &t->x);
	t->state = state;
}

static void fail(struct transfer *t, enum transfer_failure why)
{
	t->failure = why;
	change(t, TRANSFER_FAILED);
}

static void from_the_start(struct transfer *t)
{
	url_free(&t->at);
	url_copy(&t->origin, &t->at);
	t->redirects = 0;
	t->follows = false;
}

/* ---- retries ------------------------------------------------------------- */

int64_t retry_after_seconds(const char *s, int64_t now_s)
{
	uint64_t n;
	time_t when;

	if (str_to_u64(s, INT32_MAX, &n))
		return (int64_t)n;
	when = curl_getdate(s, NULL);
	if (!*s || when == (time_t)-1)
		return -1;
	return (int64_t)when > now_s ? (int64_t)when - now_s : 0;
}

static int64_t jittered(int64_t ms)
{
	uint16_t r = 0;

	(void)!getrandom(&r, sizeof(r), GRND_NONBLOCK);
	return ms / 2 + ms * r / 65536;
}

static int64_t backoff_ms(const struct transfer *t)
{
	int64_t ms = t->env->retry_ms;

	for (int i = 1; i < t->failures && ms < BACKOFF_MAX_MS; i++)
		ms *= 2;
	return jittered(ms < BACKOFF_MAX_MS ? ms : BACKOFF_MAX_MS);
}

static bool has_progressed(struct transfer *t)
{
	const uint64_t now = t->ops->progress ? t->ops->progress(t->ctx) : 0;

	if (now < t->high + PROGRESS_MIN)
		return false;
	t->high = now;
	return true;
}

/*
 * t->err says what went wrong; wait and try again, or give up. asked_s is
 * Retry-After, or -1.
 */
static void retry(struct transfer *t, int64_t asked_s,
		  enum transfer_failure why)
{
	const bool progress = has_progressed(t);
	int64_t wait_ms;

	t->failures = progress ? 1 : t->failures + 1;
	if (t->failures >= t->env->tries || (t->hurry && !progress)) {
		if (!t->hurry && t->env->tries > 1)
			(void)err_append(&t->err, " (tried %d times)",
					 t->failures);
		fail(t, why);
		return;
	}
	if (asked_s > RETRY_AFTER_MAX) {
		(void)err_append(&t->err, " (it asks to wait %lld s)",
				 (long long)asked_s);
		fail(t, why);
		return;
	}
	wait_ms = asked_s >= 0 ? asked_s * 1000 + jittered(100) : backoff_ms(t);
	transfer_note(t->env, "%s; trying again in %lld.%lld s (%d of %d)",
		      t->err.text, (long long)wait_ms / 1000,
		      (long long)wait_ms % 1000 / 100, t->failures + 1,
		      t->env->tries);
	err_clear(&t->err);
	from_the_start(t);
	t->due_ms = http_now_ms() + wait_ms;
	change(t, TRANSFER_WAITING);
}

/* ---- exchanges that did not come to an end ------------------------------- */

static enum transfer_failure failure_of(CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return FAILURE_CONNECT;
	case CURLE_SSL_CONNECT_ERROR:
		return FAILURE_TLS;
	case CURLE_PEER_FAILED_VERIFICATION:
		return FAILURE_CERTIFICATE;
	case CURLE_GOT_NOTHING:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return FAILURE_NOT_HTTP;
	default:
		return FAILURE_BODY;
	}
}

static void hint_of(CURLcode code, struct err *e)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:
		(void)err_hint(e, "is this machine online? images that are "
				  "here already need no network");
		break;
	case CURLE_COULDNT_RESOLVE_PROXY:
		(void)err_hint(e, "look at http_proxy and https_proxy in the "
				  "environment");
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
		(void)err_hint(e, "add its CA certificate to the system's "
				  "(/usr/local/share/ca-certificates and "
				  "update-ca-certificates)");
		break;
	default:
		break;
	}
}

/* Where the words come from when it is not the registry that was asked. */
static void say_where(const struct transfer *t, struct err *e)
{
	if (!url_same_origin(&t->at, &t->origin))
		(void)err_append(e, " (redirected to %s)", t->at.host);
}

/* there: the address that the name `host` resolved to. */
static int refuse_place(struct transfer *t, const char *host, const char *there,
			const char *why)
{
	const bool named = *there && strcmp(host, there) != 0;

	return err_set(&t->err, ERR_NET,
		       "%s: refused to follow it to %s%s%s%s: that address is "
		       "%s",
		       t->server, host, named ? " (" : "", named ? there : "",
		       named ? ")" : "", why);
}

/* Did a registry choose this URL? The user chose the origin. */
static bool is_sent(const struct transfer *t, const struct url *to)
{
	return t->sent || !url_same_place(to, &t->origin);
}

static void broken(struct transfer *t)
{
	const struct http_exchange *const x = &t->x;
	const enum transfer_failure why = failure_of(x->code);
	const uint64_t bytes = x->body ? x->n_sent : x->n_body;

	if (x->stalled && x->body && x->n_sent == x->body->size)
		err_set(&t->err, ERR_NET,
			"%s: took all bytes, but does not answer", t->server);
	else if (x->stalled)
		err_set(&t->err, ERR_NET, "%s: no byte for %lld s", t->server,
			(long long)http_stall_ms(t->env->http) / 1000);
	else if (x->unreachable)
		(void)refuse_place(t, t->at.host, x->there, x->unreachable);
	else if (x->was_private)
		err_set(&t->err, ERR_AUTH,
			"%s: its address is a private one, where %s is not",
			t->at.host, t->server);
	else if (why == FAILURE_BODY && bytes > 0)
		err_set(&t->err, ERR_NET, "%s: %s after %llu bytes", t->server,
			http_failure(x), (unsigned long long)bytes);
	else
		err_set(&t->err, ERR_NET, "cannot reach %s: %s", t->server,
			http_failure(x));
	if (!x->unreachable) {
		say_where(t, &t->err);
		hint_of(x->code, &t->err);
	}
	/* Who is not there, or not who he should be, will not be soon. */
	if (x->unreachable)
		fail(t, FAILURE_ANSWER);
	else if (x->was_private || why == FAILURE_CONNECT ||
		 why == FAILURE_TLS || why == FAILURE_CERTIFICATE ||
		 (t->probing && why == FAILURE_NOT_HTTP))
		fail(t, why);
	else
		retry(t, -1, why);
}

/* ---- answers ------------------------------------------------------------- */

static enum err_kind kind_of(long status)
{
	if (status == 404)
		return ERR_NOTFOUND;
	if (status == 401 || status == 403)
		return ERR_AUTH;
	if (status == 405)
		return ERR_UNSUPPORTED;
	return ERR_NET;
}

static const char *reason(long status)
{
	switch (status) {
	case 400:
		return "bad request";
	case 401:
		return "not authorised";
	case 403:
		return "access denied";
	case 404:
		return "not found";
	case 405:
		return "it does not do that";
	case 413:
		return "too large for it";
	case 429:
		return "too many requests";
	case 500:
		return "internal error of the registry";
	case 502:
	case 503:
	case 504:
		return "not available now";
	default:
		return "unexpected answer";
	}
}

static bool is_retryable(long status)
{
	return status == 408 || status == 429 || status == 500 ||
	       status == 502 || status == 503 || status == 504;
}

static void answered_with_error(struct transfer *t)
{
	const struct http_exchange *const x = &t->x;
	const long status = x->got.status;
	char said[TEXT_ERROR_MAX];

	(void)text_of_error(buf_str(&x->error), x->error.len, x->got.type,
			    said);
	err_set(&t->err, kind_of(status), "%s: %s (HTTP %ld)%s%s", t->server,
		reason(status), status, *said ? ": " : "", said);
	say_where(t, &t->err);
	if (status == 429)
		(void)err_hint(&t->err,
			       "log in to %s for a higher limit, or name a "
			       "mirror in 'registry-mirrors'",
			       t->server);
	if (is_retryable(status))
		retry(t,
		      retry_after_seconds(x->got.retry_after,
					  (int64_t)time(NULL)),
		      FAILURE_ANSWER);
	else
		fail(t, status == 400 && !*t->x.got.digest &&
					buf_str(&x->error)[0] != '{'
				? FAILURE_NOT_HTTP
				: FAILURE_ANSWER);
}

/* Go where the answer's Location leads, as far as that is proper. */
static void redirected(struct transfer *t)
{
	autourl struct url next = {0};
	const char *why;

	if (++t->redirects > REDIRECTS_MAX) {
		err_set(&t->err, ERR_NET, "%s: more than %d redirects",
			t->server, REDIRECTS_MAX);
		fail(t, FAILURE_ANSWER);
		return;
	}
	if (url_resolve(&t->at, t->x.got.location, &next, &t->err) < 0) {
		(void)err_prefix(&t->err, "%s: redirect", t->server);
		fail(t, FAILURE_ANSWER);
		return;
	}
	if (t->at.tls && !next.tls) {
		err_set(&t->err, ERR_NET,
			"%s: a redirect from https to http (%s) is refused",
			t->server, next.shown);
		fail(t, FAILURE_ANSWER);
		return;
	}
	/* A form holds a secret as Authorization does. */
	if (t->post && !url_same_origin(&t->at, &next)) {
		err_set(&t->err, ERR_AUTH,
			"%s: a redirect with credentials to another host (%s) "
			"is refused",
			t->server, next.shown);
		fail(t, FAILURE_ANSWER);
		return;
	}
	/* The registry's address is known once it answered without a proxy. */
	if (!*t->home && !is_sent(t, &t->at) &&
	    (t->direct || !reach_is_proxy(t->x.peer, t->x.peer_port)))
		memcpy(t->home, t->x.peer, sizeof(t->home));
	why = is_sent(t, &next) ? reach_refuses(next.host, t->home) : NULL;
	if (why) {
		(void)refuse_place(t, next.host, "", why);
		fail(t, FAILURE_ANSWER);
		return;
	}
	log_debug("redirected to %s", next.shown);
	url_free(&t->at);
	t->at = next;
	next = (struct url){0};
	change(t, TRANSFER_READY);
}

static void unauthorised(struct transfer *t)
{
	const bool ours = t->auth && url_same_origin(&t->at, &t->origin);
	const bool follows = t->follows;

	/*
	 * A first token that is refused will not be taken the next time. One
	 * that ran out may be followed by one that another transfer's 401
	 * made void meanwhile.
	 */
	if (!t->refused) {
		t->renewals = t->used ? 2 : 1;
	} else if (ours && !t->voided && t->used &&
		   t->auth->has_worked(t->auth->ctx, t->used)) {
		/* It ran out, or was made void, between others' requests. */
		t->voided = true;
		t->renewals++;
	}
	t->refused = true;
	if (!ours || t->renewals == 0) {
		answered_with_error(t);
		if (ours)
			t->auth->explain(t->auth->ctx, &t->err);
		return;
	}
	t->renewals--;
	if (t->auth->renew(t->auth->ctx, &t->x, t->used, &t->err) < 0) {
		fail(t, FAILURE_ANSWER);
		return;
	}
	/* Some of the bytes may have been taken before the refusal. */
	if (follows)
		from_the_start(t);
	change(t, TRANSFER_READY);
}

/* A consumer goes on at the answer's Location. */
static void follow(struct transfer *t)
{
	if (!t->x.got.location) {
		err_set(&t->err, ERR_NET, "%s: does not say where to go on",
			t->server);
		fail(t, FAILURE_ANSWER);
		return;
	}
	redirected(t);
	if (t->state != TRANSFER_READY)
		return;
	t->follows = true;
	if (t->ops->follow && t->ops->follow(t->ctx, &t->at, &t->err) < 0)
		fail(t, FAILURE_ANSWER);
}

static void obey(struct transfer *t, enum verdict v)
{
	switch (v) {
	case VERDICT_DONE:
		change(t, TRANSFER_DONE);
		break;
	case VERDICT_AGAIN:
		err_clear(&t->err);
		from_the_start(t);
		change(t, TRANSFER_READY);
		break;
	case VERDICT_FOLLOW:
		follow(t);
		break;
	case VERDICT_RETRY:
		retry(t, -1, FAILURE_BODY);
		break;
	case VERDICT_FAIL:
		fail(t, FAILURE_BODY);
		break;
	case VERDICT_OURS:
		fail(t, FAILURE_OURS);
		break;
	}
}

static bool is_judged(const struct transfer *t)
{
	const struct http_exchange *const x = &t->x;
	const long status = x->got.status;

	if (x->refused || x->code != CURLE_OK)
		return x->refused;
	return status == 200 || status == 206 || status == 416 ||
	       (t->ops->takes && t->ops->takes(t->ctx, t->follows, x));
}

/* What was sent would have to be sent again: only where that is said. */
static bool is_redirect(const struct http_exchange *x)
{
	const long status = x->got.status;
	const bool reads = x->method == HTTP_GET || x->method == HTTP_HEAD;

	return x->got.location &&
	       (reads ? status >= 301 && status <= 308 && status != 304
		      : status == 307 || status == 308);
}

static void judge(struct transfer *t)
{
	static const char *const method[] = {"GET", "HEAD", "POST", "PUT"};
	struct http_exchange *const x = &t->x;
	const long status = x->got.status;

	log_debug("%s %s: HTTP %ld, %llu bytes%s%s", method[x->method],
		  t->at.shown, status,
		  (unsigned long long)(x->body ? x->n_sent : x->n_body),
		  x->code ? ", " : "", x->code ? http_failure(x) : "");
	if (t->auth && t->used && x->code == CURLE_OK && status != 401)
		t->auth->worked(t->auth->ctx, t->used);
	if (is_judged(t)) {
		t->err = x->err;
		t->refused = false;
		obey(t, t->ops->judge(t->ctx, x, &t->err));
	} else if (x->code != CURLE_OK) {
		broken(t);
	} else if (is_redirect(x)) {
		redirected(t);
	} else if (status == 401) {
		unauthorised(t);
	} else {
		answered_with_error(t);
	}
}

/* ---- steps --------------------------------------------------------------- */

static const char *authorization(const struct transfer *t)
{
	if (!url_same_origin(&t->at, &t->origin))
		return NULL;
	if (t->auth)
		return t->auth->header(t->auth->ctx);
	return t->authorization;
}

static void start(struct transfer *t)
{
	const char *const a = authorization(t);
	uint64_t from = 0;

	if (t->ops->begin && t->ops->begin(t->ctx, &from, &t->err) < 0) {
		fail(t, FAILURE_OURS);
		return;
	}
	secret_free(t->used);
	t->used = a ? xstrdup(a) : NULL;
	t->x = (struct http_exchange){
		.method = t->post ? HTTP_POST : HTTP_GET,
		.url = &t->at,
		.authorization = t->used,
		.accept = t->accept,
		.post = t->post,
		.range = from,
		.direct = t->direct,
		.only_public = t->only_public,
		.sent = is_sent(t, &t->at),
		.home = t->home,
		.limit_ms = t->limit_ms,
		.head = t->ops->head,
		.sink = t->ops->sink,
		.ctx = t->ctx,
	};
	if (t->ops->request)
		t->ops->request(t->ctx, t->follows, &t->x);
	http_start(t->env->http, &t->x);
	t->state = TRANSFER_RUNNING;
}

bool transfer_step(struct transfer *t)
{
	switch (t->state) {
	case TRANSFER_WAITING:
		if (http_now_ms() < t->due_ms)
			break;
		start(t);
		break;
	case TRANSFER_READY:
		start(t);
		break;
	case TRANSFER_RUNNING:
		if (http_check_time(t->env->http, &t->x))
			judge(t);
		break;
	case TRANSFER_DONE:
	case TRANSFER_FAILED:
	case TRANSFER_STATES:
		break;
	}
	return t->state != TRANSFER_DONE && t->state != TRANSFER_FAILED;
}

int64_t transfer_due_ms(const struct transfer *t)
{
	const int64_t left = t->due_ms - http_now_ms();

	if (t->state == TRANSFER_READY)
		return 0;
	if (t->state == TRANSFER_WAITING)
		return left > 0 ? left : 0;
	/* Often enough to see silence. */
	return http_stall_ms(t->env->http) / 4 + 1;
}

int transfer_run(struct transfer *t, struct err *e)
{
	while (transfer_step(t)) {
		if (t->state == TRANSFER_READY ||
		    (t->state == TRANSFER_RUNNING && t->x.done))
			continue;
		if (http_turn(t->env->http, transfer_due_ms(t), e) < 0)
			return -1;
	}
	if (t->state == TRANSFER_DONE)
		return 0;
	*e = t->err;
	return -1;
}
