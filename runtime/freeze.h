/*
 * freeze - all processes of a container stand still, and go on
 *
 * By the freezer of its own cgroup (v2), where it has one; else (a frozen
 * process of v1 could not even be killed) by SIGSTOP to every process in its PID namespace (and in those below it),
 * again until a look at all of them finds none that still runs: whoever was
 * forked in between is found by the next look. Done from outside, where
 * SIGSTOP reaches PID 1 too.
 *
 * The link `paused` in the container's directory holds the number of the run
 * that is paused; one of an earlier run counts for nothing. It is made first
 * and goes last, and has a + behind the number until all stand still and from
 * when they go on: of one that was cut short the state of init tells, and
 * pausing it again, thawing it and stopping it all put it right.
 */
#ifndef RUNTIME_FREEZE_H
#define RUNTIME_FREEZE_H

#include "base/err.h"
#include "runtime/container.h"

#include <stdbool.h>
#include <sys/types.h>

/* ERR_NOTFOUND when it does not run. */
int freeze_container(const struct container *c, struct err *e);
/* Was one, or its end, cut short? */
bool freeze_is_half(const struct container *c);
/* Nothing to do is no error. */
int freeze_thaw(const struct container *c, struct err *e);

/*
 * Call fn for each process of a container, init first; a non-zero result ends
 * it and is returned.
 */
int freeze_each(pid_t init, int (*fn)(void *ctx, pid_t pid), void *ctx,
		struct err *e);

#endif
