#include "runtime/copyup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crash.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"

#define MARKER ".prism-copy-up"

/* A file with several names, and where the first one was put. */
struct link {
	dev_t dev;
	ino_t ino;
	char *path; /* below the volume */
};

struct copy {
	int root; /* of the volume */
	struct buf path;
	struct link *links;
	size_t n_links;
};

/* ---- attributes ------------------------------------------------------------ */

/* What belongs to the host or steers overlayfs stays where it is. */
static bool may_copy(const char *name)
{
	return strcmp(name, "security.selinux") != 0 &&
	       !str_starts(name, "trusted.overlay.") &&
	       !str_starts(name, "user.overlay.");
}

static int copy_xattrs(int from, int to, const char *what, struct err *e)
{
	autofree char *names = NULL;
	autofree char *value = NULL;
	ssize_t n = flistxattr(from, NULL, 0);

	if (n <= 0)
		return 0;
	names = xmalloc(XATTR_MAX);
	value = xmalloc(XATTR_MAX);
	n = flistxattr(from, names, XATTR_MAX);
	for (const char *p = names; p < names + n; p += strlen(p) + 1) {
		ssize_t size;

		if (!may_copy(p))
			continue;
		size = fgetxattr(from, p, value, XATTR_MAX);
		/* trusted.* in a user namespace; a file system without them. */
		if (size >= 0 && fsetxattr(to, p, value, (size_t)size, 0) < 0 &&
		    errno != EPERM && errno != EOPNOTSUPP)
			return err_sys(e, "fsetxattr", "%s %s", what, p);
	}
	return 0;
}

/* chown takes away set-user-id bits and capabilities: it comes first. */
static int copy_attributes(int from, int to, const struct stat *st,
			   const char *what, struct err *e)
{
	const struct timespec t[2] = {st->st_atim, st->st_mtim};

	if (fchown(to, st->st_uid, st->st_gid) < 0)
		return err_sys(e, "fchown", "%s %u:%u", what, st->st_uid,
			       st->st_gid);
	if (fchmod(to, st->st_mode & 07777) < 0)
		return err_sys(e, "fchmod", "%s", what);
	if (copy_xattrs(from, to, what, e) < 0)
		return -1;
	if (futimens(to, t) < 0)
		return err_sys(e, "futimens", "%s", what);
	return 0;
}

/* ---- entries --------------------------------------------------------------- */

struct entry {
	int from; /* directories */
	int to;
	const char *name;
	struct stat st;
};

