/*
 * attach - the socket through which clients share a container's stdio
 *
 * The monitor listens on containers/<id>/attach, a SEQPACKET socket that only
 * the container's owner can open. One packet is one message: a byte that says
 * what it is (enum attach_type), then its data, at most ATTACH_DATA_MAX bytes.
 *
 *   client                               monitor
 *   HELLO wish (enum attach_wish)   ->
 *                                   <-   HELLO what (enum attach_what)
 *   IN bytes, IN_EOF, SIZE, SIGNAL  ->
 *                                   <-   OUT bytes, ERR bytes
 *                                   <-   EXIT code: the program ended
 *
 * A client that asks for nothing learns the end of the container by EXIT, and
 * the end of the monitor by end of file. A connection alone makes the monitor
 * look at its directory again (attach_poke): that is how it learns during a
 * pause between two restarts that the user wants no more of them.
 */
#ifndef RUNTIME_ATTACH_H
#define RUNTIME_ATTACH_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ATTACH_NAME     "attach"
#define ATTACH_DATA_MAX 32768

enum attach_type {
	ATTACH_HELLO = 'h',
	ATTACH_IN = 'i',
	ATTACH_IN_EOF = 'e',
	ATTACH_SIZE = 'w',   /* struct attach_size */
	ATTACH_SIGNAL = 's', /* one byte: its number */
	ATTACH_OUT = 'o',
	ATTACH_ERR = 'r',
	ATTACH_EXIT = 'x', /* int32_t */
};

enum attach_wish {
	ATTACH_WANT_IN = 1,
	ATTACH_WANT_OUT = 2,
	ATTACH_WANT_ERR = 4,
};

enum attach_what {
	ATTACH_HAS_TTY = 1,
	ATTACH_HAS_STDIN = 2,
};

struct attach_size {
	uint16_t rows;
	uint16_t columns;
};

/* ---- both sides ------------------------------------------------------------ */

/* A connected pair, close-on-exec: the first client of a start. */
int attach_pair(int ret[2], struct err *e);

/*
 * One message. 0; or -1 with errno: EAGAIN with MSG_DONTWAIT in flags when the
 * peer is slow, EPIPE and the like when it is gone.
 */
int attach_send(int fd, enum attach_type type, const void *p, size_t n,
		int flags);

/*
 * One message into buf (ATTACH_DATA_MAX): the length of its data, -1 with
 * errno; errno 0 means end of file.
 */
ssize_t attach_recv(int fd, enum attach_type *ret_type, void *buf, int flags);

/* ---- the monitor ----------------------------------------------------------- */

int attach_listen(int dir_fd, struct err *e);
/* A new client (non-blocking), or -1. */
int attach_accept(int listen_fd);

/* ---- clients ---------------------------------------------------------------- */

/*
 * Connect to the monitor of the container in dir_fd. ERR_NOTFOUND when it does
 * not run, or has no socket (foreground with --rm).
 */
int attach_connect(int dir_fd, struct err *e);

/* Wake the monitor; nobody there is fine. */
void attach_poke(int dir_fd);

/*
 * A signal for PID 1, by a connection of its own: behind input that the
 * program does not read it would come too late.
 */
void attach_signal(int dir_fd, int sig);

#endif
