#include "fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io.h"
#include "own.h"
#include "path.h"
#include "str.h"
#include "walk.h"

int fs_read_at(int dirfd, const char *name, struct buf *b, struct err *e)
{
	autoclose int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOTFOUND, "%s: does not exist", name);
	if (fd < 0)
		return err_sys(e, "openat", "%s", name);
	return io_read_all(fd, b, name, e);
}

int fs_sync_dir(int fd, const char *what, struct err *e)
{
	if (fsync(fd) < 0)
		return err_sys(e, "fsync", "%s", what);
	return 0;
}

static int sync_parent(int dirfd, const char *name, struct err *e)
{
	const char *const slash = strrchr(name, '/');
	autofree char *dir =
		slash ? xstrndup(name, (size_t)(slash - name)) : xstrdup(".");
	autoclose int fd =
		openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "openat", "%s", dir);
	return fs_sync_dir(fd, dir, e);
}

int fs_write_new_at(int dirfd, const char *name, const void *p, size_t n,
		    mode_t mode, bool sync, struct err *e)
{
	autoclose int fd = openat(
		dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return err_sys(e, "openat", "%s", name);
	if (io_write_all(fd, p, n, name, e) < 0)
		return -1;
	if (sync && fsync(fd) < 0)
		return err_sys(e, "fsync", "%s", name);
	return 0;
}

int fs_replace_at(int dirfd, const char *name, const void *p, size_t n,
		  mode_t mode, bool sync, struct err *e)
{
	const char *const slash = strrchr(name, '/');
	const int dir_len = slash ? (int)(slash - name) + 1 : 0;
	char unique[17];
	autofree char *tmp = NULL;

	str_random_hex(unique, 8);
	tmp = xasprintf("%.*s.tmp-%s", dir_len, name, unique);
	if (fs_write_new_at(dirfd, tmp, p, n, mode, sync, e) < 0) {
		(void)unlinkat(dirfd, tmp, 0);
		return -1;
	}
	if (renameat(dirfd, tmp, dirfd, name) < 0) {
		(void)err_sys(e, "renameat", "%s -> %s", tmp, name);
		(void)unlinkat(dirfd, tmp, 0);
		return -1;
	}
	return sync ? sync_parent(dirfd, name, e) : 0;
}

int fs_mkdirs_at(int dirfd, const char *path, mode_t mode, struct err *e)
{
	autofree char *part = xstrdup(path);

	if (mkdirat(dirfd, path, mode) == 0 || errno == EEXIST)
		return 0;
	if (errno != ENOENT)
		return err_sys(e, "mkdirat", "%s", path);
	for (char *p = part + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (mkdirat(dirfd, part, mode) < 0 && errno != EEXIST)
			return err_sys(e, "mkdirat", "%s", part);
		*p = '/';
	}
	if (mkdirat(dirfd, path, mode) < 0 && errno != EEXIST)
		return err_sys(e, "mkdirat", "%s", path);
	return 0;
}

int fs_opendir_at(int dirfd, const char *name, struct err *e)
{
	const int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOTFOUND, "%s: does not exist", name);
	if (fd < 0)
		return err_sys(e, "openat", "%s", name);
	return fd;
}

int fs_mkdir_open_at(int dirfd, const char *name, mode_t mode, struct err *e)
{
	const int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return err_sys(e, "openat", "%s", name);
	if (fs_mkdirs_at(dirfd, name, mode, e) < 0)
		return -1;
	return fs_opendir_at(dirfd, name, e);
}

int fs_names(int fd, const char *what, struct strv *ret, struct err *e)
{
	const int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *de;

	if (!d) {
		(void)err_sys(e, "opendir", "%s", what);
		if (copy >= 0)
			(void)close(copy);
		return -1;
	}
	while ((de = readdir(d)))
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			strv_add(ret, de->d_name);
	strv_sort(ret);
	return 0;
}

/* Rounds of a removal, since others may add or move entries meanwhile. */
#define REMOVE_ROUNDS 16

/* 1: a directory that is not empty. */
static int remove_name(int dirfd, const char *name, struct err *e)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM && errno != EACCES)
		return err_sys(e, "unlinkat", "%s", name);
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0 || errno == ENOENT)
		return 0;
	if (errno != ENOTEMPTY && errno != EEXIST && errno != EACCES)
		return err_sys(e, "unlinkat", "%s", name);
	return 1;
}

/* 1: it has to be done again. */
static int remove_walked(struct walk *w, const struct walk_at *at,
			 enum walk_event event, struct err *e)
{
	const int flags = event == WALK_ENTRY ? 0 : AT_REMOVEDIR;

	if (path_unlink(at->dir, at->name, PATH_NO_LINKS, flags) == 0 ||
	    errno == ENOENT) {
		if (event == WALK_DOWN)
			walk_skip(w);
		return 0;
	}
	switch (errno) {
	case ENOTEMPTY:
	case EEXIST:
		return event == WALK_UP;
	case EISDIR:
	case ENOTDIR:
		return 1;
	case EACCES:
	case EPERM:
		/* Continue: entering the directory gives the better error. */
		if (event == WALK_DOWN)
			return 0;
		break;
	default:
		break;
	}
	return err_sys(e, "unlinkat", "%s", walk_tail(at->path));
}

/* 1: it has to be done again. */
static int remove_below(int fd, struct err *e)
{
	autowalk struct walk *w = walk_open(
		fd, "", WALK_REMOVES | WALK_NO_STAT | WALK_NO_XDEV, e);
	struct walk_at at;
	int rc = 0;

	if (!w)
		return -1;
	while (rc == 0) {
		const int event = walk_next(w, &at, e);

		if (event == WALK_END)
			return 0;
		if (event < 0 && e->sys == ESTALE) {
			err_clear(e);
			return 1;
		}
		rc = event < 0 ? -1 : remove_walked(w, &at, event, e);
	}
	return rc;
}

static int open_to_remove(int dirfd, const char *name)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(dirfd, name, flags);
	struct stat st;

	if (fd < 0 && errno == EACCES &&
	    fchmodat(dirfd, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
		fd = openat(dirfd, name, flags);
	/* Entries of a 0555 directory can be removed only by its owner. */
	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700);
	return fd;
}

int fs_remove_tree_at(int dirfd, const char *name, struct err *e)
{
	int rc = 1;
	ERR_IN(e, "remove %s", name);

	for (int i = 0; rc > 0 && i < REMOVE_ROUNDS; i++) {
		autoclose int fd = -1;

		rc = remove_name(dirfd, name, e);
		if (rc <= 0)
			return rc;
		fd = open_to_remove(dirfd, name);
		if (fd < 0 && errno == ENOENT)
			return 0;
		if (fd < 0)
			return err_sys(e, "openat", "%s", name);
		rc = remove_below(fd, e) < 0 ? -1 : 1;
	}
	return rc < 0 ? -1
		      : err_set(e, ERR_BUSY,
				"another process keeps adding files to it");
}

int fs_lock_at(int dirfd, const char *name, enum fs_lock mode, bool wait,
	       struct err *e)
{
	const int op = (mode == FS_LOCK_SHARED ? LOCK_SH : LOCK_EX) |
		       (wait ? 0 : LOCK_NB);
	autoclose int fd =
		openat(dirfd, name, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return err_sys(e, "openat", "%s", name);
	do {
		rc = flock(fd, op);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0 && errno == EWOULDBLOCK)
		return err_set(e, ERR_BUSY, "%s: held by another process",
			       name);
	if (rc < 0)
		return err_sys(e, "flock", "%s", name);
	return take_fd(&fd);
}
