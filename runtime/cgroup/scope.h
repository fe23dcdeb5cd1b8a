/*
 * scope - a delegated cgroup from the systemd of an ordinary user
 *
 * A login session's own cgroup belongs to root. The user's systemd makes a
 * scope (prism-ID-PID.scope) and has the system's one move us there; what is
 * below it is ours, and it goes with its last process. prism-scope asks it over
 * D-Bus, in a process of its own: prism starts without that library.
 *
 * Errors: in the words of systemd, or that none answers.
 */
#ifndef RUNTIME_CGROUP_SCOPE_H
#define RUNTIME_CGROUP_SCOPE_H

#include "base/err.h"

/* Move this process to a new scope, for the container of this id. */
int scope_make(const char *id, struct err *e);

/*
 * Move this process to a cgroup inside of such a scope, where the kernel does
 * not let it write cgroup.procs itself. path: as /proc/PID/cgroup has it.
 */
int scope_enter(const char *path, struct err *e);

#endif
