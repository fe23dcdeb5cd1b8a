/*
 * changes - what an upper directory of an overlay changes in the tree below it
 *
 * A for what is new, C for what was there, D for what is gone, parents before
 * children, names sorted, as `docker diff` prints them. A directory above a
 * change is a change too. Whatever was opened for writing and left as it was
 * (same mode, owner, size, times, xattrs) is none.
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
 * 1: the extended attributes of what is called name in both directories
 * differ, overlay's own left out; 0: they do not; -1.
 */
int change_of_xattrs(int upper_dir, int image_dir, const char *name,
		     bool userxattr, struct err *e);

/*
 * Did prism itself put it there, as a place to mount something on, and the
 * image has nothing of that name? path as in a tar: "etc/hosts".
 */
bool change_is_stub(const char *path, int upper_dir, const char *leaf,
		    int image);

#endif
