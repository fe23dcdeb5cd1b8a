/*
 * proc - forked workers that report in a struct err
 *
 * A worker is a child that runs one function and ends; its struct err (or the
 * absence of one) comes back through a socket, so the sentence is written by
 * the process that knows. A worker dies with its parent (PDEATHSIG SIGKILL).
 *
 * Life: proc_start -> (use the child's fds) -> proc_wait; own: autoworker.
 */
#ifndef BASE_PROC_H
#define BASE_PROC_H

#include "err.h"
#include "limits.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct worker {
	pid_t pid;  /* 0: none */
	int err_fd; /* the child's report; readable at its end */
	char name[32];
};

#define WORKER_NONE                    \
	{                              \
		.pid = 0, .err_fd = -1 \
	}

/* Runs in the child; its result and *e are sent to the parent. */
typedef int (*worker_fn)(void *arg, struct err *e);

int proc_start(struct worker *w, const char *name, worker_fn fn, void *arg,
	       struct err *e);

/*
 * The same for a worker that is to meet untrusted bytes: of the parent's fds
 * from 3 on it keeps only these (sorted by us), so no lock outlives the parent
 * in it and no directory leads out.
 */
#define PROC_KEEP_MAX  8
#define PROC_ALONE_MAX (2 * LAYERS_MAX + 8) /* all layers and their lists */
int proc_start_alone(struct worker *w, const char *name, worker_fn fn,
		     void *arg, const int *keep, size_t n_keep, struct err *e);

/*
 * No part of the caller's session any longer: one of its own, /dev/null as
 * stdio, and of the other fds only these.
 */
void proc_detach(const int *keep, size_t n);

/*
 * Close every fd from 3 on but these and the one that a worker of proc_start
 * reports through. Call it in the worker.
 */
void proc_worker_keep(const int *keep, size_t n);

/* Close every fd from 3 on but these (at most PROC_KEEP_MAX; -1: none). */
void proc_keep_only(const int *keep, size_t n);

/*
 * fn(arg) in a process that goes on when we end, in a session of its own, with
 * /dev/null as its stdio and only keep[] of our fds: for work that needs no
 * waiting and that any later command can repeat. Its result is not reported.
 * arg and keep must stay valid until then. Only one: false if there is one
 * already.
 */
bool proc_leave(worker_fn fn, void *arg, const int *keep, size_t n_keep);

/*
 * Hold an fd whose close(2) takes long, also at exit: the process of proc_leave
 * keeps it until we are gone, and is started just for that if need be. Only
 * one; -1: none. A detached process does not need this, since no process waits
 * for its end.
 */
void proc_hold(int fd);

/*
 * The last call of each program: 'return proc_end(code)' in main, or before
 * _exit(2). Starts what proc_leave() was given; it runs in our memory then.
 */
int proc_end(int code);

/*
 * End now, when all went well: memory is not given back piece by piece, which
 * costs calls, and faults where a forked child shares it. Comes back when
 * output cannot be written, and under AddressSanitizer, which looks for leaks.
 */
void proc_quit(int code);

/*
 * Wait for the end. 0 if fn returned 0; else e is the child's error, or
 * ERR_GONE with the signal that killed it.
 */
int proc_wait(struct worker *w, struct err *e);

/* SIGKILL and reap, if it still runs. */
void proc_kill(struct worker *w);
#define autoworker __attribute__((cleanup(proc_kill)))

/*
 * /proc/PID/stat from field 3, the state, on (proc(5)): what stands before it
 * is a name that may hold anything. In b; NULL when there is no such process.
 */
struct buf;
const char *proc_stat(pid_t pid, struct buf *b);

/*
 * Is the signal in this set of /proc/PID/status ("SigCgt", "ShdPnd", ...)? -1
 * when there is no such process.
 */
int proc_signal(pid_t pid, const char *set, int sig);

/* Words for a wait status: "exited with status 3", "killed by SIGKILL". */
const char *proc_status_text(int wait_status, char *buf, size_t n);

/*
 * Run a program, stdin from /dev/null, stdout+stderr captured (for messages,
 * at most 4 KiB); its non-zero end is an error with what it printed.
 */
int proc_run(const char *const argv[], struct err *e);

#endif
