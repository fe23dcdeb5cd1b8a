#include "skeleton_make.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "untar_xattr.h"

#define MOVE_DEPTH_MAX 128

/* A directory that was made, and the times it is to have. */
struct made {
	char *path;
	struct timespec t[2];
};

struct maker {
	struct view *view;
	bool userxattr;
	int fd;
	struct made *made;
	size_t n;
	size_t cap;
};

int maker_fd(const struct maker *m)
{
	return m->fd;
}

static void remember(struct maker *m, const char *path, const struct stat *st)
{
	if (m->n == m->cap) {
		m->cap = m->cap ? m->cap * 2 : 16;
		m->made = xrealloc(m->made, m->cap * sizeof(*m->made));
	}
	m->made[m->n++] = (struct made){
		.path = xstrdup(path),
		.t = {st->st_mtim, st->st_mtim},
	};
}

void maker_free(struct maker *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		free(m->made[i].path);
	free(m->made);
	own_close(&m->fd);
	free(m);
}

void own_maker(struct maker **m)
{
	maker_free(*m);
}

int maker_finish(struct maker *m, struct err *e)
{
	for (size_t i = 0; m && i < m->n; i++) {
		const char *const path = m->made[i].path;

		if (utimensat(m->fd, *path ? path : ".", m->made[i].t,
			      AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "utimensat", "%s", path);
	}
	return 0;
}

/* ---- attributes ---------------------------------------------------------- */

static int copy_xattr(int from, int to, const char *name, char *value,
		      struct err *e)
{
	const ssize_t n = fgetxattr(from, name, value, XATTR_MAX);

	if (n < 0)
		return err_sys(e, "fgetxattr", "%s", name);
	if (fsetxattr(to, name, value, (size_t)n, 0) < 0 &&
	    errno != EOPNOTSUPP && errno != EPERM)
		return err_sys(e, "fsetxattr", "%s", name);
	return 0;
}

static int copy_xattrs(const struct maker *m, int from, int to, bool opaque,
		       struct err *e)
{
	autofree char *names = xmalloc(XATTR_MAX);
	autofree char *value = xmalloc(XATTR_MAX);
	const ssize_t n = flistxattr(from, names, XATTR_MAX);

	if (n < 0 && errno == EOPNOTSUPP)
		return 0;
	if (n < 0)
		return err_sys(e, "flistxattr", "directory of a layer");
	for (const char *p = names; p < names + n; p += strlen(p) + 1) {
		if (!strcmp(p, "security.selinux") ||
		    (xattr_is_overlays(p, m->userxattr) && !opaque))
			continue;
		if (copy_xattr(from, to, p, value, e) < 0)
			return -1;
	}
	return 0;
}

/* Everything but the times, which come last. */
static int copy_attrs(struct maker *m, int from, const char *path, bool opaque,
		      struct err *e)
{
	autoclose int to = openat(m->fd, *path ? path : ".",
				  O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (to < 0)
		return err_sys(e, "openat", "%s", path);
	if (fstat(from, &st) < 0)
		return err_sys(e, "fstat", "%s", path);
	if (fchown(to, st.st_uid, st.st_gid) < 0)
		return err_sys(e, "fchown", "%s", path);
	if (fchmod(to, st.st_mode & 07777) < 0)
		return err_sys(e, "fchmod", "%s", path);
	remember(m, path, &st);
	return copy_xattrs(m, from, to, opaque, e);
}

/* ---- directories as the view shows them ---------------------------------- */

/* The directory that stands for path in the view: attributes come from it. */
static int open_model(struct maker *m, const char *path, struct err *e)
{
	struct view_at at;
	int64_t from;
	int fd;

	if (view_attr_level(m->view, path, &from, e) < 0 ||
	    view_lookup(m->view, path, &at, e) < 0)
		return -1;
	if (at.kind != VIEW_DIR)
		return err_set(e, ERR_INVALID, "%s is no directory any more",
			       path);
	if (from < 0)
		from = (int64_t)at.level[0];
	fd = level_open(view_level(m->view, (size_t)from), path,
			O_RDONLY | O_DIRECTORY);
	if (fd < 0)
		return err_sys(e, "openat2", "%s", path);
	return fd;
}

static int make_one(struct maker *m, const char *path, struct err *e)
{
	autoclose int model = -1;

	if (*path && mkdirat(m->fd, path, 0700) < 0)
		return errno == EEXIST ? 0 : err_sys(e, "mkdirat", "%s", path);
	model = open_model(m, path, e);
	return model < 0 ? -1 : copy_attrs(m, model, path, false, e);
}

int maker_dir(struct maker *m, const char *path, struct err *e)
{
	autofree char *part = xstrdup(path);

	for (char *p = strchr(part, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		if (make_one(m, part, e) < 0)
			return -1;
		*p = '/';
	}
	return *part ? make_one(m, part, e) : 0;
}

int maker_open(struct view *v, bool userxattr, int out_fd, const char *name,
	       struct maker **ret, struct err *e)
{
	automaker struct maker *m = xcalloc(1, sizeof(*m));

	m->view = v;
	m->userxattr = userxattr;
	m->fd = -1;
	if (mkdirat(out_fd, name, 0700) < 0)
		return err_sys(e, "mkdirat", "%s", name);
	m->fd = fs_opendir_at(out_fd, name, e);
	if (m->fd < 0 || make_one(m, "", e) < 0)
		return -1;
	*ret = take_ptr(&m);
	return 0;
}

/* ---- writing through ----------------------------------------------------- */

struct move {
	struct maker *m;
	struct view *lower;
	const struct level *level;
	struct paths *white;
	int depth;
};

static int move_tree(struct move *mv, const char *src, const char *dst,
		     struct err *e);

static char *join(const char *dir, const char *name)
{
	return xasprintf("%s%s%s", dir, *dir ? "/" : "", name);
}

/*
 * A directory inside the tree that is moved. With an entry of its own it comes
 * as it is; without, it is whatever the view has there, and a symlink there is
 * written through again.
 */
static int move_dir(struct move *mv, const char *src, const char *dst,
		    struct err *e)
{
	const bool implied =
		mv->level->implied && paths_have(mv->level->implied, src);
	autofree char *through = NULL;
	autoclose int from = -1;
	struct view_at at;

	if (implied) {
		if (view_lookup(mv->lower, dst, &at, e) < 0)
			return -1;
		if (at.kind == VIEW_LINK &&
		    view_resolve(mv->lower, dst, &through, e) < 0)
			return -1;
		if (at.kind == VIEW_DIR || through)
			return move_tree(mv, src, through ? through : dst, e);
	}
	if (mkdirat(mv->m->fd, dst, 0700) < 0)
		return errno == EEXIST ? move_tree(mv, src, dst, e)
				       : err_sys(e, "mkdirat", "%s", dst);
	from = level_open(mv->level, src, O_RDONLY | O_DIRECTORY);
	if (from < 0)
		return err_sys(e, "openat2", "%s", src);
	if (copy_attrs(mv->m, from, dst, true, e) < 0)
		return -1;
	return move_tree(mv, src, dst, e);
}

static int copy_bytes(int from, int to, off_t size, const char *what,
		      struct err *e)
{
	off_t at = 0;

	/* Shares the blocks where the file system can. */
	while (at < size) {
		const ssize_t n = copy_file_range(from, NULL, to, NULL,
						  (size_t)(size - at), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "copy_file_range", "%s", what);
		if (n == 0)
			break;
		at += n;
	}
	return 0;
}

/* A copy and no second link: the count of links is seen in the container. */
static int copy_file(struct move *mv, int dirfd, const char *name,
		     const char *dst, off_t size, struct err *e)
{
	autoclose int from =
		openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	autoclose int to = openat(
		mv->m->fd, dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (to < 0 && errno == EEXIST)
		return 0;
	if (from < 0 || to < 0)
		return err_sys(e, "openat", "%s", dst);
	if (copy_bytes(from, to, size, dst, e) < 0)
		return -1;
	return copy_attrs(mv->m, from, dst, false, e);
}

static int move_one(struct move *mv, int dirfd, const char *name,
		    const char *src, const char *dst, struct err *e)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "fstatat", "%s", src);
	if (S_ISDIR(st.st_mode))
		return move_dir(mv, src, dst, e);
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0) {
		paths_add(mv->white, dst);
		if (mknodat(mv->m->fd, dst, S_IFCHR, makedev(0, 0)) < 0 &&
		    errno != EEXIST)
			return err_sys(e, "mknodat", "%s", dst);
		return 0;
	}
	if (S_ISREG(st.st_mode))
		return copy_file(mv, dirfd, name, dst, st.st_size, e);
	/* Links and devices: one inode serves both names. */
	if (linkat(dirfd, name, mv->m->fd, dst, 0) < 0 && errno != EEXIST)
		return err_sys(e, "linkat", "%s -> %s", src, dst);
	return 0;
}

static int move_entries(struct move *mv, DIR *dir, const char *src,
			const char *dst, struct err *e)
{
	for (;;) {
		const struct dirent *const de = readdir(dir);
		autofree char *from = NULL;
		autofree char *to = NULL;

		if (!de)
			return 0;
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		from = join(src, de->d_name);
		to = join(dst, de->d_name);
		if (move_one(mv, dirfd(dir), de->d_name, from, to, e) < 0)
			return -1;
	}
}

/* The content of src (in the level) goes to dst (in the patch). */
static int move_tree(struct move *mv, const char *src, const char *dst,
		     struct err *e)
{
	const int fd = level_open(mv->level, src, O_RDONLY | O_DIRECTORY);
	autodir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct view_at at;
	int rc;

	if (!dir)
		return err_sys(e, "openat2", "%s", src);
	if (++mv->depth > MOVE_DEPTH_MAX)
		return err_set(e, ERR_TOOBIG, "%s: too deep", src);
	/* What the view has at dst is made as the view shows it. */
	if (view_lookup(mv->m->view, dst, &at, e) < 0 ||
	    (at.kind == VIEW_DIR && maker_dir(mv->m, dst, e) < 0))
		return -1;
	rc = move_entries(mv, dir, src, dst, e);
	mv->depth--;
	return rc;
}

/* The same symlink again, above the directory that hides it. */
static int copy_symlink(struct maker *m, struct view *lower, const char *path,
			struct err *e)
{
	const char *const slash = strrchr(path, '/');
	autofree char *dir = xstrndup(path, slash ? (size_t)(slash - path) : 0);
	autoclose int fd = -1;
	char target[PATH_MAX];
	struct view_at at;
	struct stat st;
	ssize_t n;

	if (maker_dir(m, dir, e) < 0 || view_lookup(lower, path, &at, e) < 0)
		return -1;
	if (at.kind != VIEW_LINK)
		return err_set(e, ERR_INVALID, "%s is no symlink any more",
			       path);
	fd = level_open(view_level(lower, at.level[0]), path, O_PATH);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "openat2", "%s", path);
	n = readlinkat(fd, "", target, sizeof(target) - 1);
	if (n < 0)
		return err_sys(e, "readlinkat", "%s", path);
	target[n] = '\0';
	if (symlinkat(target, m->fd, path) < 0)
		return err_sys(e, "symlinkat", "%s", path);
	if (fchownat(m->fd, path, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) <
	    0)
		return err_sys(e, "fchownat", "%s", path);
	remember(m, path, &st);
	return 0;
}

int maker_move(struct maker *m, struct view *lower, const struct level *level,
	       const char *link, const char *dst, struct paths *ret_white,
	       struct err *e)
{
	struct move mv = {m, lower, level, ret_white, 0};

	ERR_IN(e, "write through %s", link);
	if (copy_symlink(m, lower, link, e) < 0)
		return -1;
	return move_tree(&mv, link, dst, e);
}
