/*
 * skeleton_make - fill one directory of a skeleton
 *
 * A maker fills one directory of the skeleton ("top", "patch-3"). Entries get
 * their owner, mode and xattrs at once. Directories get their times at the end,
 * when no more entries are added.
 *
 * The paths come from an image. A layer may name one place by two paths,
 * through links of the layers below, and give it two different contents. So an
 * existing entry is never assumed to be what was asked for: its type is
 * checked, and no link on the path is followed. A later entry replaces an
 * earlier one, as in a tar. Only replacing a directory by something else is an
 * error, because the entries added to it would be lost.
 *
 * Life: maker_open -> maker_dir, maker_entry... -> maker_finish -> maker_free.
 */
#ifndef STORE_SKELETON_MAKE_H
#define STORE_SKELETON_MAKE_H

#include "base/err.h"
#include "store/skeleton_view.h"
#include <stdbool.h>
#include <sys/stat.h>

struct maker;

/* Create the directory `name` below out_fd. v is borrowed. */
int maker_open(struct view *v, bool userxattr, int out_fd, const char *name,
	       struct maker **ret, struct err *e);

/* The fd of its directory, O_RDONLY; borrowed. */
int maker_fd(const struct maker *m);

/* The view given to maker_open. */
struct view *maker_view(const struct maker *m);

/* Create the directory path and its parents, with the view's attributes. */
int maker_dir(struct maker *m, const char *path, struct err *e);

/* The type of what was made at path so far; 0 for nothing. */
int maker_type(const struct maker *m, const char *path, mode_t *ret,
	       struct err *e);

/*
 * Make path a copy of the entry `name` in dirfd, a directory of a layer: a
 * file, symlink, device, fifo, or directory without its entries. The parent of
 * path must exist. A directory that replaces something else becomes opaque.
 */
int maker_entry(struct maker *m, const char *path, int dirfd, const char *name,
		struct err *e);

/* Make a whiteout at path, unless something was made there. */
int maker_whiteout(struct maker *m, const char *path, struct err *e);

/* Set the times. 0 or -1; m may be NULL. */
int maker_finish(struct maker *m, struct err *e);
void maker_free(struct maker *m);
void own_maker(struct maker **m);
#define automaker __attribute__((cleanup(own_maker)))

#endif
