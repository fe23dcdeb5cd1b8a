/*
 * privdir - a directory in which nobody but us may do anything
 *
 * The files of a store are the programs and secrets of containers: set-user-id
 * programs too, owned by root or by users of containers. Another user of the
 * machine who can come to them runs those (CVE-2021-41091), and one who can
 * write there chooses what our containers run. Only the top matters: behind a
 * directory of ours with mode 0700 no other mode does.
 *
 * So such a directory must belong to the caller. Its mode becomes 0700. If
 * others could write to it until then, what lies in it must be ours as well.
 * What leads to it is of less weight, since whatever is found there must be
 * ours: only a symlink of somebody else's, and a directory of somebody else's
 * in which all may write, are refused.
 *
 * Errors: ERR_NOTFOUND if it is not there; ERR_INVALID, with a hint that cures
 * it, if it is not private. They do not name the directory, which the caller's
 * ERR_IN does: "store /x: belongs to user 5, ...".
 */
#ifndef BASE_PRIVDIR_H
#define BASE_PRIVDIR_H

#include "err.h"
#include <stdbool.h>

/*
 * Open it (O_RDONLY, O_CLOEXEC; relative paths start here) and see whose it is.
 * ret_shared: its mode is not 0700, and privdir_shut is to be called once it is
 * known to be what the caller takes it for: not somebody's /tmp or /etc.
 */
int privdir_open(const char *path, bool *ret_shared, struct err *e);

/* Make it, and what is missing on the way, where nobody else decides. */
int privdir_make(const char *path, struct err *e);

/* Take it from the others, and say so with tell. */
int privdir_shut(int fd, const char *path, bool tell, struct err *e);

/* For what is opened below it: does it belong to us? what names it. */
int privdir_is_ours(int fd, const char *what, struct err *e);

#endif
