#include "login.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/fs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "registry/base64.h"
#include "registry/creds.h"
#include "registry/helper.h"

#define LINKS_MAX 40 /* as the kernel */

char *login_server(const char *text)
{
	const char *const scheme = strstr(text, "://");
	const char *const host = scheme ? scheme + 3 : text;
	char *const name = xstrndup(host, strcspn(host, "/"));

	if (!creds_key_is(name, "docker.io"))
		return name;
	free(name);
	return xstrdup("docker.io");
}

void login_free(struct login *l)
{
	secret_free(l->user);
	secret_free(l->password);
	free(l->source);
	*l = (struct login){0};
}

int login_find(const char *auth_file, const char *server, struct login *ret,
	       struct err *e)
{
	struct creds c;
	int rc = creds_find(auth_file, server, "", &c, e);

	*ret = (struct login){0};
	/* A file that is named and not there yet. */
	if (rc < 0 && e->kind == ERR_NOTFOUND) {
		err_clear(e);
		return 0;
	}
	if (rc == 0 && c.user && c.password) {
		ret->user = take_ptr(&c.user);
		ret->password = take_ptr(&c.password);
		ret->source = take_ptr(&c.source);
		rc = 1;
	}
	creds_free(&c);
	return rc;
}

/* ---- the file ------------------------------------------------------------ */

struct file {
	char *path; /* at the end of its symlinks */
	int dir;    /* locked: two logins at once lose nothing */
	json_t *doc;
	bool exists;
	struct stat st;
};

static const char *name_of(const struct file *f)
{
	const char *const slash = strrchr(f->path, '/');

	return slash ? slash + 1 : f->path;
}

static void file_close(struct file *f)
{
	json_decref(f->doc);
	if (f->dir >= 0)
		(void)close(f->dir);
	free(f->path);
}
#define autoauthfile __attribute__((cleanup(file_close)))

/* What is replaced is the file, not a symlink to it. */
static int follow_links(struct file *f, struct err *e)
{
	char target[PATH_MAX];

	for (int i = 0; i < LINKS_MAX; i++) {
		const ssize_t n = readlink(f->path, target, sizeof(target) - 1);
		autofree char *was = f->path;

		if (n < 0) {
			was = NULL;
			return 0;
		}
		target[n] = '\0';
		f->path = *target == '/'
				  ? xstrdup(target)
				  : xasprintf("%.*s%s", (int)(name_of(f) - was),
					      was, target);
	}
	return err_sysno(e, ELOOP, "readlink", "%s", f->path);
}

static int open_dir(struct file *f, bool make, struct err *e)
{
	const size_t n = (size_t)(name_of(f) - f->path);
	autofree char *dir =
		n ? xstrndup(f->path, n > 1 ? n - 1 : 1) : xstrdup(".");

	if (make && fs_mkdirs_at(AT_FDCWD, dir, 0700, e) < 0)
		return -1;
	f->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir < 0 && errno == ENOENT && !make)
		return 0;
	if (f->dir < 0)
		return err_sys(e, "open", "%s", dir);
	while (flock(f->dir, LOCK_EX) < 0) {
		if (errno != EINTR)
			return err_sys(e, "flock", "%s", dir);
	}
	crash_point("login-locked");
	return 0;
}

static int read_doc(struct file *f, struct err *e)
{
	struct buf b = buf_make(AUTH_FILE_MAX);

	if (f->dir < 0 || fstatat(f->dir, name_of(f), &f->st, 0) < 0) {
		f->doc = json_object();
		return 0;
	}
	f->exists = true;
	if (fs_read_at(f->dir, name_of(f), &b, e) < 0)
		return -1;
	/* As of `mktemp`. */
	f->doc = b.len ? secret_json_parse(buf_str(&b), b.len, f->path, e)
		       : json_object();
	if (b.p)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
	if (f->doc && !json_is_object(f->doc))
		return err_set(e, ERR_INVALID, "%s: not an object", f->path);
	return f->doc ? 0 : -1;
}

