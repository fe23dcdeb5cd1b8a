#include "skeleton_make.h"

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
#include "base/path.h"
#include "untar_xattr.h"

/* Only we write the skeleton; any link in it comes from the image. */
#define OUR_WAY (PATH_NO_LINKS | PATH_NO_XDEV)

/* A directory that was made, and the times it is to have. */
struct made {
	char *path;
	struct timespec t[2];
};

struct maker {
	struct view *view;
	bool userxattr;
	int fd;
	char *last; /* of maker_dir: it and what is above it stand there */
	struct made *made;
	size_t n;
	size_t cap;
};

int maker_fd(const struct maker *m)
{
	return m->fd;
}

struct view *maker_view(const struct maker *m)
{
	return m->view;
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
	free(m->last);
	own_close(&m->fd);
	free(m);
}

void own_maker(struct maker **m)
{
	maker_free(*m);
}

int maker_finish(struct maker *m, struct err *e)
{
	for (size_t i = 0; m && i < m->n; i++)
		if (path_utimens(m->fd, m->made[i].path, OUR_WAY,
				 m->made[i].t) < 0)
			return err_sys(e, "utimensat", "%s", m->made[i].path);
	return 0;
}

/* ---- places -------------------------------------------------------------- */

static int two_things(const char *path, struct err *e)
{
	return err_set(e, ERR_INVALID,
		       "'%s' is a directory by one name of the layer, and "
		       "something else by another",
		       path);
}

/* ELOOP, ENOTDIR: a parent was made as something else. */
static int not_made(const char *call, const char *path, struct err *e)
{
	if (errno == ELOOP || errno == ENOTDIR)
		return two_things(path, e);
	return err_sys(e, call, "%s", path);
}

int maker_type(const struct maker *m, const char *path, mode_t *ret,
	       struct err *e)
{
	struct stat st;

	*ret = 0;
	if (path_stat(m->fd, path, OUR_WAY, &st) == 0)
		*ret = st.st_mode & S_IFMT;
	else if (errno != ENOENT)
		return not_made("fstatat", path, e);
	return 0;
}

/* Remove what was made at path before; keep a directory. */
static int make_room(struct maker *m, const char *path, bool *ret_gone,
		     struct err *e)
{
	mode_t type;

	*ret_gone = false;
	if (maker_type(m, path, &type, e) < 0)
		return -1;
	if (type == 0 || type == S_IFDIR)
		return 0;
	if (path_unlink(m->fd, path, OUR_WAY, 0) < 0)
		return err_sys(e, "unlinkat", "%s", path);
	*ret_gone = true;
	return 0;
}

/* For everything but a directory. */
static int take_place(struct maker *m, const char *path, struct err *e)
{
	bool gone;
	mode_t type;

	if (make_room(m, path, &gone, e) < 0 ||
	    maker_type(m, path, &type, e) < 0)
		return -1;
	return type == 0 ? 0 : two_things(path, e);
}

/* ---- attributes ---------------------------------------------------------- */

static bool is_kept(const struct maker *m, const char *xattr, bool opaque)
{
	return strcmp(xattr, "security.selinux") != 0 &&
	       (opaque || !xattr_is_overlays(xattr, m->userxattr));
}

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
	for (const char *p = names; p < names + n; p += strlen(p) + 1)
		if (is_kept(m, p, opaque) && copy_xattr(from, to, p, value, e))
			return -1;
	return 0;
}

/* Everything but the times, which come last. */
static int copy_attrs(struct maker *m, int from, int to, const char *path,
		      bool opaque, struct err *e)
{
	struct stat st;

	if (fstat(from, &st) < 0)
		return err_sys(e, "fstat", "%s", path);
	if (fchown(to, st.st_uid, st.st_gid) < 0)
		return err_sys(e, "fchown", "%s", path);
	if (fchmod(to, st.st_mode & 07777) < 0)
		return err_sys(e, "fchmod", "%s", path);
	remember(m, path, &st);
	return copy_xattrs(m, from, to, opaque, e);
}

static int copy_dir_attrs(struct maker *m, int from, const char *path,
			  bool opaque, struct err *e)
{
	autoclose int to =
		path_open(m->fd, path, OUR_WAY, O_RDONLY | O_DIRECTORY, 0);

	if (to < 0)
		return not_made("openat2", path, e);
	return copy_attrs(m, from, to, path, opaque, e);
}

