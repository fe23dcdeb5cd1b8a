#include "store/tarin.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "base/walk.h"
#include "store/tardirs.h"
#include "store/tarpack.h"

struct tarin {
	const struct tarin_opts *o;
	struct archive *a;
	struct archive_entry *ae;
	char *name;        /* the entry's, clean */
	const char *shown; /* for errors: its end, if it is long */
	struct tardirs *dirs;
};

/* ---- places ------------------------------------------------------------------ */

/*
 * "./a//b/" -> "a/b", "." -> "". Names with ".." are refused: those that stay
 * inside are as rare as those that do not.
 */
static char *clean_name(const char *name, struct err *e)
{
	autofree char *out = xmalloc(strlen(name) + 1);
	size_t n = 0;

	for (const char *p = name; *p;) {
		const size_t k = strcspn(p, "/");

		if (k == 2 && !memcmp(p, "..", 2)) {
			(void)err_set(e, ERR_INVALID,
				      "tar: '%.200s' leads out of the "
				      "directory",
				      name);
			return NULL;
		}
		if (k > 0 && !(k == 1 && *p == '.')) {
			if (n > 0)
				out[n++] = '/';
			memcpy(out + n, p, k);
			n += k;
		}
		p += k;
		p += strspn(p, "/");
	}
	out[n] = '\0';
	return take_ptr(&out);
}

/* The part before the last component, which becomes *leaf. */
static char *dir_of(const char *name, const char **leaf)
{
	const char *const slash = strrchr(name, '/');

	*leaf = slash ? slash + 1 : name;
	return slash ? xstrndup(name, (size_t)(slash - name)) : xstrdup("");
}

/* The parent directory of a clean name; the fd is borrowed. */
static int parent_of(struct tarin *t, const char *name, const char **leaf,
		     struct err *e)
{
	autofree char *dir = dir_of(name, leaf);

	return tardirs_at(t->dirs, dir, e);
}

/* 1: a directory is there and stays; 0: the place is free. */
static int make_way(const struct tarin *t, int dirfd, const char *leaf,
		    struct err *e)
{
	const bool is_dir = archive_entry_filetype(t->ae) == AE_IFDIR &&
			    !archive_entry_hardlink(t->ae);
	struct stat st;

	if (path_stat(dirfd, leaf, PATH_NO_LINKS, &st) < 0)
		return errno == ENOENT ? 0
				       : err_sys(e, "fstatat", "%s", t->shown);
	if (S_ISDIR(st.st_mode) && !is_dir)
		return err_set(e, ERR_EXISTS,
			       "cannot overwrite directory '%s' with "
			       "non-directory",
			       t->shown);
	if (!S_ISDIR(st.st_mode) && is_dir)
		return err_set(e, ERR_EXISTS,
			       "cannot overwrite non-directory '%s' with "
			       "directory",
			       t->shown);
	if (is_dir)
		return 1;
	if (path_unlink(dirfd, leaf, PATH_NO_LINKS, 0) < 0 && errno != ENOENT)
		return err_sys(e, "unlinkat", "%s", t->shown);
	return 0;
}

/* ---- attributes ---------------------------------------------------------------- */

static mode_t mode_of(const struct tarin *t)
{
	return archive_entry_perm(t->ae) & 07777;
}

static struct timespec mtime_of(const struct tarin *t)
{
	return (struct timespec){.tv_sec = archive_entry_mtime(t->ae),
				 .tv_nsec = archive_entry_mtime_nsec(t->ae)};
}

static int set_owner(const struct tarin *t, int dirfd, const char *leaf,
		     struct err *e)
{
	const uint32_t uid =
		t->o->all_of ? t->o->uid : (uint32_t)archive_entry_uid(t->ae);
	const uint32_t gid =
		t->o->all_of ? t->o->gid : (uint32_t)archive_entry_gid(t->ae);

	if (t->o->no_owner)
		return 0;
	if ((*leaf ? path_chown(dirfd, leaf, PATH_NO_LINKS, uid, gid)
		   : fchown(dirfd, uid, gid)) == 0)
		return 0;
	(void)err_sys(e, "fchownat", "%s to %u:%u", t->shown, uid, gid);
	if (e->sys == EINVAL)
		(void)err_hint(e, "the container has no such id: look at "
				  "/etc/subuid and /etc/subgid");
	return -1;
}

