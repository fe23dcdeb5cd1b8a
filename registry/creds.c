#include "creds.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/paths.h"
#include "base/str.h"
#include "registry/base64.h"
#include "registry/helper.h"

#define DOCKER_SERVER "https://index.docker.io/v1/"

void secret_free(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

void own_secret(char **s)
{
	secret_free(*s);
	*s = NULL;
}

void creds_free(struct creds *c)
{
	secret_free(c->user);
	secret_free(c->password);
	secret_free(c->identity);
	secret_free(c->bearer);
	free(c->source);
	*c = (struct creds){0};
}

bool creds_are_set(const struct creds *c)
{
	return c->user || c->identity || c->bearer;
}

json_t *secret_json_parse(const char *p, size_t len, const char *what,
			  struct err *e)
{
	json_t *const doc = json_parse(p, len, what, e);

	if (!doc) {
		err_clear(e);
		err_set(e, ERR_INVALID, "%s: not valid JSON", what);
	}
	return doc;
}

char *creds_basic(const struct creds *c)
{
	autosecret char *pair =
		xasprintf("%s:%s", c->user, c->password ? c->password : "");
	autosecret char *b64 = base64_encode(pair, strlen(pair));

	return xasprintf("Basic %s", b64);
}

/* ---- names --------------------------------------------------------------- */

static bool is_docker_hub(const char *s, size_t n)
{
	static const char *const names[] = {"docker.io", "index.docker.io",
					    "registry-1.docker.io"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strlen(names[i]) == n && !strncasecmp(s, names[i], n))
			return true;
	}
	return false;
}

/*
 * How many bytes of "registry/repository" the key of an entry covers; 0: it is
 * another's. Keys with a scheme are Docker's old ones and mean the host.
 */
static size_t key_covers(const char *key, const char *registry,
			 const char *repository)
{
	const char *const scheme = strstr(key, "://");
	const char *const s = scheme ? scheme + 3 : key;
	const size_t host = strcspn(s, "/");
	const char *const path = s + host + (s[host] == '/');
	size_t n = strlen(path);
	const bool same =
		(strlen(registry) == host && !strncasecmp(s, registry, host)) ||
		(is_docker_hub(s, host) &&
		 is_docker_hub(registry, strlen(registry)));

	if (!host || !same)
		return 0;
	while (n > 0 && path[n - 1] == '/')
		n--;
	if (scheme || !n)
		return host;
	if (strncmp(path, repository, n) != 0 ||
	    (repository[n] && repository[n] != '/'))
		return 0;
	return host + 1 + n;
}

bool creds_key_is(const char *key, const char *registry)
{
	return key_covers(key, registry, "") > 0;
}

const char *creds_server_name(const char *registry)
{
	return is_docker_hub(registry, strlen(registry)) ? DOCKER_SERVER
							 : registry;
}

/* ---- entries ------------------------------------------------------------- */

static int take_auth(const struct jval *entry, const char *b64,
		     struct creds *ret, struct err *e)
{
	size_t n;
	autosecret char *pair = base64_decode(b64, &n);
	char *colon;

	if (!pair || strlen(pair) > n)
		return err_set(e, ERR_INVALID, "%s.auth: not base64",
			       entry->path);
	colon = strchr(pair, ':');
	if (!colon)
		return err_set(e, ERR_INVALID,
			       "%s.auth: not base64 of USER:PASSWORD",
			       entry->path);
	*colon = '\0';
	ret->user = xstrdup(pair);
	ret->password = xstrdup(colon + 1);
	explicit_bzero(colon + 1, strlen(colon + 1));
	return 0;
}

static char *copy_nonempty(const char *s)
{
	return str_empty(s) ? NULL : xstrdup(s);
}

/* 1: it holds something; 0: empty, as Docker leaves it for a helper. */
static int take_entry(const struct jval *entry, struct creds *ret,
		      struct err *e)
{
	const char *auth;
	const char *user;
	const char *password;
	const char *identity;
	const char *bearer;

	if (jget_str_opt(entry, "auth", &auth, e) < 0 ||
	    jget_str_opt(entry, "username", &user, e) < 0 ||
	    jget_str_opt(entry, "password", &password, e) < 0 ||
	    jget_str_opt(entry, "identitytoken", &identity, e) < 0 ||
	    jget_str_opt(entry, "registrytoken", &bearer, e) < 0)
		return -1;

	struct creds c = {
		.identity = copy_nonempty(identity),
		.bearer = copy_nonempty(bearer),
	};
	if (!str_empty(auth)) {
		if (take_auth(entry, auth, &c, e) < 0) {
			creds_free(&c);
			return -1;
		}
	} else if (!str_empty(user)) {
		c.user = xstrdup(user);
		c.password = xstrdup(password ? password : "");
	}
	if (!creds_are_set(&c))
		return 0;
	*ret = c;
	return 1;
}

