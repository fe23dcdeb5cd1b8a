#include "registry.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/own.h"
#include "base/trace.h"
#include "registry/auth.h"
#include "registry/creds.h"
#include "registry/crew.h"
#include "registry/endpoint.h"
#include "registry/errand.h"
#include "registry/fetch.h"
#include "registry/http.h"
#include "registry/push.h"
#include "registry/regconf.h"

#define RETRY_MS 1000

static const char accept_manifests[] = OCI_MT_INDEX
	", " OCI_MT_MANIFEST ", " DOCKER_MT_LIST ", " DOCKER_MT_MANIFEST;

struct registry {
	struct transfer_env env;
	struct regconf conf;
	char *auth_file;
	struct auth *auth;
	struct endpoints *places; /* one per registry that was asked */
	size_t n_places;
};

/* ---- life ---------------------------------------------------------------- */

static int64_t retry_ms(void)
{
	const char *const s = getenv("PRISM_RETRY_MS");
	uint64_t ms;

	return s && str_to_u64(s, 60000, &ms) ? (int64_t)ms : RETRY_MS;
}

int registry_make(const struct registry_opts *o, struct registry **ret,
		  struct err *e)
{
	struct registry *const r = xcalloc(1, sizeof(*r));
	const int stall_s = o->stall_s > 0 ? o->stall_s : TRANSFER_STALL_S;

	if (regconf_load(o->config_path, &r->conf, e) < 0 ||
	    http_make((int64_t)stall_s * 1000, &r->env.http, e) < 0) {
		registry_free(r);
		return -1;
	}
	r->env.tries = o->tries > 0 ? o->tries : TRANSFER_TRIES;
	r->env.retry_ms = retry_ms();
	r->env.note = o->note;
	r->env.note_ctx = o->note_ctx;
	r->auth_file = o->auth_file ? xstrdup(o->auth_file) : NULL;
	r->auth = auth_make(&r->env, &r->conf, r->auth_file);
	*ret = r;
	return 0;
}

void registry_free(struct registry *r)
{
	if (!r)
		return;
	auth_free(r->auth);
	http_free(r->env.http);
	regconf_free(&r->conf);
	for (size_t i = 0; i < r->n_places; i++)
		endpoints_free(&r->places[i]);
	free(r->places);
	free(r->auth_file);
	free(r);
}

/* Borrowed until the next call. own: no mirrors. */
static struct endpoints *places_of(struct registry *r, const char *name,
				   bool own)
{
	for (size_t i = 0; i < r->n_places; i++) {
		if (!strcmp(r->places[i].registry, name) &&
		    r->places[i].own == own)
			return &r->places[i];
	}
	r->places = xrealloc(r->places, (r->n_places + 1) * sizeof(*r->places));
	(own ? endpoints_make_own : endpoints_make)(&r->conf, name,
						    &r->places[r->n_places]);
	return &r->places[r->n_places++];
}

static char *scope_of(const struct ref *ref, const char *actions)
{
	return xasprintf("repository:%s:%s", ref->repository, actions);
}

/* ---- manifests ----------------------------------------------------------- */

struct manifest_ask {
	const struct transfer_env *env;
	const struct errand *errand;
	struct buf *bytes;
	const struct digest *want; /* NULL: whatever the tag names */
	char type[128];
	struct digest digest;
	bool mismatched;
};

static int manifest_begin(void *ctx, uint64_t *ret_from, struct err *e)
{
	struct manifest_ask *const k = ctx;

	(void)e;
	buf_reset(k->bytes);
	*ret_from = 0;
	return 0;
}

/* What a network says that wants to be logged in to first. */
static int refuse_page(const struct http_head *h, const char *server,
		       const char *expected, struct err *e)
{
	if (strncasecmp(h->type, "text/html", 9) != 0)
		return 0;
	err_set(e, ERR_NET, "%s: answers with a web page (%s) instead of %s",
		server, h->type, expected);
	return err_hint(e, "is this network behind a login page or a "
			   "filtering proxy?");
}

static int manifest_head(void *ctx, const struct http_head *h, struct err *e)
{
	const struct manifest_ask *const k = ctx;
	const char *const server = k->errand->t.server;

	if (h->status != 200)
		return err_set(e, ERR_NET, "%s: unexpected answer (HTTP %ld)",
			       server, h->status);
	if (refuse_page(h, server, "a manifest", e) < 0)
		return -1;
	if (*h->encoding && strcasecmp(h->encoding, "identity") != 0)
		return err_set(e, ERR_NET,
			       "%s: the manifest comes encoded (%s), which was "
			       "not asked for",
			       server, h->encoding);
	if (h->length > (int64_t)k->bytes->max)
		return err_set(e, ERR_TOOBIG,
			       "%s: manifest of %lld bytes; at most %zu",
			       server, (long long)h->length, k->bytes->max);
	return 0;
}

