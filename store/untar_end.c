#include "untar_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"

/*
 * How it works. Whiteouts act on lower layers only, so they wait until all
 * entries of the layer are there; then order does not matter any more:
 *
 * 1. opaque markers: the directory (made as an implied one if it has no entry)
 *    is noted opaque;
 * 2. whiteouts of something that this layer has: a directory becomes opaque,
 *    for what is below it in lower layers must not show; anything else hides
 *    what is below already;
 * 3. the other whiteouts, shortest path first: none inside an opaque directory
 *    (overlayfs would list it), none below another whiteout;
 * 4. the directories: mode, ACLs, the opaque xattr, and last their times.
 */

#define NAMES_MAX (1u << 22)

int names_add(struct names *v, const char *name, struct err *e)
{
	if (v->n == NAMES_MAX)
		return err_set(e, ERR_TOOBIG, "too many whiteouts");
	if (v->n == v->cap) {
		v->cap = v->cap ? v->cap * 2 : 16;
		v->v = xrealloc(v->v, v->cap * sizeof(*v->v));
	}
	v->v[v->n++] = xstrdup(name);
	return 0;
}

void names_free(struct names *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->v[i]);
	free(v->v);
	*v = (struct names){0};
}

static int by_text(const void *a, const void *b)
{
	const char *const *const x = a;
	const char *const *const y = b;

	return strcmp(*x, *y);
}

/* ---- opaque directories -------------------------------------------------- */

/* A parent that this layer has as something else: nothing to hide there. */
static bool is_no_directory(struct err *e)
{
	if (e->kind != ERR_EXISTS)
		return false;
	err_clear(e);
	return true;
}

/*
 * The place of x inside the directory: finding it makes the directory if it
 * has no entry.
 */
static int mark_opaque(struct untar *u, const char *dir, struct err *e)
{
	autofree char *inside = xasprintf("%s%sx", dir, *dir ? "/" : "");

	if (tree_place(u->tree, inside, strlen(inside), true, u->at, e) < 0)
		return is_no_directory(e) ? 0 : -1;
	u->at->parent->opaque = true;
	return 0;
}

static int mark_opaques(struct untar *u, struct err *e)
{
	for (size_t i = 0; i < u->opaques.n; i++)
		if (mark_opaque(u, u->opaques.v[i], e) < 0)
			return -1;
	return 0;
}

/* ---- whiteouts ----------------------------------------------------------- */

/*
 * 1: the layer has something of that name, which was dealt with. It is only
 * looked up, no parent is made.
 */
static int hides_by_itself(struct untar *u, const char *name, struct err *e)
{
	struct tree_dir *d;
	struct stat st;

	if (tree_place(u->tree, name, strlen(name), false, u->at, e) < 0) {
		if (e->kind != ERR_NOTFOUND && e->kind != ERR_EXISTS)
			return -1;
		err_clear(e);
		return 0;
	}
	d = tree_find(u->tree, u->at->path, u->at->len);
	if (d) {
		d->opaque = true;
		/* The lower one is gone: nothing to inherit from it. */
		d->implied = false;
		return 1;
	}
	return path_stat(u->at->dirfd, u->at->leaf, LAYER_WAY, &st) == 0;
}

static int make_whiteout(struct untar *u, const char *name, struct err *e)
{
	struct list_rec r = {.type = 'w'};

	if (tree_place(u->tree, name, strlen(name), true, u->at, e) < 0)
		return is_no_directory(e) ? 0 : -1;
	if (tree_in_opaque(u->tree, u->at->parent))
		return 0;
	/* The same twice, or two names for one through a symlink. */
	if (path_mknod(u->at->dirfd, u->at->leaf, LAYER_WAY, S_IFCHR,
		       makedev(0, 0)) < 0)
		return errno == EEXIST
			       ? 0
			       : err_sys(e, "mknodat", "whiteout %s", name);
	u->sum.whiteouts++;
	r.path = u->at->path;
	return list_add(u->list, &r, e);
}

static int make_whiteouts(struct untar *u, struct err *e)
{
	struct names *const w = &u->whiteouts;
	size_t kept = 0;

	for (size_t i = 0; i < w->n; i++) {
		char *const name = w->v[i];
		const int rc = hides_by_itself(u, name, e);

		/* Each name has one owner, also after an early return. */
		w->v[i] = NULL;
		if (rc == 0)
			w->v[kept++] = name;
		else
			free(name);
		if (rc < 0)
			return -1;
	}
	w->n = kept;
	if (kept > 0)
		qsort(w->v, kept, sizeof(*w->v), by_text);
	for (size_t i = 0; i < kept; i++)
		if (make_whiteout(u, w->v[i], e) < 0)
			return -1;
	return 0;
}

