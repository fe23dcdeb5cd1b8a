/*
 * changes - what an upper directory of an overlay changes in the tree below it
 *
 * A for what is new, C for what was there, D for what is gone, parents before
 * children, names sorted, as `docker diff` prints them. A directory above a
 * change is a change too. Whatever was opened for writing and left as it was
 * (same mode, owner, size, times, xattrs) is none.
 *
 * Life: changes_find -> use v[0..n) -> changes_free.
 */
#ifndef STORE_CHANGES_H
#define STORE_CHANGES_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct change {
	char kind;  /* 'A', 'C', 'D' */
	char *path; /* "/etc/passwd" */
};

struct changes {
	struct change *v;
	size_t n;
	size_t cap;
};

/*
 * upper: readable; image: the merged tree below it, any directory fd.
 * userxattr as for tarout. add to an empty struct.
 */
int changes_find(int upper, int image, bool userxattr, struct changes *ret,
		 struct err *e);
void changes_free(struct changes *c);
#define autochanges __attribute__((cleanup(changes_free)))

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
