/*
 * How it works. start.c is to be read beside this.
 *
 *   init                              monitor
 *   ----                              -------
 *   (born by clone3)                  clone3
 *   UNSHARED        (userns only) ->  id maps, idmapped layers
 *                                 <-  PLUMBED (with the layers' fds)
 *   root of the container
 *   TTY             (-t only)     ->  takes the pty's master
 *   conf into a memfd, execute PID 1  pid into the lock
 *   PID 1:                        <-  GO
 *   executes the program          ->  end of file: it runs
 *
 * Without id maps to wait for, init runs in the memory of the monitor, which
 * waits until PID 1 is executed (base/vclone.h); what is said meanwhile lies
 * in the socket.
 *
 * Should: touch the host only before the pivot; leave nothing open but 0, 1,
 * 2, the sync socket and the memfd. Mustn't: print, return, or change what
 * belongs to the monitor (const, all of it).
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "base/trace.h"
#include "runtime/apparmor.h"
#include "runtime/caps_apply.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/keyring.h"
#include "runtime/lend.h"
#include "runtime/mnt.h"
#include "runtime/netns.h"
#include "runtime/pid1.h"
#include "runtime/program.h"
#include "runtime/rootfs.h"
#include "runtime/stdfds.h"
#include "runtime/sync.h"
#include "runtime/tty.h"
#include "runtime/tune.h"

/* Clone of the monitor's signals: dies with it, also by kill -9. */
static int tie_to_monitor(struct err *e)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "prctl", "PR_SET_PDEATHSIG");
	return 0;
}

/*
 * With one id that is not 0 inside (keep-id) there is no 0 to become: the
 * capabilities pass the execve of PID 1 as ambient ones.
 */
static int keep_caps(struct err *e)
{
	struct caps_caller c;

	if (caps_of_caller(&c, e) < 0)
		return -1;
	if (caps_apply_sets(c.permitted, c.permitted, c.permitted,
			    c.permitted) < 0)
		return err_sys(e, "prctl", "PR_CAP_AMBIENT_RAISE");
	return 0;
}

static int become_root(const struct run_spec *s, struct err *e)
{
	uint32_t id;

	if (idmap_gid_outside(&s->map, 0, &id) && setresgid(0, 0, 0) < 0)
		return err_sys(e, "setresgid", "0 in the user namespace");
	if (!idmap_uid_outside(&s->map, 0, &id))
		return keep_caps(e);
	if (setresuid(0, 0, 0) < 0)
		return err_sys(e, "setresuid", "0 in the user namespace");
	/* The change of ids cleared it. */
	return tie_to_monitor(e);
}

/*
 * UNSHARED -> PLUMBED: become root of the new user namespace. With a range of
 * its own come the container's directory and the layers as detached mounts,
 * because the way to them is closed to the new ids.
 */
static int enter_userns(const struct init_args *a, struct host_trees *t,
			struct err *e)
{
	int fds[SYNC_FDS_MAX];
	int n;
	STEP(e, "userns", "wait for the id maps");

	if (sync_send(a->sync, SYNC_UNSHARED, e) < 0)
		return -1;
	n = sync_wait_fds(a->sync, SYNC_PLUMBED, fds, SYNC_FDS_MAX, e);
	if (n < 0)
		return -1;
	if (a->spec->map_auto && lend_take(a->spec, fds, n, t, e) < 0)
		return -1;
	return become_root(a->spec, e);
}

static int set_hostname(const struct init_args *a, struct err *e)
{
	const char *const name =
		a->spec->hostname ? a->spec->hostname : a->container->id;
	const size_t n = a->spec->hostname ? strlen(name) : 12;
	STEP(e, "hostname", "%.*s", (int)n, name);

	if (sethostname(name, n) < 0) {
		(void)err_sys(e, "sethostname", "%.*s", (int)n, name);
		if (e->sys == EPERM)
			(void)err_hint(e,
				       "the seccomp filter of an outer "
				       "container refuses it: start that one "
				       "with --security-opt seccomp="
				       "unconfined, or keep its name: --uts "
				       "host");
		return -1;
	}
	if (a->spec->domainname &&
	    setdomainname(a->spec->domainname, strlen(a->spec->domainname)) < 0)
		return err_sys(e, "setdomainname", "%s", a->spec->domainname);
	return 0;
}

