#include "untar_tree.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"

#define FDS          16
#define LINKS_MAX    40 /* as the kernel's own MAXSYMLINKS */
#define WALK_MAX     (2 * TAR_NAME_MAX)
#define DIRS_MAX     (1u << 22)
#define BUCKETS_BASE 1024

struct tree {
	int root_fd;
	struct tree_dir **buckets;
	size_t n_buckets; /* a power of two */
	size_t n_dirs;
	struct tree_dir *root;
	struct {
		const struct tree_dir *dir;
		int fd;
		uint64_t used;
	} fds[FDS];
	uint64_t clock;
	/* The last parent, by the name that the tar gave it. */
	char *last_name;
	size_t last_len;
	struct tree_dir *last_dir;
};

/* ---- the table ----------------------------------------------------------- */

static uint32_t hash_path(const char *p, size_t n)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 16777619u;
	return h;
}

static void grow(struct tree *t)
{
	const size_t n = t->n_buckets * 2;
	struct tree_dir **const fresh = xcalloc(n, sizeof(struct tree_dir *));

	for (size_t i = 0; i < t->n_buckets; i++) {
		struct tree_dir *d = t->buckets[i];

		while (d) {
			struct tree_dir *const next = d->next;

			d->next = fresh[d->hash & (n - 1)];
			fresh[d->hash & (n - 1)] = d;
			d = next;
		}
	}
	free(t->buckets);
	t->buckets = fresh;
	t->n_buckets = n;
}

struct tree_dir *tree_add(struct tree *t, const char *path, size_t len)
{
	struct tree_dir *const d = xcalloc(1, sizeof(*d) + len + 1);

	if (t->n_dirs >= t->n_buckets)
		grow(t);
	memcpy(d->path, path, len);
	d->len = (uint32_t)len;
	d->hash = hash_path(path, len);
	d->mode = 0755;
	d->implied = true;
	d->next = t->buckets[d->hash & (t->n_buckets - 1)];
	t->buckets[d->hash & (t->n_buckets - 1)] = d;
	t->n_dirs++;
	return d;
}

struct tree_dir *tree_find(struct tree *t, const char *path, size_t len)
{
	const uint32_t h = hash_path(path, len);
	struct tree_dir *d = t->buckets[h & (t->n_buckets - 1)];

	while (d && (d->hash != h || d->len != len ||
		     memcmp(d->path, path, len) != 0))
		d = d->next;
	return d;
}

struct tree_dir *tree_root(struct tree *t)
{
	return t->root;
}

static void free_dir(struct tree_dir *d)
{
	if (d->acls)
		xattr_set_reset(d->acls);
	free(d->acls);
	free(d->xattrs);
	free(d);
}

struct tree *tree_open(int root_fd)
{
	struct tree *const t = xcalloc(1, sizeof(*t));

	t->root_fd = root_fd;
	t->n_buckets = BUCKETS_BASE;
	t->buckets = xcalloc(t->n_buckets, sizeof(struct tree_dir *));
	for (size_t i = 0; i < FDS; i++)
		t->fds[i].fd = -1;
	t->root = tree_add(t, "", 0);
	return t;
}

void tree_free(struct tree *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < FDS; i++)
		own_close(&t->fds[i].fd);
	for (size_t i = 0; i < t->n_buckets; i++) {
		while (t->buckets[i]) {
			struct tree_dir *const d = t->buckets[i];

			t->buckets[i] = d->next;
			free_dir(d);
		}
	}
	free(t->buckets);
	free(t->last_name);
	free(t);
}

static bool is_below(const struct tree_dir *d, const char *path, size_t len)
{
	return d->len >= len && memcmp(d->path, path, len) == 0 &&
	       (d->len == len || d->path[len] == '/');
}

void tree_forget(struct tree *t, const char *path, size_t len)
{
	assert(len > 0);
	t->last_dir = NULL;
	for (size_t i = 0; i < FDS; i++) {
		if (!t->fds[i].dir || !is_below(t->fds[i].dir, path, len))
			continue;
		own_close(&t->fds[i].fd);
		t->fds[i].dir = NULL;
	}
	for (size_t i = 0; i < t->n_buckets; i++) {
		struct tree_dir **at = &t->buckets[i];

		while (*at) {
			struct tree_dir *const d = *at;

			if (!is_below(d, path, len)) {
				at = &d->next;
				continue;
			}
			*at = d->next;
			t->n_dirs--;
			free_dir(d);
		}
	}
}

