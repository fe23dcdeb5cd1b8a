#include "store/tarin.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "store/tarpack.h"

/* A directory whose mode and times come last. */
struct late {
	char *path;
	mode_t mode;
	struct timespec mtime;
};

struct tarin {
	const struct tarin_opts *o;
	struct archive *a;
	struct archive_entry *ae;
	char *name;   /* of the entry, clean */
	char *parent; /* whose fd is open */
	int parent_fd;
	struct late *late;
	size_t n_late;
	size_t cap_late;
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

/* An fd of a directory below the destination, or -1 with errno. */
static int open_dir(const struct tarin *t, const char *path)
{
	const struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
			   RESOLVE_NO_MAGICLINKS,
	};
	const char *const below = *path ? path : ".";

	if (t->o->root_fd >= 0) {
		autofree char *whole = xasprintf("%s/%s", t->o->path, below);

		return fs_open_in_root(t->o->root_fd, whole,
				       O_RDONLY | O_DIRECTORY, 0);
	}
	return (int)syscall(SYS_openat2, t->o->dir_fd, below, &how,
			    sizeof(how));
}

/* The same; parents that no entry made are made. */
static int make_dir(const struct tarin *t, const char *path, struct err *e)
{
	const char *const slash = strrchr(path, '/');
	autofree char *above =
		slash ? xstrndup(path, (size_t)(slash - path)) : xstrdup("");
	autoclose int up = -1;
	int fd = open_dir(t, path);

	if (fd >= 0 || errno != ENOENT || !*path)
		return fd >= 0 ? fd : err_sys(e, "openat2", "%s", path);
	up = make_dir(t, above, e);
	if (up < 0)
		return -1;
	if (mkdirat(up, slash ? slash + 1 : path, 0755) && errno != EEXIST)
		return err_sys(e, "mkdirat", "%s", path);
	fd = open_dir(t, path);
	return fd >= 0 ? fd : err_sys(e, "openat2", "%s", path);
}

/* The parent of a clean name: borrowed fd; *leaf is its last component. */
static int parent_of(struct tarin *t, const char *name, const char **leaf,
		     struct err *e)
{
	const char *const slash = strrchr(name, '/');
	autofree char *dir =
		slash ? xstrndup(name, (size_t)(slash - name)) : xstrdup("");

	*leaf = slash ? slash + 1 : name;
	if (t->parent && !strcmp(t->parent, dir))
		return t->parent_fd;
	own_close(&t->parent_fd);
	free(t->parent);
	t->parent = NULL;
	t->parent_fd = make_dir(t, dir, e);
	if (t->parent_fd >= 0)
		t->parent = take_ptr(&dir);
	return t->parent_fd;
}

/* 1: a directory is there and stays; 0: the place is free. */
static int make_way(const struct tarin *t, int dirfd, const char *leaf,
		    struct err *e)
{
	const bool is_dir = archive_entry_filetype(t->ae) == AE_IFDIR &&
			    !archive_entry_hardlink(t->ae);
	struct stat st;

	if (fstatat(dirfd, leaf, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0
				       : err_sys(e, "fstatat", "%s", t->name);
	if (S_ISDIR(st.st_mode) && !is_dir)
		return err_set(e, ERR_EXISTS,
			       "cannot overwrite directory '%s' with "
			       "non-directory",
			       t->name);
	if (!S_ISDIR(st.st_mode) && is_dir)
		return err_set(e, ERR_EXISTS,
			       "cannot overwrite non-directory '%s' with "
			       "directory",
			       t->name);
	if (is_dir)
		return 1;
	if (unlinkat(dirfd, leaf, 0) && errno != ENOENT)
		return err_sys(e, "unlinkat", "%s", t->name);
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
	if (fchownat(dirfd, leaf, uid, gid,
		     AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) == 0)
		return 0;
	(void)err_sys(e, "fchownat", "%s to %u:%u", t->name, uid, gid);
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
			return err_sys(e, "fsetxattr", "%s %s", t->name, name);
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
		return err_sys(e, "fchmod", "%s", t->name);
	if (set_xattrs(t, fd, e))
		return -1;
	if (futimens(fd, now))
		return err_sys(e, "futimens", "%s", t->name);
	return 0;
}

static void remember(struct tarin *t)
{
	if (t->n_late == t->cap_late) {
		t->cap_late = t->cap_late ? 2 * t->cap_late : 32;
		t->late = xrealloc(t->late, t->cap_late * sizeof(*t->late));
	}
	t->late[t->n_late++] = (struct late){.path = xstrdup(t->name),
					     .mode = mode_of(t),
					     .mtime = mtime_of(t)};
}

static int finish_dirs(struct tarin *t, struct err *e)
{
	for (size_t i = t->n_late; i-- > 0;) {
		const struct late *const l = &t->late[i];
		const struct timespec times[2] = {{.tv_nsec = UTIME_NOW},
						  l->mtime};
		autoclose int fd = open_dir(t, l->path);

		if (fd < 0)
			return err_sys(e, "openat2", "%s", l->path);
		if (fchmod(fd, l->mode) || futimens(fd, times))
			return err_sys(e, "fchmod", "%s", l->path);
	}
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
		if (pwrite_all(fd, p, n, at, t->name, e))
			return -1;
	}
	/* A hole at the end. */
	if (ftruncate(fd, archive_entry_size(t->ae)))
		return err_sys(e, "ftruncate", "%s", t->name);
	return 0;
}

static int put_file(const struct tarin *t, int dirfd, const char *leaf,
		    struct err *e)
{
	autoclose int fd = openat(
		dirfd, leaf,
		O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "openat", "%s", t->name);
	if (write_data(t, fd, e))
		return -1;
	return set_attributes(t, fd, e);
}

static int put_dir(struct tarin *t, int dirfd, const char *leaf, bool is_there,
		   struct err *e)
{
	autoclose int fd = -1;

