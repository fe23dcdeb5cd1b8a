/*
 * path - the one way to touch a path that someone else wrote
 *
 * What comes from an image, an archive, a container or a volume is hostile:
 * its links point where the author likes, its devices act when they are
 * opened, and the program that runs in it may exchange one for the other
 * meanwhile. Every lookup below such a root goes through this module, which
 * asks openat2(2) and never follows a magic link of procfs (/proc/self/fd/N
 * and its like). Names that prism chose itself, in its own directories, are
 * for base/fs. tests/lint/paths.sh refuses the raw calls elsewhere.
 *
 * A root is an open directory (O_PATH is enough); AT_FDCWD is the cwd, for "/"
 * after a pivot. With PATH_IN_ROOT an absolute path starts at the root as
 * well. How the way to the object is walked is the caller's first decision:
 *
 *   PATH_IN_ROOT    links are followed, and end inside, as behind a chroot
 *   PATH_BENEATH    links are followed, but one that leads out is EXDEV
 *   PATH_NO_LINKS   any link on the way is ELOOP; nothing leads out: for trees
 *                   that somebody resolved already, the layer writer's
 *
 * with PATH_NO_XDEV: a mount on the way is EXDEV.
 *
 * The last component is never followed by the calls that make, remove or
 * change something, whatever the way is; path_open follows it unless
 * O_NOFOLLOW or PATH_NO_LINKS is given. A path without a slash costs no lookup
 * of its own.
 *
 * Errors: -1 and errno, as the system calls have it: callers word it, since
 * they know the object. Paths with a trailing slash, "." and ".." as the last
 * component name no entry: EINVAL from all but path_open, path_stat and the
 * calls that change attributes, which take "." and "" as the root itself.
 */
#ifndef BASE_PATH_H
#define BASE_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

enum path_way {
	PATH_IN_ROOT,
	PATH_BENEATH,
	PATH_NO_LINKS,
	PATH_WAY = 3,     /* mask of the three */
	PATH_NO_XDEV = 4, /* a flag, or'ed to one of the three */
};

/* open(2) with O_CLOEXEC added; mode counts with O_CREAT. */
int path_open(int root, const char *path, unsigned int way, int flags,
	      mode_t mode);

/*
 * Open what exists, and only if it is of this type (S_IFREG, S_IFDIR, ...).
 * The type is looked at before the open, so that a device, a fifo or a socket
 * that stands there is not touched: EBADF is what they get, ENOTDIR where a
 * directory was asked for, EISDIR where one was found instead. An object that
 * was exchanged between look and open is ESTALE. A file of procfs or sysfs
 * counts as none of the image's: EBADF.
 */
int path_open_type(int root, const char *path, unsigned int way, mode_t type,
		   int flags);

/*
 * The directory that path's last component is an entry of (O_PATH), and that
 * component, which points into path. For callers with several calls to make.
 */
int path_open_parent(int root, const char *path, unsigned int way,
		     const char **ret_name);

/*
 * mkdir -p: the directories of path that are missing are made with mode, and
 * the last one is returned, O_PATH | O_DIRECTORY. With PATH_IN_ROOT a link
 * whose end is missing is followed and its end made, as a program in the
 * container would (at most 40 links, else ELOOP).
 */
int path_make_dirs(int root, const char *path, unsigned int way, mode_t mode);

/* lstat(2) */
int path_stat(int root, const char *path, unsigned int way, struct stat *ret);

/*
 * readlink(2) with a NUL: the length, without it. ENAMETOOLONG if n bytes
 * cannot hold both.
 */
ssize_t path_readlink(int root, const char *path, unsigned int way, char *ret,
		      size_t n);

/* The entry must not exist yet: EEXIST, of whatever type that is. */
int path_mkdir(int root, const char *path, unsigned int way, mode_t mode);
int path_mknod(int root, const char *path, unsigned int way, mode_t mode,
	       dev_t dev);
int path_symlink(const char *target, int root, const char *path,
		 unsigned int way);
int path_link(int from_root, const char *from, int to_root, const char *to,
	      unsigned int way);

/* flags: as renameat2(2) and unlinkat(2) have them. */
int path_rename(int from_root, const char *from, int to_root, const char *to,
		unsigned int way, unsigned int flags);
int path_unlink(int root, const char *path, unsigned int way, int flags);

/*
 * Attributes of the object itself. A link has no mode: path_chmod of one is
 * EOPNOTSUPP.
 */
int path_chown(int root, const char *path, unsigned int way, uid_t uid,
	       gid_t gid);
int path_chmod(int root, const char *path, unsigned int way, mode_t mode);
int path_utimens(int root, const char *path, unsigned int way,
		 const struct timespec t[2]);

/*
 * Extended attributes of the object itself, links included: as listxattr(2),
 * getxattr(2) and setxattr(2). Before Linux 6.13 the working directory is
 * elsewhere for a moment: not for programs with threads.
 */
ssize_t path_listxattr(int root, const char *path, unsigned int way, char *ret,
		       size_t n);
ssize_t path_getxattr(int root, const char *path, unsigned int way,
		      const char *name, void *ret, size_t n);
int path_setxattr(int root, const char *path, unsigned int way,
		  const char *name, const void *value, size_t n);

#endif
