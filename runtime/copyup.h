/*
 * copyup - a fresh volume gets what the image has at its place
 *
 * Done by init, when the root is in place and nothing is mounted over it, and
 * the volume is a detached mount that only its fd leads to: content, owner,
 * mode, times, xattrs, hardlinks, and the attributes of the directory itself.
 *
 * An empty volume is filled, any other is left alone. While it is being filled
 * it is locked (flock on its directory), so of two containers one waits, and
 * holds a file .prism-copy-up: who finds it without a lock begins anew, because
 * the one before was killed.
 */
#ifndef RUNTIME_COPYUP_H
#define RUNTIME_COPYUP_H

#include "base/err.h"

/* Fill the directory to_fd from from_fd; both O_RDONLY. */
int copyup(int from_fd, int to_fd, struct err *e);

#endif
