/*
 * privdir - a directory that only the calling user can access
 *
 * A store contains the programs and secrets of containers, among them
 * set-user-id programs owned by root or by container users. Another local user
 * who can reach those files can run these programs (CVE-2021-41091); one who
 * can write there chooses what our containers run. Only the top directory
 * matters: if it is ours and has mode 0700, the modes below it do not count.
 *
 * So the directory must belong to the caller, and its mode becomes 0700. If
 * other users could write to it before, its entries must belong to the caller
 * too. The path to it matters less, because whatever is found must be the
 * caller's: the only things refused on the path are symlinks and world-writable
 * directories of another user other than root.
 *
 * Errors: ERR_NOTFOUND if the directory does not exist; ERR_INVALID, with a
 * hint, if it is not private. The message does not name the directory; the
 * caller adds the name with ERR_IN: "store /x: belongs to user 5, ...".
 */
#ifndef BASE_PRIVDIR_H
#define BASE_PRIVDIR_H

#include "err.h"
#include <stdbool.h>

/*
 * Open the directory (O_RDONLY, O_CLOEXEC; a relative path starts at the cwd)
 * and check its owner. *ret_shared: its mode is not 0700. The caller must then
 * call privdir_shut, but first check that the directory really is, say, a store
 * and not the caller's /tmp or /etc.
 */
int privdir_open(const char *path, bool *ret_shared, struct err *e);

/*
 * Create the directory and its missing parents. Refuses a path that another
 * user controls.
 */
int privdir_make(const char *path, struct err *e);

/* Set the mode to 0700. tell: print a note about it. */
int privdir_shut(int fd, const char *path, bool tell, struct err *e);

/*
 * 0 if the open file, which lies below the directory, belongs to the caller,
 * else ERR_INVALID. what: its name in the error.
 */
int privdir_is_ours(int fd, const char *what, struct err *e);

#endif
