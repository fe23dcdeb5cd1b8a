/*
 * How it works. start.c is to be read beside this.
 *
 *   init                              monitor
 *   ----                              -------
 *   (born by clone3)                  clone3
 *   UNSHARED        (userns only) ->  id maps, idmapped layers
 *                                 <-  PLUMBED (with the layers' fds)
 *   root of the container             (meanwhile: pid into the lock)
 *   TTY             (-t only)     ->  takes the pty's master
 *                                 <-  GO
 *   conf into a memfd, execute PID 1
 *   PID 1 executes the program    ->  end of file: it runs
 *
 * Should: touch the host only before the pivot; leave nothing open but 0, 1,
 * 2, the sync socket and the memfd. Mustn't: print, or return.
 */
#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/mnt.h"
#include "runtime/pid1.h"
#include "runtime/rootfs.h"
#include "runtime/seccomp.h"
#include "runtime/sync.h"
#include "runtime/tty.h"
#include "runtime/user.h"

/* Since 6.3; older kernels refuse the flag and need none. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* Clone of the monitor's signals: dies with it, also by kill -9. */
static int tie_to_monitor(struct err *e)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "prctl", "PR_SET_PDEATHSIG");
	return 0;
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
	if (a->spec->map_auto && n < 2)
		return err_set(e, ERR_INVALID, "layers are missing");
	if (n > 0) {
		t->dir = fds[0];
		t->n_lowers = n - 1;
		t->lowers = xcalloc((size_t)n, sizeof(*t->lowers));
		memcpy(t->lowers, fds + 1, (size_t)(n - 1) * sizeof(*fds));
	}
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, "setresuid", "0 in the user namespace");
	/* The change of ids cleared it. */
	return tie_to_monitor(e);
}

static int set_hostname(const struct init_args *a, struct err *e)
{
	const char *const name =
		a->spec->hostname ? a->spec->hostname : a->container->id;
	const size_t n = a->spec->hostname ? strlen(name) : 12;
	STEP(e, "hostname", "%.*s", (int)n, name);

	if (sethostname(name, n) < 0)
		return err_sys(e, "sethostname", "%.*s", (int)n, name);
	return 0;
}

static int loopback_up(struct err *e)
{
	struct ifreq ifr = {.ifr_name = "lo",
			    .ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK};
	/* Not closed: init is about to execute, or to die. */
	const int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	STEP(e, "network", "lo up");

	if (s < 0)
		return err_sys(e, "socket", "AF_INET");
	if (ioctl(s, SIOCSIFFLAGS, &ifr) < 0)
		return err_sys(e, "ioctl", "SIOCSIFFLAGS lo");
	return 0;
}

/*
 * Open the working directory inside the root and go there by fd: a WORKDIR
 * like /proc/self/fd/7 must not lead to a directory of the host
 * (CVE-2024-21626).
 */
static int enter_workdir(const struct run_spec *s, struct err *e)
{
	const char *const cwd = s->cwd ? s->cwd : "/";
	autoclose int fd = -1;
	STEP(e, "workdir", "enter %s", cwd);

	if (!strcmp(cwd, "/"))
		return 0;
	fd = fs_open_in_root(AT_FDCWD, cwd, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT) {
		if (fs_mkdirs_at(AT_FDCWD, cwd, 0755, e) < 0)
			return -1;
		fd = fs_open_in_root(AT_FDCWD, cwd, O_PATH | O_DIRECTORY, 0);
	}
	if (fd < 0 && errno == ENOTDIR) {
		e->kind = ERR_NONE;
		(void)err_set(e, ERR_NOEXEC,
			      "working directory %s: ENOTDIR (a part of it is "
			      "not a directory)",
			      cwd);
		return -1;
	}
	if (fd < 0)
		return err_sys(e, "openat2", "%s", cwd);
	if (fchdir(fd) < 0)
		return err_sys(e, "fchdir", "%s", cwd);
	return 0;
}

/* ---- stdio ---------------------------------------------------------------- */

