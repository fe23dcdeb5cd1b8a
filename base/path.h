/*
 * path - the only way to look up a path that someone else wrote
 *
 * The contents of images, archives, containers and volumes are hostile: their
 * symlinks point anywhere, their device nodes act when they are opened, and a
 * running program may replace one file by another during a lookup. Every
 * lookup below such a root goes through this module. It uses openat2(2) and
 * never follows the magic links of procfs (/proc/self/fd/N and the like; see
 * CVE-2019-5736 and CVE-2024-21626). base/fs handles names that prism chose
 * itself in its own directories. tests/lint/paths.sh rejects raw path calls
 * elsewhere.
 *
 * A root is an open directory (O_PATH is enough). AT_FDCWD stands for the
 * working directory, which is "/" after a pivot. The caller first decides how
 * to walk the path:
 *
 *   PATH_IN_ROOT    follow links inside the root, as after chroot(2): an
 *                   absolute path or link starts at the root
 *   PATH_BENEATH    follow links; a link that leads out of the root is EXDEV
 *   PATH_NO_LINKS   any link before the last component is ELOOP; for trees
 *                   whose links were resolved before, such as a layer
 *
 * PATH_NO_XDEV, or'ed to one of the three, makes a mount on the path EXDEV.
 *
 * Calls that create, remove or change an object never follow its last
 * component. path_open does, unless O_NOFOLLOW or PATH_NO_LINKS is given. A
 * path without a slash needs no extra lookup for its parent.
 *
 * Errors: -1 and errno, as from the system call; the caller, which knows the
 * object, words the message. A path that ends in "/", "." or ".." names no
 * entry and is EINVAL. Exceptions: path_open, path_stat and the calls that
 * change attributes accept "." and "" as the root itself.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>

/* Since 6.13 and 6.6; one number on all architectures but alpha. */
#ifndef SYS_setxattrat
#define SYS_setxattrat  463
#define SYS_getxattrat  464
#define SYS_listxattrat 465
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

/* What these functions call: for lists of allowed system calls. */
#define PATH_CALLS_READ                                                  \
	SYS_openat2, SYS_openat, SYS_newfstatat, SYS_fstat, SYS_fstatfs, \
		SYS_readlinkat, SYS_listxattrat, SYS_getxattrat,         \
		SYS_llistxattr, SYS_lgetxattr, SYS_fchdir
#define PATH_CALLS_WRITE                                                      \
	PATH_CALLS_READ, SYS_mkdirat, SYS_mknodat, SYS_symlinkat, SYS_linkat, \
		SYS_renameat2, SYS_unlinkat, SYS_fchownat, SYS_fchmodat,      \
		SYS_fchmodat2, SYS_utimensat, SYS_setxattrat, SYS_lsetxattr

enum path_way {
	PATH_IN_ROOT,
	PATH_BENEATH,
	PATH_NO_LINKS,
	PATH_WAY = 3,     /* mask of the three */
	PATH_NO_XDEV = 4, /* a flag, or'ed to one of the three */
};

/* open(2), plus O_CLOEXEC; mode is used with O_CREAT only. */
int path_open(int root, const char *path, unsigned int way, int flags,
	      mode_t mode);

/*
 * Open an existing object, but only if it has this type (S_IFREG, S_IFDIR,
 * ...). The type is checked before the open, so opening never triggers a
 * device, fifo or socket. ENOTDIR: a directory was asked for and something
 * else exists; EISDIR: the reverse; EBADF: any other type, or a file of procfs
 * or sysfs, which no image can contain. ESTALE: the object was replaced between
 * the check and the open.
 */
int path_open_type(int root, const char *path, unsigned int way, mode_t type,
		   int flags);

/*
 * Open (O_PATH) the directory that contains the last component of path.
 * *ret_name is that component; it points into path. For callers that make
 * several calls on one entry.
 */
int path_open_parent(int root, const char *path, unsigned int way,
		     const char **ret_name);

/*
 * mkdir -p: create the missing directories of path with this mode and return
 * the last one, opened O_PATH | O_DIRECTORY. With PATH_IN_ROOT a dangling link
 * is followed and its target created, as a program in the container would do
 * (at most 40 links, else ELOOP).
 */
int path_make_dirs(int root, const char *path, unsigned int way, mode_t mode);

/* lstat(2) */
int path_stat(int root, const char *path, unsigned int way, struct stat *ret);

/*
 * readlink(2), plus a terminating NUL. Returns the length without the NUL;
 * ENAMETOOLONG if the target and the NUL do not fit into n bytes.
 */
ssize_t path_readlink(int root, const char *path, unsigned int way, char *ret,
		      size_t n);

/* EEXIST if the entry exists, whatever its type. */
int path_mkdir(int root, const char *path, unsigned int way, mode_t mode);
int path_mknod(int root, const char *path, unsigned int way, mode_t mode,
	       dev_t dev);
int path_symlink(const char *target, int root, const char *path,
		 unsigned int way);
int path_link(int from_root, const char *from, int to_root, const char *to,
	      unsigned int way);

/* flags: those of renameat2(2) and unlinkat(2). */
int path_rename(int from_root, const char *from, int to_root, const char *to,
		unsigned int way, unsigned int flags);
int path_unlink(int root, const char *path, unsigned int way, int flags);

/*
 * Change the attributes of the object itself, also of a link. path_chmod of a
 * link is EOPNOTSUPP, since links have no mode.
 */
int path_chown(int root, const char *path, unsigned int way, uid_t uid,
	       gid_t gid);
int path_chmod(int root, const char *path, unsigned int way, mode_t mode);
int path_utimens(int root, const char *path, unsigned int way,
		 const struct timespec t[2]);

/*
 * Like listxattr(2), getxattr(2) and setxattr(2), on the object itself, also on
 * a link. Before Linux 6.13 these change the working directory for a moment, so
 * a process with several threads must not call them.
 */
ssize_t path_listxattr(int root, const char *path, unsigned int way, char *ret,
		       size_t n);
ssize_t path_getxattr(int root, const char *path, unsigned int way,
		      const char *name, void *ret, size_t n);
int path_setxattr(int root, const char *path, unsigned int way,
		  const char *name, const void *value, size_t n);

#endif
