#include "store/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "base/walk.h"
#include "store/untar_xattr.h"

struct find {
	change_fn each;
	void *ctx;
	int image; /* its root */
	bool userxattr;
	size_t told; /* the parents down to this depth are reported */
};

/* ---- telling ------------------------------------------------------------------- */

/* Report the parents of a change as changed, unless they were reported. */
static int tell_above(struct find *f, const char *path, size_t depth,
		      struct err *e)
{
	size_t at = 0;

	if (depth <= f->told + 1)
		return 0;
	for (size_t i = 1; i < depth; i++) {
		at += 1 + strcspn(path + at + 1, "/");
		if (i > f->told) {
			autofree char *dir = xstrndup(path, at);

			if (f->each(f->ctx, 'C', dir, e) < 0)
				return -1;
		}
	}
	f->told = depth - 1;
	return 0;
}

/* path: "/etc/passwd", of depth 2 */
static int tell(struct find *f, char kind, const char *path, size_t depth,
		struct err *e)
{
	if (tell_above(f, path, depth, e) < 0)
		return -1;
	return f->each(f->ctx, kind, path, e);
}

/* ---- what prism put there ----------------------------------------------------- */

bool change_is_stub(const char *path, int upper_dir, const char *leaf,
		    int image)
{
	static const char *const names[] = {
		"dev",         "proc",         "sys",
		"etc/hosts",   "etc/hostname", "etc/resolv.conf",
		"etc/mtab",    ".dockerenv",   "run/.containerenv",
		"dev/console",
	};
	struct stat st;
	bool known = false;
	int fd;

	for (size_t i = 0; i < ARRAY_LEN(names) && !known; i++)
		known = !strcmp(path, names[i]);
	if (!known || path_stat(upper_dir, leaf, PATH_NO_LINKS, &st) < 0 ||
	    (S_ISREG(st.st_mode) && st.st_size > 0))
		return false;
	fd = path_open(image, path, PATH_IN_ROOT, O_PATH | O_NOFOLLOW, 0);
	if (fd >= 0) {
		(void)close(fd);
		return false;
	}
	return S_ISDIR(st.st_mode) || S_ISREG(st.st_mode) ||
	       S_ISLNK(st.st_mode);
}

/* ---- the walk ------------------------------------------------------------------ */

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_mode == b->st_mode && a->st_uid == b->st_uid &&
	       a->st_gid == b->st_gid && a->st_rdev == b->st_rdev &&
	       (S_ISDIR(a->st_mode) || a->st_size == b->st_size) &&
	       same_time(&a->st_mtim, &b->st_mtim);
}

int change_of_xattrs(int upper_dir, int image_dir, const char *name,
		     bool userxattr, struct err *e)
{
	char now[65];
	char before[65];

	if (xattr_disk_digest(upper_dir, name, userxattr, now, e) ||
	    xattr_disk_digest(image_dir, name, userxattr, before, e))
		return -1;
	return strcmp(now, before) != 0;
}

static bool is_opaque(int fd, bool userxattr)
{
	char c = 0;

	return fgetxattr(fd, xattr_opaque(userxattr), &c, 1) == 1 && c == 'y';
}

/* An opaque directory hides what it does not have itself. */
static int tell_hidden(struct find *f, const struct walk_at *at, int upper,
		       int image, struct err *e)
{
	autostrv struct strv old = {0};
	struct stat st;

	if (fs_names(image, walk_tail(at->path), &old, e))
		return -1;
	for (size_t i = 0; i < old.n; i++) {
		autofree char *path = NULL;

		if (path_stat(upper, old.v[i], PATH_NO_LINKS, &st) == 0)
			continue;
		path = xasprintf("%s/%s", at->path, old.v[i]);
		if (tell(f, 'D', path, at->depth + 1, e) < 0)
			return -1;
	}
	return 0;
}

static int open_dir(int dirfd, const char *name)
{
	return path_open(dirfd, name, PATH_NO_LINKS,
			 O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
}

static int directory(struct find *f, struct walk *w, const struct walk_at *at,
		     bool was, struct err *e)
{
	autoclose int upper = open_dir(at->dir, at->name);
	autoclose int image = -1;

	if (upper < 0)
		return err_sys(e, "openat2", "%s", walk_tail(at->path));
	if (was && is_opaque(upper, f->userxattr)) {
		image = open_dir(at->other, at->name);
		if (image >= 0 && tell_hidden(f, at, upper, image, e) < 0)
			return -1;
	}
	walk_into(w, take_fd(&upper));
	return 0;
}

/* 'A', 'C', or '\0' for no change. */
static int kind_of(const struct find *f, const struct walk_at *at,
		   bool *ret_was, struct err *e)
{
	struct stat before;
	int rc;

	*ret_was = at->other >= 0 &&
		   path_stat(at->other, at->name, PATH_NO_LINKS, &before) == 0;
	if (!*ret_was)
		return 'A';
	if (!same(&at->st, &before))
		return 'C';
	/* setcap(8) and setfacl(1) change only xattrs. */
	rc = change_of_xattrs(at->dir, at->other, at->name, f->userxattr, e);
	return rc < 0 ? -1 : rc ? 'C' : '\0';
}

static int entry(struct find *f, struct walk *w, const struct walk_at *at,
		 struct err *e)
{
	bool was = false;
	int kind;

	if (change_is_stub(at->path + 1, at->dir, at->name, f->image)) {
		walk_skip(w);
		return 0;
	}
	if (S_ISCHR(at->st.st_mode) && at->st.st_rdev == 0) {
		struct stat gone;

		return at->other >= 0 && path_stat(at->other, at->name,
						   PATH_NO_LINKS, &gone) == 0
			       ? tell(f, 'D', at->path, at->depth, e)
			       : 0;
	}
	kind = kind_of(f, at, &was, e);
	if (kind < 0 ||
	    (kind > 0 && tell(f, (char)kind, at->path, at->depth, e) < 0))
		return -1;
	if (!S_ISDIR(at->st.st_mode))
		return 0;
	if (kind)
		f->told = at->depth;
	return directory(f, w, at, was, e);
}

int changes_find(const struct changes_of *of, change_fn each, void *ctx,
		 struct err *e)
{
	struct find f = {.each = each,
			 .ctx = ctx,
			 .image = of->image,
			 .userxattr = of->userxattr};
	autowalk struct walk *w = walk_open(of->upper, "/", WALK_SORTED, e);
	struct walk_at at = {0};

	if (!w || walk_with(w, of->image, e) < 0)
		return -1;
	for (;;) {
		const int event = walk_next(w, &at, e);

		if (event <= 0)
			return event;
		if (event != WALK_UP && entry(&f, w, &at, e) < 0)
			return -1;
		if (event == WALK_UP && f.told >= at.depth)
			f.told = at.depth - 1;
	}
}
