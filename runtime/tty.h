/*
 * tty - the container's terminal (pty(7)) and the caller's own
 *
 * The pty belongs to the container's devpts, so that its name resolves there:
 * the child opens the pair in its own /dev/pts, keeps the slave and sends the
 * master to the monitor (sync_send_fds). The monitor puts the caller's
 * terminal into raw mode and relays between the two.
 *
 * Life: tty_open_pts -> tty_open_pair (child); tty_raw_enter, tty_relay_init,
 * then per turn of the poll loop tty_relay_fds -> poll -> tty_relay_handle, at
 * the end tty_relay_drain, and tty_raw_restore on every way out.
 */
#ifndef RUNTIME_TTY_H
#define RUNTIME_TTY_H

#include "base/err.h"
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

/*
 * Open the root of the devpts at /dev/pts; the cwd is the container's root. If
 * /dev/pts is something else, returns a copy of own, or ERR_NOTFOUND if own is
 * -1.
 */
int tty_open_pts(int own, struct err *e);

/*
 * A new pty of the devpts instance at pts_fd (an fd of its root directory;
 * AT_FDCWD: /dev/pts). Both ends are CLOEXEC; the slave is not made the
 * controlling terminal. Needs no path for the slave, so none can lie.
 */
int tty_open_pair(int pts_fd, int *ret_master, int *ret_slave, struct err *e);

/* Rows and columns of one terminal to another; no terminal: nothing. */
void tty_copy_size(int from, int to);

/*
 * How end of input is typed on the terminal behind master: 0 to 2 bytes into
 * ret. line_start: the last byte that was sent was a newline.
 */
size_t tty_eof_text(int master, bool line_start, char ret[2]);

/* ---- the caller's terminal --------------------------------------------- */

struct tty_raw {
	int fd; /* borrowed */
	struct termios saved;
	volatile sig_atomic_t active; /* saved is to be put back */
};

/* Raw mode, old mode kept. Not a terminal: success, nothing done. */
int tty_raw_enter(int fd, struct tty_raw *ret, struct err *e);

/*
 * The mode as it was; any number of times, also from a signal handler, also
 * as a background process. A zeroed struct is fine.
 */
void tty_raw_restore(struct tty_raw *t);

/* ---- relay ------------------------------------------------------------- */

#define TTY_RELAY_FDS 3

/*
 * in -> master and master -> out, with bounded buffers: a reader that does not
 * read makes the other side wait, nothing is dropped. Fds are borrowed; the
 * master is made non-blocking, the caller's own fds are not (they are shared
 * with the shell): reads and writes on them follow poll, in small pieces.
 *
 * End of input reaches the program as the terminal's end-of-file character, as
 * if typed (script(1) does so too). Docker never sends it, and a program that
 * reads to the end then waits forever.
 *
 * When out is gone (EPIPE) output is read on and thrown away, so that the
 * program is not stopped by it.
 */
struct tty_relay {
	int in;  /* -1: no input, or at its end */
	int out; /* -1: no reader */
	int master;
	bool eof_wanted; /* the end of input is still to be told */
	bool line_start; /* the last byte sent to the program was a newline */
	bool done;       /* the program's side is closed and all is written */
	bool hung_up;    /* the master has nothing more */
	size_t in_at, in_len;
	size_t out_at, out_len;
	char in_buf[4096];
	char out_buf[16384];
};

int tty_relay_init(struct tty_relay *r, int in, int out, int master,
		   struct err *e);

/* Fill TTY_RELAY_FDS entries; what needs no waiting has fd -1. */
void tty_relay_fds(const struct tty_relay *r, struct pollfd *ret);

/*
 * Do what poll found possible. r->done says that no more will come. An error
 * is one of the master; troubles of in and out end only that direction.
 */
int tty_relay_handle(struct tty_relay *r, const struct pollfd *fds,
		     struct err *e);

/*
 * After the program's end: bring all its output out, until the master says
 * that it is closed. Gives up after timeout_ms without progress (another
 * process holds the slave, or our output has no reader). Input is not read.
 */
int tty_relay_drain(struct tty_relay *r, int timeout_ms, struct err *e);

#endif
