#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/exec_held.h"
#include "runtime/exec_join.h"
#include "runtime/hub.h"
#include "runtime/signals.h"
#include "runtime/stdfds.h"
#include "runtime/sync.h"
#include "runtime/tty.h"

void exec_spec(struct run_spec *s, char *const *args, size_t n_args,
	       const char *cwd, const char *user)
{
	strv_free(&s->args);
	for (size_t i = 0; i < n_args; i++)
		strv_add(&s->args, args[i]);
	if (cwd) {
		free(s->cwd);
		s->cwd = xstrdup(cwd);
	}
	if (user) {
		free(s->user);
		s->user = xstrdup(user);
	}
	/* The joiner waits for the program, whatever PID 1 is. */
	s->no_init = false;
	s->tty = false;
	s->interactive = false;
}

/* ---- starting ------------------------------------------------------------- */

static const struct {
	const char *name;
	int flag;
} kinds[] = {
	{"ns/user", CLONE_NEWUSER},     {"ns/mnt", CLONE_NEWNS},
	{"ns/pid", CLONE_NEWPID},       {"ns/uts", CLONE_NEWUTS},
	{"ns/ipc", CLONE_NEWIPC},       {"ns/net", CLONE_NEWNET},
	{"ns/cgroup", CLONE_NEWCGROUP},
};

static int ended(struct err *e)
{
	return err_set(e, ERR_GONE, "the container has ended");
}

static int no_namespace(const char *name, pid_t init, struct err *e)
{
	if (errno == ESRCH || errno == ENOENT)
		return ended(e);
	(void)err_sys(e, "fstatat", "%s of %d", name, (int)init);
	if (e->sys == EACCES)
		(void)err_hint(e,
			       "it runs in another user namespace: from there "
			       "it can be done ('nsenter -U "
			       "--preserve-credentials -t PID' goes to that of "
			       "process PID)");
	return -1;
}

/*
 * Which namespaces of init are not ours: to join one's own user namespace is
 * an error, and an ordinary user may not join the host's network.
 */
static int foreign_namespaces(const struct exec_request *r, int *ret,
			      struct err *e)
{
	char path[32];
	autoclose int theirs = -1;
	STEP(e, "namespaces", "look at those of process %d", (int)r->init);

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)r->init);
	theirs = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (theirs < 0)
		return errno == ENOENT ? ended(e)
				       : err_sys(e, "open", "%s", path);
	*ret = 0;
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct stat a, b;

		(void)snprintf(path, sizeof(path), "/proc/self/%s",
			       kinds[i].name);
		if (fstatat(theirs, kinds[i].name, &a, 0) < 0)
			return no_namespace(kinds[i].name, r->init, e);
		if (stat(path, &b) < 0)
			return err_sys(e, "stat", "%s", path);
		if (a.st_ino != b.st_ino || a.st_dev != b.st_dev)
			*ret |= kinds[i].flag;
	}
	/* The number was init's as long as init was there. */
	if (syscall(SYS_pidfd_send_signal, r->init_pidfd, 0, NULL, 0) < 0 &&
	    errno == ESRCH)
		return ended(e);
	if (!(*ret & CLONE_NEWNS))
		return err_set(e, ERR_INVALID,
			       "process %d is not in a container",
			       (int)r->init);
	return 0;
}

static int make_joiner(const struct exec_request *r, struct exec_child *c,
		       int *ret_sync, struct err *e)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)&c->pidfd,
		.exit_signal = SIGCHLD,
	};
	struct join_args a = {.request = r};
	autoclose int cgroup = -1;
	autoclose int theirs = -1;
	int pair[2];
	long pid;

	if (foreign_namespaces(r, &a.namespaces, e) < 0 ||
	    sync_pair(pair, e) < 0)
		return -1;
	*ret_sync = pair[0];
	theirs = pair[1];
	cgroup = exec_birthplace(r->init);
	if (cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (__u64)cgroup;
	}
	pid = syscall(SYS_clone3, &args, sizeof(args));
	/* Not by us, or it is full: the joiner has other ways, or says why. */
	if (pid < 0 && cgroup >= 0) {
		args.flags &= ~(__u64)CLONE_INTO_CGROUP;
		args.cgroup = 0;
		pid = syscall(SYS_clone3, &args, sizeof(args));
	}
	if (pid < 0)
		return err_sys(e, "clone3", "the joiner");
	if (pid == 0) {
		/* Or the end of the caller would not be seen. */
		(void)close(pair[0]);
		a.sync = theirs;
		exec_join(&a);
	}
	c->pid = (pid_t)pid;
	return 0;
}

