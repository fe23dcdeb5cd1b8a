/*
 * tune - numbers that a start sets: sysctls of the container's namespaces, and
 * the limits of its processes
 *
 * Every network namespace of a container's own lets all users ping and bind
 * low ports, as Docker's do: nothing of the host is behind them.
 */
#ifndef RUNTIME_TUNE_H
#define RUNTIME_TUNE_H

#include "base/err.h"
#include "runtime/spec.h"

/* By init, while /proc/sys can be written. */
int tune_namespaces(const struct run_spec *s, struct err *e);

/*
 * Of the calling process, which is about to execute the program's PID 1:
 * rlimits, preference of the OOM killer, umask.
 */
int tune_process(const struct run_spec *s, struct err *e);

#endif
