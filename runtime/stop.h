/*
 * stop - signals to containers that run, and the orderly end of many at once
 *
 * A program that is PID 1 and has no handler for a signal never sees it
 * (pid_namespaces(7)), and one that ignores it does not care: waiting for
 * either is waiting in vain, so both are killed at once. What a program
 * catches and ignores is read from /proc/PID/status.
 *
 * All waiting is for pidfds and for the monitors' locks; nothing sleeps.
 */
#ifndef RUNTIME_STOP_H
#define RUNTIME_STOP_H

#include "base/err.h"
#include "runtime/container.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* To the program, by way of PID 1. ERR_NOTFOUND when it does not run. */
int stop_signal(const struct container *c, int sig, struct err *e);

/* Does the program never hear of it? no_init: of its run_spec. */
bool stop_is_deaf(pid_t init, bool no_init, int sig);

struct stop_job {
	struct container *c; /* borrowed */
	int sig;             /* the first signal */
	int64_t timeout_ms;  /* until SIGKILL; -1: never */
	bool no_init;        /* of its run_spec */

	bool deaf;      /* it was killed at once, because it would not hear */
	struct err err; /* why it could not be ended */

	/* private */
	int pidfd;
	int64_t deadline_ns;
};

/*
 * End all of them and wait until their monitors let go. One that does not run
 * is no error. Each job's err is its own.
 */
void stop_all(struct stop_job *v, size_t n);

#endif
