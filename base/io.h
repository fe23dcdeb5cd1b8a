/*
 * io - bytes from here to there
 *
 * sink_fn is how bytes cross layers: the registry gives to a sink and does not
 * know that a blob of the store stands behind it.
 */
#ifndef BASE_IO_H
#define BASE_IO_H

#include "buf.h"
#include "err.h"
#include <stddef.h>
#include <stdint.h>

/* Take n bytes. 0, or -1 with e set, which ends the transfer. */
typedef int (*sink_fn)(void *ctx, const void *p, size_t n, struct err *e);

/* All n bytes; EINTR and short writes are retried. what names the object. */
int io_write_all(int fd, const void *p, size_t n, const char *what,
		 struct err *e);

/* Up to n bytes, fewer only at the end of the file. Returns the count. */
int64_t io_read_full(int fd, void *p, size_t n, const char *what,
		     struct err *e);

/*
 * The same of a regular file, where a read that is short is the last one: one
 * call for a small file.
 */
int io_read_file(int fd, struct buf *b, const char *what, struct err *e);

/* Everything up to the end; ERR_TOOBIG past b->max. */
int io_read_all(int fd, struct buf *b, const char *what, struct err *e);

#endif
