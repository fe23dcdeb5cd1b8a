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

/* After the pivot, with /proc, /sys and /dev mounted. */
int masks_apply(const struct run_spec *s, struct err *e);

#endif
