#include "store/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/walk.h"

#define LOCK_NAME ".lock"
#define NAME_CHARS                                                         \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_." \
	"-"

void volume_free(struct volume *v)
{
	free(v->created);
	free(v->source);
	strv_free(&v->labels);
	strv_free(&v->options);
	*v = (struct volume){0};
}

int volume_lock(struct store *s, enum fs_lock mode, struct err *e)
{
	const int dir = store_dirfd(s, STORE_VOLUMES, e);

	return dir < 0 ? -1 : fs_lock_at(dir, LOCK_NAME, mode, true, e);
}

int volume_check_name(const char *name, struct err *e)
{
	const size_t n = strlen(name);

	if (n > 0 && n < VOLUME_NAME_MAX && strchr("_.-", name[0]) == NULL &&
	    strspn(name, NAME_CHARS) == n) {
		if (n > 1)
			return 0;
		return err_set(e, ERR_USAGE,
			       "volume name '%s' is too short: two characters "
			       "at least",
			       name);
	}
	(void)err_set(e, ERR_USAGE,
		      "'%.80s' is not a name for a volume: only "
		      "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
		      name);
	return err_hint(e, "if a directory of the host is meant, begin it with "
			   "/ or ./");
}

/* ---- options -------------------------------------------------------------- */

static bool has_word(const char *list, const char *word)
{
	const size_t n = strlen(word);

	for (const char *p = list; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (!strncmp(p, word, n) && (p[n] == ',' || !p[n]))
			return true;
	}
	return false;
}

/*
 * Of what Docker's local driver would mount only the bind of a directory is
 * done: all else would have to be mounted on the host, where a kill -9 leaves
 * it behind.
 */
static int check_options(const struct strv *o, struct err *e)
{
	const char *const type = strv_getenv(o, "type");
	const char *const device = strv_getenv(o, "device");
	const char *const words = strv_getenv(o, "o");

	for (size_t i = 0; i < o->n; i++)
		if (!str_starts(o->v[i], "type=") &&
		    !str_starts(o->v[i], "device=") &&
		    !str_starts(o->v[i], "o="))
			return err_set(e, ERR_USAGE,
				       "invalid option '%s': not one of type=, "
				       "device=, o=",
				       o->v[i]);
	if (o->n == 0)
		return 0;
	if (!str_empty(type) && strcmp(type, "none") != 0 &&
	    strcmp(type, "bind") != 0) {
		(void)err_set(e, ERR_UNSUPPORTED,
			      "a volume of type=%s: not in this version", type);
		return !strcmp(type, "tmpfs")
			       ? err_hint(e, "--tmpfs /path[:size=...] gives "
					     "a container one of its own")
			       : err_hint(e, "mount it on the host, and use "
					     "--opt type=none --opt o=bind "
					     "--opt device=/that/place");
	}
	if (str_empty(device) ||
	    !(has_word(words, "bind") || has_word(words, "rbind")))
		return err_set(e, ERR_USAGE,
			       "options of a volume: type=none, o=bind and "
			       "device=/a/directory belong together");
	if (device[0] != '/')
		return err_set(e, ERR_USAGE, "device=%s: not an absolute path",
			       device);
	return 0;
}

/* ---- making --------------------------------------------------------------- */

static int set_pairs(json_t *doc, const char *key, const struct strv *pairs,
		     struct err *e)
{
	json_t *const map = json_object();

	(void)json_object_set_new(doc, key, map);
	for (size_t i = 0; pairs && i < pairs->n; i++) {
		const char *const kv = pairs->v[i];
		const char *const eq = strchr(kv, '=');
		autofree char *k =
			xstrndup(kv, eq ? (size_t)(eq - kv) : strlen(kv));

		if (!*k)
			return err_set(e, ERR_USAGE,
				       "'%s': the name is missing", kv);
		if (json_object_set_new(map, k, json_string(eq ? eq + 1 : "")))
			return err_set(e, ERR_USAGE, "'%s' is not UTF-8", kv);
	}
	return 0;
}

