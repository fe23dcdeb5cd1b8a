/*
 * hub - the bytes of one container: from its program to log, caller and
 * clients, and from caller and clients to its program
 *
 * Sources are the read ends of stdout and stderr, or the pty's master. Each
 * piece read goes to every sink: to the log at once, to the caller's own fds
 * and the clients when they can take it. The source is read again only when all
 * sinks have the piece, so a slow sink makes the program wait, as a pipe would.
 * A sink that is gone is dropped. The hub holds one piece per source, no more.
 *
 * Input goes through one buffer; it takes bytes in the order in which the
 * caller and the clients send them.
 *
 * No call blocks. The log never fails (logfile.h), so a full disk cannot stop
 * the loop.
 *
 * Life: hub_make -> (hub_listen, hub_add_client) -> hub_connect -> per turn of
 * the poll loop hub_fds, poll, hub_handle -> hub_ended -> turns until hub_done
 * -> hub_tell_exit -> (hub_connect for the next start ...) -> hub_shut ->
 * hub_tell_exit -> hub_free.
 */
#ifndef RUNTIME_HUB_H
#define RUNTIME_HUB_H

#include "base/err.h"
#include "runtime/attach.h"
#include "runtime/logfile.h"

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define HUB_CLIENTS_MAX 32
#define HUB_FDS_MAX     (HUB_CLIENTS_MAX + 7)

struct hub;

struct hub_conf {
	struct log_writer *log; /* owned from here on; NULL: none */
	int own_in;             /* the caller's, borrowed; -1: none */
	int own_out;
	int own_err;
	bool stdin_once; /* the end of a client's input is the program's */
	int dir_fd;      /* of the container, for the socket; borrowed */
};

/* What clients ask for that the hub cannot do. */
struct hub_wish {
	uint64_t signals; /* bit n: signal n */
	bool poked;       /* a client connected: look at the directory again */
};

struct hub *hub_make(const struct hub_conf *c);
void hub_free(struct hub *h); /* NULL is fine; shuts it before */

/* Make the socket and listen on it. */
int hub_listen(struct hub *h, struct err *e);

/* A client that is connected already; fd is owned from here on. */
void hub_add_client(struct hub *h, int fd);

/*
 * The ends of one start, owned from here on and made non-blocking: either a
 * pty's master alone, or out, err and in (-1: none) of pipes.
 */
struct hub_ends {
	int master;
	int in;
	int in_theirs; /* the program's end of in, for hub_ended; -1: none */
	int out;
	int err;
};
#define HUB_ENDS_NONE                                                          \
	{                                                                      \
		.master = -1, .in = -1, .in_theirs = -1, .out = -1, .err = -1, \
	}
int hub_connect(struct hub *h, const struct hub_ends *ends, struct err *e);

/* The pty gets this size; without one nothing happens. */
void hub_resize(struct hub *h, uint16_t rows, uint16_t columns);

/* Fill at most HUB_FDS_MAX entries; returns how many. */
int hub_fds(struct hub *h, struct pollfd *ret);
void hub_handle(struct hub *h, const struct pollfd *fds, int n,
		struct hub_wish *ret);

/*
 * The program is dead. The hub sends it nothing more and delivers what it wrote
 * until now, but not what processes that it left running write later. hub_done
 * turns true when every reader has everything; a reader that takes nothing for
 * HUB_PATIENCE_MS is dropped, except the caller's own fds.
 *
 * If the caller's input is a regular file, its offset moves back to where the
 * program stopped reading, as if the program had read the file itself.
 */
#define HUB_PATIENCE_MS 2000
void hub_ended(struct hub *h);
bool hub_done(struct hub *h);
int hub_timeout_ms(const struct hub *h); /* of poll; -1: none */
/* Stop waiting for any reader. */
void hub_give_up(struct hub *h);

/*
 * 0, or -1 if one of the caller's own fds failed, so that output or input was
 * lost. A reader that went away is not an error.
 */
int hub_lost(const struct hub *h, struct err *e);

/* Each client learns the code, and is let go. */
void hub_tell_exit(struct hub *h, int code);

/* No new clients, no socket, no log any more: what is left is to tell. */
void hub_shut(struct hub *h);

#endif
