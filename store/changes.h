/*
 * changes - find what an upper directory of an overlay changes in the tree
 * below
 *
 * A: a new entry, C: a changed one, D: a deleted one; parents before children,
 * names sorted, as `docker diff` prints them. The directories above a change
 * are changes too. A file that was opened for writing but not changed (same
 * mode, owner, size, times, xattrs) is no change.
 *
 * Changes are reported one by one, because the paths of a deep tree could
 * exceed the memory.
 */
#ifndef STORE_CHANGES_H
#define STORE_CHANGES_H

#include "base/err.h"
#include <stdbool.h>

struct changes_of {
	int upper;      /* readable */
	int image;      /* the merged tree below it, any directory fd */
	bool userxattr; /* as for tarout */
};

/* kind: 'A', 'C' or 'D'; path: "/etc/passwd". Returning -1 stops the search. */
typedef int (*change_fn)(void *ctx, char kind, const char *path, struct err *e);

int changes_find(const struct changes_of *of, change_fn each, void *ctx,
		 struct err *e);

/*
 * 1 if the extended attributes of the entry `name` differ between the two
 * directories, without overlay's own; 0 if not; -1 on an error.
 */
int change_of_xattrs(int upper_dir, int image_dir, const char *name,
		     bool userxattr, struct err *e);

/*
 * Did prism itself make this entry, as a mount point, and the image has none of
 * that name? path as in a tar: "etc/hosts".
 */
bool change_is_stub(const char *path, int upper_dir, const char *leaf,
		    int image);

#endif
