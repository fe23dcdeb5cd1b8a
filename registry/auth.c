#include "auth.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/trace.h"
#include "registry/challenge.h"
#include "registry/creds.h"
#include "registry/reach.h"

/* What one endpoint takes for one scope. */
struct ticket {
	struct url origin;
	char *scope;  /* "": none */
	char *header; /* "Bearer ...", a secret */
	bool worked;
	struct ticket *next;
};

struct auth {
	const struct transfer_env *env;
	const struct regconf *conf;
	const char *auth_file;
	const struct creds *given;
	struct ticket *tickets;
};

struct auth *auth_make(const struct transfer_env *env,
		       const struct regconf *conf, const char *auth_file)
{
	struct auth *const a = xcalloc(1, sizeof(*a));

	a->env = env;
	a->conf = conf;
	a->auth_file = auth_file;
	return a;
}

void auth_use(struct auth *a, const struct creds *given)
{
	a->given = given;
}

void auth_free(struct auth *a)
{
	if (!a)
		return;
	while (a->tickets) {
		struct ticket *const t = a->tickets;

		a->tickets = t->next;
		url_free(&t->origin);
		free(t->scope);
		secret_free(t->header);
		free(t);
	}
	free(a);
}

/* ---- tickets ------------------------------------------------------------- */

static const char *scope_of(const struct auth_target *target)
{
	return target->scope ? target->scope : "";
}

static struct ticket *ticket_of(const struct auth_target *target)
{
	struct ticket *t = target->auth->tickets;

	while (t && (!url_same_origin(&t->origin, &target->origin) ||
		     strcmp(t->scope, scope_of(target)) != 0))
		t = t->next;
	return t;
}

/* header is taken over. */
static void keep_ticket(const struct auth_target *target, char *header)
{
	struct ticket *t = ticket_of(target);

	if (!t) {
		t = xcalloc(1, sizeof(*t));
		url_copy(&target->origin, &t->origin);
		t->scope = xstrdup(scope_of(target));
		t->next = target->auth->tickets;
		target->auth->tickets = t;
	}
	secret_free(t->header);
	t->header = header;
	t->worked = false;
}

static void worked(void *ctx, const char *used)
{
	struct ticket *const t = ticket_of(ctx);

	if (t && !strcmp(t->header, used))
		t->worked = true;
}

static bool has_worked(void *ctx, const char *used)
{
	const struct ticket *const t = ticket_of(ctx);

	/* Replaced is as good as worn out. */
	return t && (t->worked || strcmp(t->header, used) != 0);
}

static const char *header_now(void *ctx)
{
	const struct ticket *const t = ticket_of(ctx);

	return t ? t->header : NULL;
}

/* These credentials were asked for and are no good. */
static int hint_at_login(const struct auth_target *target, struct err *e)
{
	if (target->auth->given)
		return err_hint(e, "is the user name right, and the password "
				   "(or access token)?");
	return err_hint(e, "'prism login %.100s' replaces them",
			target->server);
}

/* ---- the token server ---------------------------------------------------- */

static bool may_be_plain(const struct regconf *conf, const struct url *origin,
			 const struct url *realm)
{
	autofree char *with_port =
		xasprintf("%s:%u", realm->host, (unsigned int)realm->port);

	return !origin->tls && (!strcasecmp(realm->host, origin->host) ||
				host_is_loopback(realm->host) ||
				regconf_is_insecure(conf, realm->host) ||
				regconf_is_insecure(conf, with_port));
}

int auth_check_realm(const struct regconf *conf, const struct url *origin,
		     const char *peer, const struct url *realm,
		     bool *ret_only_public, struct err *e)
{
	const bool inside =
		host_is_private(origin->host) || host_is_private(peer);
	const char *why;

	if (!realm->tls && !may_be_plain(conf, origin, realm))
		return err_set(e, ERR_AUTH,
			       "its token server %s is not https: refused",
			       realm->shown);
	if (!inside && host_is_private(realm->host))
		return err_set(e, ERR_AUTH,
			       "its token server %s is in a private network, "
			       "where the registry is not: refused",
			       realm->shown);
	why = url_same_place(origin, realm) ? NULL
					    : reach_refuses(realm->host, peer);
	if (why)
		return err_set(e, ERR_AUTH,
			       "refused its token server %s: that address is "
			       "%s",
			       realm->shown, why);
	*ret_only_public = !inside;
	return 0;
}

static bool is_header_safe(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s <= ' ' || *s >= 0x7f)
			return false;
	}
	return true;
}