/* TTY -> GO */
static int take_terminal(const struct exec_request *r, int sync,
			 struct exec_child *c, struct err *e)
{
	const int n = sync_wait_fds(sync, SYNC_TTY, &c->master, 1, e);

	if (n < 0)
		return -1;
	if (n != 1)
		return err_set(e, ERR_INVALID, "no terminal came");
	if (r->size_of >= 0)
		tty_copy_size(r->size_of, c->master);
	return sync_send(sync, SYNC_GO, e);
}

/* Signals that are blocked, and how to hear of them. */
struct caught {
	int fd;
	sigset_t all;
	sigset_t old;
};

/*
 * Until the program runs, ^C ends us, and with us the joiner; from its first
 * instruction on a signal is the program's. So what comes before the end of
 * file of the sync socket does what it does by itself.
 */
static int heed_signals(const struct caught *s, int sync, struct err *e)
{
	for (;;) {
		struct pollfd p[] = {
			{.fd = sync, .events = POLLIN},
			{.fd = s->fd, .events = POLLIN},
		};

		if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
			return err_sys(e, "poll", "end of the start");
		if (p[0].revents)
			return 0;
		if (p[1].revents) {
			(void)sigprocmask(SIG_SETMASK, &s->old, NULL);
			(void)sigprocmask(SIG_BLOCK, &s->all, NULL);
		}
	}
}

static int start(const struct exec_request *r, const struct caught *signals,
		 struct exec_child *ret, struct err *e)
{
	struct exec_child c = EXEC_CHILD_NONE;
	autoclose int sync = -1;
	STEP(e, "exec", "start the program");

	if (make_joiner(r, &c, &sync, e) < 0 ||
	    (r->spec->tty && take_terminal(r, sync, &c, e) < 0) ||
	    (signals && heed_signals(signals, sync, e) < 0) ||
	    sync_wait_exec(sync, e) < 0) {
		exec_kill(&c);
		return -1;
	}
	*ret = c;
	return 0;
}

int exec_start(const struct exec_request *r, struct exec_child *ret,
	       struct err *e)
{
	return start(r, NULL, ret, e);
}

int exec_wait(struct exec_child *c, int *ret_code, struct err *e)
{
	siginfo_t si = {0};
	int rc;

	do {
		rc = waitid(P_PIDFD, (id_t)c->pidfd, &si, WEXITED);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(e, "waitid", "the program");
	c->pid = 0;
	own_close(&c->pidfd);
	*ret_code =
		si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
	return 0;
}

void exec_kill(struct exec_child *c)
{
	own_kill(&c->pid);
	own_close(&c->pidfd);
	own_close(&c->master);
}

/* ---- in the foreground ------------------------------------------------------ */

static void one_signal(const struct exec_child *c, int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGPIPE:
	case SIGURG:
	case SIGTTIN:
	case SIGTTOU:
	case SIGWINCH:
		return;
	case SIGTSTP:
		/* The program goes on, as one of another terminal would. */
		(void)kill(getpid(), SIGSTOP);
		return;
	default:
		(void)syscall(SYS_pidfd_send_signal, c->pidfd, sig, NULL, 0);
	}
}

/* A program in the foreground, without a terminal anywhere. */
struct front {
	struct exec_child child;
	struct caught signals;
	struct stdfds stdio;
	struct hub *hub; /* NULL: nothing to copy */
	bool hurry;      /* a signal came while output is drained */
};

static void take_signals(struct front *f)
{
	struct signalfd_siginfo si;

	while (read(f->signals.fd, &si, sizeof(si)) == (ssize_t)sizeof(si)) {
		const int sig = (int)si.ssi_signo;

		if (signals_is_own_write(&si))
			continue;
		f->hurry = f->hurry || sig == SIGTERM || sig == SIGINT ||
			   sig == SIGHUP || sig == SIGQUIT;
		if (f->child.pidfd >= 0)
			one_signal(&f->child, sig);
	}
}

