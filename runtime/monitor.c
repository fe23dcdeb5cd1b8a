/*
 * How it works.
 *
 *   1. start_program: the way to execve (start.c); a failure ends here
 *   2. watch: one poll loop over signals, init's pidfd, the hub (pipes or pty,
 *      log, clients) and the timers, until init is dead and everything that
 *      it wrote is with everybody
 *   3. the restart policy: pause (also a poll loop), and 1 again; or
 *   4. the end: state.json, or everything is removed; the lock is free
 *
 * Should: always come back to poll, whatever the container does to its log,
 * its pids and its disk. Mustn't: print (detached, once the program runs),
 * block on anybody's pipe.
 *
 * All signals are blocked and read from a signalfd, so that none is lost
 * between two instructions; each goes on to PID 1, which hands it to the
 * program.
 */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/trace.h"
#include "runtime/name.h"
#include "runtime/signals.h"

#define CODE_TIMEOUT 124 /* as timeout(1) has it */
#define MS           (CLOCK_SECOND / 1000)

/* ---- stdio ------------------------------------------------------------------ */

/* Separate stdout and stderr for a log, clients, or a -a that omits one. */
static bool needs_pipes(const struct monitor *m)
{
	const struct run_spec *const s = m->spec;

	return m->detached || m->job->no_stdout || m->job->no_stderr ||
	       (s->keep && s->log.driver != LOGFILE_NONE);
}

/* With -t the pty comes from init. */
static int make_stdio(struct monitor *m, struct err *e)
{
	const bool pipes = needs_pipes(m);
	const int in = m->detached ? STDFDS_PIPE : STDIN_FILENO;
	const int own[] = {
		m->spec->interactive ? in : STDFDS_NULL,
		pipes ? STDFDS_PIPE : STDOUT_FILENO,
		pipes ? STDFDS_PIPE : STDERR_FILENO,
	};

	if (!m->spec->tty && stdfds_make(own, &m->stdio, e) < 0)
		return -1;
	m->direct = !m->spec->tty && !stdfds_is_copied(&m->stdio);
	return 0;
}

int monitor_make_hub(struct monitor *m, struct err *e)
{
	const struct run_spec *const s = m->spec;
	const bool own = !m->detached;
	const bool reads = s->tty ? s->interactive : m->stdio.ours[0] >= 0;
	struct hub_conf c = {
		.own_in = own && reads ? STDIN_FILENO : -1,
		.own_out = own && !m->job->no_stdout ? STDOUT_FILENO : -1,
		.own_err = own && !m->job->no_stderr ? STDERR_FILENO : -1,
		.stdin_once = s->stdin_once,
		.dir_fd = m->container->dir_fd,
	};

	if (m->hub || m->direct)
		return 0;
	if (s->keep || m->detached)
		if (log_writer_open(c.dir_fd, &s->log, &c.log, e) < 0)
			return -1;
	m->hub = hub_make(&c);
	if (m->detached || s->keep)
		if (hub_listen(m->hub, e) < 0)
			return -1;
	if (m->job->client >= 0)
		hub_add_client(m->hub, m->job->client);
	return 0;
}

static int start_once(struct monitor *m, struct err *e)
{
	struct hub_ends ends;
	int rc = make_stdio(m, e);

	if (rc == 0)
		rc = start_program(m, e);
	m->ran = m->ran || rc == 0;
	if (rc == 0 && m->hub) {
		stdfds_ends(&m->stdio, &ends);
		ends.master = take_fd(&m->master);
		rc = hub_connect(m->hub, &ends, e);
	}
	stdfds_close(&m->stdio);
	own_close(&m->master);
	m->started_ns = clock_monotonic();
	m->ended = rc < 0;
	m->timed_out = false;
	if (rc == 0)
		monitor_health_begin(m);
	return rc;
}

/* ---- signals ------------------------------------------------------------------ */

static void forward(const struct monitor *m, int sig)
{
	if (!m->ended)
		(void)syscall(SYS_pidfd_send_signal, m->pidfd, sig, NULL, 0);
}

