/*
 * attach_client - a terminal (or pipes) on one side, a container's monitor on
 * the other
 *
 * What `prism attach` does, `start -a`, and a foreground run that its container
 * is to survive. The caller's terminal is raw while the container has one; it
 * is restored on every way out.
 */
#ifndef RUNTIME_ATTACH_CLIENT_H
#define RUNTIME_ATTACH_CLIENT_H

#include "base/err.h"
#include "runtime/detach_keys.h"

#include <stdbool.h>

struct attach_client {
	int sock;   /* to the monitor, borrowed */
	int dir_fd; /* of the container, borrowed: for signals; -1: by sock */
	bool want_in;
	bool want_out;
	bool want_err;
	bool sig_proxy; /* signals go to the program; else they end us */
	bool redraw;    /* make the program draw its screen again */
	struct detach_keys keys;
};

enum attach_end {
	ATTACH_EXITED,   /* the program ended: *ret_code */
	ATTACH_DETACHED, /* by keys, or by a signal: *ret_code is 0 or 128+n */
	ATTACH_LOST,     /* the monitor is gone without a word */
};

/* Say what is wanted; before a start, so that no output is missed. */
int attach_client_hello(const struct attach_client *c, struct err *e);

/* Until the end. */
int attach_client_run(const struct attach_client *c, enum attach_end *ret,
		      int *ret_code, struct err *e);

/* The same for the program of a container: without a word is an error. */
int attach_client_follow(const struct attach_client *c, int *ret_code,
			 struct err *e);

#endif