static int set_xattrs(const struct tarin *t, int fd, struct err *e)
{
	const char *name;
	const void *value;
	size_t size;

	(void)archive_entry_xattr_reset(t->ae);
	while (archive_entry_xattr_next(t->ae, &name, &value, &size) ==
	       ARCHIVE_OK) {
		/* To the host only what anybody may set, and capabilities. */
		if (t->o->no_owner && str_starts(name, "trusted."))
			continue;
		if (fsetxattr(fd, name, value, size, 0) && errno != EPERM &&
		    errno != EOPNOTSUPP && errno != EINVAL)
			return err_sys(e, "fsetxattr", "%s %s", t->shown, name);
	}
	return 0;
}

/* chown takes away set-user-id bits and capabilities: it comes first. */
static int set_attributes(const struct tarin *t, int fd, struct err *e)
{
	const struct timespec now[2] = {{.tv_nsec = UTIME_NOW}, mtime_of(t)};

	if (set_owner(t, fd, "", e))
		return -1;
	if (fchmod(fd, mode_of(t)))
		return err_sys(e, "fchmod", "%s", t->shown);
	if (set_xattrs(t, fd, e))
		return -1;
	if (futimens(fd, now))
		return err_sys(e, "futimens", "%s", t->shown);
	return 0;
}

/* ---- entries -------------------------------------------------------------------- */

/* libarchive's words, or the errno of the read. */
static int tar_failed(const struct tarin *t, struct err *e)
{
	const char *const text = archive_error_string(t->a);

	return err_set(e, ERR_INVALID, "tar: %s",
		       text ? text : "it cannot be read");
}

static int pwrite_all(int fd, const char *p, size_t n, int64_t at,
		      const char *what, struct err *e)
{
	while (n > 0) {
		const ssize_t k = pwrite(fd, p, n, at);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, "write", "%s", what);
		p += k;
		at += k;
		n -= (size_t)k;
	}
	return 0;
}

static int write_data(const struct tarin *t, int fd, struct err *e)
{
	for (;;) {
		const void *p;
		size_t n;
		int64_t at;
		const int rc = archive_read_data_block(t->a, &p, &n, &at);

		if (rc == ARCHIVE_EOF)
			break;
		if (rc != ARCHIVE_OK)
			return tar_failed(t, e);
		if (pwrite_all(fd, p, n, at, t->shown, e))
			return -1;
	}
	/* A hole at the end. */
	if (ftruncate(fd, archive_entry_size(t->ae)))
		return err_sys(e, "ftruncate", "%s", t->shown);
	return 0;
}

static int put_file(const struct tarin *t, int dirfd, const char *leaf,
		    struct err *e)
{
	autoclose int fd =
		path_open(dirfd, leaf, PATH_NO_LINKS,
			  O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_sys(e, "openat2", "%s", t->shown);
	if (write_data(t, fd, e))
		return -1;
	return set_attributes(t, fd, e);
}

static int put_dir(struct tarin *t, int dirfd, const char *leaf, bool is_there,
		   struct err *e)
{
	autoclose int fd = -1;
	struct timespec mtime;

	if (!is_there && path_mkdir(dirfd, leaf, PATH_NO_LINKS, 0700) < 0)
		return err_sys(e, "mkdirat", "%s", t->shown);
	fd = path_open(dirfd, leaf, PATH_NO_LINKS,
		       O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
	if (fd < 0)
		return err_sys(e, "openat2", "%s", t->shown);
	if (set_attributes(t, fd, e))
		return -1;
	/* Its children must get in, whatever its mode will be. */
	if (geteuid() != 0 && fchmod(fd, mode_of(t) | 0700))
		return err_sys(e, "fchmod", "%s", t->shown);
	mtime = mtime_of(t);
	return tardirs_enter(t->dirs, leaf, take_fd(&fd), mode_of(t), &mtime,
			     e);
}

static int put_symlink(const struct tarin *t, int dirfd, const char *leaf,
		       struct err *e)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, mtime_of(t)};

	if (path_symlink(archive_entry_symlink(t->ae), dirfd, leaf,
			 PATH_NO_LINKS) < 0)
		return err_sys(e, "symlinkat", "%s", t->shown);
	if (set_owner(t, dirfd, leaf, e))
		return -1;
	(void)path_utimens(dirfd, leaf, PATH_NO_LINKS, times);
	return 0;
}

