/*
 * stdfds - choose the stdin, stdout and stderr of a program
 *
 * An open file gives more than a stream of bytes: with it a process can change
 * the file's mode and owner, reopen it through /proc/self/fd, read its earlier
 * content and truncate it. So a program in a container gets the caller's own
 * fds only if they have neither name nor content: pipes and sockets made by
 * pipe(2) and socket(2). In place of a regular file, terminal, device,
 * directory or fifo it gets a pipe, and a hub copies the bytes. In place of the
 * null device it gets the container's own, because a program could change the
 * mode of the host's node too.
 *
 * If stdout and stderr are one file they share one pipe, which keeps the order
 * of the output.
 *
 * The caller's own fds must be below 3 and pipes must be above; main() ensures
 * this. So the number of an fd tells who closes it.
 *
 * Life: stdfds_make -> start the program with .theirs -> stdfds_close_theirs ->
 * give .ours to a hub (stdfds_ends), or stdfds_close.
 */
#ifndef RUNTIME_STDFDS_H
#define RUNTIME_STDFDS_H

#include "base/err.h"

#include <stdbool.h>

struct hub_ends;

/* Values that stand in place of an fd: */
#define STDFDS_NULL (-1) /* the container's null device */
#define STDFDS_PIPE (-2) /* a new pipe, whatever the caller has */

struct stdfds {
	int theirs[3]; /* the program's: an fd, or STDFDS_NULL */
	int ours[3];   /* the other ends of new pipes; -1: none */
};

#define STDFDS_NONE                                                \
	{                                                          \
		.theirs = {STDFDS_NULL, STDFDS_NULL, STDFDS_NULL}, \
		.ours = {-1, -1, -1},                              \
	}

/*
 * own: for stdin, stdout and stderr the caller's fd, STDFDS_NULL or
 * STDFDS_PIPE. If stdout and stderr share a pipe, ours[2] is -1 and theirs[2]
 * is theirs[1].
 */
int stdfds_make(const int own[3], struct stdfds *ret, struct err *e);

/* False if the program uses the caller's fds itself and nothing is copied. */
bool stdfds_is_copied(const struct stdfds *s);

void stdfds_close_theirs(struct stdfds *s);
void stdfds_close(struct stdfds *s);

/* Move our ends to *ret, for a hub, which then owns them. */
void stdfds_ends(struct stdfds *s, struct hub_ends *ret);

/*
 * Open /dev/null of the container; the cwd is its root. ERR_INVALID if that is
 * not the null device.
 */
int stdfds_open_null(struct err *e);

#endif