static int from_auths(const struct jval *doc, const char *registry,
		      const char *repository, struct creds *ret, struct err *e)
{
	struct jval auths;
	struct jval entry;
	const char *best = NULL;
	size_t best_len = 0;

	if (jget(doc, "auths", &auths, e) < 0)
		return -1;
	if (!jval_present(&auths))
		return 0;
	if (!json_is_object(auths.v))
		return err_set(e, ERR_INVALID, "%s: not an object", auths.path);

	json_t *const o = (json_t *)(uintptr_t)auths.v;
	for (void *it = json_object_iter(o); it;
	     it = json_object_iter_next(o, it)) {
		const char *const key = json_object_iter_key(it);
		const size_t n = key_covers(key, registry, repository);

		if (n > best_len) {
			best = key;
			best_len = n;
		}
	}
	if (!best)
		return 0;
	if (jget(&auths, best, &entry, e) < 0)
		return -1;
	return take_entry(&entry, ret, e);
}

/* A helper that is named for this very registry. */
static int from_own_helper(const struct jval *doc, const char *registry,
			   struct creds *ret, struct err *e)
{
	struct jval helpers;
	const char *helper;

	if (jget(doc, "credHelpers", &helpers, e) < 0)
		return -1;
	if (!jval_present(&helpers))
		return 0;
	if (!json_is_object(helpers.v))
		return err_set(e, ERR_INVALID, "%s: not an object",
			       helpers.path);

	json_t *const o = (json_t *)(uintptr_t)helpers.v;
	for (void *it = json_object_iter(o); it;
	     it = json_object_iter_next(o, it)) {
		const char *const key = json_object_iter_key(it);

		if (!key_covers(key, registry, ""))
			continue;
		if (jget_str(&helpers, key, &helper, e) < 0)
			return -1;
		return helper_get(helper, creds_server_name(key), ret, e);
	}
	return 0;
}

int creds_parse(const char *p, size_t len, const char *name,
		const char *registry, const char *repository, struct creds *ret,
		struct err *e)
{
	autojson json_t *doc = secret_json_parse(p, len, name, e);
	const char *store;
	int rc;

	if (!doc)
		return -1;
	const struct jval root = jval_root(doc, name);
	rc = from_own_helper(&root, registry, ret, e);
	if (rc == 0) {
		rc = from_auths(&root, registry, repository, ret, e);
		if (rc > 0)
			ret->source = xstrdup(name);
	}
	if (rc != 0)
		return rc;
	if (jget_str_opt(&root, "credsStore", &store, e) < 0)
		return -1;
	if (str_empty(store))
		return 0;
	return helper_get(store, creds_server_name(registry), ret, e);
}

/* ---- files --------------------------------------------------------------- */

static int from_file(const char *path, bool must_exist, const char *registry,
		     const char *repository, struct creds *ret, struct err *e)
{
	autobuf struct buf b = buf_make(AUTH_FILE_MAX);
	int rc;

	if (!must_exist && access(path, F_OK) < 0)
		return 0;
	if (fs_read_at(AT_FDCWD, path, &b, e) < 0)
		return -1;
	rc = creds_parse(buf_str(&b), b.len, path, registry, repository, ret,
			 e);
	if (b.p)
		explicit_bzero(b.p, b.len);
	return rc;
}

static char *docker_file(void)
{
	autofree char *home = user_home();

	return home ? xasprintf("%s/.docker/config.json", home) : NULL;
}

void creds_files_list(const char *auth_file, struct creds_files *ret)
{
	const char *const env = getenv("REGISTRY_AUTH_FILE");
	const char *const docker = getenv("DOCKER_CONFIG");
	size_t n = 0;

	*ret = (struct creds_files){0};
	if (!auth_file && !str_empty(env))
		auth_file = env;
	if (auth_file) {
		ret->named = true;
		ret->path[0] = xstrdup(auth_file);
		return;
	}
	/* Who says where it is means this one; else podman's order. */
	char *const in_order[CREDS_FILES_MAX] = {
		str_empty(docker) ? NULL : xasprintf("%s/config.json", docker),
		user_runtime_path("containers/auth.json"),
		user_config_path("containers/auth.json"),
		str_empty(docker) ? docker_file() : NULL,
	};
	for (size_t i = 0; i < CREDS_FILES_MAX; i++) {
		if (in_order[i])
			ret->path[n++] = in_order[i];
	}
}

void creds_files_free(struct creds_files *f)
{
	for (size_t i = 0; i < CREDS_FILES_MAX; i++)
		free(f->path[i]);
	*f = (struct creds_files){0};
}

int creds_find(const char *auth_file, const char *registry,
	       const char *repository, struct creds *ret, struct err *e)
{
	autocredsfiles struct creds_files f;
	int rc = 0;

	*ret = (struct creds){0};
	creds_files_list(auth_file, &f);
	for (size_t i = 0; rc == 0 && i < CREDS_FILES_MAX && f.path[i]; i++)
		rc = from_file(f.path[i], f.named, registry, repository, ret,
			       e);
	return rc < 0 ? -1 : 0;
}
