/*
 * Should: take over what the container's init has while the host is in sight
 * (limits, score, cgroup), then join, and touch only what is in the container.
 * Mustn't: open a path of the host after setns, or print, or return.
 */
#include "exec_join.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fdlist.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/apparmor.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/cgroup/scope.h"
#include "runtime/keyring.h"
#include "runtime/pid1.h"
#include "runtime/program.h"
#include "runtime/signals.h"
#include "runtime/stdfds.h"
#include "runtime/sync.h"
#include "runtime/tty.h"

/* ---- as init has it ------------------------------------------------------- */

/* By the kernel's own call: the libraries disagree on the type of `what`. */
static int prlimit_raw(pid_t pid, int what, const struct rlimit *set,
		       struct rlimit *ret)
{
	return (int)syscall(SYS_prlimit64, pid, what, set, ret);
}

/* What cannot be had (a limit above ours) is left as near as it comes. */
static void take_limits(pid_t init)
{
	for (int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit want, have;

		if (prlimit_raw(init, i, NULL, &want) < 0 ||
		    prlimit_raw(0, i, NULL, &have) < 0)
			continue;
		if (want.rlim_cur == have.rlim_cur &&
		    want.rlim_max == have.rlim_max)
			continue;
		if (prlimit_raw(0, i, &want, NULL) == 0)
			continue;
		if (want.rlim_max > have.rlim_max)
			want.rlim_max = have.rlim_max;
		if (want.rlim_cur > want.rlim_max)
			want.rlim_cur = want.rlim_max;
		(void)prlimit_raw(0, i, &want, NULL);
	}
}

_Static_assert(sizeof(((struct rlimit *)0)->rlim_cur) == 8,
	       "struct rlimit is the kernel's rlimit64");

static int read_proc(pid_t pid, const char *name, struct buf *b, struct err *e)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	return fs_read_at(AT_FDCWD, path, b, e);
}

static int take_oom_score(pid_t init, struct err *e)
{
	autobuf struct buf theirs = buf_make(64);
	autobuf struct buf ours = buf_make(64);
	autoclose int fd = -1;

	if (read_proc(init, "oom_score_adj", &theirs, e) < 0 ||
	    read_proc(getpid(), "oom_score_adj", &ours, e) < 0)
		return -1;
	if (!strcmp(buf_str(&theirs), buf_str(&ours)))
		return 0;
	fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	/* Less than our own needs CAP_SYS_RESOURCE: then ours it is. */
	if (fd >= 0 && write(fd, buf_str(&theirs), theirs.len) < 0)
		return 0;
	return 0;
}

/*
 * "8:pids:/a/b" or "0::/a/b" to where that hierarchy stands by convention;
 * false for lines that are not of this form.
 */
static bool cgroup_path(const char *line, size_t n, bool unified, char *ret,
			size_t size)
{
	const char *const end = line + n;
	const char *const name = memchr(line, ':', n);
	const char *path;
	size_t n_name;

	if (!name)
		return false;
	path = memchr(name + 1, ':', (size_t)(end - name - 1));
	if (!path)
		return false;
	n_name = (size_t)(path - name - 1);
	path++;
	if (n_name > 5 && !memcmp(name + 1, "name=", 5))
		return snprintf(ret, size, "/sys/fs/cgroup/%.*s%.*s",
				(int)n_name - 5, name + 6, (int)(end - path),
				path) < (int)size;
	return snprintf(ret, size, "/sys/fs/cgroup%s%.*s%.*s",
			n_name    ? "/"
			: unified ? "/unified"
				  : "",
			(int)n_name, name + 1, (int)(end - path),
			path) < (int)size;
}

static bool has_line(const struct buf *b, const char *line, size_t n)
{
	const char *p = buf_str(b);

	while (*p) {
		const size_t len = strcspn(p, "\n");

		if (len == n && !memcmp(p, line, n))
			return true;
		p += len + (p[len] == '\n');
	}
	return false;
}

static int enter_cgroup(const char *path, int version, struct err *e)
{
	autofree char *file =
		xasprintf("%s/%s", path, cgroup_self_file(version));
	autoclose int fd = open(file, O_WRONLY | O_CLOEXEC);
	struct err why = {0};

	if (fd >= 0 && write(fd, "0", 1) == 1)
		return 0;
	(void)err_sys(e, fd < 0 ? "open" : "write", "%s", file);
	if (e->sys != EACCES)
		return -1;
	/* It is ours, but what is above it and us is not: ask who may. */
	if (scope_enter(path, &why) < 0)
		return err_append(e, "; %s", why.text);
	err_clear(e);
	return 0;
}

