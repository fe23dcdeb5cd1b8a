/*
 * spec - struct run_spec: everything a start needs, as validated plain data
 *
 * Two doors fill it: `prism run` from an image's config and flags, and (later)
 * prism-runtime from a bundle's config.json. Behind it nothing knows which it
 * was. It owns its strings and the layer fds.
 *
 * Life: spec_make -> fill -> run (start.h) -> spec_free.
 */
#ifndef RUNTIME_SPEC_H
#define RUNTIME_SPEC_H

#include "base/err.h"
#include "base/str.h"
#include "base/userns.h"
#include "runtime/caps.h"
#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum net_mode {
	NET_NONE, /* own namespace, lo up */
	NET_HOST, /* the host's namespace */
};

struct mount_spec {
	char *source; /* absolute, on the host */
	char *target; /* absolute, in the container */
	bool readonly;
	uint64_t propagation; /* MS_PRIVATE, MS_SLAVE or MS_SHARED */
};

struct run_spec {
	/* The root: lowers (top first) below an own upper, or one directory. */
	struct strv lowers; /* absolute paths */
	char *rootfs;       /* --rootfs DIR, used as it is; NULL: overlay */
	bool readonly_root;
	bool keep; /* the upper outlives the container: not --rm */

	/* Isolation. */
	bool userns;
	struct idmap map; /* when userns */
	bool map_auto;    /* map is a range of its own: idmap the layers */
	enum net_mode net;
	struct mount_spec *mounts;
	size_t n_mounts;
	struct caps caps; /* what the program may have (caps.h) */
	bool seccomp_off;
	struct sock_filter *filter; /* a user's own; NULL: the default */
	size_t n_filter;
	bool new_privs; /* --security-opt no-new-privileges=false */

	/* The program. */
	struct strv args;
	struct strv env;
	char *cwd;  /* absolute; "/" when NULL */
	char *user; /* USER[:GROUP] as typed or configured; NULL: root */
	struct strv groups; /* --group-add */
	char *hostname;     /* NULL: the first 12 digits of the id */
	bool no_init;       /* the program is PID 1 */
	bool tty;
	bool interactive; /* keep stdin */
	int stop_signal;  /* 0: SIGTERM */
};

void spec_free(struct run_spec *s);

/* Add a mount; takes over both strings. */
void spec_add_mount(struct run_spec *s, char *source, char *target,
		    bool readonly, uint64_t propagation);

/*
 * True if the program brings its own reaper: /init, /sbin/init, systemd,
 * s6-svscan, runit, tini, dumb-init, catatonit (by its first argument).
 */
bool spec_is_init(const struct run_spec *s);

#endif
