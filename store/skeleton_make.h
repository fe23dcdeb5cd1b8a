/*
 * skeleton_make - one directory of a skeleton, and what is put into it
 *
 * A maker fills one directory of the skeleton ("top", "patch-3"). Entries get
 * owner, mode and xattrs at once and their times at the very end, when nothing
 * is put into a directory any more.
 *
 * The paths are an image's. A layer may name one place in two ways, through
 * links of the layers below, and say different things about it, so nothing
 * that exists is believed to be what was asked for: its type is looked at, and
 * a link on the way to an entry is never followed. What comes later takes the
 * place of what was there, as in a tar; only a directory that became something
 * else is refused, since what was put into it would be lost.
 *
 * Life: maker_open -> maker_dir, maker_entry ... -> maker_finish, maker_free.
 */
#ifndef STORE_SKELETON_MAKE_H
#define STORE_SKELETON_MAKE_H

#include "base/err.h"
#include "store/skeleton_view.h"
#include <stdbool.h>
#include <sys/stat.h>

struct maker;

/* Make the directory name below out_fd; v is borrowed. */
int maker_open(struct view *v, bool userxattr, int out_fd, const char *name,
	       struct maker **ret, struct err *e);

/* O_RDONLY fd of its root; borrowed. */
int maker_fd(const struct maker *m);

/* The view that it was made with. */
struct view *maker_view(const struct maker *m);

/* Make path and what leads to it, looking as the view shows them. */
int maker_dir(struct maker *m, const char *path, struct err *e);

/* The type of what was made at path; 0: nothing was. */
int maker_type(const struct maker *m, const char *path, mode_t *ret,
	       struct err *e);

/*
 * Make path as a copy of the entry name in dirfd, a layer's: a directory
 * without what is in it, a file, a symlink, a device or a fifo. Its parent is
 * there. A directory is opaque when it takes the place of something else.
 */
int maker_entry(struct maker *m, const char *path, int dirfd, const char *name,
		struct err *e);

/* A whiteout, if nothing was made at path. */
int maker_whiteout(struct maker *m, const char *path, struct err *e);

/* Set the times. 0 or -1; m may be NULL. */
int maker_finish(struct maker *m, struct err *e);
void maker_free(struct maker *m);
void own_maker(struct maker **m);
#define automaker __attribute__((cleanup(own_maker)))

#endif