static int manifest_sink(void *ctx, const void *p, size_t n, struct err *e)
{
	struct manifest_ask *const k = ctx;

	buf_add(k->bytes, p, n);
	if (k->bytes->over)
		return err_set(e, ERR_TOOBIG,
			       "%s: manifest of more than %zu bytes",
			       k->errand->t.server, k->bytes->max);
	return 0;
}

/* One digest that the bytes have to have; unset: none. */
static int check_digest(const struct manifest_ask *k, const struct digest *want,
			const char *who, struct err *e)
{
	struct digest have;

	hash_bytes(want->alg, k->bytes->p, k->bytes->len, &have);
	if (digest_eq(&have, want))
		return 0;
	return err_set(e, ERR_MISMATCH,
		       "%s: the manifest is %s, but %s says %s",
		       k->errand->t.server, DIGEST_TEXT(&have), who,
		       DIGEST_TEXT(want));
}

static int check_manifest(struct manifest_ask *k, const struct http_head *h,
			  struct err *e)
{
	struct digest said = {0};
	struct err ignored = {0};

	/* One that cannot be read says nothing; the header is optional. */
	if (*h->digest)
		(void)digest_parse(h->digest, &said, &ignored);
	if (k->want && check_digest(k, k->want, "its name", e) < 0)
		return -1;
	if (said.alg != DIGEST_NONE &&
	    check_digest(k, &said, "Docker-Content-Digest", e) < 0)
		return -1;
	if (k->want)
		k->digest = *k->want;
	else if (said.alg != DIGEST_NONE)
		k->digest = said;
	else
		hash_bytes(DIGEST_SHA256, k->bytes->p, k->bytes->len,
			   &k->digest);
	return 0;
}

static enum verdict manifest_judge(void *ctx, const struct http_exchange *x,
				   struct err *e)
{
	struct manifest_ask *const k = ctx;
	const size_t n = strcspn(x->got.type, "; ");

	if (x->refused)
		return VERDICT_FAIL;
	if (x->got.status != 200 || !k->bytes->len) {
		err_set(e, ERR_NET, "%s: %s (HTTP %ld)", k->errand->t.server,
			x->got.status == 200 ? "empty answer"
					     : "unexpected answer",
			x->got.status);
		return VERDICT_FAIL;
	}
	if (check_manifest(k, &x->got, e) < 0) {
		if (k->mismatched)
			return VERDICT_FAIL;
		k->mismatched = true;
		transfer_note(k->env, "%s; fetching it once more", e->text);
		return VERDICT_AGAIN;
	}
	memcpy(k->type, x->got.type, n);
	k->type[n] = '\0';
	return VERDICT_DONE;
}

static const struct transfer_ops manifest_ops = {
	.begin = manifest_begin,
	.head = manifest_head,
	.sink = manifest_sink,
	.judge = manifest_judge,
};

/* What a refusal means can only be guessed; say the likely things. */
static int explain(struct err *e, const struct ref *ref, bool push)
{
	char name[REF_TEXT_MAX];

	if (e->kind == ERR_AUTH)
		(void)err_hint(e,
			       "is '%.80s' %s? then log in with 'prism login "
			       "%.60s'",
			       ref_familiar_name(ref, name),
			       push ? "yours to push to"
				    : "the right name, and private",
			       ref->registry);
	else if (e->kind == ERR_NOTFOUND)
		(void)err_hint(e, "is '%.100s' the right name?%s",
			       push ? ref_familiar_name(ref, name)
				    : ref_familiar(ref, name),
			       push ? " some registries want the repository "
				      "made first"
				    : "");
	else if (e->kind == ERR_UNSUPPORTED && push)
		(void)err_hint(e, "it takes no pushes: a read-only registry, "
				  "or a mirror");
	return -1;
}

int registry_manifest(struct registry *r, const struct ref *ref,
		      const struct digest *digest, struct buf *ret_bytes,
		      char ret_type[128], struct digest *ret_digest,
		      struct err *e)
{
	STEP(e, "manifest", "fetch the manifest of %s",
	     ref_familiar(ref, (char[REF_TEXT_MAX]){0}));
	const struct digest *const want =
		digest ? digest
		       : (digest_is_set(&ref->digest) ? &ref->digest : NULL);
	autofree char *object =
		xasprintf("manifests/%s", want ? DIGEST_TEXT(want) : ref->tag);
	autofree char *scope = scope_of(ref, "pull");
	autobuf struct buf bytes = buf_make(MANIFEST_MAX);
	struct manifest_ask k = {
		.env = &r->env,
		.bytes = &bytes,
		.want = want,
	};
	autoerrand struct errand errand = {
		.env = &r->env,
		.auth = r->auth,
		.places = places_of(r, ref->registry, false),
		.repository = ref->repository,
		.scope = scope,
		.object = object,
		.accept = accept_manifests,
		.ops = &manifest_ops,
		.ctx = &k,
		.limit_ms = 10 * http_stall_ms(r->env.http),
	};