/* One turn of the loop; 1 if the program has ended. */
static int front_turn(struct front *f, int timeout_ms, struct err *e)
{
	struct pollfd p[2 + HUB_FDS_MAX] = {
		{.fd = f->child.pidfd, .events = POLLIN},
		{.fd = f->signals.fd, .events = POLLIN},
	};
	const int n = f->hub ? hub_fds(f->hub, p + 2) : 0;
	struct hub_wish none;

	if (poll(p, (nfds_t)n + 2, timeout_ms) < 0)
		return errno == EINTR ? 0 : err_sys(e, "poll", "the program");
	if (p[1].revents)
		take_signals(f);
	if (f->hub)
		hub_handle(f->hub, p + 2, n, &none);
	return p[0].revents != 0;
}

/* Deliver all output before the end is reported. */
static int front_drain(struct front *f, struct err *e)
{
	if (!f->hub)
		return 0;
	f->hurry = false;
	hub_ended(f->hub);
	while (!hub_done(f->hub)) {
		if (front_turn(f, hub_timeout_ms(f->hub), e) < 0)
			return -1;
		if (f->hurry)
			hub_give_up(f->hub);
	}
	return hub_lost(f->hub, e);
}

static int front_start(struct front *f, const struct exec_request *r,
		       struct err *e)
{
	struct exec_request own = *r;
	struct hub_ends ends;

	if (stdfds_make(r->stdio, &f->stdio, e) < 0)
		return -1;
	memcpy(own.stdio, f->stdio.theirs, sizeof(own.stdio));
	if (start(&own, &f->signals, &f->child, e) < 0)
		return -1;
	if (!stdfds_is_copied(&f->stdio))
		return 0;
	f->hub = hub_make(&(struct hub_conf){
		.own_in = f->stdio.ours[0] >= 0 ? r->stdio[0] : -1,
		.own_out = r->stdio[1],
		.own_err = r->stdio[2],
		.dir_fd = -1,
	});
	stdfds_ends(&f->stdio, &ends);
	return hub_connect(f->hub, &ends, e);
}

static int front_see_through(struct front *f, int *ret_code, struct err *e)
{
	int rc;

	do {
		rc = front_turn(f, -1, e);
	} while (rc == 0);
	if (rc < 0 || exec_wait(&f->child, ret_code, e) < 0)
		return -1;
	return front_drain(f, e);
}

static int run_direct(const struct exec_request *r, int *ret_code,
		      struct err *e)
{
	struct front f = {
		.child = EXEC_CHILD_NONE,
		.signals = {.fd = -1},
		.stdio = STDFDS_NONE,
	};
	int rc = -1;

	if (signals_block(&f.signals.all, &f.signals.old, e) < 0)
		return -1;
	f.signals.fd = signals_open(&f.signals.all, e);
	if (f.signals.fd >= 0 && front_start(&f, r, e) == 0)
		rc = front_see_through(&f, ret_code, e);
	exec_kill(&f.child);
	hub_free(f.hub);
	stdfds_close(&f.stdio);
	own_close(&f.signals.fd);
	(void)sigprocmask(SIG_SETMASK, &f.signals.old, NULL);
	return rc;
}

int exec_foreground(const struct exec_request *r,
		    const struct detach_keys *keys, bool *ret_detached,
		    int *ret_code, struct err *e)
{
	bool terminal = r->spec->tty;

	/*
	 * The caller's own terminal is not for the container: it could read
	 * what is typed there later, change its modes, or with CAP_SYS_ADMIN
	 * type into it (TIOCSTI).
	 */
	for (int i = 0; i < 3; i++)
		terminal =
			terminal || (r->stdio[i] >= 0 && isatty(r->stdio[i]));
	*ret_detached = false;
	return terminal ? exec_held(r, keys, ret_detached, ret_code, e)
			: run_direct(r, ret_code, e);
}

/* ---- probes ---------------------------------------------------------------- */

struct probe {
	const struct exec_request *request;
	int64_t timeout_ms;
	struct exec_result result;
};

