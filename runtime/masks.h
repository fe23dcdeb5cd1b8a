/*
 * masks - which parts of /proc and /sys a container does not see or write
 *
 * Docker's lists, less what --security-opt unmask= names (paths, or patterns
 * with '*'), plus what mask= names; none of it with systempaths=unconfined and
 * --privileged. A path that this kernel does not have is skipped.
 */
#ifndef RUNTIME_MASKS_H
#define RUNTIME_MASKS_H

#include "base/err.h"
#include "runtime/spec.h"

/* Where to set masks; the image's files of these names do not matter. */
struct masks_at {
	int proc; /* the root of the container's procfs */
	int sys;  /* the root of its sysfs */
	int null; /* a null device on a mount of the container */
};

/* After the pivot; leaves the cwd at the root. */
int masks_apply(const struct run_spec *s, const struct masks_at *at,
		struct err *e);

/* The same for the host's /sys, mounted later by -v /sys:/sys. */
int masks_sys_again(const struct run_spec *s, const struct masks_at *at,
		    struct err *e);

#endif
