/*
 * start - run a container: make its namespaces, start init, see it through
 *
 * One monitor for foreground and detached containers (monitor.c). It holds the
 * container's lock; when it dies, by whatever cause, PID 1 of the container
 * dies with it (PDEATHSIG), and the kernel ends all the rest.
 *
 * In the foreground the caller is the monitor: its terminal and signals are
 * the program's. With --rm and without -t the program also gets the
 * caller's pipes and sockets directly (stdfds.h). Detached, the monitor is a
 * small process of its own, in its own session: it keeps the log, serves
 * clients (attach.h), checks the health and starts the program again as the
 * restart policy says.
 */
#ifndef RUNTIME_START_H
#define RUNTIME_START_H

#include "base/err.h"
#include "runtime/container.h"
#include "runtime/spec.h"

struct container_job {
	const struct run_spec *spec;
	const struct container_home *home;
	struct container *container; /* locked by us; closed at the end */

	/* In the foreground: which of our own fds it gets. */
	bool no_stdout;
	bool no_stderr;
	/* Once the program was executed, when nobody waits for prism. */
	void (*running)(void *ctx); /* may be NULL */
	void *ctx;

	/* Detached. */
	int client; /* the first one (attach_pair), ours to close; -1: none */
	int keep;   /* an fd that lives as long as the monitor; -1: none */

	int netns; /* of the first start (netns_ahead), ours to close; or -1 */
};

/*
 * Start it and stay until it ended and its end is recorded. *ret_code is the
 * exit code as Docker users know it (128 + n when killed). An error is one of
 * the start: ERR_NOPROG (127), ERR_NOEXEC (126), anything else 125.
 */
int container_run(const struct container_job *j, int *ret_code, struct err *e);

/*
 * The same by a monitor of its own. Returns when the program was executed, or
 * with the error of the start; prints nothing. Our lock passes to the monitor.
 */
int container_run_detached(const struct container_job *j, struct err *e);

#endif
