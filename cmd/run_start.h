/*
 * run_start - start a container that is made and locked, and stay with it
 *
 * In the foreground prism itself is the monitor, and the container ends with
 * it. Where it is to survive (a restart policy, keys to detach, `start -a`) a
 * monitor of its own is started, and prism is its first client.
 */
#ifndef CMD_RUN_START_H
#define CMD_RUN_START_H

#include "cmd/run_opts.h"
#include "runtime/detach_keys.h"
#include "runtime/start.h"

struct run_start {
	struct container_job job; /* client is set here */
	unsigned int attached;    /* enum run_stdio */
	bool survives;
	bool sig_proxy;
	struct detach_keys keys;
};

/* From the flags; job is left to the caller. */
int run_start_from(const struct run_opts *o, const struct run_spec *s,
		   struct run_start *ret, struct err *e);

/*
 * Until the program ended (its code), or we were detached (0, or 128 + n by
 * signal n).
 */
int run_start_attached(struct run_start *r, int *ret_code, struct err *e);

#endif
