#include "skeleton_view.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/own.h"

#define DEPTH_MAX (PATH_MAX / 2) /* components of a path, for the kernel */
#define LINKS_MAX 40

/* ---- paths --------------------------------------------------------------- */

void paths_add(struct paths *p, const char *path)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 16;
		p->v = xrealloc(p->v, p->cap * sizeof(*p->v));
	}
	p->v[p->n++] = xstrdup(path);
}

static int by_text(const void *a, const void *b)
{
	const char *const *const x = a;
	const char *const *const y = b;

	return strcmp(*x, *y);
}

void paths_sort(struct paths *p)
{
	if (p->n > 1)
		qsort(p->v, p->n, sizeof(*p->v), by_text);
}

bool paths_have(const struct paths *p, const char *path)
{
	return p->n > 0 &&
	       bsearch(&path, p->v, p->n, sizeof(*p->v), by_text) != NULL;
}

void paths_free(struct paths *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i]);
	free(p->v);
	*p = (struct paths){0};
}

/* ---- the view ------------------------------------------------------------ */

/* One component of the last lookup. */
struct node {
	char *name;
	enum view_kind kind;
	size_t *level; /* top first */
	size_t n;
};

struct view {
	struct level *v;
	size_t n;
	struct node node[DEPTH_MAX + 1]; /* [0] is the root */
	size_t depth;                    /* nodes that are valid */
};

struct view *view_make(void)
{
	return xcalloc(1, sizeof(struct view));
}

static void forget_from(struct view *v, size_t depth)
{
	while (v->depth > depth) {
		struct node *const n = &v->node[--v->depth];

		free(n->name);
		free(n->level);
		*n = (struct node){0};
	}
}

void view_free(struct view *v)
{
	if (!v)
		return;
	forget_from(v, 0);
	free(v->v);
	free(v);
}

void view_push(struct view *v, const struct level *l)
{
	forget_from(v, 0);
	v->v = xrealloc(v->v, (v->n + 1) * sizeof(*v->v));
	v->v[v->n++] = *l;
}

size_t view_levels(const struct view *v)
{
	return v->n;
}

const struct level *view_level(const struct view *v, size_t i)
{
	return &v->v[i];
}

/* ---- one level ----------------------------------------------------------- */

int level_open(const struct level *l, const char *path, int flags)
{
	return path_open(l->fd, path, LEVEL_WAY, flags | O_NOFOLLOW, 0);
}

/*
 * What one level has at a path whose parent is a directory there. A layer of a
 * user namespace has user.* marks, one of root trusted.*; never both.
 */
static int probe(const struct level *l, const char *path,
		 enum view_kind *ret_kind, bool *ret_opaque, bool *ret_white,
		 struct err *e)
{
	autoclose int fd = level_open(l, path, O_RDONLY | O_DIRECTORY);
	struct stat st;
	char y;

	*ret_opaque = false;
	*ret_white = false;
	if (fd >= 0) {
		*ret_kind = VIEW_DIR;
		*ret_opaque =
			fgetxattr(fd, "trusted.overlay.opaque", &y, 1) == 1 ||
			fgetxattr(fd, "user.overlay.opaque", &y, 1) == 1;
		return 0;
	}
	*ret_kind = VIEW_NONE;
	if (errno == ENOENT)
		return 0;
	if (errno != ENOTDIR && errno != ELOOP)
		return err_sys(e, "openat2", "%s", path);
	fd = level_open(l, path, O_PATH);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "openat2", "%s", path);
	*ret_white = S_ISCHR(st.st_mode) && st.st_rdev == 0;
	*ret_kind = S_ISLNK(st.st_mode) ? VIEW_LINK : VIEW_OTHER;
	return 0;
}

/* ---- lookup -------------------------------------------------------------- */

static void start_at_root(struct view *v)
{
	struct node *const root = &v->node[0];

	root->kind = VIEW_DIR;
	root->name = xstrdup("");
	root->level = xcalloc(v->n, sizeof(*root->level));
	for (size_t i = 0; i < v->n; i++)
		root->level[root->n++] = v->n - 1 - i;
	v->depth = 1;
}

/* Fill n from its parent's levels, top to bottom. */
static int merge(struct view *v, const struct node *parent, struct node *n,
		 const char *path, struct err *e)
{
	n->level = xcalloc(parent->n ? parent->n : 1, sizeof(*n->level));
	for (size_t i = 0; i < parent->n; i++) {
		const size_t at = parent->level[i];
		enum view_kind kind;
		bool opaque;
		bool white;

		if (probe(&v->v[at], path, &kind, &opaque, &white, e) < 0)
			return -1;
		if (kind == VIEW_NONE)
			continue;
		if (kind != VIEW_DIR && n->n > 0)
			return 0; /* a directory above hides it */
		if (white)
			return 0;
		n->kind = kind;
		n->level[n->n++] = at;
		if (kind != VIEW_DIR || opaque)
			return 0;
	}
	return 0;
}

/* How many components of path the remembered nodes share; *ret_rest: the rest */
static size_t shared_prefix(const struct view *v, const char *path,
			    const char **ret_rest)
{
	size_t depth = 1;

	while (*path && depth < v->depth) {
		const size_t len = (size_t)(strchrnul(path, '/') - path);
		const struct node *const n = &v->node[depth];

		if (strlen(n->name) != len || memcmp(n->name, path, len) != 0)
			break;
		path += len + (path[len] == '/');
		depth++;
	}
	*ret_rest = path;
	return depth;
}

