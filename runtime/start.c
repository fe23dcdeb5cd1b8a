/*
 * The conversation with init is drawn in init.c.
 *
 * After the start the monitor is one poll loop over a signalfd, init's pidfd
 * and, with -t, the terminal. All signals are blocked and read there, so that
 * none is lost between two instructions; each goes on to PID 1, which hands it
 * to the program.
 */
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/init.h"
#include "runtime/mnt.h"
#include "runtime/nsjoin.h"
#include "runtime/signals.h"
#include "runtime/sync.h"
#include "runtime/tty.h"

/* The caller's terminal on one side, the container's pty on the other. */
struct terminal {
	int master;
	struct tty_raw raw;
	struct tty_relay relay;
};

struct monitor {
	const struct run_spec *spec;
	struct container *container;
	pid_t init;
	int pidfd;
	int sync;
	int signals;
	sigset_t all;         /* of the signals that are blocked and read */
	int userns;           /* init's user namespace, -1: none */
	struct terminal *tty; /* NULL without -t */
};

/* ---- starting ------------------------------------------------------------- */

static uint64_t clone_flags(const struct run_spec *s)
{
	const struct {
		bool own;
		uint64_t flag;
	} all[] = {
		{s->userns && (s->map_auto || !nsjoin_is_wanted(s)),
		 CLONE_NEWUSER},
		{s->net == NET_NONE, CLONE_NEWNET},
		{s->pid_ns == NS_OWN, CLONE_NEWPID},
		{s->uts_ns == NS_OWN, CLONE_NEWUTS},
		{s->ipc_ns == NS_OWN, CLONE_NEWIPC},
		{s->cgroup_ns == NS_OWN, CLONE_NEWCGROUP},
	};
	uint64_t flags = CLONE_CLEAR_SIGHAND | CLONE_NEWNS;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		flags |= all[i].own ? all[i].flag : 0;
	return flags;
}

/* Its own namespaces alone, and those of other containers. */
static pid_t clone_init(struct monitor *m, struct nsjoin *join, struct err *e)
{
	struct clone_args args = {
		.flags = clone_flags(m->spec) | CLONE_PIDFD,
		.pidfd = (uintptr_t)&m->pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;

	if (nsjoin_is_wanted(m->spec)) {
		if (nsjoin_open(m->container, m->spec, join, e) < 0)
			return -1;
		return nsjoin_clone(join, clone_flags(m->spec), &m->pidfd, e);
	}
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0) {
		(void)err_sys(e, "clone3", "new namespaces");
		userns_explain(e);
	}
	return pid;
}

static int make_init(struct monitor *m, struct err *e)
{
	struct nsjoin join = NSJOIN_NONE;
	autoclose int theirs = -1;
	int pair[2];
	pid_t pid;
	STEP(e, "clone", "make the namespaces%s",
	     m->spec->userns ? ", user namespace included" : "");

	if (sync_pair(pair, e) < 0)
		return -1;
	m->sync = pair[0];
	theirs = pair[1];
	pid = clone_init(m, &join, e);
	if (pid < 0) {
		nsjoin_close(&join);
		return -1;
	}
	if (pid == 0) {
		const struct init_args a = {.spec = m->spec,
					    .container = m->container,
					    .sync = theirs,
					    .joined_user = join.user,
					    .shm = join.shm};

		/* Or the end of the monitor would not be seen. */
		(void)close(m->sync);
		init_main(&a);
	}
	nsjoin_close(&join);
	m->init = pid;
	return 0;
}

/* One layer as seen through the container's id map; nothing is chowned. */
static int idmap_layer(const struct monitor *m, const char *path, struct err *e)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)m->userns,
	};
	autoclose int fd = mnt_clone(AT_FDCWD, path, false, false, 0, e);

	if (fd < 0)
		return -1;
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr,
		    sizeof(attr)) < 0) {
		(void)err_sys(e, "mount_setattr", "idmap %s", path);
		return err_hint(e, "the file system of the store must support "
				   "idmapped mounts (ext4, xfs, btrfs, tmpfs "
				   "on a recent kernel)");
	}
	return take_fd(&fd);
}