static int file_open(const char *auth_file, bool make, struct file *f,
		     struct err *e)
{
	autocredsfiles struct creds_files all;

	*f = (struct file){.dir = -1};
	creds_files_list(auth_file, &all);
	if (!all.path[0])
		return err_set(e, ERR_NOTFOUND,
			       "there is no home directory to keep it in");
	f->path = xstrdup(all.path[0]);
	if (follow_links(f, e) < 0 || open_dir(f, make, e) < 0)
		return -1;
	return read_doc(f, e);
}

/*
 * Under one name, which the lock of the directory makes ours: what a killed
 * login left has secrets in it, and goes with the next one.
 */
static int replace(const struct file *f, const char *new, const char *text,
		   size_t n, struct err *e)
{
	if (unlinkat(f->dir, new, 0) < 0 && errno != ENOENT)
		return err_sys(e, "unlinkat", "%s", new);
	if (fs_write_new_at(f->dir, new, text, n, 0600, true, e) < 0)
		return -1;
	crash_point("login-written");
	/* Root changes another user's file: it stays that user's. */
	if (f->exists && f->st.st_uid != geteuid() &&
	    fchownat(f->dir, new, f->st.st_uid, f->st.st_gid, 0) < 0)
		return err_sys(e, "fchownat", "%s", new);
	crash_point("login-owned");
	if (renameat(f->dir, new, f->dir, name_of(f)) < 0)
		return err_sys(e, "renameat", "%s", new);
	crash_point("login-renamed");
	return fs_sync_dir(f->dir, f->path, e);
}

static int file_save(struct file *f, struct err *e)
{
	char *const text = json_dumps(f->doc, JSON_INDENT(4));
	autofree char *new = xasprintf("%s.prism-new", name_of(f));
	const size_t n = text ? strlen(text) : 0;
	int rc;

	if (!text)
		return err_set(e, ERR_INVALID, "%s: has no JSON form", f->path);
	rc = replace(f, new, text, n, e);
	explicit_bzero(text, n);
	free(text);
	if (rc == 0)
		return 0;
	(void)unlinkat(f->dir, new, 0);
	return err_prefix(e, "%s", f->path);
}

/* ---- its parts ----------------------------------------------------------- */

/* The object under this key: *ret NULL if there is none and make is false. */
static int object_at(const struct file *f, const char *key, bool make,
		     json_t **ret, struct err *e)
{
	json_t *o = json_object_get(f->doc, key);

	if (!o && make) {
		o = json_object();
		(void)json_object_set_new(f->doc, key, o);
	}
	if (o && !json_is_object(o))
		return err_set(e, ERR_INVALID, "%s.%s: not an object", f->path,
			       key);
	*ret = o;
	return 0;
}

/* The helper that keeps this registry's credentials, or NULL. */
static const char *helper_of(const struct file *f, const char *server)
{
	json_t *const own = json_object_get(f->doc, "credHelpers");
	const char *const all =
		json_string_value(json_object_get(f->doc, "credsStore"));
	const char *key;
	json_t *v;

	json_object_foreach(own, key, v)
	{
		if (creds_key_is(key, server) && json_is_string(v))
			return json_string_value(v);
	}
	return str_empty(all) ? NULL : all;
}

static json_t *entry_of(const json_t *auths, const char *server,
			const char **ret_key)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)auths, key, v)
	{
		if (creds_key_is(key, server)) {
			*ret_key = key;
			return v;
		}
	}
	return NULL;
}

/* All ways to write this registry. */
static bool forget_entries(json_t *auths, const char *server)
{
	const char *key;
	bool any = false;

	while (entry_of(auths, server, &key)) {
		(void)json_object_del(auths, key);
		any = true;
	}
	return any;
}