int auth_parse_token(const char *p, size_t len, char **ret_header,
		     struct err *e)
{
	autojson json_t *doc = secret_json_parse(p, len, "token", e);
	const char *token;
	const char *access;

	if (!doc)
		return -1;
	const struct jval root = jval_root(doc, "token");
	if (jget_str_opt(&root, "token", &token, e) < 0 ||
	    jget_str_opt(&root, "access_token", &access, e) < 0)
		return -1;
	if (str_empty(token))
		token = access;
	if (str_empty(token) || !is_header_safe(token))
		return err_set(e, ERR_AUTH, "token: %s",
			       str_empty(token) ? "there is none in the answer"
						: "not printable");
	*ret_header = xasprintf("Bearer %s", token);
	return 0;
}

struct token_ask {
	struct buf answer;
	char *header;
};

static int token_begin(void *ctx, uint64_t *ret_from, struct err *e)
{
	struct token_ask *const k = ctx;

	(void)e;
	buf_reset(&k->answer);
	*ret_from = 0;
	return 0;
}

static int token_sink(void *ctx, const void *p, size_t n, struct err *e)
{
	struct token_ask *const k = ctx;

	buf_add(&k->answer, p, n);
	if (k->answer.over)
		return err_set(e, ERR_TOOBIG,
			       "token server: answer of more than %zu bytes",
			       TOKEN_MAX);
	return 0;
}

static enum verdict token_judge(void *ctx, const struct http_exchange *x,
				struct err *e)
{
	struct token_ask *const k = ctx;

	if (x->refused)
		return VERDICT_FAIL;
	if (x->got.status != 200) {
		err_set(e, ERR_AUTH, "token server: HTTP %ld", x->got.status);
		return VERDICT_FAIL;
	}
	if (auth_parse_token(buf_str(&k->answer), k->answer.len, &k->header,
			     e) < 0)
		return VERDICT_FAIL;
	return VERDICT_DONE;
}

static const struct transfer_ops token_ops = {
	.begin = token_begin,
	.sink = token_sink,
	.judge = token_judge,
};

static void add_field(struct buf *b, const char *name, const char *value)
{
	char *const escaped = curl_easy_escape(NULL, value, 0);

	buf_addf(b, "%s%s=", b->len ? "&" : "", name);
	buf_adds(b, escaped);
	explicit_bzero(escaped, strlen(escaped));
	curl_free(escaped);
}

/* OAuth2: an identity token is a refresh token, and those go by POST. */
static char *refresh_form(const struct creds *c, const char *service,
			  const char *scope)
{
	struct buf b = buf_make(TOKEN_MAX);

	add_field(&b, "grant_type", "refresh_token");
	add_field(&b, "client_id", "prism");
	add_field(&b, "service", service);
	if (scope)
		add_field(&b, "scope", scope);
	add_field(&b, "refresh_token", c->identity);
	return buf_take(&b);
}

/* The token server that a registry named, and that registry. */
struct realm {
	struct url url;
	bool only_public;
	char peer[64]; /* the registry's address; "": behind a proxy */
};

static int ask_token(const struct auth_target *target, const struct realm *r,
		     const char *form, const char *basic, char **ret_header,
		     struct err *e)
{
	const struct url *const realm = &r->url;
	STEP(e, "token", "ask %s for a token", realm->host);
	struct token_ask k = {.answer = buf_make(TOKEN_MAX)};
	struct transfer t = {
		.env = target->auth->env,
		.ops = &token_ops,
		.ctx = &k,
		.accept = "application/json",
		.post = form,
		.authorization = basic,
		.server = realm->host,
		.direct = host_is_loopback(realm->host),
		.only_public = r->only_public,
		.sent = !url_same_place(realm, &target->origin),
		.limit_ms = 4 * http_stall_ms(target->auth->env->http),
	};

	memcpy(t.home, r->peer, sizeof(t.home));
	transfer_begin(&t, realm);
	const int rc = transfer_run(&t, e);
	transfer_end(&t);
	if (k.answer.p)
		explicit_bzero(k.answer.p, k.answer.len);
	buf_free(&k.answer);
	if (rc == 0)
		*ret_header = k.header;
	else
		secret_free(k.header);
	return rc;
}

/* One parameter for each: not every token server splits them. */
static int add_scopes(struct url *realm, const char *scope, struct err *e)
{
	const char *const end = strchr(scope, ' ');
	autofree char *one =
		xstrndup(scope, end ? (size_t)(end - scope) : strlen(scope));

	if (url_add_query(realm, "scope", one, e) < 0)
		return -1;
	return end ? add_scopes(realm, end + 1, e) : 0;
}

