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

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct ownfd {
	int fd; /* borrowed; -1: nobody looks */
	bool is_file;
	bool no_nowait;
};

void ownfd_init(struct ownfd *o, int fd);

/*
 * Bytes written, 0: not now, -1: nobody will read it (fd is -1 then). polled:
 * poll said POLLOUT since the last write.
 */
ssize_t ownfd_write(struct ownfd *o, const void *p, size_t n, bool polled);

#endif
