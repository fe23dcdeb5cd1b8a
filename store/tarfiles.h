/*
 * tarfiles - a tar as a set of files that are looked up by name
 *
 * What `load` reads: image archives, whose documents may stand behind the
 * layers that they name. A plain tar in a regular file is read where it lies;
 * anything else (a pipe; gzip, bzip2, xz, zstd) is copied into a file without a
 * name in the store's tmp/ first. A directory is taken as what a tar of it
 * would be.
 *
 * The tar is walked once, by a worker that has the two files and nothing else.
 * Links are followed inside the archive (docker save of old uses some).
 *
 * Life: tarfiles_open -> tarfiles_find, tarfiles_read ... -> tarfiles_free.
 * Errors: ERR_INVALID for what is no tar, ERR_NOTFOUND for a name that is not
 * in it.
 */
#ifndef STORE_TARFILES_H
#define STORE_TARFILES_H

#include "base/buf.h"
#include "base/err.h"
#include "store/store.h"
#include <stdbool.h>
#include <stdint.h>

struct tarfiles;

/* A file of it: size bytes of fd from `at` on. */
struct tarfile {
	int fd; /* borrowed; of a directory: ours, to be closed */
	uint64_t at;
	uint64_t size;
};

/* fd: borrowed for the call if it is a pipe, else until tarfiles_free. */
int tarfiles_open(struct store *s, int fd, struct tarfiles **ret,
		  struct err *e);

bool tarfiles_has(const struct tarfiles *t, const char *name);
int tarfiles_find(const struct tarfiles *t, const char *name,
		  struct tarfile *ret, struct err *e);
void tarfile_close(const struct tarfiles *t, struct tarfile *f);

/* A small file whole: at most b->max bytes. */
int tarfiles_read(const struct tarfiles *t, const char *name, struct buf *b,
		  struct err *e);

/* Up to n bytes from `from` on; the count, 0 behind the end. */
int64_t tarfile_pread(const struct tarfile *f, void *p, size_t n, uint64_t from,
		      struct err *e);

void tarfiles_free(struct tarfiles *t); /* NULL is fine */

#endif