/* The container's directory first, then the layers or the one directory. */
static int make_trees(const struct monitor *m, int *fds, int *n, struct err *e)
{
	const struct run_spec *const s = m->spec;

	if (s->lowers.n > SYNC_FDS_MAX - 1)
		return err_set(e, ERR_UNSUPPORTED,
			       "--userns auto with more than %d layers",
			       SYNC_FDS_MAX - 1);
	fds[*n] = mnt_clone(AT_FDCWD, m->container->dir, false, false, 0, e);
	if (fds[*n] < 0)
		return -1;
	(*n)++;
	for (size_t i = 0; i < (s->rootfs ? 1 : s->lowers.n); i++) {
		fds[*n] = idmap_layer(m, s->rootfs ? s->rootfs : s->lowers.v[i],
				      e);
		if (fds[*n] < 0)
			return -1;
		(*n)++;
	}
	return 0;
}

static int send_trees(const struct monitor *m, struct err *e)
{
	int fds[SYNC_FDS_MAX];
	int n = 0;
	int rc = make_trees(m, fds, &n, e);

	if (rc == 0)
		rc = sync_send_fds(m->sync, SYNC_PLUMBED, fds, n, e);
	for (int i = 0; i < n; i++)
		own_close(&fds[i]);
	return rc;
}

static int open_userns(struct monitor *m, struct err *e)
{
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)m->init);
	m->userns = open(path, O_RDONLY | O_CLOEXEC);
	if (m->userns < 0)
		return err_sys(e, "open", "%s", path);
	return 0;
}

/* UNSHARED -> PLUMBED */
static int plumb(struct monitor *m, struct err *e)
{
	STEP(e, "userns", "%zu + %zu id ranges", m->spec->map.n_uid,
	     m->spec->map.n_gid);

	/* Another container's is there already. */
	if (!(clone_flags(m->spec) & CLONE_NEWUSER))
		return open_userns(m, e);
	if (sync_wait(m->sync, SYNC_UNSHARED, e) < 0)
		return -1;
	if (idmap_write(m->init, &m->spec->map, e) < 0)
		return -1;
	if (open_userns(m, e) < 0)
		return -1;
	crash_point("run-plumbed");
	if (m->spec->map_auto)
		return send_trees(m, e);
	return sync_send(m->sync, SYNC_PLUMBED, e);
}

static void terminal_free(struct terminal *t)
{
	if (!t)
		return;
	tty_raw_restore(&t->raw);
	own_close(&t->master);
	free(t);
}

/*
 * Raw only when keys go to the program: without -i a ^C is for prism, which
 * forwards it as a signal.
 */
static int terminal_make(struct monitor *m, int master, struct err *e)
{
	struct terminal *const t = xcalloc(1, sizeof(*t));
	const int in = m->spec->interactive ? STDIN_FILENO : -1;

	t->master = master;
	m->tty = t;
	tty_copy_size(STDIN_FILENO, master);
	if (tty_relay_init(&t->relay, in, STDOUT_FILENO, master, e) < 0)
		return -1;
	return in < 0 ? 0 : tty_raw_enter(in, &t->raw, e);
}

/* TTY: the master; from here on the caller's terminal is raw. */
static int take_tty(struct monitor *m, struct err *e)
{
	autoclose int master = -1;
	const int n = sync_wait_fds(m->sync, SYNC_TTY, &master, 1, e);

	if (n < 0)
		return -1;
	if (n != 1)
		return err_set(e, ERR_INVALID, "no terminal came");
	return terminal_make(m, take_fd(&master), e);
}

/* GO, and then end of file when the program was executed. */
static int let_go(struct monitor *m, struct err *e)
{
	STEP(e, "start", "start the program");

	if (m->spec->tty && take_tty(m, e) < 0)
		return -1;
	if (container_started(m->container, m->init, e) < 0)
		return -1;
	crash_point("run-recorded");
	if (sync_send(m->sync, SYNC_GO, e) < 0) {
		/* It is dead: what it said before is the cause. */
		struct err why = {0};

		if (sync_wait_exec(m->sync, &why) < 0)
			*e = why;
		return -1;
	}
	return sync_wait_exec(m->sync, e);
}

