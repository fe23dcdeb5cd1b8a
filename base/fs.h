/*
 * fs - files by directory fd and name; nothing is modified in place
 */
#ifndef BASE_FS_H
#define BASE_FS_H

#include "buf.h"
#include "err.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Read a small file whole. ERR_NOTFOUND if absent, ERR_TOOBIG past b->max. */
int fs_read_at(int dirfd, const char *name, struct buf *b, struct err *e);

/* Write a new file. After an error a partly written file stays. */
int fs_write_new_at(int dirfd, const char *name, const void *p, size_t n,
		    mode_t mode, bool sync, struct err *e);

/*
 * Replace a small file whole: tmp name, write, fsync if sync, rename. With
 * sync the directory is fsynced too.
 */
int fs_replace_at(int dirfd, const char *name, const void *p, size_t n,
		  mode_t mode, bool sync, struct err *e);

/* mkdir -p of a relative path below dirfd; symlinks are followed. */
int fs_mkdirs_at(int dirfd, const char *path, mode_t mode, struct err *e);

/* Make (or not) and open a directory: O_RDONLY|O_DIRECTORY|O_CLOEXEC. */
int fs_mkdir_open_at(int dirfd, const char *name, mode_t mode, struct err *e);
int fs_opendir_at(int dirfd, const char *name, struct err *e);

/* Add the names in a directory, sorted, to ret; what: its name in errors. */
struct strv;
int fs_names(int fd, const char *what, struct strv *ret, struct err *e);

/*
 * Remove whatever is at name, a whole tree if it is one; never follows
 * symlinks, copes with modes like 0000, with trees of any depth, and with
 * entries that vanish meanwhile. Absent is success.
 */
int fs_remove_tree_at(int dirfd, const char *name, struct err *e);

enum fs_lock {
	FS_LOCK_SHARED,
	FS_LOCK_EXCLUSIVE,
};
/*
 * flock(2) on name below dirfd, created 0600 if absent. With wait = false a
 * lock held elsewhere is ERR_BUSY. Returns the fd that holds the lock.
 */
int fs_lock_at(int dirfd, const char *name, enum fs_lock mode, bool wait,
	       struct err *e);

/* fsync of a directory fd; "the names are on disk". */
int fs_sync_dir(int fd, const char *what, struct err *e);

#endif
