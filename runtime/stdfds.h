/*
 * stdfds - which stdin, stdout and stderr a program gets
 *
 * An open file is more than a stream of bytes. Whoever holds it can change its
 * mode and owner, open it again through /proc/self/fd, read what was there
 * before and truncate it. So a program in a container gets only those of the
 * caller's files that have no name and no content: pipes and sockets made by
 * pipe(2) and socket(2). For everything else (regular files, terminals,
 * devices, directories, fifos) it gets a pipe, and a hub copies. For the null
 * device it gets the container's own, since the host's node has a mode too.
 *
 * stdout and stderr that are one file share one pipe, which keeps the order of
 * what is written to them.
 *
 * The caller's own fds must be below 3 and pipes are above, which main() sees
 * to: so a number says who has to close it.
 *
 * Life: stdfds_make -> start the program with .theirs -> stdfds_close_theirs ->
 * .ours to a hub (stdfds_ends), or stdfds_close.
 */
#ifndef RUNTIME_STDFDS_H
#define RUNTIME_STDFDS_H

#include "base/err.h"

#include <stdbool.h>

struct hub_ends;

/* Besides fds of the caller's: */
#define STDFDS_NULL (-1) /* the container's null device */
#define STDFDS_PIPE (-2) /* a pipe of its own, whatever the caller has */

struct stdfds {
	int theirs[3]; /* for the program: a fd, or STDFDS_NULL */
	int ours[3];   /* the other ends of its pipes; -1: none */
};

#define STDFDS_NONE                                                \
	{                                                          \
		.theirs = {STDFDS_NULL, STDFDS_NULL, STDFDS_NULL}, \
		.ours = {-1, -1, -1},                              \
	}

/*
 * own: for each of the three the caller's fd, STDFDS_NULL or STDFDS_PIPE. With a
 * shared pipe ours[2] is -1 and theirs[2] is theirs[1].
 */
int stdfds_make(const int own[3], struct stdfds *ret, struct err *e);

/* False: the program has everything itself, and there is nothing to copy. */
bool stdfds_is_copied(const struct stdfds *s);

void stdfds_close_theirs(struct stdfds *s);
void stdfds_close(struct stdfds *s);

/* What a hub needs of it, owned by the hub from then on. */
void stdfds_ends(struct stdfds *s, struct hub_ends *ret);

/*
 * The null device of the container in whose root we are (the cwd is "/"). An
 * error when something else stands there.
 */
int stdfds_open_null(struct err *e);

#endif
