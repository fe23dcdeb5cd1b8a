#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "own.h"

/* The kernel's own limit of links in a path (path_resolution(7)). */
#define LINKS_MAX 40

/* ---- lookup ---------------------------------------------------------------- */

static uint64_t resolve_of(unsigned int way)
{
	static const uint64_t ways[] = {
		[PATH_IN_ROOT] = RESOLVE_IN_ROOT,
		[PATH_BENEATH] = RESOLVE_BENEATH,
		[PATH_NO_LINKS] = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};
	const unsigned int i = way & PATH_WAY;

	return RESOLVE_NO_MAGICLINKS |
	       (way & PATH_NO_XDEV ? RESOLVE_NO_XDEV : 0) |
	       /* An invalid way becomes the strictest one. */
	       ways[i < ARRAY_LEN(ways) ? i : PATH_NO_LINKS];
}

static int open2(int root, const char *path, unsigned int way, int flags,
		 mode_t mode)
{
	const struct open_how how = {
		.flags = (uint64_t)(unsigned int)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | O_TMPFILE) ? mode & 07777 : 0,
		.resolve = resolve_of(way),
	};
	int fd;

	/* EAGAIN: a rename raced with ".."; openat2(2) asks to retry. */
	do {
		fd = (int)syscall(SYS_openat2, root, *path ? path : ".", &how,
				  sizeof(how));
	} while (fd < 0 && (errno == EAGAIN || errno == EINTR));
	return fd;
}

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* An entry of the open directory itself. */
static bool is_name(const char *path)
{
	return *path && !is_dots(path) && !strchr(path, '/');
}

int path_open(int root, const char *path, unsigned int way, int flags,
	      mode_t mode)
{
	/* An entry created with O_EXCL cannot be a link or a mount point. */
	if ((flags & O_CREAT) && (flags & O_EXCL) && is_name(path))
		return openat(root, path, flags | O_CLOEXEC, mode & 07777);
	return open2(root, path, way, flags, mode);
}

/* An entry's directory: the borrowed root, or an fd to close. */
struct parent {
	int fd;
	bool opened;
	const char *name;
};

static void own_parent(struct parent *p)
{
	const int kept = errno;

	if (p->opened)
		(void)close(p->fd);
	errno = kept;
}

#define autoparent __attribute__((cleanup(own_parent)))

static int find_parent(int root, const char *path, unsigned int way,
		       struct parent *ret)
{
	const char *const slash = strrchr(path, '/');
	const char *const name = slash ? slash + 1 : path;
	autofree char *dir = NULL;
	int fd;

	*ret = (struct parent){.fd = root, .name = name};
	if (!*name || is_dots(name)) {
		errno = EINVAL;
		return -1;
	}
	if (!slash)
		return 0;
	/* "/name" is an entry of the root as well. */
	dir = xstrndup(path, (size_t)(slash - path) + (slash == path));
	fd = open2(root, dir, way, O_PATH | O_DIRECTORY, 0);
	if (fd < 0)
		return -1;
	ret->fd = fd;
	ret->opened = true;
	return 0;
}

int path_open_parent(int root, const char *path, unsigned int way,
		     const char **ret_name)
{
	struct parent p;

	if (find_parent(root, path, way, &p) < 0)
		return -1;
	*ret_name = p.name;
	return p.opened ? p.fd : open2(root, ".", way, O_PATH | O_DIRECTORY, 0);
}

/* ---- what exists ------------------------------------------------------------- */

static bool is_kernels(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC ||
	       fs.f_type == SYSFS_MAGIC;
}

static int wrong_type(mode_t want, mode_t have)
{
	if (S_ISLNK(have))
		errno = ELOOP;
	else if (S_ISDIR(want))
		errno = ENOTDIR;
	else
		errno = S_ISDIR(have) ? EISDIR : EBADF;
	return -1;
}

