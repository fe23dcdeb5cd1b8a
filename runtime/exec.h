/*
 * exec - one more program in a running container
 *
 *   caller                    joiner                        program
 *   ------                    ------                        -------
 *   clone3                 -> what init has: limits, score
 *                             ONE setns(pidfd, all)
 *   the pty's master  <- TTY  a pty of the container
 *   size of it       GO ->    user, workdir, PID 1 (memfd)
 *                             clone                      -> execve
 *   end of file: it runs
 *   waits for the joiner      waits, forwards signals       runs
 *
 * The joiner stays outside of the container's PID namespace and does what PID 1
 * does in a start: it has one child, forwards signals, and ends with the
 * child's code. So the container sees no process whose /proc/PID/exe, root or
 * fds belong to the host (CVE-2019-5736). And a caller that is stopped by ^Z
 * cannot keep the container from ending, as an unreaped program of its own
 * would.
 *
 * The container may be hostile during all this: its paths are opened inside its
 * root, its pty is checked to be one, and messages of the joiner are bounded.
 * It can make the joiner hang (a FUSE mount on /etc); a caller that must not
 * hang forks first (exec_probe_start).
 *
 * Life: fill a request -> exec_start -> exec_wait; or exec_foreground, or
 * exec_probe_start -> poll -> exec_probe_end.
 */
#ifndef RUNTIME_EXEC_H
#define RUNTIME_EXEC_H

#include "base/err.h"
#include "runtime/detach_keys.h"
#include "runtime/spec.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct exec_request {
	/*
	 * The container's, with args, env, cwd, user, tty and interactive of
	 * this program. exec_spec() fits a loaded one.
	 */
	const struct run_spec *spec;
	const char *id; /* of the container */
	pid_t init;     /* of the container, and a pidfd of it; borrowed */
	int init_pidfd;
	int stdio[3]; /* without a tty: fds, borrowed, or STDFDS_NULL */
	int size_of;  /* a terminal whose size the pty gets, or -1 */
	bool outlive; /* the program goes on when the caller dies */
};

/*
 * From the spec of a container to that of a program in it: args and cwd (NULL:
 * as it is) and user (NULL: as it is); no reaper of its own.
 * TERM and HOME are left to the program's user and terminal.
 */
void exec_spec(struct run_spec *s, char *const *args, size_t n_args,
	       const char *cwd, const char *user);

struct exec_child {
	pid_t pid; /* the joiner; ends with the program's code */
	int pidfd;
	int master; /* of the terminal; -1: none */
};
#define EXEC_CHILD_NONE                    \
	{                                  \
		.pidfd = -1, .master = -1, \
	}

/*
 * Returns when the program was executed. ERR_NOPROG, ERR_NOEXEC from execve
 * alone; ERR_GONE when the container ended meanwhile.
 */
int exec_start(const struct exec_request *r, struct exec_child *ret,
	       struct err *e);

/* Wait for the end: the program's code, 128 + n when killed. */
int exec_wait(struct exec_child *c, int *ret_code, struct err *e);

/* SIGKILL to program and joiner, and reap. A child of NONE is fine. */
void exec_kill(struct exec_child *c);

/*
 * Start and stay: the caller's stdio, as the request names it, and signals are
 * the program's. It gets pipes and sockets directly. prism copies everything
 * else (stdfds.h); with a terminal a process of its own (exec_held.h) copies
 * and keeps the other end. Output that processes left by the program write
 * after its end is not copied. With detach keys the user may leave a program
 * that has a terminal: it goes on, *ret_detached is set.
 */
int exec_foreground(const struct exec_request *r,
		    const struct detach_keys *keys, bool *ret_detached,
		    int *ret_code, struct err *e);

/* ---- probes: health checks --------------------------------------------- */

#define EXEC_OUTPUT_MAX 4096 /* as Docker keeps it */

/*
 * A program without a terminal whose output is kept, in a process of its own
 * that cannot hold up the one that asks.
 */
struct exec_probe {
	pid_t pid; /* 0: none */
	int fd;    /* readable at the end: for poll */
};
#define EXEC_PROBE_NONE  \
	{                \
		.fd = -1 \
	}

struct exec_result {
	int code;       /* the program's; -1: none, see error */
	bool timed_out; /* killed after the time was over */
	char output[EXEC_OUTPUT_MAX + 1]; /* its first bytes, ends with NUL */
	size_t n_output;
	struct err error; /* why it could not be run */
};

/* r's stdio is not used. After timeout_ms (0: none) the program is killed. */
int exec_probe_start(const struct exec_request *r, int64_t timeout_ms,
		     struct exec_probe *ret, struct err *e);
/*
 * Take the result. Before fd is readable this kills the program, and says
 * that its time was over.
 */
int exec_probe_end(struct exec_probe *p, struct exec_result *ret,
		   struct err *e);

#endif
