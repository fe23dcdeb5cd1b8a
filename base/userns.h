/*
 * userns - user namespaces: which ids, and how to enter (user_namespaces(7))
 *
 * A struct idmap says which host ids stand behind the ids inside. Root without
 * --userns needs none. An ordinary user gets 0 -> own id, 1.. -> the ranges of
 * /etc/subuid and /etc/subgid (subuid(5)) written by newuidmap and newgidmap;
 * without ranges only the own id is mapped (`single`). Root, but not of the
 * machine (base/whoami.h), gets the ids that it has, each as itself.
 */
#ifndef BASE_USERNS_H
#define BASE_USERNS_H

#include "err.h"
#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct idrange {
	uint32_t inside;
	uint32_t outside;
	uint32_t count;
};

struct idmap {
	struct idrange uid[ID_RANGES_MAX + 1];
	struct idrange gid[ID_RANGES_MAX + 1];
	size_t n_uid;
	size_t n_gid;
	bool helpers; /* newuidmap, newgidmap write it; else we may ourselves */
	bool single;  /* only one id is mapped: ownership must be squashed */
	char why_single[160]; /* the reason in words, for the one notice */
};

/*
 * The map of a caller who is not root of the machine. Missing ranges or helpers
 * are not an error: the map is `single` and says why.
 */
int idmap_of_caller(struct idmap *ret, struct err *e);

/*
 * Change the map of the caller so that its own ids are uid and gid inside, as
 * --userns keep-id wants it: they change places with 0. A map of one id has
 * only them then, and no 0.
 */
int idmap_keep_id(struct idmap *m, uint32_t uid, uint32_t gid, struct err *e);

/* Parse subuid(5) text for a user (by name or number) into ranges. */
int idmap_parse_ranges(const char *text, size_t len, const char *user,
		       uint32_t uid, struct idrange *ret, size_t max,
		       size_t *ret_n, struct err *e);

/* Map the user namespace of another process (a child that waits for it). */
int idmap_write(pid_t pid, const struct idmap *m, struct err *e);

/* id inside -> outside; false when not mapped. */
bool idmap_uid_outside(const struct idmap *m, uint32_t inside, uint32_t *ret);
bool idmap_gid_outside(const struct idmap *m, uint32_t inside, uint32_t *ret);
/* id outside -> inside; false when not mapped. */
bool idmap_uid_inside(const struct idmap *m, uint32_t outside, uint32_t *ret);
bool idmap_gid_inside(const struct idmap *m, uint32_t outside, uint32_t *ret);

/*
 * Move the calling (single-threaded) process into a new user namespace with
 * this map, as its root with all capabilities, and into a new mount namespace.
 */
int userns_enter(const struct idmap *m, struct err *e);

/* Are we in one by userns_enter, or root of the machine, who needs none? */
bool userns_is_entered(void);

/*
 * For commands that touch an ordinary user's store: as root of the machine does
 * nothing, else idmap_of_caller + userns_enter; with uid 0 we may all already.
 * *ret_map says what was done, or what there is.
 */
int userns_enter_for_store(struct idmap *ret_map, struct err *e);

/*
 * Give a failed unshare/clone of namespaces its meaning: ENOSPC is
 * user.max_*_namespaces, EPERM a sysctl or AppArmor, if not a seccomp filter.
 */
void userns_explain(struct err *e);

#endif
