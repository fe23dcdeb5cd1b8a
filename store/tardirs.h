/*
 * tardirs - the directories that a tar is unpacked into, of any depth
 *
 * The entries of a tar may come in any order, but nearly always those of one
 * directory come together. So the directories down to that of the last entry
 * stay open (base/ladder), and moving to the next one only costs the components
 * that differ. A directory that has an entry in the tar gets its mode and times
 * whenever it is left, because writing its entries changes them.
 *
 * Links on the path: see tarin.h.
 *
 * Life: tardirs_open -> tardirs_at, tardirs_enter... -> tardirs_end ->
 * tardirs_close.
 */
#ifndef STORE_TARDIRS_H
#define STORE_TARDIRS_H

#include "base/err.h"
#include "store/tarin.h"
#include <sys/types.h>
#include <time.h>

struct tardirs;

/* o is borrowed until tardirs_close. Returns NULL on an error. */
struct tardirs *tardirs_open(const struct tarin_opts *o, struct err *e);

/*
 * The directory at this clean path ("a/b"; "" is the destination); missing
 * directories are created. The fd is borrowed until the next call.
 */
int tardirs_at(struct tardirs *d, const char *path, struct err *e);

/*
 * Open an existing directory by such a path, without moving to it. The fd is
 * the caller's.
 */
int tardirs_find(struct tardirs *d, const char *path, struct err *e);

/*
 * Enter the directory `leaf` of the directory that tardirs_at returned last;
 * its entries come next. Takes the fd, also on failure.
 */
int tardirs_enter(struct tardirs *d, const char *leaf, int fd, mode_t mode,
		  const struct timespec *mtime, struct err *e);

/* Leave all open directories, which sets their modes and times. */
int tardirs_end(struct tardirs *d, struct err *e);

void tardirs_close(struct tardirs *d); /* NULL is fine */

#endif