/* The hierarchies in which init is elsewhere; usually there is none. */
struct elsewhere {
	struct buf theirs;
	struct buf ours;
	bool unified; /* v1 is there, and v2 at a place of its own */
	const char *at;
};

static int elsewhere_read(pid_t init, struct elsewhere *w, struct err *e)
{
	w->theirs = buf_make(KIB(64));
	w->ours = buf_make(KIB(64));
	w->unified =
		faccessat(AT_FDCWD, "/sys/fs/cgroup/unified", F_OK, 0) == 0;
	if (read_proc(init, "cgroup", &w->theirs, e) < 0 ||
	    read_proc(getpid(), "cgroup", &w->ours, e) < 0)
		return -1;
	w->at = buf_str(&w->theirs);
	return 0;
}

static void elsewhere_free(struct elsewhere *w)
{
	buf_free(&w->theirs);
	buf_free(&w->ours);
}

/* The next of them, and its version; 0 at the end. */
static int elsewhere_next(struct elsewhere *w, char path[4096])
{
	while (*w->at) {
		const char *const p = w->at;
		const size_t n = strcspn(p, "\n");

		w->at += n + (p[n] == '\n');
		if (!has_line(&w->ours, p, n) &&
		    cgroup_path(p, n, w->unified, path, 4096))
			return str_starts(p, "0::") ? 2 : 1;
	}
	return 0;
}

static int take_cgroups(pid_t init, bool must, struct err *e)
{
	struct elsewhere w = {0};
	char path[4096];
	int rc;
	STEP(e, "cgroup", "join those of the container");

	rc = elsewhere_read(init, &w, e);
	while (rc == 0) {
		const int version = elsewhere_next(&w, path);

		if (!version)
			break;
		rc = enter_cgroup(path, version, e);
		if (rc < 0 && !must) {
			err_clear(e);
			rc = 0;
		}
	}
	elsewhere_free(&w);
	return rc;
}

int exec_birthplace(pid_t init)
{
	struct elsewhere w = {0};
	struct err ignored = {0};
	char path[4096];
	int version = 0;

	if (elsewhere_read(init, &w, &ignored) == 0)
		do {
			version = elsewhere_next(&w, path);
		} while (version == 1);
	elsewhere_free(&w);
	return version == 2 ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
			    : -1;
}

static int take_over(const struct exec_request *r, struct err *e)
{
	STEP(e, "limits", "take over those of the container");

	take_limits(r->init);
	if (take_oom_score(r->init, e) < 0)
		return -1;
	/* Without limits it may stay in a group that we may not enter. */
	return take_cgroups(r->init, cgroup_is_wanted(r->spec), e);
}

/* ---- joining --------------------------------------------------------------- */

/* Dies with the caller, also by kill -9; the program dies with the joiner. */
static int tie(const struct exec_request *r, struct err *e)
{
	if (!r->outlive && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "prctl", "PR_SET_PDEATHSIG");
	return 0;
}

static int join(const struct join_args *a, struct err *e)
{
	const struct exec_request *const r = a->request;
	STEP(e, "join", "join the namespaces of process %d", (int)r->init);

	/*
	 * With --pid host the container can see us: it must not look through
	 * our eyes. PID 1 does it again for the program.
	 */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, "prctl", "PR_SET_DUMPABLE");
	if (setns(r->init_pidfd, a->namespaces) < 0) {
		if (errno == ESRCH)
			return err_set(e, ERR_GONE, "the container has ended");
		return err_sys(e, "setns", "the container's namespaces");
	}
	if (!(a->namespaces & CLONE_NEWUSER))
		return 0;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, "setresuid", "0 in the user namespace");
	/* The change of ids cleared it. */
	return tie(r, e);
}

/* Keep nothing of the host open while paths of the container are used. */
static int close_host(const struct join_args *a, struct err *e)
{
	int only[] = {a->sync};
	struct fd_list l = {only, ARRAY_LEN(only)};

	return fd_list_close_others(&l) < 0
		       ? err_sys(e, "close_range", "what is the host's")
		       : 0;
}

/* ---- stdio ----------------------------------------------------------------- */

static int own_stdio(const struct exec_request *r, int i)
{
	return r->spec->tty ? STDFDS_NULL : r->stdio[i];
}

