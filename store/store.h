/*
 * store - the root directory: version, locks, directory fds
 *
 *   <root>/version, lock, blobs/sha256/, layers/sha256/, skeletons/sha256/,
 *   images/<registry>/<repository>/:<tag>, containers/, volumes/, tmp/
 *
 * store_open makes what is missing, refuses a newer version, and takes the
 * store lock: shared for everything that adds or uses images, exclusive for
 * the sweep only. The lock is released by store_close (or by dying).
 *
 * Everything is 0700: a setuid program inside a layer must not be reachable
 * by the users of the host (CVE-2021-41091). Containers get their layers as
 * fds, so nobody needs to walk through.
 *
 * Opening is on the way of each container start: six system calls. The
 * folders below are opened, and made, when they are first asked for.
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
	STORE_VOLUMES,
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
/*
 * The machine's root has filled it (the file version says "1 trusted"), and we
 * are somebody who cannot read the trusted.* xattrs of its layers, which say
 * what they hide.
 */
bool store_is_unreadable(const struct store *s);
void store_close(struct store *s); /* NULL is fine */
void own_store(struct store **s);
#define autostore __attribute__((cleanup(own_store)))

/*
 * The path that store_open would take, malloced; computed from the real uid
 * before any user namespace is entered. NULL if there is none; store_open(NULL)
 * then gives the error.
 */
char *store_default_root(void);

/* Borrowed O_DIRECTORY fd; opened at first use. */
int store_dirfd(struct store *s, enum store_dir which, struct err *e);
const char *store_root(const struct store *s);

/* A file in tmp/ that no name leads to, to read and write; ours to close. */
int store_tmpfile(struct store *s, struct err *e);

/* Drop the store lock early: spec.json of a container now holds references. */
void store_unlock(struct store *s);

/*
 * Turn the shared lock into an exclusive one if nobody else is in the store
 * (false: somebody is, and the lock is shared as before), and back again.
 */
bool store_try_exclusive(struct store *s);
void store_share(struct store *s);

/*
 * The lock of one thing that is being built: flock on tmp/<name>, which is
 * created if absent and may hold the thing itself (a .part file). Two processes
 * that want the same thing meet here. Returns the fd (open for reading and
 * writing), borrowed from the store; ERR_BUSY if wait is false and somebody
 * else is at it.
 */
int store_entry_lock(struct store *s, const char *name, bool wait,
		     struct err *e);
/* Let go; with a name the file is removed first, else it stays. */
void store_entry_unlock(struct store *s, int fd, const char *remove_name);

/* A forked child must not keep its parent's locks alive. */
void store_forget_locks(struct store *s);

/* syncfs(2) of the file system that holds the store. */
int store_sync(struct store *s, struct err *e);

/*
 * Give a failed write into the store its meaning: ENOSPC and EDQUOT name the
 * file system with the bytes and inodes that are free.
 */
void store_explain(struct store *s, struct err *e);

#endif