static void set_entry(json_t *auths, const char *server, const struct login *l,
		      bool with_helper)
{
	static const char *const secrets[] = {"auth", "username", "password",
					      "identitytoken", "registrytoken"};
	const char *const name = creds_server_name(server);
	const char *other;
	json_t *const same = json_object_get(auths, name);
	json_t *const old = same ? same : entry_of(auths, server, &other);
	json_t *const entry =
		json_is_object(old) ? json_incref(old) : json_object();

	for (size_t i = 0; i < ARRAY_LEN(secrets); i++)
		(void)json_object_del(entry, secrets[i]);
	if (!with_helper) {
		autosecret char *pair =
			xasprintf("%s:%s", l->user, l->password);
		autosecret char *b64 = base64_encode(pair, strlen(pair));

		(void)json_object_set_new(entry, "auth", json_string(b64));
	}
	(void)forget_entries(auths, server);
	(void)json_object_set_new(auths, name, entry);
}

/* ---- in and out ---------------------------------------------------------- */

int login_keep(const char *auth_file, const char *server, struct login *l,
	       bool *ret_helper, struct err *e)
{
	autoauthfile struct file f;
	json_t *auths;

	if (file_open(auth_file, true, &f, e) < 0 ||
	    object_at(&f, "auths", true, &auths, e) < 0)
		return -1;
	const char *const helper = helper_of(&f, server);
	if (helper && helper_store(helper, creds_server_name(server), l->user,
				   l->password, e) < 0)
		return -1;
	set_entry(auths, server, l, helper != NULL);
	*ret_helper = helper != NULL;
	free(l->source);
	l->source = helper ? xasprintf("docker-credential-%s", helper)
			   : xstrdup(f.path);
	return file_save(&f, e);
}

static int erase(const struct file *f, const char *server, struct err *e)
{
	const char *const helper = helper_of(f, server);
	const char *const name = creds_server_name(server);
	struct creds c = {0};
	int rc;

	/* Not every helper says that there was nothing to erase. */
	rc = helper ? helper_get(helper, name, &c, e) : 0;
	creds_free(&c);
	return rc > 0 ? helper_erase(helper, name, e) : rc;
}

static int drop(struct file *f, json_t *auths, const char *server,
		struct err *e)
{
	const int erased = erase(f, server, e);

	if (erased < 0)
		return -1;
	return forget_entries(auths, server) || erased > 0;
}

static int drop_keys(struct file *f, json_t *auths, json_t *keys, struct err *e)
{
	autostrv struct strv names = {0};
	int any = 0;
	const char *key;
	json_t *v;

	json_object_foreach(keys, key, v)
	{
		strv_add(&names, key);
	}
	for (size_t i = 0; i < names.n; i++) {
		autofree char *server = login_server(names.v[i]);
		const int rc = drop(f, auths, server, e);

		if (rc < 0)
			return -1;
		any |= rc;
	}
	return any;
}

static int drop_all(struct file *f, json_t *auths, struct err *e)
{
	json_t *helpers;
	int a;
	int b;

	if (object_at(f, "credHelpers", false, &helpers, e) < 0)
		return -1;
	a = drop_keys(f, auths, auths, e);
	b = a < 0 ? -1 : drop_keys(f, auths, helpers, e);
	if (b < 0)
		return -1;
	/* Those of single repositories. */
	if (json_object_size(auths) > 0)
		a = 1;
	(void)json_object_clear(auths);
	return a | b;
}

int login_drop(const char *auth_file, const char *server, struct err *e)
{
	autoauthfile struct file f;
	json_t *auths;
	int rc;

	if (file_open(auth_file, false, &f, e) < 0 ||
	    object_at(&f, "auths", true, &auths, e) < 0)
		return -1;
	rc = server ? drop(&f, auths, server, e) : drop_all(&f, auths, e);
	if (rc > 0 && file_save(&f, e) < 0)
		return -1;
	return rc;
}