static int put_node(const struct tarin *t, int dirfd, const char *leaf,
		    struct err *e)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, mtime_of(t)};

	if (path_mknod(dirfd, leaf, PATH_NO_LINKS,
		       archive_entry_filetype(t->ae) | 0600,
		       makedev(archive_entry_rdevmajor(t->ae),
			       archive_entry_rdevminor(t->ae))) < 0) {
		if (errno != EPERM)
			return err_sys(e, "mknodat", "%s", t->shown);
		log_warn("ignoring device %s: only root can make it", t->shown);
		return 0;
	}
	if (set_owner(t, dirfd, leaf, e))
		return -1;
	if (path_chmod(dirfd, leaf, PATH_NO_LINKS, mode_of(t)) < 0 &&
	    errno != EOPNOTSUPP)
		return err_sys(e, "fchmodat", "%s", t->shown);
	(void)path_utimens(dirfd, leaf, PATH_NO_LINKS, times);
	return 0;
}

static int put_hardlink(struct tarin *t, int dirfd, const char *leaf,
			struct err *e)
{
	autofree char *to = clean_name(archive_entry_hardlink(t->ae), e);
	const char *to_leaf = NULL;
	autofree char *to_path = to ? dir_of(to, &to_leaf) : NULL;
	autoclose int to_dir = to ? tardirs_find(t->dirs, to_path, e) : -1;

	if (to_dir < 0)
		return -1;
	/* tardirs_find may have left the directory. */
	dirfd = parent_of(t, t->name, &leaf, e);
	if (dirfd < 0)
		return -1;
	if (path_link(to_dir, to_leaf, dirfd, leaf, PATH_NO_LINKS))
		return err_sys(e, "linkat", "%s -> %s", t->shown,
			       walk_tail(to));
	return 0;
}

static int put_entry(struct tarin *t, struct err *e)
{
	const char *leaf;
	const int dirfd = parent_of(t, t->name, &leaf, e);
	const int there = dirfd < 0 ? -1 : make_way(t, dirfd, leaf, e);

	if (there < 0)
		return -1;
	if (archive_entry_hardlink(t->ae))
		return put_hardlink(t, dirfd, leaf, e);
	switch (archive_entry_filetype(t->ae)) {
	case AE_IFREG:
		return put_file(t, dirfd, leaf, e);
	case AE_IFDIR:
		return put_dir(t, dirfd, leaf, there == 1, e);
	case AE_IFLNK:
		return put_symlink(t, dirfd, leaf, e);
	case AE_IFIFO:
	case AE_IFCHR:
	case AE_IFBLK:
		return put_node(t, dirfd, leaf, e);
	default:
		return err_set(e, ERR_INVALID, "tar: %s: of an unknown type",
			       t->shown);
	}
}

static int open_archive(struct tarin *t, int fd, struct err *e)
{
	t->a = archive_read_new();
	if (!t->a)
		return err_set(e, ERR_SYS, "archive_read_new: no memory");
	if (archive_read_support_format_empty(t->a) || tarpack_open(t->a, fd))
		return tar_failed(t, e);
	return 0;
}

/* WARN: a name that is no UTF-8, given as the bytes it is. */
static int read_entries(struct tarin *t, struct err *e)
{
	for (;;) {
		const int rc = archive_read_next_header(t->a, &t->ae);
		int bad;

		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
			return tar_failed(t, e);
		t->name = clean_name(archive_entry_pathname(t->ae), e);
		if (!t->name)
			return -1;
		t->shown = walk_tail(t->name);
		bad = *t->name ? put_entry(t, e) : 0;
		free(t->name);
		t->name = NULL;
		if (bad)
			return -1;
	}
}

int tarin(int tar_fd, const struct tarin_opts *o, struct err *e)
{
	struct tarin t = {.o = o, .shown = "", .dirs = tardirs_open(o, e)};
	int rc = t.dirs ? open_archive(&t, tar_fd, e) : -1;

	if (rc == 0)
		rc = read_entries(&t, e);
	if (rc == 0)
		rc = tardirs_end(t.dirs, e);
	(void)archive_read_free(t.a);
	tardirs_close(t.dirs);
	return rc;
}
