#include "freeze.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/proc.h"
#include "runtime/cgroup/cgroup.h"

#define ROUNDS_MAX 1000 /* of a program that forks as fast as it can */
#define WAIT_NS    (CLOCK_SECOND / 2)  /* for those inside the kernel */
#define LATE_NS    (60 * CLOCK_SECOND) /* without a processor to stop on */

/* ---- whose they are ------------------------------------------------------- */

struct proc {
	pid_t pid;
	pid_t parent;
	bool ours;
};

struct proc_list {
	struct proc *v;
	size_t n;
};

static int by_pid(const void *a, const void *b)
{
	const pid_t x = ((const struct proc *)a)->pid;
	const pid_t y = ((const struct proc *)b)->pid;

	return (x > y) - (x < y);
}

static struct proc *find(const struct proc_list *l, pid_t pid)
{
	const struct proc key = {.pid = pid};

	return l->n ? bsearch(&key, l->v, l->n, sizeof(key), by_pid) : NULL;
}

/* Its state ('R', 'S', 'T'...) and its parent. */
static bool read_stat(pid_t pid, char *ret_state, pid_t *ret_parent)
{
	autobuf struct buf b = buf_make(KIB(4));
	const char *const p = proc_stat(pid, &b);
	uint64_t parent;

	if (!p || strlen(p) < 3 ||
	    !str_to_u64n(p + 2, strcspn(p + 2, " "), INT32_MAX, &parent))
		return false;
	*ret_state = *p;
	*ret_parent = (pid_t)parent;
	return true;
}

static bool same_namespace(pid_t pid, const struct stat *ns)
{
	char path[40];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)pid);
	return stat(path, &st) == 0 && st.st_ino == ns->st_ino &&
	       st.st_dev == ns->st_dev;
}

static int list_all(const struct stat *ns, struct proc_list *l, struct err *e)
{
	autodir DIR *d = opendir("/proc");

	if (!d)
		return err_sys(e, "opendir", "/proc");
	for (;;) {
		const struct dirent *const de = readdir(d);
		struct proc p = {0};
		uint32_t pid;
		char state;

		if (!de)
			break;
		if (!str_to_u32(de->d_name, INT32_MAX, &pid))
			continue;
		p.pid = (pid_t)pid;
		if (!read_stat(p.pid, &state, &p.parent))
			continue;
		p.ours = same_namespace(p.pid, ns);
		/* Room grows by powers of two. */
		if ((l->n & (l->n + 1)) == 0)
			l->v = xrealloc(l->v, (l->n + 1) * 2 * sizeof(*l->v));
		l->v[l->n++] = p;
	}
	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_pid);
	return 0;
}

/* A PID namespace below it belongs to the children of its processes. */
static bool has_ancestor(const struct proc_list *l, const struct proc *p)
{
	for (int depth = 0; p && !p->ours && depth < 1000; depth++)
		p = find(l, p->parent);
	return p && p->ours;
}

int freeze_each(pid_t init, int (*fn)(void *ctx, pid_t pid), void *ctx,
		struct err *e)
{
	struct proc_list l = {0};
	char path[40];
	struct stat ns;
	int rc;

	(void)snprintf(path, sizeof(path), "/proc/%d/ns/pid", (int)init);
	if (stat(path, &ns) < 0)
		return err_sys(e, "stat", "%s", path);
	rc = list_all(&ns, &l, e);
	if (rc == 0)
		rc = fn(ctx, init);
	for (size_t i = 0; rc == 0 && i < l.n; i++)
		if (l.v[i].pid != init && has_ancestor(&l, &l.v[i]))
			rc = fn(ctx, l.v[i].pid);
	free(l.v);
	return rc;
}

/* ---- signals -------------------------------------------------------------- */

/*
 * A signal to stop waits while its process waits inside the kernel: for a disk,
 * or after vfork(2) for a child that may be stopped itself. It does nothing of
 * its own until then, and stops when it could.
 */
struct look {
	int sig;
	int changed; /* were sent the signal */
	int late;    /* were sent it before, and have not stopped yet */
	int waiting; /* of these, inside the kernel */
};

static bool is_still(char state)
{
	return state == 'T' || state == 't' || state == 'Z' || state == 'X';
}

static int move_one(void *ctx, pid_t pid)
{
	struct look *const k = ctx;
	pid_t parent;
	char state;
	bool pending;

	if (!read_stat(pid, &state, &parent))
		return 0;
	pending = !is_still(state) && proc_signal(pid, "ShdPnd", SIGSTOP) == 1;
	if (k->sig == SIGSTOP && pending) {
		k->late++;
		k->waiting += state == 'D';
		return 0;
	}
	if (k->sig == SIGSTOP ? is_still(state) : state != 'T' && !pending)
		return 0;
	if (kill(pid, k->sig) == 0)
		k->changed++;
	return 0;
}