static int copy_file(struct copy *c, const struct entry *x, struct err *e)
{
	autoclose int from =
		openat(x->from, x->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	autoclose int to = openat(
		x->to, x->name,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ssize_t n;

	if (from < 0 || to < 0)
		return err_sys(e, "openat", "%s", buf_str(&c->path));
	do {
		n = sendfile(to, from, NULL, MIB(16));
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_sys(e, "sendfile", "%s", buf_str(&c->path));
	return copy_attributes(from, to, &x->st, buf_str(&c->path), e);
}

static int copy_symlink(struct copy *c, const struct entry *x, struct err *e)
{
	const struct timespec t[2] = {x->st.st_atim, x->st.st_mtim};
	char to[4096];
	const ssize_t n = readlinkat(x->from, x->name, to, sizeof(to) - 1);

	if (n < 0)
		return err_sys(e, "readlinkat", "%s", buf_str(&c->path));
	to[n] = '\0';
	if (symlinkat(to, x->to, x->name) < 0)
		return err_sys(e, "symlinkat", "%s", buf_str(&c->path));
	if (fchownat(x->to, x->name, x->st.st_uid, x->st.st_gid,
		     AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "fchownat", "%s", buf_str(&c->path));
	(void)utimensat(x->to, x->name, t, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int copy_node(struct copy *c, const struct entry *x, struct err *e)
{
	const struct timespec t[2] = {x->st.st_atim, x->st.st_mtim};

	if (mknodat(x->to, x->name, x->st.st_mode, x->st.st_rdev) < 0) {
		/* Devices, in a user namespace. */
		if (errno == EPERM)
			return 0;
		return err_sys(e, "mknodat", "%s", buf_str(&c->path));
	}
	if (fchownat(x->to, x->name, x->st.st_uid, x->st.st_gid,
		     AT_SYMLINK_NOFOLLOW) < 0 ||
	    fchmodat(x->to, x->name, x->st.st_mode & 07777, 0) < 0)
		return err_sys(e, "fchownat", "%s", buf_str(&c->path));
	(void)utimensat(x->to, x->name, t, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int copy_level(struct copy *c, int from, int to, struct err *e);

static int copy_dir(struct copy *c, const struct entry *x, struct err *e)
{
	autoclose int from = -1;
	autoclose int to = -1;

	if (mkdirat(x->to, x->name, 0700) < 0)
		return err_sys(e, "mkdirat", "%s", buf_str(&c->path));
	from = openat(x->from, x->name,
		      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	to = openat(x->to, x->name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || to < 0)
		return err_sys(e, "openat", "%s", buf_str(&c->path));
	if (copy_level(c, from, to, e) < 0)
		return -1;
	return copy_attributes(from, to, &x->st, buf_str(&c->path), e);
}

/* 1: it is there already, under another name. */
static int copy_link(struct copy *c, const struct entry *x, struct err *e)
{
	if (x->st.st_nlink < 2 || S_ISDIR(x->st.st_mode))
		return 0;
	for (size_t i = 0; i < c->n_links; i++) {
		const struct link *const l = &c->links[i];

		if (l->dev != x->st.st_dev || l->ino != x->st.st_ino)
			continue;
		if (linkat(c->root, l->path, x->to, x->name, 0) < 0)
			return err_sys(e, "linkat", "%s", buf_str(&c->path));
		return 1;
	}
	c->links = xrealloc(c->links, (c->n_links + 1) * sizeof(*c->links));
	c->links[c->n_links++] =
		(struct link){.dev = x->st.st_dev,
			      .ino = x->st.st_ino,
			      .path = xstrdup(buf_str(&c->path))};
	return 0;
}

static int copy_entry(struct copy *c, struct entry *x, struct err *e)
{
	int rc;

	if (fstatat(x->from, x->name, &x->st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "fstatat", "%s", buf_str(&c->path));
	rc = copy_link(c, x, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	switch (x->st.st_mode & S_IFMT) {
	case S_IFREG:
		return copy_file(c, x, e);
	case S_IFDIR:
		return copy_dir(c, x, e);
	case S_IFLNK:
		return copy_symlink(c, x, e);
	default:
		return copy_node(c, x, e);
	}
}

/* A copy of the fd, to be read from its beginning. */
static DIR *open_entries(int fd)
{
	const int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *const d = copy < 0 ? NULL : fdopendir(copy);

	if (!d && copy >= 0)
		(void)close(copy);
	return d;
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

static int copy_level(struct copy *c, int from, int to, struct err *e)
{
	autodir DIR *d = open_entries(from);
	const size_t len = c->path.len;
	const struct dirent *de;

	if (!d)
		return err_sys(e, "opendir", "%s", buf_str(&c->path));
	while ((de = readdir(d))) {
		struct entry x = {.from = from, .to = to, .name = de->d_name};
		int rc;

		if (is_dots(de->d_name))
			continue;
		if (len > 0)
			buf_addc(&c->path, '/');
		buf_adds(&c->path, de->d_name);
		if (c->path.over)
			return err_set(e, ERR_TOOBIG, "%s: too deep",
				       buf_str(&c->path));
		rc = copy_entry(c, &x, e);
		c->path.len = len;
		c->path.p[len] = '\0';
		if (rc < 0)
			return -1;
	}
	return 0;
}

/* ---- the volume ------------------------------------------------------------ */

enum content {
	CONTENT_EMPTY,
	CONTENT_PART, /* of a copy that was killed */
	CONTENT_WHOLE,
};

static int look(int fd, enum content *ret, struct err *e)
{
	autodir DIR *d = open_entries(fd);
	const struct dirent *de;

	if (!d)
		return err_sys(e, "opendir", "the volume");
	*ret = CONTENT_EMPTY;
	while ((de = readdir(d))) {
		if (is_dots(de->d_name))
			continue;
		*ret = CONTENT_WHOLE;
		if (!strcmp(de->d_name, MARKER)) {
			*ret = CONTENT_PART;
			return 0;
		}
	}
	return 0;
}

static int make_empty(int fd, struct err *e)
{
	autodir DIR *d = open_entries(fd);
	const struct dirent *de;

	if (!d)
		return err_sys(e, "opendir", "the volume");
	while ((de = readdir(d)))
		if (!is_dots(de->d_name) && strcmp(de->d_name, MARKER) != 0 &&
		    fs_remove_tree_at(fd, de->d_name, e) < 0)
			return -1;
	return 0;
}

static int set_marker(int fd, struct err *e)
{
	autoclose int m = openat(
		fd, MARKER, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	return m < 0 ? err_sys(e, "openat", "%s", MARKER) : 0;
}

static int fill(int from_fd, int to_fd, struct err *e)
{
	struct copy c = {.root = to_fd, .path = buf_make(KIB(64))};
	int rc;

	buf_adds(&c.path, "");
	rc = copy_level(&c, from_fd, to_fd, e);
	for (size_t i = 0; i < c.n_links; i++)
		free(c.links[i].path);
	free(c.links);
	buf_free(&c.path);
	return rc;
}

static bool has_entries(int fd)
{
	enum content content = CONTENT_EMPTY;
	struct err ignored = {0};

	return look(fd, &content, &ignored) == 0 && content != CONTENT_EMPTY;
}

int copyup(int from_fd, int to_fd, struct err *e)
{
	enum content content = CONTENT_EMPTY;
	struct stat st;

	if (flock(to_fd, LOCK_EX) < 0)
		return err_sys(e, "flock", "the volume");
	if (look(to_fd, &content, e) < 0)
		return -1;
	if (content == CONTENT_WHOLE)
		return 0;
	if (content == CONTENT_PART && make_empty(to_fd, e) < 0)
		return -1;
	if (has_entries(from_fd)) {
		if (set_marker(to_fd, e) < 0)
			return -1;
		crash_point("copyup-marked");
		if (fill(from_fd, to_fd, e) < 0)
			return -1;
		crash_point("copyup-filled");
	}
	if (unlinkat(to_fd, MARKER, 0) < 0 && errno != ENOENT)
		return err_sys(e, "unlinkat", "%s", MARKER);
	if (fstat(from_fd, &st) < 0)
		return err_sys(e, "fstat", "the directory in the image");
	return copy_attributes(from_fd, to_fd, &st, "the volume", e);
}