	if (!is_there && mkdirat(dirfd, leaf, 0700))
		return err_sys(e, "mkdirat", "%s", t->name);
	fd = openat(dirfd, leaf,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "openat", "%s", t->name);
	if (set_attributes(t, fd, e))
		return -1;
	/* Its children must get in, whatever its mode will be. */
	if (geteuid() != 0 && fchmod(fd, mode_of(t) | 0700))
		return err_sys(e, "fchmod", "%s", t->name);
	remember(t);
	return 0;
}

static int put_symlink(const struct tarin *t, int dirfd, const char *leaf,
		       struct err *e)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, mtime_of(t)};

	if (symlinkat(archive_entry_symlink(t->ae), dirfd, leaf))
		return err_sys(e, "symlinkat", "%s", t->name);
	if (set_owner(t, dirfd, leaf, e))
		return -1;
	(void)utimensat(dirfd, leaf, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int put_node(const struct tarin *t, int dirfd, const char *leaf,
		    struct err *e)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, mtime_of(t)};

	if (mknodat(dirfd, leaf, archive_entry_filetype(t->ae) | 0600,
		    makedev(archive_entry_rdevmajor(t->ae),
			    archive_entry_rdevminor(t->ae)))) {
		if (errno != EPERM)
			return err_sys(e, "mknodat", "%s", t->name);
		log_warn("ignoring device %s: only root can make it", t->name);
		return 0;
	}
	if (set_owner(t, dirfd, leaf, e))
		return -1;
	/* Nobody can have put a link there: O_EXCL is what mknod does. */
	if (fchmodat(dirfd, leaf, mode_of(t), AT_SYMLINK_NOFOLLOW) &&
	    errno != EOPNOTSUPP)
		return err_sys(e, "fchmodat", "%s", t->name);
	(void)utimensat(dirfd, leaf, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int put_hardlink(struct tarin *t, struct err *e)
{
	autofree char *to = clean_name(archive_entry_hardlink(t->ae), e);
	autoclose int to_dir = -1;
	const char *to_leaf;
	const char *leaf;
	int dirfd;

	if (!to)
		return -1;
	dirfd = parent_of(t, to, &to_leaf, e);
	to_dir = dirfd < 0 ? -1 : fcntl(dirfd, F_DUPFD_CLOEXEC, 3);
	if (to_dir < 0)
		return err_is(e) ? -1 : err_sys(e, "fcntl", "%s", to);
	dirfd = parent_of(t, t->name, &leaf, e);
	if (dirfd < 0)
		return -1;
	if (linkat(to_dir, to_leaf, dirfd, leaf, 0))
		return err_sys(e, "linkat", "%s -> %s", t->name, to);
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
		return put_hardlink(t, e);
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
			       t->name);
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
		bad = *t->name ? put_entry(t, e) : 0;
		free(t->name);
		t->name = NULL;
		if (bad)
			return -1;
	}
}

int tarin(int tar_fd, const struct tarin_opts *o, struct err *e)
{
	struct tarin t = {.o = o, .parent_fd = -1};
	int rc = open_archive(&t, tar_fd, e);

	if (rc == 0)
		rc = read_entries(&t, e);
	if (rc == 0)
		rc = finish_dirs(&t, e);
	(void)archive_read_free(t.a);
	own_close(&t.parent_fd);
	for (size_t i = 0; i < t.n_late; i++)
		free(t.late[i].path);
	free(t.late);
	free(t.parent);
	return rc;
}