int path_open_type(int root, const char *path, unsigned int way, mode_t type,
		   int flags)
{
	autoclose int seen =
		open2(root, path, way, O_PATH | (flags & O_NOFOLLOW), 0);
	autoclose int fd = -1;
	struct stat st, now;

	if (seen < 0 || fstat(seen, &st) < 0)
		return -1;
	if ((st.st_mode & S_IFMT) != type)
		return wrong_type(type, st.st_mode);
	if (is_kernels(seen)) {
		errno = EBADF;
		return -1;
	}
	/*
	 * An O_PATH fd can be reopened only through procfs, so look up again.
	 */
	fd = open2(root, path, way,
		   flags | O_NONBLOCK | O_NOCTTY |
			   (S_ISDIR(type) ? O_DIRECTORY : 0),
		   0);
	if (fd < 0 || fstat(fd, &now) < 0)
		return -1;
	if (st.st_dev != now.st_dev || st.st_ino != now.st_ino ||
	    (now.st_mode & S_IFMT) != type) {
		errno = ESTALE;
		return -1;
	}
	return take_fd(&fd);
}

int path_stat(int root, const char *path, unsigned int way, struct stat *ret)
{
	autoclose int fd = -1;

	if (is_name(path))
		return fstatat(root, path, ret, AT_SYMLINK_NOFOLLOW);
	fd = open2(root, path, way, O_PATH | O_NOFOLLOW, 0);
	return fd < 0 ? -1 : fstat(fd, ret);
}

ssize_t path_readlink(int root, const char *path, unsigned int way, char *ret,
		      size_t n)
{
	autoparent struct parent p = {.fd = -1};
	ssize_t len;

	if (find_parent(root, path, way, &p) < 0)
		return -1;
	len = readlinkat(p.fd, p.name, ret, n);
	if (len < 0)
		return -1;
	if ((size_t)len >= n) {
		errno = ENAMETOOLONG;
		return -1;
	}
	ret[len] = '\0';
	return len;
}

/* ---- entries ----------------------------------------------------------------- */

int path_mkdir(int root, const char *path, unsigned int way, mode_t mode)
{
	autoparent struct parent p = {.fd = -1};

	if (find_parent(root, path, way, &p) < 0)
		return -1;
	return mkdirat(p.fd, p.name, mode);
}

int path_mknod(int root, const char *path, unsigned int way, mode_t mode,
	       dev_t dev)
{
	autoparent struct parent p = {.fd = -1};

	if (find_parent(root, path, way, &p) < 0)
		return -1;
	return mknodat(p.fd, p.name, mode, dev);
}

int path_symlink(const char *target, int root, const char *path,
		 unsigned int way)
{
	autoparent struct parent p = {.fd = -1};

	if (find_parent(root, path, way, &p) < 0)
		return -1;
	return symlinkat(target, p.fd, p.name);
}

int path_link(int from_root, const char *from, int to_root, const char *to,
	      unsigned int way)
{
	autoparent struct parent a = {.fd = -1};
	autoparent struct parent b = {.fd = -1};

	if (find_parent(from_root, from, way, &a) < 0 ||
	    find_parent(to_root, to, way, &b) < 0)
		return -1;
	return linkat(a.fd, a.name, b.fd, b.name, 0);
}

int path_rename(int from_root, const char *from, int to_root, const char *to,
		unsigned int way, unsigned int flags)
{
	autoparent struct parent a = {.fd = -1};
	autoparent struct parent b = {.fd = -1};

	if (find_parent(from_root, from, way, &a) < 0 ||
	    find_parent(to_root, to, way, &b) < 0)
		return -1;
	return (int)syscall(SYS_renameat2, a.fd, a.name, b.fd, b.name, flags);
}

int path_unlink(int root, const char *path, unsigned int way, int flags)
{
	autoparent struct parent p = {.fd = -1};

	if (find_parent(root, path, way, &p) < 0)
		return -1;
	return unlinkat(p.fd, p.name, flags);
}

/* ---- attributes ---------------------------------------------------------------- */

/* The root has no known entry, so change it through its fd. */
static int find_object(int root, const char *path, unsigned int way,
		       struct parent *ret)
{
	int fd;

