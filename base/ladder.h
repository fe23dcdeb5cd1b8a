/*
 * ladder - the open directories from a root down to the current one
 *
 * A tree that someone else wrote may be deeper than the fd limit or the stack
 * allows. A ladder has one rung per directory but keeps only the lowest
 * LADDER_OPEN of them open. A closed rung is reopened through ".." of the rung
 * below it, and only if device and inode number are unchanged. So a directory
 * that was moved meanwhile is ESTALE and never leads elsewhere.
 *
 * Life: {.flags = O_RDONLY} -> ladder_down... -> ladder_up... -> ladder_free.
 * Errors: -1 and errno, as in base/path.
 */
#ifndef BASE_LADDER_H
#define BASE_LADDER_H

#include <stddef.h>
#include <sys/types.h>

#define LADDER_OPEN 24

struct rung {
	dev_t dev; /* set when the rung is closed */
	ino_t ino;
	int fd; /* -1: closed */
};

struct ladder {
	struct rung *v;
	size_t n;
	size_t cap;
	int flags; /* for reopening: O_RDONLY or O_PATH */
};

/* Add a rung. Takes the directory fd, also on failure. */
int ladder_down(struct ladder *l, int fd);

/* The lowest directory, always open, borrowed; -1 if the ladder is empty. */
int ladder_fd(const struct ladder *l);

/*
 * The directory above the lowest one, reopened if it was closed; borrowed. -1:
 * ESTALE if it was moved, ENOENT if there is none.
 */
int ladder_above(struct ladder *l);

/*
 * Drop the lowest directory. Call ladder_above first, or the directory above it
 * may be closed.
 */
void ladder_up(struct ladder *l);

void ladder_free(struct ladder *l);
#define autoladder __attribute__((cleanup(ladder_free)))

#endif