static int64_t now_ms(void)
{
	return clock_monotonic() / (CLOCK_SECOND / 1000);
}

/* The first bytes are kept, the others read and thrown away. False: end. */
static bool read_output(int fd, struct exec_result *ret)
{
	char rest[4096];
	const size_t room = EXEC_OUTPUT_MAX - ret->n_output;
	char *const to = room ? ret->output + ret->n_output : rest;
	const ssize_t n = read(fd, to, room ? room : sizeof(rest));

	if (n < 0 && errno == EINTR)
		return true;
	if (n > 0 && room)
		ret->n_output += (size_t)n;
	return n > 0;
}

/*
 * Until the program ends or its time is over. What it left in the pipe is
 * read, but nobody who holds it open is waited for.
 */
static int watch_probe(struct probe *p, struct exec_child *c, int out,
		       struct err *e)
{
	const int64_t end = now_ms() + p->timeout_ms;
	bool ended = false;
	bool open = true;

	for (;;) {
		struct pollfd fds[] = {
			{.fd = ended ? -1 : c->pidfd, .events = POLLIN},
			{.fd = open ? out : -1, .events = POLLIN},
		};
		int64_t left = p->timeout_ms ? end - now_ms() : -1;

		if (p->timeout_ms && left <= 0) {
			p->result.timed_out = true;
			return 0;
		}
		if (ended)
			left = 0;
		if (poll(fds, 2, left > INT32_MAX ? INT32_MAX : (int)left) <
			    0 &&
		    errno != EINTR)
			return err_sys(e, "poll", "the probe");
		if (fds[1].revents)
			open = read_output(out, &p->result);
		else if (ended)
			return exec_wait(c, &p->result.code, e);
		ended = ended || fds[0].revents;
	}
}

static int run_probe(struct probe *p, struct err *e)
{
	struct exec_child c = EXEC_CHILD_NONE;
	struct exec_request r = *p->request;
	autoclose int from = -1;
	autoclose int to = -1;
	int pair[2];
	int rc;

	if (pipe2(pair, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2", "output of the probe");
	from = pair[0];
	to = pair[1];
	r.stdio[0] = -1;
	r.stdio[1] = to;
	r.stdio[2] = to;
	if (exec_start(&r, &c, e) < 0)
		return -1;
	own_close(&to);
	rc = watch_probe(p, &c, from, e);
	exec_kill(&c);
	return rc;
}

static _Noreturn void probe_main(struct probe *p, int to)
{
	trace_role("probe");
	p->result.code = -1;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)run_probe(p, &p->result.error);
	(void)send(to, &p->result, sizeof(p->result), MSG_NOSIGNAL);
	_exit(0);
}

int exec_probe_start(const struct exec_request *r, int64_t timeout_ms,
		     struct exec_probe *ret, struct err *e)
{
	struct probe *p;
	int pair[2];
	pid_t pid;

	if (sync_pair(pair, e) < 0)
		return -1;
	pid = fork();
	if (pid < 0) {
		(void)err_sys(e, "fork", "the probe");
		own_close(&pair[0]);
		own_close(&pair[1]);
		return -1;
	}
	if (pid == 0) {
		own_close(&pair[0]);
		p = xcalloc(1, sizeof(*p));
		*p = (struct probe){.request = r, .timeout_ms = timeout_ms};
		probe_main(p, pair[1]);
	}
	own_close(&pair[1]);
	*ret = (struct exec_probe){.pid = pid, .fd = pair[0]};
	return 0;
}

int exec_probe_end(struct exec_probe *p, struct exec_result *ret, struct err *e)
{
	const ssize_t n = recv(p->fd, ret, sizeof(*ret), MSG_DONTWAIT);
	const int why = errno;

	own_kill(&p->pid);
	own_close(&p->fd);
	if (n == (ssize_t)sizeof(*ret)) {
		ret->output[EXEC_OUTPUT_MAX] = '\0';
		return 0;
	}
	*ret = (struct exec_result){.code = -1, .timed_out = true};
	if (n < 0 && why == EAGAIN)
		return 0;
	return err_set(e, ERR_GONE, "the probe's process died");
}
