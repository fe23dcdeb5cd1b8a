/*
 * caps - which capabilities a container's program gets (capabilities(7))
 *
 * A set is a uint64_t: bit n is capability n of linux/capability.h. From
 * Docker's 14 defaults and the words of --cap-add, --cap-drop, --privileged
 * comes one set, the bounding set of the program; for which user it runs says
 * what it holds of that from the start:
 *
 *   root         permitted = effective = bounding; nothing inheritable or
 *                ambient (a program that leaves root loses all)
 *   other users  only what --cap-add named, and that in all sets, so that it
 *                works without file capabilities (as podman, not as Docker,
 *                which leaves it useless)
 *
 * What the caller itself does not have cannot be given: it is left out and
 * named, never silently.
 *
 * Life: caps_of_caller -> caps_compute in the monitor -> caps_for_user when the
 * uid is known -> caps_apply.h in the child.
 */
#ifndef RUNTIME_CAPS_H
#define RUNTIME_CAPS_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * chown dac_override fowner fsetid kill setgid setuid setpcap
 * net_bind_service net_raw sys_chroot mknod audit_write setfcap
 */
#define CAPS_DEFAULT UINT64_C(0xa80425fb)

/*
 * "NET_ADMIN", "cap_net_admin", ...: any case, with or without "CAP_"; "ALL"
 * is every capability of prism's list. ERR_USAGE for other words.
 */
int caps_parse(const char *name, uint64_t *ret, struct err *e);

/* "CAP_NET_ADMIN"; "CAP_63" for numbers without a name. buf of 24. */
#define CAPS_NAME_MAX 24
const char *caps_name(int cap, char *buf);

/*
 * "CAP_CHOWN, CAP_KILL"; "none" for the empty set; cut with "..." when it does
 * not fit. Returns buf.
 */
const char *caps_text(uint64_t set, char *buf, size_t n);

/* What the calling process could hand on. */
struct caps_caller {
	uint64_t bounding;
	uint64_t permitted;
	int last_cap; /* the kernel's newest capability */
};
int caps_of_caller(struct caps_caller *ret, struct err *e);

struct caps_wish {
	const char *const *add; /* words of --cap-add */
	size_t n_add;
	const char *const *drop; /* words of --cap-drop */
	size_t n_drop;
	bool privileged;
};

struct caps {
	uint64_t bounding; /* granted */
	uint64_t added;    /* granted and named by --cap-add */
	uint64_t missing;  /* wanted, but the caller does not have it */
	/* the part of missing that --cap-add named, or --privileged implied */
	uint64_t missing_asked;
};

/*
 * Docker's rules: --privileged gives all, whatever is dropped; --cap-add ALL
 * gives all but what --cap-drop names; --cap-drop ALL leaves what --cap-add
 * names; else the defaults without the dropped ones, then with the added
 * ones. `have` is what the caller can give (bounding & permitted; in a new
 * user namespace its bounding set). last_cap bounds ALL.
 */
int caps_compute(const struct caps_wish *w, uint64_t have, int last_cap,
		 struct caps *ret, struct err *e);

/* The five sets of a process, ready for caps_apply.h. */
struct caps_sets {
	uint64_t bounding;
	uint64_t permitted;
	uint64_t effective;
	uint64_t inheritable;
	uint64_t ambient;
};

void caps_for_user(const struct caps *c, uint32_t uid, struct caps_sets *ret);

#endif