/* For links and devices, which cannot be opened. */
static int copy_xattrs_by_name(const struct maker *m, const char *path,
			       int dirfd, const char *name, struct err *e)
{
	autofree char *names = xmalloc(XATTR_MAX);
	autofree char *value = xmalloc(XATTR_MAX);
	const ssize_t n =
		path_listxattr(dirfd, name, LEVEL_WAY, names, XATTR_MAX);

	if (n < 0 && errno == EOPNOTSUPP)
		return 0;
	if (n < 0)
		return err_sys(e, "llistxattr", "%s", path);
	for (const char *p = names; p < names + n; p += strlen(p) + 1) {
		ssize_t size;

		if (!is_kept(m, p, false))
			continue;
		size = path_getxattr(dirfd, name, LEVEL_WAY, p, value,
				     XATTR_MAX);
		if (size < 0)
			return err_sys(e, "lgetxattr", "%s %s", path, p);
		if (path_setxattr(m->fd, path, OUR_WAY, p, value,
				  (size_t)size) < 0 &&
		    errno != EOPNOTSUPP && errno != EPERM)
			return err_sys(e, "lsetxattr", "%s %s", path, p);
	}
	return 0;
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
	mode_t type;

	if (*path && path_mkdir(m->fd, path, OUR_WAY, 0700) < 0) {
		if (errno != EEXIST)
			return not_made("mkdirat", path, e);
		/*
		 * The existing entry may be anything, even a link that leads
		 * out.
		 */
		if (maker_type(m, path, &type, e) < 0)
			return -1;
		return type == S_IFDIR ? 0 : two_things(path, e);
	}
	model = open_model(m, path, e);
	return model < 0 ? -1 : copy_dir_attrs(m, model, path, false, e);
}

/* How much of path stands already, as whole components: no directory goes. */
static size_t standing(const struct maker *m, const char *path)
{
	const char *const last = m->last ? m->last : "";
	size_t at = 0;
	size_t n = 0;

	for (;; at++) {
		const bool end = path[at] == '\0' || path[at] == '/';

		if (end && (last[at] == '\0' || last[at] == '/'))
			n = at;
		if (path[at] == '\0' || path[at] != last[at])
			return n;
	}
}

/*
 * The callers go from one path to its neighbour, and each level costs calls
 * that are as long as the path is deep: what stands is not asked for again.
 */
int maker_dir(struct maker *m, const char *path, struct err *e)
{
	autofree char *part = xstrdup(path);
	const size_t n = standing(m, path);

	for (char *p = part + n; *p; p++) {
		char *const end = strchrnul(p + 1, '/');
		const char kept = *end;

		*end = '\0';
		if (make_one(m, part, e) < 0)
			return -1;
		*end = kept;
		p = end - 1;
	}
	free(m->last);
	m->last = take_ptr(&part);
	return 0;
}

int maker_open(struct view *v, bool userxattr, int out_fd, const char *name,
	       struct maker **ret, struct err *e)
{
	automaker struct maker *m = xcalloc(1, sizeof(*m));

	m->view = v;
	m->userxattr = userxattr;
	m->fd = -1;
	if (path_mkdir(out_fd, name, OUR_WAY, 0700) < 0)
		return err_sys(e, "mkdirat", "%s", name);
	m->fd = path_open(out_fd, name, OUR_WAY, O_RDONLY | O_DIRECTORY, 0);
	if (m->fd < 0)
		return err_sys(e, "openat2", "%s", name);
	if (make_one(m, "", e) < 0)
		return -1;
	*ret = take_ptr(&m);
	return 0;
}

/* ---- entries of a layer ---------------------------------------------------- */

static int entry_dir(struct maker *m, const char *path, int from, struct err *e)
{
	const char *const opaque = xattr_opaque(m->userxattr);
	autoclose int to = -1;
	bool hides;

	if (make_room(m, path, &hides, e) < 0)
		return -1;
	if (path_mkdir(m->fd, path, OUR_WAY, 0700) < 0 && errno != EEXIST)
		return not_made("mkdirat", path, e);
	to = path_open(m->fd, path, OUR_WAY, O_RDONLY | O_DIRECTORY, 0);
	if (to < 0)
		return not_made("openat2", path, e);
	if (hides && fsetxattr(to, opaque, "y", 1, 0) < 0)
		return err_sys(e, "fsetxattr", "%s of %s", opaque, path);
	return copy_attrs(m, from, to, path, true, e);
}