static int write_json(int dir, const struct volume_new *n, struct err *e)
{
	autojson json_t *doc = json_object();
	autofree char *text = NULL;
	const time_t now = time(NULL);
	struct tm tm;
	char created[32];

	(void)gmtime_r(&now, &tm);
	(void)strftime(created, sizeof(created), "%Y-%m-%dT%H:%M:%SZ", &tm);
	(void)json_object_set_new(doc, "created", json_string(created));
	(void)json_object_set_new(doc, "anonymous", json_boolean(!n->name));
	if (set_pairs(doc, "labels", n->labels, e) ||
	    set_pairs(doc, "options", n->options, e))
		return -1;
	text = json_dumps(doc, JSON_COMPACT);
	if (!text)
		return err_set(e, ERR_INVALID, "volume.json: no memory");
	/* An anonymous one dies with its container: no need to hurry. */
	return fs_replace_at(dir, "volume.json", text, strlen(text), 0600,
			     n->name != NULL, e);
}

static int build(int tmp, const char *name, const struct volume_new *n,
		 struct err *e)
{
	autoclose int dir = -1;

	if (mkdirat(tmp, name, 0700))
		return err_sys(e, "mkdirat", "tmp/%s", name);
	crash_point("volume-dir");
	dir = fs_opendir_at(tmp, name, e);
	if (dir < 0 || write_json(dir, n, e))
		return -1;
	/* The umask may be anything; 0755 is what Docker gives. */
	if (mkdirat(dir, "_data", 0755) || fchmodat(dir, "_data", 0755, 0))
		return err_sys(e, "mkdirat", "_data");
	return 0;
}

/* 1: made; 0: somebody else's has the name. */
static int make_named(struct store *s, const char *name,
		      const struct volume_new *n, struct err *e)
{
	const int tmp = store_dirfd(s, STORE_TMP, e);
	const int volumes = store_dirfd(s, STORE_VOLUMES, e);
	struct err ignored = {0};
	char unique[17];
	char built[40];
	int rc;

	if (tmp < 0 || volumes < 0)
		return -1;
	str_random_hex(unique, 8);
	(void)snprintf(built, sizeof(built), "volume-%s", unique);
	rc = build(tmp, built, n, e);
	crash_point("volume-built");
	/* A directory with something in it is never replaced. */
	if (rc == 0 && renameat(tmp, built, volumes, name) == 0) {
		crash_point("volume-renamed");
		return n->name && fs_sync_dir(volumes, "volumes", e) ? -1 : 1;
	}
	if (rc == 0 && errno != EEXIST && errno != ENOTEMPTY)
		rc = err_sys(e, "renameat", "volumes/%s", name);
	if (rc)
		store_explain(s, e);
	(void)fs_remove_tree_at(tmp, built, &ignored);
	return rc;
}

static bool same_options(const struct strv *a, const struct strv *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		autofree char *key = xstrndup(a->v[i], strcspn(a->v[i], "="));
		const char *const x = strv_getenv(a, key);
		const char *const y = strv_getenv(b, key);

		if (!y || strcmp(x ? x : "", y) != 0)
			return false;
	}
	return true;
}

int volume_make(struct store *s, const struct volume_new *n, struct volume *ret,
		bool *ret_made, struct err *e)
{
	struct err why = {0};
	char hex[65];
	int rc;

	str_random_hex(hex, 32);
	if (n->name && volume_check_name(n->name, e))
		return -1;
	if (n->options && check_options(n->options, e))
		return -1;
	if (ret_made)
		*ret_made = false;
	/* As a rule a named one is there. */
	if (n->name && volume_load(s, n->name, ret, &why) == 0) {
		if (!n->options || n->options->n == 0 ||
		    same_options(n->options, &ret->options))
			return 0;
		volume_free(ret);
		return err_set(e, ERR_EXISTS,
			       "volume %s exists with other options", n->name);
	}
	if (n->name && why.kind != ERR_NOTFOUND) {
		*e = why;
		return -1;
	}
	rc = make_named(s, n->name ? n->name : hex, n, e);
	if (rc < 0)
		return -1;
	if (ret_made)
		*ret_made = rc == 1;
	return volume_load(s, n->name ? n->name : hex, ret, e);
}

/* ---- reading -------------------------------------------------------------- */

static int get_pairs(const struct jval *doc, const char *key, struct strv *ret,
		     struct err *e)
{
	struct jval map;
	const char *k;
	json_t *v;

