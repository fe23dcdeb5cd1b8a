/*
 * skeleton_make - directories of a skeleton, with attributes from the view
 *
 * A maker fills one directory of the skeleton ("top", "patch-3"). Directories
 * get owner, mode and xattrs at once and their times at the very end, when
 * nothing is put into them any more.
 *
 * Life: maker_open -> maker_dir, maker_move ... -> maker_close.
 */
#ifndef STORE_SKELETON_MAKE_H
#define STORE_SKELETON_MAKE_H

#include "base/err.h"
#include "store/skeleton_view.h"
#include <stdbool.h>

struct maker;

/* Make the directory name below out_fd; v is borrowed. */
int maker_open(struct view *v, bool userxattr, int out_fd, const char *name,
	       struct maker **ret, struct err *e);

/* O_RDONLY fd of its root; borrowed. */
int maker_fd(const struct maker *m);

/* Make path and what leads to it, looking as the view shows them. */
int maker_dir(struct maker *m, const char *path, struct err *e);

/*
 * Write through: the view shows a symlink at link that leads to the directory
 * dst, and level has a directory there, meant for dst. Put the symlink and the
 * content at their places. Whiteouts that were moved are added to *ret_white.
 * lower is the view below the level.
 */
int maker_move(struct maker *m, struct view *lower, const struct level *level,
	       const char *link, const char *dst, struct paths *ret_white,
	       struct err *e);

/* Set the times, free. 0 or -1; m may be NULL. */
int maker_finish(struct maker *m, struct err *e);
void maker_free(struct maker *m);
void own_maker(struct maker **m);
#define automaker __attribute__((cleanup(own_maker)))

#endif