/* Copy data only: a sparse file with its holes filled may exceed the disk. */
static int copy_data(int from, int to, off_t at, off_t end, const char *what,
		     struct err *e)
{
	off_t to_at = at;

	/* Shares the blocks where the file system can. */
	while (at < end) {
		const ssize_t n = copy_file_range(from, &at, to, &to_at,
						  (size_t)(end - at), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "copy_file_range", "%s", what);
		if (n == 0)
			break;
	}
	return 0;
}

static int copy_bytes(int from, int to, off_t size, const char *what,
		      struct err *e)
{
	off_t at = 0;

	if (ftruncate(to, size) < 0)
		return err_sys(e, "ftruncate", "%s", what);
	while (at < size) {
		const off_t data = lseek(from, at, SEEK_DATA);
		off_t hole;

		if (data < 0 && errno == ENXIO)
			return 0;
		hole = data < 0 ? -1 : lseek(from, data, SEEK_HOLE);
		if (hole < 0)
			return err_sys(e, "lseek", "%s", what);
		if (copy_data(from, to, data, hole, what, e) < 0)
			return -1;
		at = hole;
	}
	return 0;
}

/* A copy and no second link: the count of links is seen in the container. */
static int entry_file(struct maker *m, const char *path, int dirfd,
		      const char *name, struct err *e)
{
	autoclose int from =
		path_open_type(dirfd, name, LEVEL_WAY, S_IFREG, O_RDONLY);
	autoclose int to = -1;
	struct stat st;

	if (from < 0 || fstat(from, &st) < 0)
		return err_sys(e, "openat2", "%s", path);
	if (take_place(m, path, e) < 0)
		return -1;
	to = path_open(m->fd, path, OUR_WAY, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (to < 0)
		return not_made("openat2", path, e);
	if (copy_bytes(from, to, st.st_size, path, e) < 0)
		return -1;
	return copy_attrs(m, from, to, path, false, e);
}

static int entry_link(struct maker *m, const char *path, int dirfd,
		      const char *name, struct err *e)
{
	char target[PATH_MAX];

	if (path_readlink(dirfd, name, LEVEL_WAY, target, sizeof(target)) < 0)
		return err_sys(e, "readlinkat", "%s", path);
	if (path_symlink(target, m->fd, path, OUR_WAY) < 0)
		return not_made("symlinkat", path, e);
	return 0;
}

/* For a link, device or fifo, which have no content. */
static int entry_other(struct maker *m, const char *path, int dirfd,
		       const char *name, struct err *e)
{
	struct stat st;

	if (path_stat(dirfd, name, LEVEL_WAY, &st) < 0)
		return err_sys(e, "fstatat", "%s", path);
	if (take_place(m, path, e) < 0)
		return -1;
	if (S_ISLNK(st.st_mode)) {
		if (entry_link(m, path, dirfd, name, e) < 0)
			return -1;
	} else if (path_mknod(m->fd, path, OUR_WAY, st.st_mode, st.st_rdev) <
		   0) {
		return not_made("mknodat", path, e);
	}
	if (path_chown(m->fd, path, OUR_WAY, st.st_uid, st.st_gid) < 0)
		return err_sys(e, "fchownat", "%s", path);
	remember(m, path, &st);
	return copy_xattrs_by_name(m, path, dirfd, name, e);
}

int maker_entry(struct maker *m, const char *path, int dirfd, const char *name,
		struct err *e)
{
	autoclose int from = -1;
	struct stat st;

	if (path_stat(dirfd, name, LEVEL_WAY, &st) < 0)
		return err_sys(e, "fstatat", "%s", path);
	if (S_ISREG(st.st_mode))
		return entry_file(m, path, dirfd, name, e);
	if (!S_ISDIR(st.st_mode))
		return entry_other(m, path, dirfd, name, e);
	from = path_open_type(dirfd, name, LEVEL_WAY, S_IFDIR, O_RDONLY);
	if (from < 0)
		return err_sys(e, "openat2", "%s", path);
	return entry_dir(m, path, from, e);
}

int maker_whiteout(struct maker *m, const char *path, struct err *e)
{
	if (path_mknod(m->fd, path, OUR_WAY, S_IFCHR, makedev(0, 0)) < 0 &&
	    errno != EEXIST)
		return not_made("mknodat", path, e);
	return 0;
}
