#include "store/changes.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "store/untar_xattr.h"

struct walk {
	struct changes *out;
	struct buf path;
	int image; /* its root */
	bool userxattr;
};

void changes_free(struct changes *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->v[i].path);
	free(c->v);
	*c = (struct changes){0};
}

static size_t add(struct walk *w, char kind)
{
	struct changes *const c = w->out;

	if (c->n == c->cap) {
		c->cap = c->cap ? 2 * c->cap : 64;
		c->v = xrealloc(c->v, c->cap * sizeof(*c->v));
	}
	c->v[c->n] = (struct change){.kind = kind,
				     .path = xstrdup(buf_str(&w->path))};
	return c->n++;
}

/* A directory that turned out to be none is taken back. */
static void take_back(struct walk *w)
{
	free(w->out->v[--w->out->n].path);
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
	if (!known || fstatat(upper_dir, leaf, &st, AT_SYMLINK_NOFOLLOW) ||
	    (S_ISREG(st.st_mode) && st.st_size > 0))
		return false;
	fd = fs_open_in_root(image, path, O_PATH | O_NOFOLLOW, 0);
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

static int xattrs_of(int dirfd, const char *name, bool userxattr, char ret[65],
		     struct err *e)
{
	autofree char *path = xasprintf("/proc/self/fd/%d/%s", dirfd, name);

	return xattr_disk_digest(path, userxattr, ret, e);
}

int change_of_xattrs(int upper_dir, int image_dir, const char *name,
		     bool userxattr, struct err *e)
{
	char now[65];
	char before[65];

	if (xattrs_of(upper_dir, name, userxattr, now, e) ||
	    xattrs_of(image_dir, name, userxattr, before, e))
		return -1;
	return strcmp(now, before) != 0;
}

static bool is_opaque(int fd, bool userxattr)
{
	char c = 0;

	return fgetxattr(fd, xattr_opaque(userxattr), &c, 1) == 1 && c == 'y';
}

static int below(struct walk *w, int upper, int image, bool opaque,
		 struct err *e);

static int open_dir(int dirfd, const char *name)
{
	return openat(dirfd, name,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int directory(struct walk *w, int upper, int image, const char *name,
		     char kind, struct err *e)
{
	autoclose int fd = open_dir(upper, name);
	autoclose int old = image < 0 ? -1 : open_dir(image, name);
	/* A placeholder: a change below makes it one. */
	const size_t at = add(w, kind ? kind : 'C');

	if (fd < 0)
		return err_sys(e, "openat", "%s", buf_str(&w->path));
	if (below(w, fd, old, is_opaque(fd, w->userxattr), e))
		return -1;
	if (!kind && w->out->n == at + 1)
		take_back(w);
	return 0;
}

static int entry(struct walk *w, int upper, int image, const char *name,
		 struct err *e)
{
	struct stat now, before;
	bool was;
	char kind;
	int rc;

	if (fstatat(upper, name, &now, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT
			       ? 0
			       : err_sys(e, "fstatat", "%s", buf_str(&w->path));
	if (change_is_stub(buf_str(&w->path) + 1, upper, name, w->image))
		return 0;
	was = image >= 0 &&
	      fstatat(image, name, &before, AT_SYMLINK_NOFOLLOW) == 0;
	if (S_ISCHR(now.st_mode) && now.st_rdev == 0) {
		if (was)
			(void)add(w, 'D');
		return 0;
	}
	kind = !was ? 'A' : same(&now, &before) ? '\0' : 'C';
	/* setcap(8) and setfacl(1) change nothing else. */
	if (!kind) {
		rc = change_of_xattrs(upper, image, name, w->userxattr, e);
		if (rc < 0)
			return -1;
		kind = rc ? 'C' : '\0';
	}
	if (S_ISDIR(now.st_mode))
		return directory(w, upper, was ? image : -1, name, kind, e);
	if (kind)
		(void)add(w, kind);
	return 0;
}

/* An opaque directory hides what it does not have itself. */
static void hidden(struct walk *w, int upper, const struct strv *old)
{
	const size_t len = w->path.len;

	for (size_t i = 0; i < old->n; i++) {
		if (faccessat(upper, old->v[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			continue;
		buf_addf(&w->path, "/%s", old->v[i]);
		(void)add(w, 'D');
		w->path.len = len;
		w->path.p[len] = '\0';
	}
}

static int below(struct walk *w, int upper, int image, bool opaque,
		 struct err *e)
{
	const size_t len = w->path.len;
	autostrv struct strv names = {0};
	autostrv struct strv old = {0};

	if (fs_names(upper, buf_str(&w->path), &names, e))
		return -1;
	if (opaque && image >= 0) {
		if (fs_names(image, buf_str(&w->path), &old, e))
			return -1;
		hidden(w, upper, &old);
	}
	for (size_t i = 0; i < names.n; i++) {
		int rc;

		buf_addf(&w->path, "/%s", names.v[i]);
		if (w->path.over)
			return err_set(e, ERR_TOOBIG, "%s: too deep",
				       buf_str(&w->path));
		rc = entry(w, upper, image, names.v[i], e);
		w->path.len = len;
		w->path.p[len] = '\0';
		if (rc)
			return -1;
	}
	return 0;
}

int changes_find(int upper, int image, bool userxattr, struct changes *ret,
		 struct err *e)
{
	struct walk w = {.out = ret,
			 .path = buf_make(KIB(64)),
			 .image = image,
			 .userxattr = userxattr};
	autoclose int old =
		openat(image, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc;

	if (old < 0)
		return err_sys(e, "openat", "the image");
	buf_adds(&w.path, "");
	rc = below(&w, upper, old, false, e);
	buf_free(&w.path);
	return rc;
}
