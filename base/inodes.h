/*
 * inodes - files with several names, by the name that was seen first
 *
 * Life: {0} -> inodes_seen... -> inodes_free.
 */
#ifndef BASE_INODES_H
#define BASE_INODES_H

#include <stddef.h>
#include <sys/stat.h>

struct inode_name;

struct inodes {
	struct inode_name *v; /* a hash table, never full */
	size_t n;
	size_t cap;
};

/*
 * The path under which this file was seen before; NULL if this one, which is
 * copied, is the first, or if it has one name only.
 */
const char *inodes_seen(struct inodes *m, const struct stat *st,
			const char *path);
void inodes_free(struct inodes *m);

#endif
