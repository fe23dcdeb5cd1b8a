#include "runtime/copyup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/fs.h"
#include "base/inodes.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "base/walk.h"

#define MARKER ".prism-copy-up"

struct copy {
	int root; /* of the volume */
	struct inodes links;
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

static int copy_file(const struct walk_at *at, struct err *e)
{
	const char *const what = walk_tail(at->path);
	autoclose int from = path_open_type(at->dir, at->name, PATH_NO_LINKS,
					    S_IFREG, O_RDONLY | O_NOFOLLOW);
	autoclose int to =
		from < 0 ? -1
			 : path_open(at->other, at->name, PATH_NO_LINKS,
				     O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW,
				     0600);
	ssize_t n;

	if (from < 0 || to < 0)
		return err_sys(e, "openat2", "%s", what);
	do {
		n = sendfile(to, from, NULL, MIB(16));
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0)
		return err_sys(e, "sendfile", "%s", what);
	return copy_attributes(from, to, &at->st, what, e);
}

static int copy_times(const struct walk_at *at)
{
	const struct timespec t[2] = {at->st.st_atim, at->st.st_mtim};

	return path_utimens(at->other, at->name, PATH_NO_LINKS, t);
}

static int copy_owner(const struct walk_at *at, struct err *e)
{
	if (path_chown(at->other, at->name, PATH_NO_LINKS, at->st.st_uid,
		       at->st.st_gid) < 0)
		return err_sys(e, "fchownat", "%s %u:%u", walk_tail(at->path),
			       at->st.st_uid, at->st.st_gid);
	return 0;
}

static int copy_symlink(const struct walk_at *at, struct err *e)
{
	char to[PATH_MAX];

	if (path_readlink(at->dir, at->name, PATH_NO_LINKS, to, sizeof(to)) < 0)
		return err_sys(e, "readlinkat", "%s", walk_tail(at->path));
	if (path_symlink(to, at->other, at->name, PATH_NO_LINKS) < 0)
		return err_sys(e, "symlinkat", "%s", walk_tail(at->path));
	if (copy_owner(at, e) < 0)
		return -1;
	(void)copy_times(at);
	return 0;
}

static int copy_node(const struct walk_at *at, struct err *e)
{
	if (path_mknod(at->other, at->name, PATH_NO_LINKS, at->st.st_mode,
		       at->st.st_rdev) < 0) {
		/* Devices in a user namespace. */
		if (errno == EPERM)
			return 0;
		return err_sys(e, "mknodat", "%s", walk_tail(at->path));
	}
	if (copy_owner(at, e) < 0)
		return -1;
	if (path_chmod(at->other, at->name, PATH_NO_LINKS,
		       at->st.st_mode & 07777) < 0)
		return err_sys(e, "fchmodat", "%s", walk_tail(at->path));
	(void)copy_times(at);
	return 0;
}

/* 1: it is there already, under another name. */
static int copy_link(struct copy *c, const struct walk_at *at, struct err *e)
{
	const char *const path = inodes_seen(&c->links, &at->st, at->path);

	if (!path)
		return 0;
	if (path_link(c->root, path, at->other, at->name, PATH_NO_LINKS) == 0)
		return 1;
	/* A path too long for link(2): make a separate file. */
	if (errno == ENAMETOOLONG || errno == EMLINK)
		return 0;
	return err_sys(e, "linkat", "%s", walk_tail(at->path));
}

static int copy_entry(struct copy *c, const struct walk_at *at, struct err *e)
{
	const int rc = copy_link(c, at, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	switch (at->st.st_mode & S_IFMT) {
	case S_IFREG:
		return copy_file(at, e);
	case S_IFLNK:
		return copy_symlink(at, e);
	default:
		return copy_node(at, e);
	}
}

/* An image may contain such a file too: it does not belong to the volume. */
static bool is_marker(const struct walk_at *at)
{
	return at->depth == 1 && !strcmp(at->name, MARKER);
}

static int copy_walked(struct copy *c, const struct walk_at *at, int event,
		       struct err *e)
{
	/* Another container uses the volume and moved what we made. */
	if (at->other < 0 || (event == WALK_UP && at->other_fd < 0))
		return err_set(e, ERR_GONE,
			       "%s: another container changed the volume while "
			       "prism filled it",
			       walk_tail(at->path));
	switch (event) {
	case WALK_DOWN:
		if (path_mkdir(at->other, at->name, PATH_NO_LINKS, 0700) < 0)
			return err_sys(e, "mkdirat", "%s", walk_tail(at->path));
		return 0;
	case WALK_UP:
		return copy_attributes(at->fd, at->other_fd, &at->st,
				       walk_tail(at->path), e);
	default:
		return copy_entry(c, at, e);
	}
}

static int copy_tree(struct copy *c, int from, struct err *e)
{
	autowalk struct walk *w = walk_open(from, "", WALK_NO_XDEV, e);
	struct walk_at at = {0};

	if (!w || walk_with(w, c->root, e) < 0)
		return -1;
	for (;;) {
		const int event = walk_next(w, &at, e);

		if (event <= 0)
			return event;
		if (is_marker(&at)) {
			walk_skip(w);
			continue;
		}
		if (copy_walked(c, &at, event, e) < 0)
			return -1;
	}
}

/* ---- the volume ------------------------------------------------------------ */

/* A second fd, to read from the beginning. */
static DIR *open_entries(int fd)
{
	const int copy =
		path_open(fd, ".", PATH_NO_LINKS, O_RDONLY | O_DIRECTORY, 0);
	DIR *const d = copy < 0 ? NULL : fdopendir(copy);

	if (!d && copy >= 0)
		(void)close(copy);
	return d;
}

static bool is_dots(const char *name)
{
	return !strcmp(name, ".") || !strcmp(name, "..");
}

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
	autoclose int m = path_open(fd, MARKER, PATH_NO_LINKS,
				    O_WRONLY | O_CREAT | O_NOFOLLOW, 0600);

	return m < 0 ? err_sys(e, "openat2", "%s", MARKER) : 0;
}

static int fill(int from_fd, int to_fd, struct err *e)
{
	struct copy c = {.root = to_fd};
	const int rc = copy_tree(&c, from_fd, e);

	inodes_free(&c.links);
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
	if (path_unlink(to_fd, MARKER, PATH_NO_LINKS, 0) < 0 && errno != ENOENT)
		return err_sys(e, "unlinkat", "%s", MARKER);
	if (fstat(from_fd, &st) < 0)
		return err_sys(e, "fstat", "the directory in the image");
	return copy_attributes(from_fd, to_fd, &st, "the volume", e);
}