static int ask_realm(const struct auth_target *target,
		     const struct challenge *c, const struct creds *creds,
		     struct realm *r, char **ret_header, struct err *e)
{
	const char *const scope = target->scope;
	autosecret char *form = NULL;
	autosecret char *basic = NULL;

	if (creds->identity) {
		form = refresh_form(creds, c->service, scope);
	} else if ((*c->service &&
		    url_add_query(&r->url, "service", c->service, e) < 0) ||
		   (scope && add_scopes(&r->url, scope, e) < 0)) {
		return -1;
	}
	if (creds->user && !form)
		basic = creds_basic(creds);
	if (ask_token(target, r, form, basic, ret_header, e) == 0)
		return 0;
	if (e->kind != ERR_AUTH || !creds_are_set(creds))
		return -1;
	(void)err_append(e, " (with the credentials of %s)", creds->source);
	return hint_at_login(target, e);
}

static int bearer(const struct auth_target *target,
		  const struct http_exchange *x, const struct challenge *c,
		  const struct creds *creds, char **ret_header, struct err *e)
{
	struct realm r = {0};
	int rc;

	if (url_parse(c->realm, &r.url, e) < 0)
		return err_prefix(e, "its token server");
	if (x->direct || !reach_is_proxy(x->peer, x->peer_port))
		memcpy(r.peer, x->peer, sizeof(r.peer));
	rc = auth_check_realm(target->auth->conf, &target->origin, r.peer,
			      &r.url, &r.only_public, e);
	if (rc == 0)
		rc = ask_realm(target, c, creds, &r, ret_header, e);
	url_free(&r.url);
	return rc;
}

/* ---- 401 ----------------------------------------------------------------- */

static int header_for(const struct auth_target *target,
		      const struct http_exchange *x, const char *used,
		      const struct creds *creds, char **ret, struct err *e)
{
	struct challenge c = {0};

	for (size_t i = 0; i < x->got.challenges.n; i++)
		challenge_parse(x->got.challenges.v[i],
				strlen(x->got.challenges.v[i]), &c);
	if (c.kind == CHALLENGE_NONE)
		return err_set(e, ERR_AUTH,
			       "refused (HTTP 401) without a way to log in "
			       "that is known here");
	if (c.kind == CHALLENGE_BEARER && !creds->bearer)
		return bearer(target, x, &c, creds, ret, e);
	if (c.kind == CHALLENGE_BASIC && !creds->user)
		return err_set(e, ERR_AUTH,
			       "it wants a user name and password; there are "
			       "none for it");

	autosecret char *header =
		c.kind == CHALLENGE_BASIC
			? creds_basic(creds)
			: xasprintf("Bearer %s", creds->bearer);
	if (used && !strcmp(used, header)) {
		err_set(e, ERR_AUTH, "it refuses the credentials of %s",
			creds->source);
		return hint_at_login(target, e);
	}
	if (!is_header_safe(header + strcspn(header, " ") + 1))
		return err_set(e, ERR_AUTH, "%s: not printable", creds->source);
	*ret = take_ptr(&header);
	return 0;
}

static int renew(void *ctx, const struct http_exchange *x, const char *used,
		 struct err *e)
{
	const struct auth_target *const target = ctx;
	ERR_IN(e, "%s", target->server);
	const char *const now = header_now(ctx);
	const struct creds *const given = target->auth->given;
	struct creds found = {0};
	char *header = NULL;
	int rc;

	/* Another transfer got a new one while this one was under way. */
	if (now && (!used || strcmp(now, used) != 0))
		return 0;
	if (!given && creds_find(target->auth->auth_file, target->server,
				 target->repository ? target->repository : "",
				 &found, e) < 0)
		return -1;
	rc = header_for(target, x, used, given ? given : &found, &header, e);
	creds_free(&found);
	if (rc == 0)
		keep_ticket(target, header);
	return rc;
}

/* Who asks without a login may not be known to need one. */
static void explain(void *ctx, struct err *e)
{
	const struct auth_target *const target = ctx;

	if (target->auth->given)
		(void)hint_at_login(target, e);
}

void auth_target_make(struct auth *a, const char *server,
		      const char *repository, const char *scope,
		      const struct url *origin, struct auth_target *ret)
{
	*ret = (struct auth_target){
		.auth = a,
		.server = server,
		.repository = repository,
		.scope = scope,
		.face = {.header = header_now,
			 .renew = renew,
			 .worked = worked,
			 .has_worked = has_worked,
			 .explain = explain,
			 .ctx = ret},
	};
	url_copy(origin, &ret->origin);
}

void auth_target_free(struct auth_target *t)
{
	url_free(&t->origin);
}