	k.errand = &errand;
	if (errand_run(&errand, e) < 0)
		return explain(e, ref, false);
	buf_free(ret_bytes);
	*ret_bytes = bytes;
	bytes = buf_make(0);
	memcpy(ret_type, k.type, sizeof(k.type));
	*ret_digest = k.digest;
	return 0;
}

/* ---- blobs --------------------------------------------------------------- */

int registry_fetch(struct registry *r, const struct ref *ref,
		   struct registry_blob *blobs, size_t n, int parallel,
		   registry_tick_fn tick, void *tick_ctx, struct err *e)
{
	STEP(e, "blobs", "fetch %zu blobs of %s", n,
	     ref_familiar(ref, (char[REF_TEXT_MAX]){0}));
	autofree char *scope = scope_of(ref, "pull");
	const struct fetch_job job = {
		.env = &r->env,
		.auth = r->auth,
		.places = places_of(r, ref->registry, false),
		.repository = ref->repository,
		.scope = scope,
		.blobs = blobs,
		.n = n,
		.parallel = crew_size(parallel),
	};
	int rc;

	http_set_tick(r->env.http, tick, tick_ctx);
	rc = fetch_blobs(&job, e);
	http_set_tick(r->env.http, NULL, NULL);
	return rc < 0 ? explain(e, ref, false) : 0;
}

/* ---- pushes -------------------------------------------------------------- */

static struct push_job job_for(struct registry *r, const struct ref *ref,
			       const char *scope)
{
	return (struct push_job){
		.env = &r->env,
		.auth = r->auth,
		.places = places_of(r, ref->registry, true),
		.repository = ref->repository,
		.scope = scope,
	};
}

int registry_push(struct registry *r, const struct ref *ref,
		  struct registry_upload *uploads, size_t n, int parallel,
		  registry_tick_fn tick, void *tick_ctx, struct err *e)
{
	STEP(e, "blobs", "push %zu blobs of %s", n,
	     ref_familiar(ref, (char[REF_TEXT_MAX]){0}));
	autofree char *scope = scope_of(ref, "pull,push");
	struct push_job job = job_for(r, ref, scope);

	job.uploads = uploads;
	job.n = n;
	job.parallel = crew_size(parallel);
	job.tick = tick;
	job.tick_ctx = tick_ctx;
	return push_blobs(&job, e) < 0 ? explain(e, ref, true) : 0;
}

int registry_push_manifest(struct registry *r, const struct ref *ref,
			   const void *p, size_t n, const char *type,
			   const struct digest *digest, struct err *e)
{
	STEP(e, "manifest", "push the manifest of %s",
	     ref_familiar(ref, (char[REF_TEXT_MAX]){0}));
	autofree char *scope = scope_of(ref, "pull,push");
	const struct push_job job = job_for(r, ref, scope);
	const struct http_body body = {
		.p = p, .fd = -1, .size = n, .type = type};

	return push_manifest(&job,
			     digest_is_set(&ref->digest)
				     ? DIGEST_TEXT(&ref->digest)
				     : ref->tag,
			     &body, digest, e) < 0
		       ? explain(e, ref, true)
		       : 0;
}

/* ---- logins -------------------------------------------------------------- */

static enum verdict login_judge(void *ctx, const struct http_exchange *x,
				struct err *e)
{
	const char *const name = ctx;

	return refuse_page(&x->got, name, "a registry's answer", e) < 0
		       ? VERDICT_FAIL
		       : VERDICT_DONE;
}

int registry_try_login(struct registry *r, const char *name, const char *user,
		       const char *password, struct err *e)
{
	STEP(e, "login", "ask %s whether it takes this login", name);
	static const struct transfer_ops ops = {.judge = login_judge};
	const struct creds given = {
		.user = (char *)(uintptr_t)user,
		.password = (char *)(uintptr_t)password,
		.source = (char *)(uintptr_t) "this login",
	};
	autoerrand struct errand errand = {
		.env = &r->env,
		.auth = r->auth,
		.places = places_of(r, name, true),
		.accept = "*/*",
		.ops = &ops,
		.ctx = (char *)(uintptr_t)name,
		.limit_ms = 10 * http_stall_ms(r->env.http),
	};
	int rc;

	auth_use(r->auth, &given);
	rc = errand_run(&errand, e);
	auth_use(r->auth, NULL);
	return rc;
}
