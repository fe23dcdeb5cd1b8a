/*
 * loggz - a log file that is full, as .gz
 *
 * gunzip reads it. Its header has one extra field: the inode of the file that
 * it was made from, so that a reader that is in the middle of that one, which
 * is gone by name, knows which file follows.
 *
 * A kill at any point leaves the plain file, the packed one, or both of the
 * same content.
 */
#ifndef RUNTIME_LOGGZ_H
#define RUNTIME_LOGGZ_H

#include "base/err.h"

#include <stdint.h>

#define LOGGZ_SUFFIX ".gz"

/* NAME becomes NAME.gz. */
int loggz_pack(int dir_fd, const char *name, struct err *e);

/*
 * The content of a packed file, in a file without a name (in dir_fd, or in
 * memory where that cannot be). Of a damaged one what can be read.
 */
int loggz_unpack(int dir_fd, int fd, int *ret_fd, struct err *e);

/* The inode of what it was made from; 0: not said. */
uint64_t loggz_origin(int fd);

#endif
