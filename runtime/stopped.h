/*
 * stopped - the root of a container that does not run, put together again
 *
 * Layers, upper directory, and the volumes and directories of the host that it
 * has mounted when it runs, in a mount namespace of the calling process, whose
 * ids are the container's. What only exists while it runs is not there: tmpfs,
 * /dev, /proc, the files of the network. A volume that waits for its first
 * filling is left off: what the image has there is what it will hold.
 *
 * A place to mount on is made as a start makes it; for reading, in memory.
 *
 * The caller is a process that does nothing else (view.h).
 */
#ifndef RUNTIME_STOPPED_H
#define RUNTIME_STOPPED_H

#include "base/err.h"
#include "runtime/container.h"
#include "runtime/spec.h"
#include <stdbool.h>

/* Where we may mount, as root of the store's ids; nothing of it is seen. */
int stopped_enter(const struct run_spec *s, struct err *e);

/* An O_PATH fd. */
int stopped_open(const struct container *c, const struct run_spec *s,
		 bool writable, struct err *e);

#endif
