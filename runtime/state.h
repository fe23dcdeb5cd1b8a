/*
 * state - what became of a container: state.json, and the words for it
 *
 * Three things together say the truth:
 *
 *   the lock      somebody holds it while the container lives
 *   the head      the first bytes of spec.json, of fixed width: pid, number of
 *                 the run, when it started, exit code; written in place, in
 *                 one call, by the monitor (and nothing else in that file)
 *   state.json    replaced whole at each change, with the number of the run
 *                 that it speaks of; one of an earlier run counts for nothing
 *
 *   locked     run 0                          created (about to start)
 *   locked     pid < 0: it is being started   what it was before: created,
 *                                             exited, restarting
 *   locked     state.json of this run         what it says: restarting
 *   locked     link "paused" of this run      paused (freeze.h)
 *   locked     else                           running
 *   free       state.json of this run, ended  exited (created, dead)
 *   free       run 0, no state.json           created
 *   free       else                           exited 137: its monitor was
 *                                             killed, and it with it
 *
 * A foreground container that is not kept never has a state.json.
 */
#ifndef RUNTIME_STATE_H
#define RUNTIME_STATE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum container_status {
	CONTAINER_CREATED,
	CONTAINER_RUNNING,
	CONTAINER_PAUSED,
	CONTAINER_RESTARTING,
	CONTAINER_EXITED,
	CONTAINER_DEAD, /* its removal failed */
	CONTAINER_STATUSES
};

/* "created", ...: as Docker's State.Status. Never NULL. */
const char *state_word(enum container_status s);
bool state_parse_word(const char *word, enum container_status *ret);

struct container_head {
	/*
	 * Of init; 0: none yet, or ended. Negative until init has executed
	 * the program.
	 */
	pid_t pid;
	uint32_t run;
	int exit_code;      /* -1: not ended */
	bool keep;          /* outlives its end: not --rm; never changes */
	int64_t started_ns; /* since 1970 */
	int64_t boot_ns;    /* CLOCK_BOOTTIME then; tells reused pids */
};

struct health_result {
	int64_t start_ns;
	int64_t end_ns;
	int exit_code;
	char *output;
};

struct container_state {
	uint32_t status; /* enum container_status */
	uint32_t run;    /* which one it speaks of */
	int exit_code;
	int64_t started_ns;
	int64_t finished_ns;
	bool oom_killed;
	int restart_count; /* by the restart policy, in this life */
	char *error;       /* why the last start failed */

	char *health; /* starting, healthy, unhealthy; NULL: no check */
	int failing_streak;
	struct health_result *results; /* oldest first */
	size_t n_results;

	/* Not in the file: what state_get found. */
	pid_t pid; /* 0 unless it lives */
	bool alive;
};

void state_free(struct container_state *s);
#define autostate __attribute__((cleanup(state_free)))

/* ---- the head of spec.json ------------------------------------------------ */

#define HEAD_MAX 160

/* '{"pid":...,' of fixed width; ends with a comma. Returns its length. */
size_t head_format(const struct container_head *h, char buf[HEAD_MAX]);
int head_read(int spec_fd, struct container_head *ret, struct err *e);
int head_write(int spec_fd, const struct container_head *h, struct err *e);

/*
 * A program can be heard of before its monitor has written that it runs. So
 * while a head says that a start is under way, wait until it says something
 * else: at most a second, for an execve can hang. head: the one that was read.
 */
int head_settle(int spec_fd, struct container_head *head, struct err *e);

/* ---- the lock ------------------------------------------------------------- */

/*
 * The lock is one of an open file description (fcntl(2), F_OFD_SETLK): like
 * flock it ends with its last holder, but others can look at it without taking
 * it, so that no `ps` makes a `start` fail.
 */
int lock_take(int spec_fd, const char *what, struct err *e); /* ERR_BUSY */
bool lock_is_held(int spec_fd);
/*
 * For whoever does the work of a dead monitor: it keeps everybody from taking
 * the lock, yet does not look as if the container lived. ERR_BUSY.
 */
int lock_take_dead(int spec_fd, const char *what, struct err *e);
void lock_drop(int spec_fd);
/* Until nobody holds it; EINTR is an error (ERR_SYS). */
int lock_wait(int spec_fd, const char *what, struct err *e);

/* ---- state.json ----------------------------------------------------------- */

/* By the table above; spec_fd of spec.json. */
int state_get(int dir_fd, int spec_fd, struct container_state *ret,
	      struct err *e);

/* What the link `paused` says of this run (freeze.h). */
enum pause_mark {
	PAUSE_NONE,
	PAUSE_HALF, /* a pause or its end is under way, or was cut short */
	PAUSE_WHOLE,
};
enum pause_mark state_pause_mark(int dir_fd, int spec_fd);

/* A file of a container whole, in three calls. ERR_NOTFOUND. */
struct buf;
int state_read_small(int dir_fd, const char *name, struct buf *b,
		     struct err *e);

/* Replace state.json. */
int state_put(int dir_fd, const struct container_state *s, struct err *e);

#endif
