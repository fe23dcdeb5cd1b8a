/*
 * init - the child's role: from clone3 to PID 1 of the container
 *
 * It runs in the new namespaces as the one process there, and never returns.
 * Its steps have the same names as those of start.c.
 */
#ifndef RUNTIME_INIT_H
#define RUNTIME_INIT_H

#include "runtime/container.h"
#include "runtime/nsjoin.h"
#include "runtime/spec.h"
#include <stdbool.h>

struct init_args {
	const struct run_spec *spec;
	const struct container *container;
	int sync;         /* its end of the pair */
	uint32_t pid1;    /* enum pid1_flag, besides those of the spec */
	bool joined_user; /* its user namespace is another container's */
	const struct nsjoin *joined; /* whose mounts are shared, or NULL */
	const int *stdio;            /* three fds or STDFDS_NULL, unless -t */
	const struct cgroup *cgroup; /* to be in; NULL: as we are */
	bool born_inside;            /* clone3 did it, as far as it goes */
	int netns; /* where it comes from (netns_ahead); -1: it is in it */
};

_Noreturn void init_main(const struct init_args *a);

#endif
