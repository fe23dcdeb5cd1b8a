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

/*
 * By init, before there is anything in its network namespace: the tap device of
 * a user-mode network (net/user.h) has its own IPv6 address at once. Nobody else
 * could have it, and Debian 12's pasta loses the container's address when it
 * hears of one that is still looked for: a second or two no published port would
 * be reached over IPv6.
 */
void tune_user_net(void);

/* By init, while /proc/sys can be written; proc: the root of that procfs. */
int tune_namespaces(const struct run_spec *s, int proc, struct err *e);

/*
 * Of the calling process, which is about to execute the program's PID 1:
 * rlimits, preference of the OOM killer, umask.
 */
int tune_process(const struct run_spec *s, struct err *e);

#endif
