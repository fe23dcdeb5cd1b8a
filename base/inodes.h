/*
 * inodes - find hardlinks: the first path seen for each inode
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
 * The path under which this file was seen before. NULL if the file has only one
 * name, or is seen for the first time: then a copy of path is remembered.
 */
const char *inodes_seen(struct inodes *m, const struct stat *st,
			const char *path);
void inodes_free(struct inodes *m);

#endif