static int stdio_tty(const struct init_args *a, struct err *e)
{
	autoclose int master = -1;
	autoclose int slave = -1;
	STEP(e, "tty", "make a terminal");

	if (tty_open_pair(AT_FDCWD, &master, &slave, e) < 0)
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

static int stdio(const struct init_args *a, struct err *e)
{
	int fd;

	if (a->spec->tty)
		return stdio_tty(a, e);
	if (a->spec->interactive)
		return 0;
	(void)close(STDIN_FILENO);
	fd = open("/dev/null", O_RDONLY);
	if (fd != STDIN_FILENO)
		return err_sys(e, "open", "/dev/null");
	return 0;
}

/* ---- PID 1 ---------------------------------------------------------------- */

struct pid1_tail {
	struct pid1_conf conf;
	uint32_t groups[GROUPS_MAX];
	struct sock_filter filter[4096];
};

static int fill_filter(const struct run_spec *s, const struct caps_sets *sets,
		       struct pid1_tail *t, struct err *e)
{
	size_t n = 0;

	if (s->seccomp_off)
		return 0;
	if (s->filter) {
		if (s->n_filter > ARRAY_LEN(t->filter))
			return err_set(e, ERR_TOOBIG,
				       "seccomp filter of %zu instructions",
				       s->n_filter);
		memcpy(t->filter, s->filter, s->n_filter * sizeof(*s->filter));
		n = s->n_filter;
	} else if (seccomp_default(sets->bounding, t->filter,
				   ARRAY_LEN(t->filter), &n, e) < 0) {
		return -1;
	}
	t->conf.n_filter = (uint32_t)n;
	return 0;
}

static uint32_t pid1_flags(const struct run_spec *s)
{
	return (s->no_init ? PID1_EXEC_ONLY : 0U) | (s->tty ? PID1_CTTY : 0U) |
	       (s->new_privs ? PID1_NEW_PRIVS : 0U) |
	       (s->userns && s->map.single ? PID1_NO_SETGROUPS : 0U);
}

static int fill_conf(const struct run_spec *s, struct pid1_tail *t,
		     char ret_home[], size_t home_size, struct err *e)
{
	autofree struct user *u = xcalloc(1, sizeof(*u));
	const struct user_wish wish = {
		.user = s->user,
		.group_add = (const char *const *)s->groups.v,
		.n_group_add = s->groups.n,
		.has_home = strv_getenv(&s->env, "HOME") != NULL,
	};
	struct caps_sets sets;
	STEP(e, "user", "look up '%s'", s->user ? s->user : "root");

	if (user_resolve(AT_FDCWD, &wish, u, e) < 0)
		return -1;
	caps_for_user(&s->caps, u->uid, &sets);
	t->conf = (struct pid1_conf){
		.magic = PID1_MAGIC,
		.flags = pid1_flags(s),
		.uid = u->uid,
		.gid = u->gid,
		.n_groups = (uint32_t)u->n_groups,
		.bounding = sets.bounding,
		.permitted = sets.permitted,
		.inheritable = sets.inheritable,
		.ambient = sets.ambient,
		.last_cap = -1,
	};
	memcpy(t->groups, u->groups, u->n_groups * sizeof(*t->groups));
	(void)snprintf(ret_home, home_size, "HOME=%s", u->home);
	return fill_filter(s, &sets, t, e);
}

/* ELF, padding and tail in one write. */
static int pid1_memfd(const struct init_args *a, const struct pid1_tail *t,
		      struct err *e)
{
	static const char zeros[PID1_CONF_AT];
	const struct iovec iov[] = {
		{(void *)(uintptr_t)a->pid1, a->pid1_len},
		{(void *)(uintptr_t)zeros, PID1_CONF_AT - a->pid1_len},
		{(void *)(uintptr_t)&t->conf, sizeof(t->conf)},
		{(void *)(uintptr_t)t->groups,
		 t->conf.n_groups * sizeof(t->groups[0])},
		{(void *)(uintptr_t)t->filter,
		 t->conf.n_filter * sizeof(t->filter[0])},
	};
	autoclose int fd = memfd_create("prism-init", MFD_CLOEXEC | MFD_EXEC);
	size_t want = 0;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("prism-init", MFD_CLOEXEC);
	if (fd < 0) {
		(void)err_sys(e, "memfd_create", "prism-init");
		return err_hint(e, "sysctl vm.memfd_noexec=2 forbids it");
	}
	for (size_t i = 0; i < ARRAY_LEN(iov); i++)
		want += iov[i].iov_len;
	if (writev(fd, iov, (int)ARRAY_LEN(iov)) != (ssize_t)want)
		return err_sys(e, "writev", "memfd prism-init");
	return take_fd(&fd);
}

/*
 * Bring sync and memfd to the two numbers that PID 1 expects; nothing else
 * may pass. One that has the number of the other steps aside first.
 */
static int place_fds(int sync, int memfd, struct err *e)
{
	if (sync == PID1_CONF_FD)
		sync = fcntl(sync, F_DUPFD_CLOEXEC, PID1_CONF_FD + 1);
	if (memfd == PID1_SYNC_FD)
		memfd = fcntl(memfd, F_DUPFD_CLOEXEC, PID1_CONF_FD + 1);
	if (sync < 0 || memfd < 0)
		return err_sys(e, "fcntl", "F_DUPFD_CLOEXEC");
	if (dup2(sync, PID1_SYNC_FD) < 0 || dup2(memfd, PID1_CONF_FD) < 0)
		return err_sys(e, "dup2", "fds of PID 1");
	/* dup2 of a number to itself leaves CLOEXEC on. */
	if ((sync == PID1_SYNC_FD || memfd == PID1_CONF_FD) &&
	    (fcntl(PID1_SYNC_FD, F_SETFD, 0) < 0 ||
	     fcntl(PID1_CONF_FD, F_SETFD, 0) < 0))
		return err_sys(e, "fcntl", "F_SETFD");
	if (close_range(PID1_CONF_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(e, "close_range", "all but PID 1's");
	return 0;
}

static char **pid1_argv(const struct run_spec *s)
{
	char **const v = xcalloc(s->args.n + 2, sizeof(*v));

	v[0] = xstrdup("prism-init");
	memcpy(v + 1, s->args.v, s->args.n * sizeof(*v));
	return v;
}

/* HOME of the user, unless the image or the caller set one. */
static char **pid1_env(const struct run_spec *s, char *home)
{
	char **const v = xcalloc(s->env.n + 2, sizeof(*v));

	memcpy(v, s->env.v, s->env.n * sizeof(*v));
	if (!strv_getenv(&s->env, "HOME"))
		v[s->env.n] = home;
	return v;
}

static int run_pid1(const struct init_args *a, const struct pid1_tail *t,
		    char *home, struct err *e)
{
	autoclose int memfd = pid1_memfd(a, t, e);

	if (memfd < 0)
		return -1;
	/* GO: the monitor has recorded the container. */
	if (sync_wait(a->sync, SYNC_GO, e) < 0)
		return -1;
	if (place_fds(a->sync, memfd, e) < 0)
		return -1;
	trace_mark("pid1", "execute PID 1");
	(void)syscall(SYS_execveat, PID1_CONF_FD, "", pid1_argv(a->spec),
		      pid1_env(a->spec, home), AT_EMPTY_PATH);
	return err_sys(e, "execveat", "prism-init");
}

/* ---- the role ------------------------------------------------------------- */

static int init_steps(const struct init_args *a, struct err *e)
{
	const struct run_spec *const s = a->spec;
	struct host_trees trees = {.dir = -1};
	autofree struct pid1_tail *tail = xcalloc(1, sizeof(*tail));
	char home[USER_HOME_MAX + 8];

	if (tie_to_monitor(e) < 0)
		return -1;
	if (s->userns && enter_userns(a, &trees, e) < 0)
		return -1;
	if (rootfs_build(s, a->container, &trees, e) < 0)
		return -1;
	if (set_hostname(a, e) < 0)
		return -1;
	if (s->net == NET_NONE && loopback_up(e) < 0)
		return -1;
	if (stdio(a, e) < 0)
		return -1;
	/* The user before the workdir: its files are looked up from "/". */
	if (fill_conf(s, tail, home, sizeof(home), e) < 0 ||
	    enter_workdir(s, e) < 0)
		return -1;
	if (s->readonly_root && mnt_readonly("/", false, e) < 0)
		return -1;
	return run_pid1(a, tail, home, e);
}

void init_main(const struct init_args *a)
{
	struct err e = {0};

	trace_role("init");
	(void)init_steps(a, &e);
	sync_die(a->sync, &e);
}