/* ---- stdio ---------------------------------------------------------------- */

static int stdio_tty(const struct init_args *a, const struct inside *in,
		     struct err *e)
{
	autoclose int pts = tty_open_pts(in->pts, e);
	autoclose int master = -1;
	autoclose int slave = -1;
	STEP(e, "tty", "make a terminal");

	if (pts < 0 || tty_open_pair(pts, &master, &slave, e) < 0)
		return -1;
	if (rootfs_console(slave, e) < 0)
		return -1;
	if (sync_send_fds(a->sync, SYNC_TTY, &master, 1, e) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (dup2(slave, i) < 0)
			return err_sys(e, "dup2", "terminal as %d", i);
	return 0;
}

/*
 * Before the first path of the image is used: fds 0, 1 and 2 must be none of
 * the caller's files, except pipes and sockets of the program.
 */
static int leave_stdio(const struct init_args *a, struct err *e)
{
	autoclose int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_sys(e, "open", "/dev/null");
	for (int i = 0; i < 3; i++) {
		const int own = a->spec->tty ? STDFDS_NULL : a->stdio[i];

		if (dup2(own == STDFDS_NULL ? null : own, i) < 0)
			return err_sys(e, "dup2", "stdio %d", i);
	}
	return 0;
}

/* In the container: its null device, or its terminal. */
static int take_stdio(const struct init_args *a, const struct inside *in,
		      struct err *e)
{
	if (a->spec->tty)
		return stdio_tty(a, in, e);
	for (int i = 0; i < 3; i++)
		if (a->stdio[i] == STDFDS_NULL && dup2(in->null, i) < 0)
			return err_sys(e, "dup2", "/dev/null as %d", i);
	return 0;
}

static int run_program(const struct init_args *a, const struct program *p,
		       struct err *e)
{
	autoclose int memfd = program_memfd(p, e);

	return memfd < 0 ? -1 : program_execute(p, a->sync, memfd, e);
}

/* ---- the role ------------------------------------------------------------- */

static int init_steps(const struct init_args *a, struct err *e)
{
	const struct run_spec *const s = a->spec;
	const struct nsjoin none = NSJOIN_NONE;
	struct host_trees trees = {.dir = -1,
				   .joined = a->joined ? a->joined : &none,
				   .netns = a->netns,
				   .sync = a->sync};
	struct inside in;
	struct program *program = NULL;
	int confined;

	if (tie_to_monitor(e) < 0 || leave_stdio(a, e) < 0)
		return -1;
	confined = apparmor_on_exec(s, e);
	if (confined < 0)
		return -1;
	if (a->cgroup && cgroup_enter(a->cgroup, a->born_inside, e) < 0)
		return -1;
	if (s->net == NET_USER)
		tune_user_net();
	if (s->userns && (a->joined_user ? become_root(s, e)
					 : enter_userns(a, &trees, e)) < 0)
		return -1;
	/* Its root is where we are now, not where the monitor is. */
	if (a->cgroup && s->cgroup_ns == NS_OWN && unshare(CLONE_NEWCGROUP) < 0)
		return err_sys(e, "unshare", "CLONE_NEWCGROUP");
	if (rootfs_build(s, a->container, &trees, &in, e) < 0)
		return -1;
	if (s->uts_ns == NS_OWN && set_hostname(a, e) < 0)
		return -1;
	if (spec_own_net(s) && a->netns < 0 && netns_lo_up(e) < 0)
		return -1;
	if (take_stdio(a, &in, e) < 0)
		return -1;
	/* The user before the workdir: its files are looked up from "/". */
	if (program_prepare(s, a->pid1 | (confined ? PID1_TIE_AGAIN : 0U),
			    &program, e) < 0 ||
	    program_name_user(program, in.dev, e) < 0 ||
	    program_own_mounts(program, in.trees, e) < 0 ||
	    program_workdir(s, true, e) < 0)
		return -1;
	if (s->readonly_root && mnt_readonly("/", false, e) < 0)
		return -1;
	if (keyring_join(s, a->container->id, e) < 0)
		return -1;
	return run_program(a, program, e);
}

void init_main(const struct init_args *a)
{
	struct err e = {0};

	/* The lock says that the monitor lives, and must end with it. */
	(void)close(a->container->lock_fd);
	trace_role("init");
	(void)init_steps(a, &e);
	sync_die(a->sync, &e);
}
