/*
 * under - the lowest directory of every root: what containers expect
 *
 *   under/fs/.dockerenv, run/.containerenv   empty: "this is a container"
 *   under/fs/etc/mtab -> /proc/mounts
 *   under/fs/etc/hosts, etc/hostname         empty: places to mount on
 *   under/fs/proc, sys, dev                  the same
 *
 * It lies below all layers of an image, so whatever an image has wins, and a
 * start makes none of it: the directory is named with the lower ones.
 *
 * Life: under_ensure, when the lower directories of an image are put together.
 */
#ifndef STORE_UNDER_H
#define STORE_UNDER_H

#include "base/err.h"
#include "store/store.h"

#define UNDER_PATH "under/fs" /* below the store's root */

/* Make it unless it is there. Whoever is second finds the first one's. */
int under_ensure(struct store *s, struct err *e);

#endif