static int walk_to(struct view *v, const char *path, struct err *e)
{
	const char *rest;

	if (v->depth == 0)
		start_at_root(v);
	forget_from(v, shared_prefix(v, path, &rest));
	while (*rest && v->node[v->depth - 1].kind == VIEW_DIR) {
		const char *const end = strchrnul(rest, '/');
		autofree char *full = xstrndup(path, (size_t)(end - path));
		struct node *const n = &v->node[v->depth];

		if (v->depth > DEPTH_MAX)
			return err_set(e, ERR_TOOBIG, "%s: too deep", path);
		v->depth++;
		n->name = xstrndup(rest, (size_t)(end - rest));
		if (merge(v, n - 1, n, full, e) < 0) {
			forget_from(v, v->depth - 1);
			return -1;
		}
		rest = *end ? end + 1 : end;
	}
	/* A component on the way is no directory: path itself is not there. */
	return *rest ? 1 : 0;
}

int view_lookup(struct view *v, const char *path, struct view_at *ret,
		struct err *e)
{
	const int rc = walk_to(v, path, e);

	*ret = (struct view_at){.kind = VIEW_NONE};
	if (rc < 0)
		return -1;
	if (rc == 0) {
		const struct node *const n = &v->node[v->depth - 1];

		*ret = (struct view_at){n->kind, n->level, n->n};
	}
	return 0;
}

static bool is_implied(const struct level *l, const char *path)
{
	if (!*path)
		return l->root_implied;
	return l->implied && paths_have(l->implied, path);
}

int view_attr_level(struct view *v, const char *path, int64_t *ret,
		    struct err *e)
{
	const struct node *from;
	struct view_at at;

	*ret = -1;
	if (view_lookup(v, path, &at, e) < 0)
		return -1;
	if (at.kind != VIEW_DIR)
		return 0;
	/* All of the parent's levels: an opaque mark does not end them. */
	from = &v->node[*path ? v->depth - 2 : 0];
	for (size_t i = 0; i < from->n; i++) {
		const struct level *const l = &v->v[from->level[i]];
		enum view_kind kind = VIEW_DIR;
		bool opaque;
		bool white;

		if (*path && probe(l, path, &kind, &opaque, &white, e) < 0)
			return -1;
		if (kind == VIEW_NONE)
			continue;
		if (kind != VIEW_DIR)
			return 0;
		if (!is_implied(l, path)) {
			*ret = (int64_t)from->level[i];
			return 0;
		}
	}
	return 0;
}

/* ---- symlinks ------------------------------------------------------------ */

static int read_link(const struct view *v, size_t level, const char *path,
		     char target[PATH_MAX], struct err *e)
{
	if (path_readlink(v->v[level].fd, path, LEVEL_WAY, target, PATH_MAX) <
	    0)
		return err_sys(e, "readlinkat", "%s", path);
	return 0;
}

struct walker {
	char *at;   /* canonical so far */
	char *rest; /* still to walk */
	int links;
	bool lost;
};

static void go_up(struct walker *w)
{
	char *const slash = strrchr(w->at, '/');

	*(slash ? slash : w->at) = '\0';
}

static int follow(struct view *v, struct walker *w, size_t level,
		  const char *path, struct err *e)
{
	char target[PATH_MAX];
	char *rest;

	if (++w->links > LINKS_MAX) {
		w->lost = true;
		return 0;
	}
	if (read_link(v, level, path, target, e) < 0)
		return -1;
	if (target[0] == '/')
		w->at[0] = '\0';
	rest = xasprintf("%s/%s", target, w->rest);
	free(w->rest);
	w->rest = rest;
	return 0;
}

static int resolve_step(struct view *v, struct walker *w, struct err *e)
{
	char *const end = strchrnul(w->rest, '/');
	autofree char *name = xstrndup(w->rest, (size_t)(end - w->rest));
	autofree char *path = NULL;
	struct view_at at;

	memmove(w->rest, *end ? end + 1 : end,
		strlen(*end ? end + 1 : end) + 1);
	if (!*name || !strcmp(name, "."))
		return 0;
	if (!strcmp(name, "..")) {
		go_up(w);
		return 0;
	}
	path = xasprintf("%s%s%s", w->at, *w->at ? "/" : "", name);
	if (view_lookup(v, path, &at, e) < 0)
		return -1;
	if (at.kind == VIEW_LINK)
		return follow(v, w, at.level[0], path, e);
	if (at.kind != VIEW_DIR) {
		w->lost = true;
		return 0;
	}
	free(w->at);
	w->at = take_ptr(&path);
	return 0;
}

int view_resolve(struct view *v, const char *path, char **ret, struct err *e)
{
	struct walker w = {.at = xstrdup(""), .rest = xstrdup(path)};
	int rc = 0;

	*ret = NULL;
	while (rc == 0 && !w.lost && *w.rest)
		rc = resolve_step(v, &w, e);
	if (rc == 0 && !w.lost)
		*ret = take_ptr(&w.at);
	free(w.at);
	free(w.rest);
	return rc;
}
