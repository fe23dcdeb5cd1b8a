/*
 * monitor - what start.c (the way to a program that runs) and monitor.c (all
 * that comes after) share
 */
#ifndef RUNTIME_MONITOR_H
#define RUNTIME_MONITOR_H

#include "base/err.h"
#include "runtime/exec.h"
#include "runtime/health.h"
#include "runtime/hub.h"
#include "runtime/net/net.h"
#include "runtime/restart.h"
#include "runtime/start.h"
#include "runtime/stdfds.h"
#include "runtime/tty.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/types.h>

struct monitor {
	const struct container_job *job;
	const struct run_spec *spec;
	struct container *container;
	struct container_head before; /* the first start */
	bool ran;      /* the program was executed, once at least */
	bool detached; /* a process of its own */
	bool direct;   /* no stdio of the program is copied */
	pid_t init;
	int pidfd;
	int sync; /* during the start */
	int signals;
	sigset_t all;         /* of the signals that are blocked and read */
	int userns;           /* init's user namespace, -1: none */
	int netns;            /* the first init's (netns_ahead), -1: none */
	struct net_live *net; /* of this start; NULL: nothing to carry */

	/* NULL: the program has our own fds. */
	struct hub *hub;
	struct stdfds stdio; /* of this start; a hub takes our ends */
	int master;          /* with -t, in place of stdio */
	struct tty_raw raw;  /* of our own terminal */
	struct winsize size; /* of the terminal that started it */

	struct cgroup *cgroup; /* NULL: none of its own */

	struct restart restart;
	struct health health;
	struct exec_probe probe; /* a check that runs; .pid 0: none */
	int64_t probe_ns;        /* when it began, since 1970 */
	int64_t started_ns;      /* CLOCK_MONOTONIC */
	bool timed_out;          /* --timeout ended it */
	bool ended;              /* init is dead */
	bool last;               /* no more starts */
	bool hurry;              /* nor any waiting for slow readers */
	int code;
};

/*
 * One start: namespaces, init, GO, and until execve succeeded. With -t the
 * master is in m->master. On an error init is dead.
 */
int start_program(struct monitor *m, struct err *e);

/*
 * Log, socket and clients of the first start; later, or where our own fds pass
 * through: nothing. Called while init builds its root, which takes longer.
 */
int monitor_make_hub(struct monitor *m, struct err *e);

/* The network of this start, if it has one: up (start.c), and down. */
int monitor_net_up(struct monitor *m, struct err *e);
void monitor_net_down(struct monitor *m);

/*
 * Health checks (monitor_health.c): after each start; the fd to poll (-1:
 * none) and ms until the next one is due (-1: never); what is due or done; the
 * program ended.
 */
void monitor_health_begin(struct monitor *m);
int monitor_health_fd(const struct monitor *m);
int monitor_health_ms(const struct monitor *m);
void monitor_health_turn(struct monitor *m, bool probe_ended);
void monitor_health_end(struct monitor *m);

/*
 * Its cgroup (monitor_cgroup.c): made before the first start; whether a start
 * failed for want of memory; what the OOM killer did is told.
 */
int monitor_cgroup_begin(struct monitor *m, struct err *e);
void monitor_cgroup_explain(const struct monitor *m, struct err *e);
/* `update` may have changed the restart policy. */
void monitor_take_update(struct monitor *m);
void monitor_cgroup_end(struct monitor *m, struct container_state *s);

/* Replace state.json; a full disk is no reason to end a container. */
void monitor_put_state(struct monitor *m, enum container_status status);

/* From now until a moment of CLOCK_MONOTONIC; a bit late, never early. */
int monitor_ms_until(int64_t when_ns);

#endif
