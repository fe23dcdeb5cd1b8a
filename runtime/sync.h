/*
 * sync - the conversation of monitor and init: one message type, one message
 * per packet, struct err inside
 *
 * The steps are named and ordered in one enum. start.c and init.c are written
 * to be read side by side, with the step's name at both ends. A plain start
 * as root exchanges one message (GO); user namespaces add UNSHARED/PLUMBED.
 *
 * End of file instead of a message means that the peer is dead or, for the
 * monitor after GO, that the program was executed. No message follows:
 * the monitor learns the end of a container from the wait status of its PID 1.
 */
#ifndef RUNTIME_SYNC_H
#define RUNTIME_SYNC_H

#include "base/err.h"

#include <stdint.h>

enum sync_step {
	SYNC_UNSHARED, /* init -> monitor: in its namespaces, needs id maps */
	SYNC_PLUMBED,  /* monitor -> init: maps written, fds may follow */
	SYNC_TTY,      /* init -> monitor: the pty master comes with this */
	SYNC_GO,       /* monitor -> init: all is recorded, run the program */
	SYNC_ERROR,    /* either way: err says why */
	SYNC_STEPS
};

struct sync_msg {
	uint32_t step;  /* enum sync_step */
	struct err err; /* when SYNC_ERROR */
};

/* A connected SEQPACKET pair; both CLOEXEC. */
int sync_pair(int ret[2], struct err *e);

int sync_send(int sock, enum sync_step step, struct err *e);

/* Wait for one step: 0, the peer's error, or ERR_GONE at end of file. */
int sync_wait(int sock, enum sync_step step, struct err *e);

/* The same with fds as ancillary data (SCM_RIGHTS); at most SYNC_FDS_MAX. */
#define SYNC_FDS_MAX 128
int sync_send_fds(int sock, enum sync_step step, const int *fds, int n,
		  struct err *e);
int sync_wait_fds(int sock, enum sync_step step, int *ret_fds, int max,
		  struct err *e);

/*
 * After GO: 0 when the program was executed (end of file), else its error.
 */
int sync_wait_exec(int sock, struct err *e);

/* Report and end; for the child's roles. */
_Noreturn void sync_die(int sock, const struct err *why);

#endif