static struct tree_dir *parent_of(struct tree *t, const struct tree_dir *d)
{
	const char *const slash = strrchr(d->path, '/');
	struct tree_dir *const up =
		tree_find(t, d->path, slash ? (size_t)(slash - d->path) : 0);

	assert(up);
	return up;
}

bool tree_in_opaque(struct tree *t, const struct tree_dir *d)
{
	while (!d->opaque && d != t->root)
		d = parent_of(t, d);
	return d->opaque;
}

static int by_path(const void *a, const void *b)
{
	const struct tree_dir *const *const x = a;
	const struct tree_dir *const *const y = b;

	return strcmp((*x)->path, (*y)->path);
}

struct tree_dir **tree_sorted(struct tree *t, size_t *ret_n)
{
	struct tree_dir **const v = xcalloc(t->n_dirs, sizeof(*v));
	size_t n = 0;

	for (size_t i = 0; i < t->n_buckets; i++)
		for (struct tree_dir *d = t->buckets[i]; d; d = d->next)
			v[n++] = d;
	assert(n == t->n_dirs);
	qsort(v, n, sizeof(struct tree_dir *), by_path);
	*ret_n = n;
	return v;
}

/* ---- open directories ---------------------------------------------------- */

int tree_dirfd(struct tree *t, const struct tree_dir *d, struct err *e)
{
	size_t oldest = 0;
	int fd;

	if (d == t->root)
		return t->root_fd;
	t->clock++;
	for (size_t i = 0; i < FDS; i++) {
		if (t->fds[i].dir == d) {
			t->fds[i].used = t->clock;
			return t->fds[i].fd;
		}
		if (t->fds[i].used < t->fds[oldest].used)
			oldest = i;
	}
	fd = path_open(t->root_fd, d->path, LAYER_WAY, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return err_sys(e, "openat2", "parent directory");
	own_close(&t->fds[oldest].fd);
	t->fds[oldest].dir = d;
	t->fds[oldest].fd = fd;
	t->fds[oldest].used = t->clock;
	return fd;
}

/* ---- names --------------------------------------------------------------- */

int name_clean(const char *name, char *out, struct err *e)
{
	size_t n = 0;

	while (*name) {
		const char *const end = strchrnul(name, '/');
		const size_t len = (size_t)(end - name);

		if (len == 2 && name[0] == '.' && name[1] == '.')
			return err_set(e, ERR_INVALID,
				       "a name with '..' leads out of the "
				       "layer");
		if (len > 0 && !(len == 1 && name[0] == '.')) {
			if (n + len + 1 > TAR_NAME_MAX)
				return err_set(e, ERR_TOOBIG,
					       "a name is longer than %zu "
					       "bytes",
					       TAR_NAME_MAX);
			if (n > 0)
				out[n++] = '/';
			memcpy(out + n, name, len);
			n += len;
		}
		name = *end ? end + 1 : end;
	}
	out[n] = '\0';
	return (int)n;
}

/* ---- walking ------------------------------------------------------------- */

/* What is still to be walked; symlink targets are put in front of it. */
struct walk {
	struct tree_dir *at;
	char *rest;
	char *next; /* in rest */
	int links;
	bool create;
};

static int child_path(const struct tree_dir *d, const char *name, size_t len,
		      char *out, struct err *e)
{
	size_t n = d->len;

	if (n + len + 1 > TAR_NAME_MAX)
		return err_set(e, ERR_TOOBIG, "a path is too long");
	memcpy(out, d->path, n);
	if (n > 0)
		out[n++] = '/';
	memcpy(out + n, name, len);
	n += len;
	out[n] = '\0';
	return (int)n;
}

static int make_implied(struct tree *t, struct walk *w, int dirfd,
			const char *name, const char *path, size_t len,
			struct err *e)
{
	if (!w->create)
		return err_set(e, ERR_NOTFOUND, "'%s' is not in this layer",
			       path);
	if (t->n_dirs >= DIRS_MAX)
		return err_set(e, ERR_TOOBIG, "too many directories");
	if (path_mkdir(dirfd, name, LAYER_WAY, 0755) < 0)
		return err_sys(e, "mkdirat", "%s", path);
	w->at = tree_add(t, path, len);
	return 0;
}

static int follow(struct tree *t, struct walk *w, int dirfd, const char *name,
		  struct err *e)
{
	char target[PATH_MAX];
	const ssize_t n =
		path_readlink(dirfd, name, LAYER_WAY, target, sizeof(target));
	char *fresh;

	if (n < 0)
		return err_sys(e, "readlinkat", "%s", name);
	if (++w->links > LINKS_MAX)
		return err_sysno(e, ELOOP, "resolve", "%s", name);
	if (strlen(w->next) + (size_t)n + 2 > WALK_MAX)
		return err_sysno(e, ENAMETOOLONG, "resolve", "%s", name);
	fresh = xasprintf("%s/%s", target, w->next);
	free(w->rest);
	w->rest = fresh;
	w->next = fresh;
	if (target[0] == '/')
		w->at = t->root;
	return 0;
}

/* One component that is not in the table. */
static int walk_unknown(struct tree *t, struct walk *w, const char *name,
			const char *path, size_t len, struct err *e)
{
	const int dirfd = tree_dirfd(t, w->at, e);
	struct stat st;

	if (dirfd < 0)
		return -1;
	if (path_stat(dirfd, name, LAYER_WAY, &st) < 0) {
		if (errno != ENOENT)
			return err_sys(e, "fstatat", "%s", path);
		return make_implied(t, w, dirfd, name, path, len, e);
	}
	if (S_ISLNK(st.st_mode))
		return follow(t, w, dirfd, name, e);
	return err_set(e, ERR_EXISTS, "'%s' is not a directory", path);
}

static int walk_step(struct tree *t, struct walk *w, struct err *e)
{
	char *const name = w->next;
	char *const end = strchrnul(name, '/');
	const size_t len = (size_t)(end - name);
	autofree char *path = NULL;
	struct tree_dir *known;
	int n;

	w->next = *end ? end + 1 : end;
	*end = '\0';
	if (len == 0 || !strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		if (w->at != t->root)
			w->at = parent_of(t, w->at);
		return 0;
	}
	path = xmalloc(TAR_NAME_MAX + 1);
	n = child_path(w->at, name, len, path, e);
	if (n < 0)
		return -1;
	known = tree_find(t, path, (size_t)n);
	if (!known)
		return walk_unknown(t, w, name, path, (size_t)n, e);
	w->at = known;
	return 0;
}

static struct tree_dir *walk(struct tree *t, const char *dir, size_t len,
			     bool create, struct err *e)
{
	struct walk w = {.at = t->root, .create = create};
	int rc = 0;

	w.rest = xstrndup(dir, len);
	w.next = w.rest;
	while (rc == 0 && *w.next)
		rc = walk_step(t, &w, e);
	free(w.rest);
	return rc == 0 ? w.at : NULL;
}

static struct tree_dir *find_parent(struct tree *t, const char *dir, size_t len,
				    bool create, struct err *e)
{
	struct tree_dir *d;

	if (t->last_dir && t->last_len == len &&
	    memcmp(t->last_name, dir, len) == 0)
		return t->last_dir;
	d = tree_find(t, dir, len);
	if (!d)
		d = walk(t, dir, len, create, e);
	if (!d)
		return NULL;
	free(t->last_name);
	t->last_name = xstrndup(dir, len);
	t->last_len = len;
	t->last_dir = d;
	return d;
}

int tree_place(struct tree *t, const char *clean, size_t len, bool create,
	       struct place *ret, struct err *e)
{
	const char *const slash = memrchr(clean, '/', len);
	const size_t dir_len = slash ? (size_t)(slash - clean) : 0;
	const char *const leaf = slash ? slash + 1 : clean;
	const size_t leaf_len = len - (size_t)(leaf - clean);
	int n;

	ret->path[0] = '\0';
	ret->len = 0;
	ret->parent = NULL;
	ret->dirfd = t->root_fd;
	ret->leaf = ".";
	if (len == 0)
		return 0;
	ret->parent = find_parent(t, clean, dir_len, create, e);
	if (!ret->parent)
		return -1;
	n = child_path(ret->parent, leaf, leaf_len, ret->path, e);
	if (n < 0)
		return -1;
	ret->len = (size_t)n;
	ret->leaf = ret->path + ret->len - leaf_len;
	ret->dirfd = tree_dirfd(t, ret->parent, e);
	return ret->dirfd < 0 ? -1 : 0;
}
