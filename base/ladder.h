/*
 * ladder - the directories from a root down to where one stands
 *
 * A tree that someone else wrote may be deeper than there are file descriptors
 * or room on the stack. A ladder holds one rung per directory, but keeps only
 * the lowest LADDER_OPEN of them open. A rung that was closed is opened again
 * through ".." of the one below it, which is believed only if it has the device
 * and inode number of before: a directory that was moved meanwhile is ESTALE,
 * never another place.
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
	dev_t dev; /* known since the rung was closed */
	ino_t ino;
	int fd; /* -1: closed */
};

struct ladder {
	struct rung *v;
	size_t n;
	size_t cap;
	int flags; /* to reopen with: O_RDONLY or O_PATH */
};

/* One rung further down; takes the fd of a directory, also on failure. */
int ladder_down(struct ladder *l, int fd);

/* The lowest directory, always open; -1 of an empty ladder. */
int ladder_fd(const struct ladder *l);

/*
 * The directory above the lowest one, reopened if need be. -1: ESTALE, or
 * ENOENT if there is none.
 */
int ladder_above(struct ladder *l);

/*
 * Leave the lowest directory, for the one above it: ladder_above first, or
 * that one may be closed.
 */
void ladder_up(struct ladder *l);

void ladder_free(struct ladder *l);
#define autoladder __attribute__((cleanup(ladder_free)))

#endif