/* ---- directories --------------------------------------------------------- */

static bool needs_fd(const struct tree_dir *d)
{
	return (d->mode & 0700) != 0700 || (d->mode & 06000) || d->acls ||
	       d->opaque;
}

static int set_acls(struct untar *u, struct tree_dir *d, int fd, struct err *e)
{
	uint64_t dropped = 0;
	char digest[LIST_HEX + 1];

	if (!d->acls)
		return 0;
	if (xattr_set_apply(d->acls, XATTR_ACL, fd, NULL, &dropped, e) < 0)
		return -1;
	u->st->xattrs_dropped += dropped;
	xattr_set_digest(d->acls, digest);
	free(d->xattrs);
	d->xattrs = digest[0] ? xstrdup(digest) : NULL;
	return 0;
}

/* What could not be done while the directory was being filled. */
static int finish_by_fd(struct untar *u, struct tree_dir *d, int dirfd,
			const char *leaf, struct err *e)
{
	const char *const opaque = xattr_opaque(u->o->userxattr);
	autoclose int fd =
		path_open(dirfd, leaf, LAYER_WAY, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return err_sys(e, "openat", "%s", d->path);
	if (d->opaque && d->len > 0 && fsetxattr(fd, opaque, "y", 1, 0) < 0)
		return err_sys(e, "fsetxattr", "%s of %s", opaque, d->path);
	if (fchmod(fd, d->mode) < 0)
		return err_sys(e, "fchmod", "%s", d->path);
	return set_acls(u, d, fd, e);
}

static int list_dir(struct untar *u, const struct tree_dir *d, struct err *e)
{
	struct list_rec r = {
		.type = 'd',
		.flags = (d->implied ? LIST_IMPLIED : 0) |
			 (d->opaque ? LIST_OPAQUE : 0) |
			 (d->squashed ? LIST_SQUASHED : 0),
		.mode = d->mode,
		.uid = d->uid,
		.gid = d->gid,
		.mtime_s = d->mtime_s,
		.mtime_ns = d->mtime_ns,
		.path = d->len > 0 ? d->path : ".",
	};

	if (d->xattrs)
		memcpy(r.xattrs, d->xattrs, LIST_HEX + 1);
	if (d->implied && d->len > 0)
		u->sum.implied++;
	return list_add(u->list, &r, e);
}

static int finish_dir(struct untar *u, struct tree_dir *d, struct err *e)
{
	const char *const slash = strrchr(d->path, '/');
	const char *const leaf = d->len == 0 ? "."
				 : slash     ? slash + 1
					     : d->path;
	const struct tree_dir *const parent = tree_find(
		u->tree, d->path, slash ? (size_t)(slash - d->path) : 0);
	const int dirfd = tree_dirfd(u->tree, parent, e);
	const struct timespec t[2] = {
		{.tv_sec = d->mtime_s, .tv_nsec = (long)d->mtime_ns},
		{.tv_sec = d->mtime_s, .tv_nsec = (long)d->mtime_ns},
	};

	if (dirfd < 0)
		return -1;
	if ((needs_fd(d) || d->len == 0) &&
	    finish_by_fd(u, d, dirfd, leaf, e) < 0)
		return -1;
	if (path_utimens(dirfd, leaf, LAYER_WAY, t) < 0)
		return err_sys(e, "utimensat", "%s", d->path);
	return list_dir(u, d, e);
}

/*
 * Backwards: children first, so that a directory whose mode locks us out (if
 * we have no privilege at all) is closed only after all below it is done.
 */
static int finish_dirs(struct untar *u, struct err *e)
{
	size_t n;
	autofree struct tree_dir **v = tree_sorted(u->tree, &n);

	while (n-- > 0)
		if (finish_dir(u, v[n], e) < 0)
			return -1;
	return 0;
}

int finish_tree(struct untar *u, struct err *e)
{
	const struct tree_dir *const root = tree_root(u->tree);

	if (mark_opaques(u, e) < 0 || make_whiteouts(u, e) < 0 ||
	    finish_dirs(u, e) < 0)
		return -1;
	u->sum.opaque_root = root->opaque;
	u->sum.root_implied = root->implied;
	u->sum.root_mode = root->mode;
	u->sum.root_uid = root->uid;
	u->sum.root_gid = root->gid;
	u->sum.root_xattrs = root->xattrs != NULL;
	return 0;
}