/* Our terminal has another size. */
static void resize(const struct monitor *m)
{
	struct winsize ws;

	if (ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) == 0)
		hub_resize(m->hub, ws.ws_row, ws.ws_col);
}

/* ^Z: the shell gets its terminal back, as it was; fg makes it raw again. */
static void stop_self(struct monitor *m)
{
	const bool was_raw = m->raw.active;
	struct err ignored = {0};

	tty_raw_restore(&m->raw);
	(void)kill(getpid(), SIGSTOP);
	if (was_raw)
		(void)tty_raw_enter(STDIN_FILENO, &m->raw, &ignored);
	if (m->spec->tty)
		resize(m);
}

static void one_signal(struct monitor *m, int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGPIPE:
	case SIGURG:
	case SIGTTIN:
	case SIGTTOU:
		return;
	case SIGWINCH:
		if (!m->detached && m->spec->tty)
			resize(m);
		else
			forward(m, sig);
		return;
	case SIGTSTP:
		/* Without -t both stop, and fg wakes both. */
		if (m->detached || !m->spec->tty)
			forward(m, sig);
		if (!m->detached)
			stop_self(m);
		return;
	default:
		forward(m, sig);
	}
}

/* What is sent to us and not through a client means us too. */
static void one_of_ours(struct monitor *m, int sig)
{
	if (sig == SIGTERM || sig == SIGINT || sig == SIGHUP ||
	    sig == SIGQUIT) {
		m->last = true;
		m->hurry = m->hurry || m->ended;
	}
	one_signal(m, sig);
}