/* Stopping takes a moment: let them have it. */
static void let_them(bool changed)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	if (changed)
		(void)sched_yield();
	else
		(void)nanosleep(&pause, NULL);
}

/* Until a look finds nothing to do. */
static int move_all(pid_t init, int sig, struct err *e)
{
	int64_t since = clock_monotonic();
	int rounds = 0;

	while (rounds < ROUNDS_MAX) {
		struct look k = {.sig = sig};
		int64_t waited;

		if (freeze_each(init, move_one, &k, e) < 0)
			return -1;
		waited = clock_monotonic() - since;
		if (k.changed == 0 &&
		    (k.late == 0 || (k.late == k.waiting && waited > WAIT_NS)))
			return 0;
		if (waited > LATE_NS)
			return err_set(e, ERR_BUSY,
				       "its processes do not stop");
		if (k.changed) {
			since = clock_monotonic();
			rounds++;
		}
		let_them(k.changed > 0);
	}
	return err_set(e, ERR_BUSY,
		       "its processes do not come to rest: they fork too fast");
}

/* ---- the marker ----------------------------------------------------------- */

/* In one step from what it was. */
static int mark(const struct container *c, bool half, struct err *e)
{
	struct container_head h = {0};
	char run[16];

	if (head_read(c->lock_fd, &h, e) < 0)
		return -1;
	(void)snprintf(run, sizeof(run), "%u%s", h.run, half ? "+" : "");
	if (unlinkat(c->dir_fd, "paused.new", 0) < 0 && errno != ENOENT)
		return err_sys(e, "unlinkat", "paused.new");
	if (symlinkat(run, c->dir_fd, "paused.new") < 0)
		return err_sys(e, "symlinkat", "paused.new");
	if (renameat(c->dir_fd, "paused.new", c->dir_fd, "paused") < 0)
		return err_sys(e, "renameat", "paused");
	return 0;
}

static int unmark(const struct container *c, struct err *e)
{
	if (unlinkat(c->dir_fd, "paused", 0) < 0 && errno != ENOENT)
		return err_sys(e, "unlinkat", "paused");
	return 0;
}

/*
 * By the freezer of its cgroup, where it has one. 1: it has none, or was not
 * stopped by it.
 */
static int by_freezer(const struct container *c, bool frozen, struct err *e)
{
	struct cgroup *g = NULL;
	int rc = 1;

	if (cgroup_open(c->dir_fd, &g, e) < 0)
		return -1;
	if (cgroup_can_freeze(g) && (frozen || cgroup_is_frozen(g)))
		rc = cgroup_freeze(g, frozen, e);
	cgroup_free(g);
	return rc;
}

static int stop_all(const struct container *c, pid_t init, struct err *e)
{
	const int rc = by_freezer(c, true, e);

	return rc > 0 ? move_all(init, SIGSTOP, e) : rc;
}

static int let_go(const struct container *c, pid_t init, struct err *e)
{
	const int rc = by_freezer(c, false, e);

	/* What stopped itself before is not told from what we stopped. */
	return rc > 0 ? move_all(init, SIGCONT, e) : rc;
}

int freeze_container(const struct container *c, struct err *e)
{
	pid_t init = 0;
	autoclose int fd = container_pidfd(c, &init, e);
	struct err ignored = {0};

	if (fd < 0 || mark(c, true, e) < 0)
		return -1;
	crash_point("pause-begun");
	if (stop_all(c, init, e) == 0) {
		crash_point("pause-stopped");
		if (mark(c, false, e) == 0)
			return 0;
	}
	(void)freeze_thaw(c, &ignored);
	return -1;
}

bool freeze_is_half(const struct container *c)
{
	return state_pause_mark(c->dir_fd, c->lock_fd) == PAUSE_HALF;
}

int freeze_thaw(const struct container *c, struct err *e)
{
	pid_t init = 0;
	autoclose int fd = -1;

	if (state_pause_mark(c->dir_fd, c->lock_fd) == PAUSE_NONE)
		return 0;
	fd = container_pidfd(c, &init, e);
	if (fd < 0 || mark(c, true, e) < 0)
		return -1;
	crash_point("unpause-begun");
	if (let_go(c, init, e) < 0)
		return -1;
	crash_point("unpause-moved");
	return unmark(c, e);
}
