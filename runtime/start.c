/*
 * The conversation with init is drawn in init.c.
 */
#include "start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/trace.h"
#include "base/vclone.h"
#include "base/whoami.h"
#include "runtime/apparmor.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/hide.h"
#include "runtime/init.h"
#include "runtime/lend.h"
#include "runtime/monitor.h"
#include "runtime/nsjoin.h"
#include "runtime/pid1.h"
#include "runtime/sync.h"

/* ---- starting ------------------------------------------------------------- */

static uint64_t clone_flags(const struct run_spec *s)
{
	const struct {
		bool own;
		uint64_t flag;
	} all[] = {
		{s->userns && (s->map_auto || !nsjoin_is_wanted(s)),
		 CLONE_NEWUSER},
		{spec_own_net(s), CLONE_NEWNET},
		{s->pid_ns == NS_OWN, CLONE_NEWPID},
		{s->uts_ns == NS_OWN, CLONE_NEWUTS},
		{s->ipc_ns == NS_OWN, CLONE_NEWIPC},
		/* With a cgroup of its own init makes it, once it is in. */
		{s->cgroup_ns == NS_OWN && !cgroup_is_wanted(s),
		 CLONE_NEWCGROUP},
	};
	uint64_t flags = CLONE_CLEAR_SIGHAND | CLONE_NEWNS;

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		flags |= all[i].own ? all[i].flag : 0;
	return flags;
}

struct birth {
	struct init_args init;
	int ours; /* the monitor's end of the pair */
};

static void be_init(void *arg)
{
	const struct birth *const b = arg;

	/* Or the end of the monitor would not be seen. */
	(void)close(b->ours);
	init_main(&b->init);
}

/*
 * In our memory where we have nothing to do meanwhile. Later starts would add
 * what each leaves on the heap.
 */
static enum vclone_how clone_how(const struct monitor *m)
{
	return m->spec->userns || m->container->head.run > 0 ? VCLONE_FORK
							     : VCLONE_WAIT;
}

/* Its own namespaces alone, and those of other containers. */
static pid_t clone_init(struct monitor *m, struct nsjoin *join, struct birth *b,
			struct err *e)
{
	const struct trace_self self = trace_self();
	struct clone_args args = {
		.flags = clone_flags(m->spec) | CLONE_PIDFD,
		.pidfd = (uintptr_t)&m->pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid;

	b->init.cgroup = m->cgroup;
	if (nsjoin_is_wanted(m->spec)) {
		if (nsjoin_open(m->container, m->spec, join, e) < 0)
			return -1;
		pid = nsjoin_clone(join, clone_flags(m->spec), &m->pidfd, e);
		if (pid == 0) {
			b->init.joined_user = join->user;
			b->init.joined = join;
			be_init(b);
		}
		return pid;
	}
	b->init.born_inside = cgroup_clone_into(m->cgroup, &args);
	b->init.netns = m->netns;
	if (m->netns >= 0)
		args.flags &= ~(uint64_t)CLONE_NEWNET;
	pid = vclone(&args, clone_how(m), be_init, b);
	trace_be(&self);
	own_close(&m->netns);
	if (pid < 0) {
		(void)err_sys(e, "clone3", "new namespaces");
		userns_explain(e);
	}
	return pid;
}

static int make_init(struct monitor *m, struct err *e)
{
	struct nsjoin join = NSJOIN_NONE;
	struct birth b = {.init = {.spec = m->spec,
				   .container = m->container,
				   .netns = -1,
				   .pid1 = PID1_WAIT_GO,
				   .stdio = m->stdio.theirs}};
	autoclose int theirs = -1;
	int pair[2];
	bool hidden;
	pid_t pid;
	STEP(e, "clone", "make the namespaces%s",
	     m->spec->userns ? ", user namespace included" : "");

	if (sync_pair(pair, e) < 0)
		return -1;
	m->sync = pair[0];
	theirs = pair[1];
	b.ours = pair[0];
	b.init.sync = pair[1];
	hidden = m->spec->userns && hide_begin();
	pid = clone_init(m, &join, &b, e);
	hide_end(hidden);
	nsjoin_close(&join);
	if (pid < 0)
		return -1;
	m->init = pid;
	return 0;
}

static int send_trees(const struct monitor *m, struct err *e)
{
	int fds[SYNC_FDS_MAX];
	int n = 0;
	int rc = lend_trees(m->spec, m->container->dir, m->userns, fds, &n, e);

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
	own_close(&m->userns);
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

int monitor_net_up(struct monitor *m, struct err *e)
{
	const struct net_of o = {.home = m->job->home,
				 .container = m->container};

	if (!net_is_wanted(m->spec))
		return 0;
	return net_up(&o, m->spec, m->init, m->pidfd, &m->net, e);
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
	m->master = take_fd(&master);
	(void)ioctl(m->master, TIOCSWINSZ, &m->size);
	/*
	 * Raw only when keys go to the program: without -i a ^C is for prism,
	 * which forwards it as a signal.
	 */
	if (m->detached || !m->spec->interactive)
		return 0;
	return tty_raw_enter(STDIN_FILENO, &m->raw, e);
}

/*
 * PID 1 is not dead until the kernel has taken down its mount namespace, which
 * takes about a third of a millisecond. The process that outlives this one
 * holds the namespace, so that nobody waits for that. Exceptions: a mount of
 * the host must not stay busy, and a kept container may be started again.
 */
static void outlive_mounts(const struct monitor *m)
{
	const struct run_spec *const s = m->spec;
	char path[40];

	if (m->detached || s->keep || s->rootfs || s->n_mounts > 0 ||
	    net_is_wanted(s))
		return;
	(void)snprintf(path, sizeof(path), "/proc/%d/ns/mnt", (int)m->init);
	/* It is our child: no other process can have its number. */
	proc_hold(open(path, O_RDONLY | O_CLOEXEC));
}

/* Send GO, then wait for end of file: the program was executed. */
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
	/* PID 1 is busy for as long as this takes. */
	outlive_mounts(m);
	if (sync_wait_exec(m->sync, e) < 0)
		return -1;
	crash_point("run-executed");
	return container_runs(m->container, e);
}

static int start_steps(struct monitor *m, struct err *e)
{
	if (m->spec->userns && apparmor_preload(m->spec, e) < 0)
		return -1;
	if (monitor_cgroup_begin(m, e) < 0 || make_init(m, e) < 0)
		return -1;
	crash_point("run-cloned");
	if (m->spec->userns && plumb(m, e) < 0) {
		/* If init failed, its words are better than ours. */
		return -1;
	}
	if (monitor_net_up(m, e) < 0 || monitor_make_hub(m, e) < 0)
		return -1;
	return let_go(m, e);
}

int start_program(struct monitor *m, struct err *e)
{
	const int rc = start_steps(m, e);

	own_close(&m->sync);
	if (rc < 0) {
		own_kill(&m->init);
		monitor_cgroup_explain(m, e);
		whoami_explain(e);
		own_close(&m->pidfd);
		own_close(&m->master);
	}
	return rc;
}
