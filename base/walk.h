/*
 * walk - iterate over a tree that someone else wrote
 *
 * walk_next returns one event per call:
 *
 *   WALK_ENTRY  anything but a directory
 *   WALK_DOWN   a directory, before its entries; walk_skip leaves them out
 *   WALK_UP     the same directory, after its entries
 *   WALK_END    all entries of the root were returned
 *
 * The root itself is not returned. A tree of any depth can be walked: there is
 * no recursion, the number of open directories is bounded (base/ladder), and
 * each level needs a few dozen bytes plus its name. Each directory is opened
 * by its name in its parent, never through a link. An entry that vanishes, or
 * that stops being a directory before it is entered, is passed over.
 *
 * A level that was closed keeps its read position. In a tree that changes
 * during the walk an entry may be returned twice or not at all, but an entry
 * from outside the tree never is: if a directory was moved away, the walk ends
 * with ESTALE.
 *
 * Life: walk_open -> walk_next... -> walk_close, at any time.
 * Errors: ERR_SYS, with the path of the entry. To walk the rest of a damaged
 * tree, clear the error and call walk_next again.
 */
#ifndef BASE_WALK_H
#define BASE_WALK_H

#include "err.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum walk_flag {
	WALK_SORTED = 1,  /* by name; else in file system order */
	WALK_NO_STAT = 2, /* only the type in st is set */
	WALK_NO_XDEV = 4, /* leave out the content of mount points */
	/* The caller removes entries: change modes that prevent it. */
	WALK_REMOVES = 8,
	/* Treat unreadable entries as absent; see walk_denied. */
	WALK_DENIED_OK = 16,
};

enum walk_event {
	WALK_END,
	WALK_ENTRY,
	WALK_DOWN,
	WALK_UP,
};

struct walk_at {
	int dir;   /* the directory that contains the entry, readable */
	int other; /* the directory of the same path in the second tree, or -1 */
	const char *name;
	const char *path; /* the prefix plus the names down to the entry */
	size_t path_len;
	size_t depth; /* 1: directly in the root */
	int fd;       /* WALK_UP: the directory itself, else -1 */
	int other_fd; /* WALK_UP: the same in the second tree, or -1 */
	struct stat st;
};

struct walk;

/*
 * fd: the root, as any directory fd; it is reopened for reading and stays the
 * caller's. prefix: the path of the root; "" gives paths like "a/b", "/" gives
 * "/a/b". Returns NULL on an error.
 */
struct walk *walk_open(int fd, const char *prefix, unsigned int flags,
		       struct err *e);

/*
 * Walk a second tree, rooted at fd, in parallel: `other` is its directory of the
 * same path, or -1 below a path that is missing there or is no directory.
 */
int walk_with(struct walk *w, int fd, struct err *e);

/* Returns an enum walk_event, or -1. ret is valid until the next call. */
int walk_next(struct walk *w, struct walk_at *ret, struct err *e);

/* After WALK_DOWN: do not enter the directory. No WALK_UP follows. */
void walk_skip(struct walk *w);

/*
 * After WALK_DOWN: enter this fd, the directory already opened. Takes the fd.
 */
void walk_into(struct walk *w, int fd);

/* Was anything left out because it was unreadable (WALK_DENIED_OK)? */
bool walk_denied(const struct walk *w);

void walk_close(struct walk *w); /* NULL is fine */
void own_walk(struct walk **w);
#define autowalk __attribute__((cleanup(own_walk)))

/* The end of the path, if the whole is too long for an error message. */
const char *walk_tail(const char *path);

#endif
