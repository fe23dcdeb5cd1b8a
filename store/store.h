/*
 * store - the root directory: version, locks, directory fds
 *
 *   <root>/version, lock, blobs/sha256/, layers/sha256/, skeletons/sha256/,
 *   images/<registry>/<repository>/:<tag>, containers/, tmp/
 *
 * store_open makes what is missing, refuses a newer version, and takes the
 * store lock: shared for everything that adds or uses images, exclusive for
 * the sweep only. The lock is released by store_close (or by dying).
 *
 * Life: store_open -> ... -> store_close.
 */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include "base/err.h"
#include <stdbool.h>

#define STORE_VERSION 1

enum store_dir {
	STORE_ROOT,
	STORE_BLOBS,
	STORE_LAYERS,
	STORE_SKELETONS,
	STORE_IMAGES,
	STORE_CONTAINERS,
	STORE_TMP,
	STORE_DIRS
};

struct store;

/*
 * root NULL: $PRISM_ROOT, else /var/lib/prism as root, else
 * $XDG_DATA_HOME/prism (~/.local/share/prism). exclusive: for the sweep.
 * "As root" means: outside any user namespace of ours; a process that went
 * through userns_enter_for_store keeps the root chosen before.
 */
int store_open(const char *root, bool exclusive, struct store **ret,
	       struct err *e);
void store_close(struct store *s);

/*
 * The path that store_open would take, malloced; computed from the real uid
 * before any user namespace is entered.
 */
char *store_default_root(void);

/* Borrowed O_DIRECTORY fd; opened at first use. */
int store_dirfd(struct store *s, enum store_dir which, struct err *e);
const char *store_root(const struct store *s);

/* Drop the store lock early: spec.json of a container now holds references. */
void store_unlock(struct store *s);

#endif
