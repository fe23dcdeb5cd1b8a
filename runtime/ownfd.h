/*
 * ownfd - writing to the caller's own stdout and stderr without blocking
 *
 * They are shared with the caller's shell, so O_NONBLOCK, which belongs to the
 * open file and not to the fd, must stay off. Files take everything at once;
 * pipes and sockets are written with RWF_NOWAIT; where the kernel cannot do
 * that (terminals) a small piece follows poll, which then does not block.
 *
 * Life: ownfd_init; ownfd_write, and when it took not all: poll for POLLOUT,
 * ownfd_write with `polled`.
 */
#ifndef RUNTIME_OWNFD_H
#define RUNTIME_OWNFD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ownfd {
	int fd; /* borrowed; -1: no reader */
	bool is_file;
	bool no_nowait;
	bool no_splice;
	int why; /* errno of the failed write; 0: none failed */
};

void ownfd_init(struct ownfd *o, int fd);

/*
 * Bytes written, 0: not now, -1: the reader is gone (fd is -1 then). polled:
 * poll said POLLOUT since the last write.
 */
ssize_t ownfd_write(struct ownfd *o, const void *p, size_t n, bool polled);

/*
 * splice(2) from a pipe into a file: the number of bytes, at most n. 0 if that
 * is not possible or the pipe is empty; then read the pipe and call
 * ownfd_write, which reports any error.
 */
size_t ownfd_splice(struct ownfd *o, int from, size_t n);

/* Is the reader gone? It closed the pipe, or the terminal hung up. */
bool ownfd_is_left(const struct ownfd *o);

/*
 * 0, or -1 if a write failed for a reason other than a reader that went away.
 * name: "stdout" or "stderr".
 */
int ownfd_lost(const struct ownfd *o, const char *name, struct err *e);

#endif
