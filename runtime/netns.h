/*
 * netns - a container's own network namespace, and how it is made ahead
 *
 * To make one takes the kernel about as long as all else that prism does up to
 * the first mount, so both are done at once: a thread (vclone_beside) begins
 * as soon as the flags say that one is needed, while prism looks the image up
 * and makes the container. Init takes it where it first matters, for sysfs.
 */
#ifndef RUNTIME_NETNS_H
#define RUNTIME_NETNS_H

#include "base/err.h"
#include "runtime/spec.h"

/*
 * Begin one. What is returned is a socket out of which it comes, the caller's
 * to close, or -1: init is to be born into one (in a user namespace, or with
 * namespaces of other containers, or where there is no such thread). It is no
 * error if it can't be made: netns_take will say why.
 */
int netns_ahead(const struct run_spec *s);

/*
 * By init: wait for it, and be in it; if it could not be made, in one that is
 * made now. lo is up.
 */
int netns_take(int ahead, struct err *e);

/* lo of the namespace that we are in. */
int netns_lo_up(struct err *e);

#endif
