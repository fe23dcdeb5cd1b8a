/*
 * walk - a tree that someone else wrote, entry by entry
 *
 * A pull loop: walk_next says what comes next.
 *
 *   WALK_ENTRY  anything but a directory
 *   WALK_DOWN   a directory, before it is entered; walk_skip leaves it out
 *   WALK_UP     the same directory, after its content
 *   WALK_END    the root's content has been seen
 *
 * The root itself is no entry. There is no recursion, the number of open
 * directories is bounded (base/ladder), the memory of a level is a few dozen
 * bytes and its name: a tree of any depth can be walked. Each directory is
 * opened by its name in the one above, never through a link. An entry that
 * vanishes, or is no directory any more when it is to be entered, is passed
 * over. The read position of a level that was closed is kept; a tree that others
 * change at the same time may show an entry twice or not at all, but never one
 * from elsewhere: a directory that was moved away ends the walk with ESTALE.
 *
 * Life: walk_open -> walk_next... -> walk_close, at any time.
 * Errors: ERR_SYS, with the path of the entry. A caller that wants the rest of
 * a damaged tree clears the error and calls walk_next again.
 */
#ifndef BASE_WALK_H
#define BASE_WALK_H

#include "err.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum walk_flag {
	WALK_SORTED = 1,  /* by name; else as the file system has them */
	WALK_NO_STAT = 2, /* of st only the type is set */
	WALK_NO_XDEV = 4, /* the content of a mount point is left out */
	/* What is removed meanwhile: modes that are in the way are changed. */
	WALK_REMOVES = 8,
	/* What may not be looked at counts as absent: walk_denied. */
	WALK_DENIED_OK = 16,
};

enum walk_event {
	WALK_END,
	WALK_ENTRY,
	WALK_DOWN,
	WALK_UP,
};

struct walk_at {
	int dir;   /* the directory that the entry is in, readable */
	int other; /* the companion's (walk_with) of the same path, or -1 */
	const char *name;
	const char *path; /* the prefix, then the names down to it */
	size_t path_len;
	size_t depth; /* 1: in the root */
	int fd;       /* WALK_UP: the directory itself, else -1 */
	int other_fd; /* WALK_UP: its companion, or -1 */
	struct stat st;
};

struct walk;

/*
 * fd: the root, any directory fd; it is opened again, readable. prefix: the
 * path of the root; "" and "/" give "a/b" and "/a/b". NULL on an error.
 */
struct walk *walk_open(int fd, const char *prefix, unsigned int flags,
		       struct err *e);

/*
 * A second tree goes along: where a directory of the same path is there, its
 * fd is given; below one that is not there, or no directory, -1 is.
 */
int walk_with(struct walk *w, int fd, struct err *e);

/* An enum walk_event, or -1. ret is valid until the next call. */
int walk_next(struct walk *w, struct walk_at *ret, struct err *e);

/* After WALK_DOWN: not into it; no WALK_UP follows. */
void walk_skip(struct walk *w);

/* After WALK_DOWN: this is it, opened already. Takes the fd. */
void walk_into(struct walk *w, int fd);

/* Was something left out because of its directory's mode? */
bool walk_denied(const struct walk *w);

void walk_close(struct walk *w); /* NULL is fine */
void own_walk(struct walk **w);
#define autowalk __attribute__((cleanup(own_walk)))

/* The end of a path that is too long to be shown. */
const char *walk_tail(const char *path);

#endif