	if (jget(doc, key, &map, e))
		return -1;
	if (!jval_present(&map))
		return 0;
	if (!json_is_object(map.v))
		return err_set(e, ERR_INVALID, "%s: not an object", map.path);
	/* The macro of jansson wants a document that it could change. */
	json_object_foreach((json_t *)(uintptr_t)map.v, k,
			    v) if (json_is_string(v))
		strv_take(ret, xasprintf("%s=%s", k, json_string_value(v)));
	return 0;
}

static int parse(const struct buf *text, struct volume *v, struct err *e)
{
	autojson json_t *doc =
		json_parse(buf_str(text), text->len, "volume.json", e);
	const char *created = NULL;
	struct jval root;

	if (!doc)
		return -1;
	root = jval_root(doc, "volume.json");
	if (jget_str(&root, "created", &created, e) ||
	    jget_bool_opt(&root, "anonymous", false, &v->anonymous, e) ||
	    get_pairs(&root, "labels", &v->labels, e) ||
	    get_pairs(&root, "options", &v->options, e))
		return -1;
	v->created = xstrdup(created);
	return 0;
}

int volume_load(struct store *s, const char *name, struct volume *ret,
		struct err *e)
{
	const int volumes = store_dirfd(s, STORE_VOLUMES, e);
	autobuf struct buf text = buf_make(STATE_MAX);
	autofree char *path = xasprintf("%s/volume.json", name);
	autovolume struct volume v = {0};
	struct err why = {0};
	const char *device;

	if (volumes < 0)
		return -1;
	if (volume_check_name(name, &why) ||
	    faccessat(volumes, name, F_OK, AT_SYMLINK_NOFOLLOW))
		return err_set(e, ERR_NOTFOUND, "No such volume: %s", name);
	ERR_IN(e, "volume %s", name);
	(void)snprintf(v.name, sizeof(v.name), "%s", name);
	if (fs_read_at(volumes, path, &text, e) || parse(&text, &v, e))
		return -1;
	device = strv_getenv(&v.options, "device");
	v.source =
		device ? xstrdup(device)
		       : xasprintf("%s/volumes/%s/_data", store_root(s), name);
	*ret = v;
	v = (struct volume){0};
	return 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int volume_names(struct store *s, struct strv *ret, struct err *e)
{
	const int volumes = store_dirfd(s, STORE_VOLUMES, e);
	const int copy = volumes < 0
				 ? -1
				 : openat(volumes, ".",
					  O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *ent;

	if (volumes < 0)
		return -1;
	if (!d) {
		(void)err_sys(e, "opendir", "volumes");
		if (copy >= 0)
			(void)close(copy);
		return -1;
	}
	while ((ent = readdir(d)))
		if (ent->d_name[0] != '.')
			strv_add(ret, ent->d_name);
	if (ret->n > 0)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_name);
	return 0;
}

/* ---- removing ------------------------------------------------------------- */

int volume_remove(struct store *s, const char *name, struct err *e)
{
	const int tmp = store_dirfd(s, STORE_TMP, e);
	const int volumes = store_dirfd(s, STORE_VOLUMES, e);
	char unique[17];
	char gone[40];

	if (tmp < 0 || volumes < 0 || volume_check_name(name, e))
		return -1;
	str_random_hex(unique, 8);
	(void)snprintf(gone, sizeof(gone), "volume-%s", unique);
	if (renameat(volumes, name, tmp, gone)) {
		if (errno == ENOENT)
			return err_set(e, ERR_NOTFOUND, "No such volume: %s",
				       name);
		return err_sys(e, "renameat", "volumes/%s", name);
	}
	crash_point("volume-gone");
	return fs_remove_tree_at(tmp, gone, e);
}

/* ---- size ----------------------------------------------------------------- */

int volume_size(const struct volume *v, uint64_t *ret, struct err *e)
{
	autoclose int fd = open(v->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	autowalk struct walk *w = NULL;
	struct walk_at at = {0};
	uint64_t sum = 0;
	int event;

	if (fd < 0)
		return err_sys(e, "open", "%s", v->source);
	w = walk_open(fd, "", WALK_NO_XDEV, e);
	while ((event = w ? walk_next(w, &at, e) : -1) > 0)
		/* Each of n hardlinks counts for one n-th of the size. */
		if (S_ISREG(at.st.st_mode))
			sum += (uint64_t)at.st.st_size / at.st.st_nlink;
	if (event == 0)
		*ret = sum;
	return event;
}
