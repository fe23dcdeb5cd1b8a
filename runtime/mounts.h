/*
 * mounts - what the user mounts: directories and files of the host, volumes,
 * tmpfs
 *
 * Those of the host are copied as detached mounts while the host is in sight
 * (those asked for as shared before the mounts of the namespace are made
 * slaves of the host's, all others behind that), and attached when it is out
 * of reach: parents before what lies below them, whatever the order of the
 * flags.
 *
 * Life: mounts_prepare_shared -> mounts_prepare -> (pivot) -> mounts_fill ->
 * mounts_attach -> mounts_chown, when the user is known.
 */
#ifndef RUNTIME_MOUNTS_H
#define RUNTIME_MOUNTS_H

#include "base/err.h"
#include "runtime/spec.h"
#include <stdbool.h>

/*
 * True for what only the monitor can copy, because the store is closed to the
 * container's ids and their files are to look like its own (--userns auto).
 */
bool mounts_is_lent(const struct run_spec *s, const struct mount_spec *m);

/* A detached copy of the source of m, with its attributes. */
int mounts_copy(const struct run_spec *s, const struct mount_spec *m,
		struct err *e);

/*
 * *ret_trees: an fd for each mount of s, in its order, -1 where there is none
 * yet; malloced. It is NULL, and nothing is done, when s has no mounts.
 */
int mounts_prepare_shared(const struct run_spec *s, int **ret_trees,
			  struct err *e);
int mounts_prepare(const struct run_spec *s, int *trees, struct err *e);

/* Those of the monitor, in the order of the mounts, take their places. */
void mounts_take_lent(const struct run_spec *s, int *trees, const int *lent,
		      int n);

/*
 * Volumes get what the image has at their place, before anything is mounted;
 * `first`: the container was never started before.
 */
int mounts_fill(const struct run_spec *s, const int *trees, bool first,
		struct err *e);

/*
 * root: the container's root (base/path.h). dev: the root of its /dev, used for
 * the option O only. Afterwards trees holds every mount, also each tmpfs.
 */
int mounts_attach(const struct run_spec *s, int *trees, int root, int dev,
		  struct err *e);

/*
 * What belongs to ids that a container of a range of its own does not have
 * (--userns auto) can only be given away from outside: to its root, for the
 * monitor. Nothing to do for a mount that is not marked U or is lent.
 */
int mounts_give_root(const struct run_spec *s, const struct mount_spec *m,
		     struct err *e);

/* Those marked U become the user's, with all that is in them. */
int mounts_chown(const struct run_spec *s, const int *trees, uint32_t uid,
		 uint32_t gid, struct err *e);

#endif
