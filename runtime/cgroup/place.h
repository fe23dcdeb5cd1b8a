/*
 * place - where a cgroup may be made, and the controllers down to there
 *
 * Whoever may write to the root of the hierarchy makes /prism/<id> there, as a
 * system's service would. An ordinary user has what was delegated: the cgroup
 * that we are in ourselves, if it is ours to write. A v2 cgroup that passes
 * controllers on must not have processes of its own, so those in it (we, and
 * the shell) move to a leaf beside the container's, "prism-host".
 *
 * Errors: what is not delegated, with the file to write and how systemd does
 * it (hint).
 */
#ifndef RUNTIME_CGROUP_PLACE_H
#define RUNTIME_CGROUP_PLACE_H

#include "base/err.h"
#include "runtime/cgroup/layout.h"

/* The parent of containers where nobody names another (--cgroup-parent). */
#define PLACE_PARENT "prism"

/* Is there a place for us in it, without --cgroup-parent? */
bool place_is_given(const struct hierarchy *h);

/* The directory to make it in, malloced; it need not exist. */
char *place_find(const struct hierarchy *h, const char *cgroup_parent,
		 struct err *e);

/*
 * "a-b.slice" is /a.slice/a-b.slice, as systemd has it; others begin at the
 * root of the hierarchy, with a slash or without. NULL with an error for what
 * would lead out of it.
 */
char *place_parent_path(const char *cgroup_parent, struct err *e);

/*
 * mkdir of path, a child of parent, and of what is missing above. need: the
 * controllers that must work in it (v2).
 */
int place_make(const struct hierarchy *h, const char *parent, const char *path,
	       unsigned need, struct err *e);

/* How many directories of that path below the mount are not there. */
unsigned place_missing(const struct hierarchy *h, const char *path);

#endif
