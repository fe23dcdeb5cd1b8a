/*
 * program - from a run_spec to the program: user, capabilities, filter,
 * working directory, and the PID 1 that makes it
 *
 * What init does at the end of a start and what exec does in a container that
 * runs. The process that calls it stands in the namespaces and in the root of
 * the container already; nothing of the host is in its sight.
 *
 * Life: program_prepare -> program_workdir -> program_memfd ->
 * program_execute, which does not return when it works.
 */
#ifndef RUNTIME_PROGRAM_H
#define RUNTIME_PROGRAM_H

#include "base/err.h"
#include "runtime/spec.h"

struct program; /* what PID 1 is told, and HOME */

/*
 * Look the user up in the files below "/", from it the capabilities, and the
 * filter that fits them. flags: enum pid1_flag, besides those that the spec
 * asks for. Never freed: the caller is about to execute, or to die.
 */
int program_prepare(const struct run_spec *s, uint32_t flags,
		    struct program **ret, struct err *e);

/*
 * A line in /etc/passwd for a user whom the image does not know; by init, once
 * for the container. dev: the root of its /dev.
 */
int program_name_user(const struct program *p, int dev, struct err *e);

/* Give mounts marked U to the user. trees: as from mounts_attach. */
int program_own_mounts(const struct program *p, const int *trees,
		       struct err *e);

/*
 * Enter the working directory of the spec; one that is missing is made, if
 * `make` says so, else it is ERR_NOTFOUND.
 */
int program_workdir(const struct run_spec *s, bool make, struct err *e);

/* PID 1 and what it is told, as a file that no path leads to. */
int program_memfd(const struct program *p, struct err *e);

/*
 * Execute it; sync is where PID 1 says what goes wrong. Closes all fds but 0,
 * 1, 2 and its own two.
 */
int program_execute(const struct program *p, int sync, int memfd,
		    struct err *e);

#endif