static void take_signals(struct monitor *m)
{
	struct signalfd_siginfo si;

	while (read(m->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		if (!signals_is_own_write(&si))
			one_of_ours(m, (int)si.ssi_signo);
}

/* ---- one turn of the loop -------------------------------------------------------- */

int monitor_ms_until(int64_t when_ns)
{
	const int64_t ns = when_ns - clock_monotonic();

	if (ns <= 0)
		return 0;
	return ns / MS >= INT32_MAX ? INT32_MAX : (int)(ns / MS) + 1;
}

static void hub_turn(struct monitor *m, const struct pollfd *p, int n)
{
	struct hub_wish wish;

	hub_handle(m->hub, p, n, &wish);
	for (int sig = 1; wish.signals; sig++) {
		if (wish.signals & (UINT64_C(1) << sig))
			one_signal(m, sig);
		wish.signals &= ~(UINT64_C(1) << sig);
	}
	if (wish.poked)
		net_live_poke(m->net);
}

/* Wait until something happens, and do it. Init's end is left to the caller. */
static int turn(struct monitor *m, int timeout_ms, struct err *e)
{
	struct pollfd p[4 + HUB_FDS_MAX] = {
		{.fd = m->signals, .events = POLLIN},
		{.fd = m->ended ? -1 : m->pidfd, .events = POLLIN},
		{.fd = monitor_health_fd(m), .events = POLLIN},
		{.fd = net_live_fd(m->net), .events = POLLIN},
	};
	const int n = m->hub ? hub_fds(m->hub, p + 4) : 0;

	if (poll(p, (nfds_t)n + 4, timeout_ms) < 0)
		return errno == EINTR ? 0 : err_sys(e, "poll", "the container");
	if (p[0].revents)
		take_signals(m);
	if (m->hub)
		hub_turn(m, p + 4, n);
	if (p[3].revents)
		net_live_turn(m->net);
	if (p[1].revents)
		return 1;
	monitor_health_turn(m, p[2].revents != 0);
	return 0;
}

/* ---- while it runs ---------------------------------------------------------------- */

static int reap(struct monitor *m, struct err *e)
{
	siginfo_t si = {0};
	int rc;

	do {
		rc = waitid(P_PIDFD, (id_t)m->pidfd, &si, WEXITED);
	} while (rc < 0 && errno == EINTR);
	m->init = 0;
	m->ended = true;
	own_close(&m->pidfd);
	if (rc < 0)
		return err_sys(e, "waitid", "init");
	m->code = si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
	if (m->timed_out)
		m->code = CODE_TIMEOUT;
	return 0;
}

/* --timeout: what is left, in ms; 0 when it is over, which ends the program. */
static int time_left_ms(struct monitor *m)
{
	int ms;

	if (m->spec->timeout_s == 0 || m->timed_out)
		return -1;
	ms = monitor_ms_until(m->started_ns +
			      m->spec->timeout_s * CLOCK_SECOND);
	if (ms == 0) {
		m->timed_out = true;
		forward(m, SIGKILL);
		return -1;
	}
	return ms;
}

/* -1 is never. */
static int sooner(int a_ms, int b_ms)
{
	if (a_ms < 0 || b_ms < 0)
		return a_ms < 0 ? b_ms : a_ms;
	return a_ms < b_ms ? a_ms : b_ms;
}

/* All that was written before the end is shown before the status is. */
static int drain(struct monitor *m, struct err *e)
{
	if (!m->hub)
		return 0;
	hub_ended(m->hub);
	while (!hub_done(m->hub)) {
		if (turn(m, hub_timeout_ms(m->hub), e) < 0)
			return -1;
		if (m->hurry)
			hub_give_up(m->hub);
	}
	return 0;
}

static int watch(struct monitor *m, struct err *e)
{
	for (;;) {
		const int ms = sooner(time_left_ms(m), monitor_health_ms(m));
		const int rc = turn(m, ms, e);

		if (rc < 0)
			return -1;
		if (rc == 0)
			continue;
		if (reap(m, e) < 0)
			return -1;
		monitor_health_end(m);
		crash_point("run-ended");
		return drain(m, e);
	}
}

/* ---- the next start ----------------------------------------------------------------- */

void monitor_put_state(struct monitor *m, enum container_status status)
{
	struct container_state s = {
		.status = status,
		.exit_code = status == CONTAINER_RESTARTING ? m->code : 0,
		.restart_count = (int)m->restart.count,
		.finished_ns = status == CONTAINER_RESTARTING ? clock_now() : 0,
	};
	struct err e = {0};

	health_state(&m->health, &s);
	/* A full disk must not end the container: the head tells enough. */
	if (container_state_put(m->container, &s, &e) < 0)
		log_warn("ignoring: %s", e.text);
}

/* False: the user wants no more of it. */
static bool pause_before_restart(struct monitor *m, int64_t pause_ns)
{
	const int64_t until = clock_monotonic() + pause_ns;
	struct err e = {0};

	for (;;) {
		const int ms = monitor_ms_until(until);

		if (m->last || container_is_stopping(m->container))
			return false;
		if (ms == 0)
			return true;
		if (turn(m, ms, &e) < 0)
			return false;
	}
}

void monitor_net_down(struct monitor *m)
{
	const struct net_of o = {.home = m->job->home,
				 .container = m->container};
	struct err e = {0};

	net_live_free(m->net);
	m->net = NULL;
	/* The next command tries again. */
	if (net_is_wanted(m->spec) && net_down(&o, &e) < 0)
		log_warn("ignoring: %s", e.text);
}

/* It may have been renamed since. */
static void learn_name(struct monitor *m)
{
	autonames struct name_list l = {0};
	struct err ignored = {0};

	if (net_is_wanted(m->spec) &&
	    name_list_read(m->job->home, &l, &ignored) == 0)
		name_of(&l, m->container->id, m->container->name);
}

/* True: it runs again. An error of a start after the first is an end too. */
static bool start_again(struct monitor *m, struct err *e)
{
	const int64_t ran_ns = clock_monotonic() - m->started_ns;
	int64_t pause_ns;

	monitor_take_update(m);
	pause_ns =
		restart_decide(&m->restart, m->code, ran_ns,
			       m->last || container_is_stopping(m->container));

	if (pause_ns < 0)
		return false;
	/* Of the last end finish() tells, when it is recorded. */
	if (m->hub)
		hub_tell_exit(m->hub, m->code);
	monitor_net_down(m);
	m->container->head.pid = 0;
	(void)head_write(m->container->lock_fd, &m->container->head, e);
	err_clear(e);
	monitor_put_state(m, CONTAINER_RESTARTING);
	crash_point("run-restarting");
	if (!pause_before_restart(m, pause_ns))
		return false;
	learn_name(m);
	if (start_once(m, e) < 0)
		return false;
	crash_point("run-again");
	monitor_put_state(m, CONTAINER_RUNNING);
	crash_point("run-again-noted");
	return true;
}

/* From one start to the end of the last one. */
static int see_through(struct monitor *m, struct err *e)
{
	for (;;) {
		if (watch(m, e) < 0)
			return -1;
		if (!start_again(m, e))
			return err_is(e) ? -1 : 0;
	}
}

/* ---- begin and end -------------------------------------------------------------------- */

static int begin(struct monitor *m, struct err *e)
{
	if (start_once(m, e) < 0)
		return -1;
	trace_mark("running", "the program runs");
	crash_point("run-running");
	/* What came meanwhile is pending: nobody waits for us now. */
	m->signals = signals_open(&m->all, e);
	return m->signals < 0 ? -1 : 0;
}

static int code_of_error(const struct err *e)
{
	switch ((enum err_kind)e->kind) {
	case ERR_NOPROG:
		return 127;
	case ERR_NOEXEC:
		return 126;
	default:
		return 125;
	}
}

/* What inspect shows of a start that failed; 128 is Docker's "unknown". */
static int code_of_failure(const struct err *e)
{
	const int code = code_of_error(e);

	return code == 125 ? 128 : code;
}

static void finish(struct monitor *m, const struct err *why)
{
	struct container_state s = {
		.exit_code = m->code,
		.restart_count = (int)m->restart.count,
	};
	struct err e = {0};

	own_kill(&m->init);
	own_close(&m->netns);
	monitor_health_end(m);
	own_close(&m->pidfd);
	tty_raw_restore(&m->raw);
	if (m->hub)
		hub_shut(m->hub);
	own_close(&m->signals);
	monitor_net_down(m);
	health_state(&m->health, &s);
	/* A start that failed is none: it is what it was before. */
	if (!m->ran)
		m->container->head = m->before;
	if (err_is(why)) {
		s.exit_code = code_of_failure(why);
		s.error = xstrdup(why->text);
	}
	monitor_cgroup_end(m, &s);
	if (container_finish_state(m->job->home, m->container, &s, m->userns,
				   &e) < 0)
		log_warn("ignoring: %s", e.text);
	free(s.error);
	health_free(&m->health);
	own_close(&m->userns);
	if (!m->hub)
		return;
	/* Now: whoever is told of the end can start or remove it at once. */
	hub_tell_exit(m->hub, m->code);
	hub_free(m->hub);
	m->hub = NULL;
}

static void monitor_init(struct monitor *m, const struct container_job *j)
{
	*m = (struct monitor){
		.job = j,
		.spec = j->spec,
		.container = j->container,
		.before = j->container->head,
		.pidfd = -1,
		.sync = -1,
		.signals = -1,
		.userns = -1,
		.netns = j->netns,
		.stdio = STDFDS_NONE,
		.master = -1,
		.probe = EXEC_PROBE_NONE,
		.ended = true,
		.code = 125,
	};
	restart_init(&m->restart, &j->spec->restart);
	if (j->spec->tty)
		(void)ioctl(STDIN_FILENO, TIOCGWINSZ, &m->size);
}

int container_run(const struct container_job *j, int *ret_code, struct err *e)
{
	struct monitor m;
	struct err lost = {0};
	sigset_t old;
	int rc;

	monitor_init(&m, j);
	trace_role("monitor");
	if (signals_block(&m.all, &old, e) < 0)
		return -1;
	rc = begin(&m, e);
	if (rc == 0 && j->running)
		j->running(j->ctx);
	if (rc == 0)
		rc = see_through(&m, e);
	if (rc == 0 && m.hub)
		rc = hub_lost(m.hub, &lost);
	/* Record the program's own end, even if output was lost. */
	finish(&m, e);
	if (err_is(&lost))
		*e = lost;
	*ret_code = m.code;
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}

/* ---- detached ------------------------------------------------------------------------- */

/*
 * Of the launcher's files only what is named here lives on. What there is to
 * say until the program runs is for who started it: an fd to say it to, or -1.
 */
static int leave_launcher(const struct container_job *j, int report)
{
	const int words = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	const int keep[] = {j->home->root_fd,
			    j->container->dir_fd,
			    j->container->lock_fd,
			    j->client,
			    j->keep,
			    j->netns,
			    report,
			    words};

	(void)!chdir("/");
	proc_detach(keep, ARRAY_LEN(keep));
	if (words >= 0)
		log_set_fd(words);
	return words;
}

static _Noreturn void be_monitor(const struct container_job *j, int report)
{
	struct monitor m;
	struct err e = {0};
	int words;
	int rc;

	monitor_init(&m, j);
	m.detached = true;
	words = leave_launcher(j, report);
	trace_role("monitor");
	rc = signals_block(&m.all, NULL, &e);
	if (rc == 0)
		rc = begin(&m, &e);
	if (rc < 0)
		finish(&m, &e);
	/* Whoever reads it to its end must not wait for the container's. */
	log_set_fd(STDERR_FILENO);
	own_close(&words);
	/* After the cleaning up: who is told finds nothing left. */
	(void)send(report, &e, sizeof(e), MSG_NOSIGNAL);
	(void)close(report);
	if (rc < 0)
		_exit(proc_end(125));
	crash_point("monitor-reported");
	trace_leave();
	(void)see_through(&m, &e);
	finish(&m, &e);
	_exit(proc_end(0));
}

static int take_report(int fd, struct err *e)
{
	struct err report = {0};
	ssize_t n;

	do {
		n = recv(fd, &report, sizeof(report), 0);
	} while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(report))
		return err_set(e, ERR_GONE,
			       "the monitor died before the program ran");
	*e = report;
	return err_is(e) ? -1 : 0;
}

/*
 * It was killed, or never born. The lock is still ours too, and init died with
 * it: what it would have done at its end is for us to do.
 */
static void finish_for(const struct container_job *j, const struct err *why)
{
	struct container *const c = j->container;
	const struct net_of o = {.home = j->home, .container = c};
	const uint32_t run = c->head.run;
	struct container_state s = {.exit_code = code_of_failure(why)};
	struct err e = {0};

	/* It recorded a run of which nobody knows how far it came. */
	if (head_read(c->lock_fd, &c->head, &e) == 0 && c->head.run != run)
		s.exit_code = 137;
	err_clear(&e);
	s.error = xstrdup(why->text);
	if (net_is_wanted(j->spec) && net_down(&o, &e) < 0)
		log_warn("ignoring: %s", e.text);
	err_clear(&e);
	if (container_finish_state(j->home, c, &s, -1, &e) < 0)
		log_warn("ignoring: %s", e.text);
	free(s.error);
}

int container_run_detached(const struct container_job *j, struct err *e)
{
	int pair[2];
	pid_t pid;
	int rc;
	STEP(e, "monitor", "start a monitor");

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		(void)err_sys(e, "socketpair", "to the monitor");
		finish_for(j, e);
		return -1;
	}
	pid = fork();
	if (pid == 0) {
		(void)close(pair[0]);
		be_monitor(j, pair[1]);
	}
	if (pid < 0)
		(void)err_sys(e, "fork", "monitor");
	(void)close(pair[1]);
	rc = pid < 0 ? -1 : take_report(pair[0], e);
	(void)close(pair[0]);
	if (j->client >= 0)
		(void)close(j->client);
	if (j->netns >= 0)
		(void)close(j->netns);
	if (rc < 0 && pid > 0)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	if (rc < 0 && (pid < 0 || e->kind == ERR_GONE))
		finish_for(j, e);
	container_close(j->container);
	return rc;
}
