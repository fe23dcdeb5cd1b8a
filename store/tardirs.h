/*
 * tardirs - the directories that a tar is unpacked into, whatever their depth
 *
 * Entries of a tar come in any order, though nearly always those of a directory
 * together. The way to the directory of the last entry is kept (base/ladder):
 * the next one costs what differs. A directory that the tar has an entry for
 * gets its mode and times when it is left, since its entries change them; when
 * it is entered once more, once more.
 *
 * Links on the way: see tarin.h.
 *
 * Life: tardirs_open -> tardirs_at, tardirs_enter... -> tardirs_end -> _close.
 */
#ifndef STORE_TARDIRS_H
#define STORE_TARDIRS_H

#include "base/err.h"
#include "store/tarin.h"
#include <sys/types.h>
#include <time.h>

struct tardirs;

/* o stays the caller's. NULL on an error. */
struct tardirs *tardirs_open(const struct tarin_opts *o, struct err *e);

/*
 * The directory of this clean path ("a/b"; "" is the destination); what is
 * missing is made. Borrowed until the next call.
 */
int tardirs_at(struct tardirs *d, const char *path, struct err *e);

/* The same, for a look aside: it must be there. An fd of the caller's. */
int tardirs_find(struct tardirs *d, const char *path, struct err *e);

/*
 * The directory leaf in the one that tardirs_at gave last: its entries come
 * next. Takes the fd, also on failure.
 */
int tardirs_enter(struct tardirs *d, const char *leaf, int fd, mode_t mode,
		  const struct timespec *mtime, struct err *e);

/* Leave them all. */
int tardirs_end(struct tardirs *d, struct err *e);

void tardirs_close(struct tardirs *d); /* NULL is fine */

#endif
