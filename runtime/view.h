/*
 * view - the file system of a container, seen from outside, as a directory fd
 *
 * Of one that runs: its own root with all that is mounted in it. Of one that
 * does not: the same, made again without what is gone (stopped.h). Of any: the
 * layers with the upper directory over them, or the layers alone. The mounts
 * that this needs are made in a mount namespace of the calling process, and
 * end with it.
 *
 * The caller is a process that does nothing else (a worker): it ends up in
 * other namespaces, in those of the container's user namespace as its root.
 * Paths below the fd belong to the container: they are to be resolved with
 * view_find or base/path, never by a name of the host.
 *
 * Life: view_open -> view_find... -> close.
 */
#ifndef RUNTIME_VIEW_H
#define RUNTIME_VIEW_H

#include "base/err.h"
#include "runtime/container.h"
#include "runtime/spec.h"
#include <stdint.h>

enum view_kind {
	VIEW_LIVE,     /* of one that runs; ERR_NOTFOUND if it does not */
	VIEW_WRITABLE, /* of one that does not; c must be locked */
	VIEW_READABLE, /* the same for reading */
	VIEW_MERGED,   /* layers and upper, read-only */
	VIEW_IMAGE,    /* the layers alone, read-only */
};

/* An O_PATH fd, or -1. */
int view_open(const struct container *c, const struct run_spec *s,
	      enum view_kind kind, struct err *e);

/* The upper directory, readable; for a process that entered the user
 * namespace of the store. */
int view_upper(const struct container *c, struct err *e);

/* Who the container's program runs as, by the files below root. */
int view_user(int root, const struct run_spec *s, uint32_t *ret_uid,
	      uint32_t *ret_gid, struct err *e);

/*
 * The parent directory of path inside root, and what it is called there: the
 * last component is not followed. "/", "a/" and "a/." are the directory itself:
 * *ret_leaf is ".". Returns an fd; ERR_NOTFOUND if the parent is not there.
 */
int view_find(int root, const char *path, char **ret_leaf, struct err *e);

#endif
