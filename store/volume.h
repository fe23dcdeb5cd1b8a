/*
 * volume - directories that outlive containers: volumes/<name>
 *
 *   volumes/<name>/volume.json   what it is: created, labels, options
 *   volumes/<name>/_data         what a container gets
 *   volumes/.lock                flock only
 *
 * A volume is built in tmp/ and gets its name by one rename; it loses it the
 * same way. Names are Docker's; an anonymous volume has 64 hex digits and says
 * in volume.json that nobody named it. An option `device` (type none, o=bind)
 * makes it stand for another directory of the host.
 *
 * Which containers use a volume stands in the containers
 * (runtime/container_volumes.h). So that nobody takes a volume away between its
 * finding and the moment when the container that is being made names it, both
 * sides hold the lock: makers shared, removers exclusive. It comes after the
 * store lock.
 *
 * Life: volume_lock -> volume_make or volume_load -> volume_free; close the
 * lock. Reading needs no lock.
 * Errors: ERR_NOTFOUND, ERR_USAGE (name, options), ERR_EXISTS (other options).
 */
#ifndef STORE_VOLUME_H
#define STORE_VOLUME_H

#include "base/err.h"
#include "base/fs.h"
#include "base/str.h"
#include "store/store.h"
#include <stdbool.h>
#include <stdint.h>

#define VOLUME_NAME_MAX 256

struct volume {
	char name[VOLUME_NAME_MAX];
	bool anonymous;
	char *created; /* RFC 3339, UTC */
	struct strv labels;
	struct strv options;
	char *source; /* absolute: _data, or the device option */
};

struct volume_new {
	const char *name;           /* NULL: anonymous */
	const struct strv *labels;  /* K=V; NULL: none */
	const struct strv *options; /* type, device, o; NULL: none */
};

/* An fd that holds volumes/.lock; waits. */
int volume_lock(struct store *s, enum fs_lock mode, struct err *e);

/* ERR_USAGE unless Docker would take this name. */
int volume_check_name(const char *name, struct err *e);

/*
 * Make it, or find the one that has this name (with the same options). Needs
 * the lock, shared is enough: of two makers one wins. *ret_made may be NULL.
 */
int volume_make(struct store *s, const struct volume_new *n, struct volume *ret,
		bool *ret_made, struct err *e);

int volume_load(struct store *s, const char *name, struct volume *ret,
		struct err *e);

/* Out of sight, then removed. Needs the lock exclusively; does not ask who
 * uses it. */
int volume_remove(struct store *s, const char *name, struct err *e);

/*
 * The name of each volume, sorted. One that cannot be loaded is there as
 * well: volume_load says why.
 */
int volume_names(struct store *s, struct strv *ret, struct err *e);

/* Bytes of all its files, each counted once. */
int volume_size(const struct volume *v, uint64_t *ret, struct err *e);

void volume_free(struct volume *v);
#define autovolume __attribute__((cleanup(volume_free)))

#endif