/*
 * Before the join: fds 0, 1 and 2 must be none of the caller's files, except
 * pipes and sockets of the program, when the first container path is used.
 */
static int leave_stdio(const struct exec_request *r, struct err *e)
{
	int from[3];
	int rc = 0;

	for (int i = 0; i < 3; i++) {
		const int own = own_stdio(r, i);
		const int fd = own == STDFDS_NULL
				       ? open("/dev/null", O_RDWR | O_CLOEXEC)
				       : own;

		/* Out of the way of those that are still to be placed. */
		from[i] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
		if (from[i] < 0)
			return err_sys(e, "fcntl", "fd %d of the program", i);
		if (fd != own)
			(void)close(fd);
	}
	for (int i = 0; i < 3; i++) {
		if (dup2(from[i], i) < 0)
			rc = err_sys(e, "dup2", "fd %d of the program", i);
		(void)close(from[i]);
	}
	return rc;
}

/*
 * Use the container's null device: with an fd of the host's, a program could
 * change the host node's mode and owner. If it is missing or another file,
 * stdin is an empty pipe.
 */
static int open_null(int i, struct err *e)
{
	const int null = stdfds_open_null(e);
	int p[2];

	if (null >= 0 || i != 0 || pipe2(p, O_CLOEXEC) < 0)
		return null;
	err_clear(e);
	(void)close(p[1]);
	return p[0];
}

/* After the join. */
static int take_null(const struct exec_request *r, struct err *e)
{
	for (int i = 0; i < 3; i++) {
		autoclose int null = -1;

		if (own_stdio(r, i) != STDFDS_NULL)
			continue;
		null = open_null(i, e);
		if (null < 0)
			return -1;
		if (dup2(null, i) < 0)
			return err_sys(e, "dup2", "/dev/null as %d", i);
	}
	return 0;
}

/* Is it the multiplexer of a devpts? The container could put anything there. */
static int check_master(int master, struct err *e)
{
	unsigned int n;

	if (ioctl(master, TIOCGPTN, &n) < 0)
		return err_sys(e, "ioctl", "TIOCGPTN on /dev/pts/ptmx");
	return 0;
}

/* TTY -> GO: the caller sets the size before anybody can look at it. */
static int make_terminal(const struct join_args *a, struct err *e)
{
	autoclose int pts = tty_open_pts(-1, e);
	autoclose int master = -1;
	autoclose int slave = -1;
	STEP(e, "tty", "make a terminal");

	if (pts < 0 || tty_open_pair(pts, &master, &slave, e) < 0 ||
	    check_master(master, e) < 0 ||
	    sync_send_fds(a->sync, SYNC_TTY, &master, 1, e) < 0)
		return -1;
	for (int i = 0; i < 3; i++)
		if (dup2(slave, i) < 0)
			return err_sys(e, "dup2", "terminal as %d", i);
	return sync_wait(a->sync, SYNC_GO, e);
}

/* ---- the role ------------------------------------------------------------- */

static int join_steps(const struct join_args *a, struct err *e)
{
	const struct exec_request *const r = a->request;
	const struct run_spec *const s = r->spec;
	uint32_t flags = PID1_JOINED | (r->outlive ? 0U : PID1_TIED);
	struct program *program = NULL;
	sigset_t all;
	int memfd, confined;

	/* As PID 1 of a start is: nothing comes from the caller's terminal. */
	if (signals_block(&all, NULL, e) < 0 || tie(r, e) < 0)
		return -1;
	(void)setsid();
	if (leave_stdio(r, e) < 0 || take_over(r, e) < 0)
		return -1;
	confined = apparmor_on_exec_like(r->init, e);
	if (confined < 0 || join(a, e) < 0 || close_host(a, e) < 0)
		return -1;
	if (confined && !r->outlive)
		flags |= PID1_TIE_AGAIN;
	(void)umask(s->umask ? s->umask & 0777 : 022);
	if ((s->tty ? make_terminal(a, e) : take_null(r, e)) < 0)
		return -1;
	if (keyring_join(s, r->id, e) < 0 ||
	    program_prepare(s, flags, &program, e) < 0 ||
	    program_workdir(s, false, e) < 0)
		return -1;
	memfd = program_memfd(program, e);
	if (memfd < 0)
		return -1;
	return program_execute(program, a->sync, memfd, e);
}

void exec_join(const struct join_args *a)
{
	struct err e = {0};

	trace_role("joiner");
	(void)join_steps(a, &e);
	sync_die(a->sync, &e);
}
