/*
 * autorange - a range of host ids of its own for a container (--userns auto)
 *
 * Ranges of 65,536 ids are cut from what /etc/subuid and /etc/subgid give to
 * the user "prism" or "containers", or else from the upper half of the id
 * space, which useradd does not hand out. Range n is taken while the lock on
 * <run>/userns/<n> is held; it ends with its holder, also by kill -9.
 */
#ifndef RUNTIME_AUTORANGE_H
#define RUNTIME_AUTORANGE_H

#include "base/err.h"
#include "base/userns.h"

/*
 * Take a free range: fills the map, returns the fd that holds it. ERR_BUSY
 * when all are in use.
 */
int autorange_take(const char *run_dir, struct idmap *ret, struct err *e);

/*
 * The same range once more, for a container whose files belong to it. ERR_BUSY
 * when another has it now.
 */
int autorange_take_again(const char *run_dir, const struct idmap *map,
			 struct err *e);

#endif
