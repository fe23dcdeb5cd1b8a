/*
 * start - the monitor's role: make the namespaces, start init, see it through
 *
 * One function for foreground and (later) detached containers. The monitor
 * holds the container's lock; when it dies, by whatever cause, PID 1 of the
 * container dies with it (PDEATHSIG), and the kernel ends all the rest.
 */
#ifndef RUNTIME_START_H
#define RUNTIME_START_H

#include "base/err.h"
#include "runtime/container.h"
#include "runtime/spec.h"

/*
 * Start the container and stay until it ends; the caller's terminal and
 * signals are its. *ret_code is the exit code as Docker users know it
 * (128 + n when killed). An error is one of the start: ERR_NOPROG (127),
 * ERR_NOEXEC (126), anything else 125. userns_fd (may be NULL) gets an fd of
 * its user namespace, if it has one, for the removal of its files.
 *
 * `running` (may be NULL) is called once the program was executed, when
 * nobody waits for prism.
 */
int container_run(const struct run_spec *s, struct container *c,
		  void (*running)(void *ctx), void *ctx, int *ret_userns_fd,
		  int *ret_code, struct err *e);

#endif