/* ---- seeing it through ---------------------------------------------------- */

static void forward(const struct monitor *m, int sig)
{
	(void)syscall(SYS_pidfd_send_signal, m->pidfd, sig, NULL, 0);
}

static void one_signal(const struct monitor *m, int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGPIPE:
	case SIGURG:
		return;
	case SIGWINCH:
		if (m->tty)
			tty_copy_size(STDIN_FILENO, m->tty->master);
		else
			forward(m, sig);
		return;
	case SIGTSTP:
		/* ^Z without -t: both stop, and fg wakes both. */
		forward(m, sig);
		if (!m->tty)
			(void)kill(getpid(), SIGSTOP);
		return;
	case SIGTTIN:
	case SIGTTOU:
		return;
	default:
		forward(m, sig);
	}
}

static void take_signals(const struct monitor *m)
{
	struct signalfd_siginfo si;

	while (read(m->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		one_signal(m, (int)si.ssi_signo);
}

static int wait_init(struct monitor *m, int *ret_code, struct err *e)
{
	siginfo_t si = {0};
	int rc;

	do {
		rc = waitid(P_PIDFD, (id_t)m->pidfd, &si, WEXITED);
	} while (rc < 0 && errno == EINTR);
	m->init = 0;
	if (rc < 0)
		return err_sys(e, "waitid", "init");
	*ret_code =
		si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
	return 0;
}

static int watch(struct monitor *m, int *ret_code, struct err *e)
{
	for (;;) {
		struct pollfd p[2 + TTY_RELAY_FDS] = {
			{.fd = m->pidfd, .events = POLLIN},
			{.fd = m->signals, .events = POLLIN},
		};

		if (m->tty)
			tty_relay_fds(&m->tty->relay, p + 2);
		if (poll(p, m->tty ? 2 + TTY_RELAY_FDS : 2, -1) < 0) {
			if (errno == EINTR)
				continue;
			return err_sys(e, "poll", "the container");
		}
		if (p[1].revents)
			take_signals(m);
		if (m->tty && tty_relay_handle(&m->tty->relay, p + 2, e) < 0)
			return -1;
		if (p[0].revents)
			return wait_init(m, ret_code, e);
	}
}

/* All that was written before the end is shown before the status is. */
static void end_terminal(struct monitor *m)
{
	struct err ignored = {0};

	if (m->tty)
		(void)tty_relay_drain(&m->tty->relay, 2000, &ignored);
	terminal_free(m->tty);
	m->tty = NULL;
}

/* ---- the role ------------------------------------------------------------- */

static int start(struct monitor *m, struct err *e)
{
	if (make_init(m, e) < 0)
		return -1;
	crash_point("run-cloned");
	if (m->spec->userns && plumb(m, e) < 0) {
		/* If init failed, its words are better than ours. */
		return -1;
	}
	return let_go(m, e);
}

int container_run(const struct run_spec *s, struct container *c,
		  void (*running)(void *ctx), void *ctx, int *ret_userns_fd,
		  int *ret_code, struct err *e)
{
	struct monitor m = {.spec = s,
			    .container = c,
			    .pidfd = -1,
			    .sync = -1,
			    .signals = -1,
			    .userns = -1};
	sigset_t old;
	int rc;

	trace_role("monitor");
	signals_reset_ignored();
	if (signals_block(&m.all, &old, e) < 0)
		return -1;
	rc = start(&m, e);
	own_close(&m.sync);
	if (rc == 0) {
		trace_mark("running", "the program runs");
		crash_point("run-running");
		/* What came meanwhile is pending: nobody waits for us now. */
		m.signals = signals_open(&m.all, e);
		rc = m.signals < 0 ? -1 : 0;
	}
	if (rc == 0) {
		if (running)
			running(ctx);
		rc = watch(&m, ret_code, e);
	}
	own_kill(&m.init);
	end_terminal(&m);
	own_close(&m.pidfd);
	own_close(&m.signals);
	*ret_userns_fd = m.userns;
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}