	if (*path && strcmp(path, ".") != 0)
		return find_parent(root, path, way, ret);
	fd = open2(root, ".", way, O_PATH | O_DIRECTORY, 0);
	*ret = (struct parent){.fd = fd, .opened = fd >= 0, .name = "."};
	return fd < 0 ? -1 : 0;
}

int path_chown(int root, const char *path, unsigned int way, uid_t uid,
	       gid_t gid)
{
	autoparent struct parent p = {.fd = -1};

	if (find_object(root, path, way, &p) < 0)
		return -1;
	return fchownat(p.fd, p.name, uid, gid, AT_SYMLINK_NOFOLLOW);
}

int path_chmod(int root, const char *path, unsigned int way, mode_t mode)
{
	autoparent struct parent p = {.fd = -1};
	struct stat st;

	if (find_object(root, path, way, &p) < 0)
		return -1;
	if (syscall(SYS_fchmodat2, p.fd, p.name, mode, AT_SYMLINK_NOFOLLOW) ==
	    0)
		return 0;
	/* EPERM: also what an older container engine's filter says. */
	if (errno != ENOSYS && errno != EPERM)
		return -1;
	if (fstatat(p.fd, p.name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -1;
	if (S_ISLNK(st.st_mode)) {
		errno = EOPNOTSUPP;
		return -1;
	}
	/* Deletable with 6.6. glibc uses /proc if it is mounted. */
	return fchmodat(p.fd, p.name, mode, AT_SYMLINK_NOFOLLOW) < 0 &&
			       errno == EOPNOTSUPP
		       ? fchmodat(p.fd, p.name, mode, 0)
		       : 0;
}

int path_utimens(int root, const char *path, unsigned int way,
		 const struct timespec t[2])
{
	autoparent struct parent p = {.fd = -1};

	if (find_object(root, path, way, &p) < 0)
		return -1;
	return utimensat(p.fd, p.name, t, AT_SYMLINK_NOFOLLOW);
}

/* ---- extended attributes ------------------------------------------------------- */

/* As the kernel has it: <linux/xattr.h> of Debian 12 does not. */
struct xattr_value {
	uint64_t value;
	uint32_t size;
	uint32_t flags;
};

/* One of the three xattr calls and its arguments. */
struct xattr_call {
	long nr;
	const char *name;
	void *value;
	size_t size;
};

static ssize_t call_at(const struct xattr_call *c, int dirfd, const char *leaf)
{
	struct xattr_value v = {
		.value = (uintptr_t)c->value,
		.size = (uint32_t)c->size,
	};

	if (c->nr == SYS_listxattrat)
		return syscall(c->nr, dirfd, leaf, AT_SYMLINK_NOFOLLOW,
			       c->value, c->size);
	return syscall(c->nr, dirfd, leaf, AT_SYMLINK_NOFOLLOW, c->name, &v,
		       sizeof(v));
}

static ssize_t call_here(const struct xattr_call *c, const char *leaf)
{
	switch (c->nr) {
	case SYS_listxattrat:
		return llistxattr(leaf, c->value, c->size);
	case SYS_getxattrat:
		return lgetxattr(leaf, c->name, c->value, c->size);
	default:
		return lsetxattr(leaf, c->name, c->value, c->size, 0);
	}
}

/* Deletable with 6.13. A plain name in its directory: no link to follow. */
static ssize_t call_from(const struct xattr_call *c, int dirfd,
			 const char *leaf)
{
	autoclose int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	ssize_t n;
	int why;

	if (here < 0 || (dirfd != AT_FDCWD && fchdir(dirfd) < 0))
		return -1;
	n = call_here(c, leaf);
	why = errno;
	/* In a wrong cwd every later path would mean another file. */
	if (fchdir(here) < 0)
		abort();
	errno = why;
	return n;
}

static ssize_t call_on(const struct xattr_call *c, int root, const char *path,
		       unsigned int way)
{
	autoparent struct parent p = {.fd = -1};
	ssize_t n;

	if (find_object(root, path, way, &p) < 0)
		return -1;
	n = call_at(c, p.fd, p.name);
	/* EPERM: also what an older container engine's filter says. */
	if (n < 0 && (errno == ENOSYS || errno == EPERM))
		n = call_from(c, p.fd, p.name);
	return n;
}

ssize_t path_listxattr(int root, const char *path, unsigned int way, char *ret,
		       size_t n)
{
	const struct xattr_call c = {
		.nr = SYS_listxattrat, .value = ret, .size = n};

	return call_on(&c, root, path, way);
}

ssize_t path_getxattr(int root, const char *path, unsigned int way,
		      const char *name, void *ret, size_t n)
{
	const struct xattr_call c = {
		.nr = SYS_getxattrat, .name = name, .value = ret, .size = n};

	return call_on(&c, root, path, way);
}

int path_setxattr(int root, const char *path, unsigned int way,
		  const char *name, const void *value, size_t n)
{
	union {
		const void *given;
		void *value;
	} u = {.given = value};
	const struct xattr_call c = {
		.nr = SYS_setxattrat,
		.name = name,
		.value = u.value,
		.size = n,
	};

	return (int)call_on(&c, root, path, way);
}

/* ---- mkdir -p ------------------------------------------------------------------ */

/*
 * Walk one component at a time; "at" is the directory reached. A directory, or
 * a link to one, is entered by openat2 below the root, so ".." and absolute
 * links mean what they mean to the kernel. A dangling link is replaced by its
 * target.
 */
struct maker {
	int root;
	unsigned int way;
	mode_t mode;
	int links;
	char *done; /* the path walked so far, "" or "a/b", links included */
	char *rest;
};

static char *joined(const char *dir, const char *name)
{
	return xasprintf("%s%s%s", dir, *dir ? "/" : "", name);
}

static int follow_broken(struct maker *m, const char *path)
{
	char to[PATH_MAX];
	char *rest;

	if ((m->way & PATH_WAY) == PATH_NO_LINKS || --m->links < 0) {
		errno = ELOOP;
		return -1;
	}
	if (path_readlink(m->root, path, m->way, to, sizeof(to)) < 0)
		return -1;
	if (to[0] == '/' && (m->way & PATH_WAY) == PATH_BENEATH) {
		errno = EXDEV;
		return -1;
	}
	rest = xasprintf("%s/%s", to, m->rest);
	free(m->rest);
	m->rest = rest;
	if (to[0] == '/')
		m->done[0] = '\0';
	return 0;
}

static int make_step(struct maker *m, const char *name)
{
	autofree char *path = joined(m->done, name);
	autoclose int fd =
		open2(m->root, path, m->way, O_PATH | O_DIRECTORY, 0);

	if (fd < 0 && errno == ENOENT) {
		if (strcmp(name, "..") != 0 &&
		    path_mkdir(m->root, path, m->way, m->mode) < 0) {
			/* It exists but cannot be opened: a dangling link. */
			return errno == EEXIST ? follow_broken(m, path) : -1;
		}
	} else if (fd < 0) {
		return -1;
	}
	free(m->done);
	m->done = take_ptr(&path);
	return 0;
}

int path_make_dirs(int root, const char *path, unsigned int way, mode_t mode)
{
	struct maker m = {
		.root = root,
		.way = way,
		.mode = mode,
		.links = LINKS_MAX,
		.done = xstrdup(""),
		.rest = xstrdup(path),
	};
	int rc = open2(root, path, way, O_PATH | O_DIRECTORY, 0);

	if (rc < 0 && errno == ENOENT) {
		rc = 0;
		while (rc == 0 && *m.rest) {
			const size_t n = strcspn(m.rest, "/");
			autofree char *name = xstrndup(m.rest, n);

			memmove(m.rest, m.rest + n + (m.rest[n] == '/'),
				strlen(m.rest + n + (m.rest[n] == '/')) + 1);
			if (*name && strcmp(name, ".") != 0)
				rc = make_step(&m, name);
		}
		if (rc == 0)
			rc = open2(root, m.done, way, O_PATH | O_DIRECTORY, 0);
	}
	own_free(&m.done);
	own_free(&m.rest);
	return rc;
}
