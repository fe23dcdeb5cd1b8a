#include "container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/fs.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/trace.h"
#include "base/whoami.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/container_volumes.h"
#include "runtime/name.h"
#include "runtime/net/net.h"

/* In front of an id in tmp/: ended, and being removed. */
#define GONE "gone-"

/* After this long its remover is taken for dead. */
#define REMOVER_SECONDS 10

/* The disk does several removals in the time of one. */
#define REMOVERS 4

/* ---- files ---------------------------------------------------------------- */

struct removal {
	int root_fd;
	int userns_fd;
	const char *name;
};

static int remove_inside(void *arg, struct err *e)
{
	const struct removal *const r = arg;
	struct idmap map;

	if (r->userns_fd >= 0) {
		if (setns(r->userns_fd, CLONE_NEWUSER) < 0)
			return err_sys(e, "setns",
				       "the container's user "
				       "namespace");
	} else if (userns_enter_for_store(&map, e) < 0) {
		return -1;
	}
	return fs_remove_tree_at(r->root_fd, r->name, e);
}

/*
 * Files of an ordinary user's container belong to ids that only the user
 * namespace can touch. Often there are none, so the plain way is tried first.
 */
int container_remove_files(const struct container_home *h, const char *name,
			   int userns_fd, struct err *e)
{
	struct removal r = {
		.root_fd = h->root_fd, .userns_fd = userns_fd, .name = name};
	struct worker w = WORKER_NONE;

	if (fs_remove_tree_at(h->root_fd, name, e) == 0)
		return 0;
	if (whoami()->root || (e->sys != EACCES && e->sys != EPERM))
		return -1;
	err_clear(e);
	if (proc_start(&w, "remove", remove_inside, &r, e) < 0)
		return -1;
	return proc_wait(&w, e);
}

/*
 * Its cgroups first: they are known from its files alone. 1: they are still
 * busy (patient: after a second or two), and the files stay.
 */
static int remove_all_of(const struct container_home *h, const char *gone,
			 int userns_fd, bool patient, struct err *e)
{
	autoclose int fd =
		openat(h->root_fd, gone, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const int rc = fd < 0 ? 0 : cgroup_remove(fd, patient, e);

	return rc ? rc : container_remove_files(h, gone, userns_fd, e);
}

static int release_name(const struct container_home *h,
			const struct container *c, struct err *e)
{
	autonames struct name_list l = {0};
	char name[CONTAINER_NAME_MAX];

	/* Opened by its id alone. */
	if (!c->name[0]) {
		if (name_list_read(h, &l, e) < 0)
			return -1;
		if (!name_is_reserved(&l, c->id))
			return 0;
		name_of(&l, c->id, name);
		return name_release(h, name, c->id, e);
	}
	return c->named ? name_release(h, c->name, c->id, e) : 0;
}

static char *gone_path(const char *id)
{
	return xasprintf("tmp/" GONE "%s", id);
}

/*
 * Out of sight in one step, and only then its name: whoever is killed in
 * between leaves a link that counts for nothing, and no container that lost
 * its name.
 */
static int hide(const struct container_home *h, const struct container *c,
		struct err *e)
{
	autofree char *dir = xasprintf("containers/%s", c->id);
	autofree char *gone = gone_path(c->id);
	STEP(e, "teardown", "hide container %.12s", c->id);

	if (renameat(h->root_fd, dir, h->root_fd, gone) < 0 && errno != ENOENT)
		return err_sys(e, "renameat", "%s", dir);
	crash_point("teardown-moved");
	if (release_name(h, c, e) < 0)
		return -1;
	crash_point("teardown-unnamed");
	return 0;
}

static int end_network(const struct container_home *h,
		       const struct container *c, struct err *e)
{
	const struct net_of o = {.home = h, .container = c};

	return net_down(&o, e);
}

struct gone {
	struct container_home home;
	char *name;
	int userns_fd;
	bool patient; /* nobody waits for us */
	int keep[2];
};

/* One remover at a time; a second one has nothing to do. */
static int remove_gone(void *arg, struct err *e)
{
	const struct gone *const g = arg;
	autoclose int fd = openat(g->home.root_fd, g->name,
				  O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	return remove_all_of(&g->home, g->name, g->userns_fd, g->patient, e);
}

static int remove_and_sweep(void *arg, struct err *e)
{
	const struct gone *const g = arg;
	const int rc = remove_gone(arg, e);

	err_clear(e);
	return container_sweep(&g->home, e) < 0 ? -1 : rc;
}

/* For a process that goes on when ours and its fds are gone. */
static struct gone *gone_make(const struct container_home *h, const char *path,
			      int userns_fd)
{
	struct gone *const g = xcalloc(1, sizeof(*g));

	g->home.root_path = xstrdup(h->root_path);
	g->home.root_fd = fcntl(h->root_fd, F_DUPFD_CLOEXEC, 3);
	g->name = xstrdup(path);
	g->patient = true;
	g->userns_fd =
		userns_fd < 0 ? -1 : fcntl(userns_fd, F_DUPFD_CLOEXEC, 3);
	g->keep[0] = g->home.root_fd;
	g->keep[1] = g->userns_fd;
	return g;
}

/* By a process that begins when ours ends; false: it has one to begin with. */
static bool remove_later(const struct container_home *h, const char *path,
			 int userns_fd)
{
	/* Not freed: it is needed until the very end. */
	static struct gone *g;

	if (g)
		return false;
	g = gone_make(h, path, userns_fd);
	(void)proc_leave(remove_and_sweep, g, g->keep, ARRAY_LEN(g->keep));
	return true;
}

int container_teardown(const struct container_home *h,
		       const struct container *c, bool volumes, int userns_fd,
		       struct err *e)
{
	autofree char *gone = gone_path(c->id);
	int rc;
	STEP(e, "teardown", "remove container %.12s", c->id);

	if (end_network(h, c, e) < 0)
		return -1;
	if (volumes && container_volumes_drop(h, c->id, userns_fd, e) < 0)
		return -1;
	if (hide(h, c, e) < 0)
		return -1;
	rc = remove_all_of(h, gone, userns_fd, false, e);
	if (rc > 0)
		(void)remove_later(h, gone, userns_fd);
	return rc < 0 ? -1 : 0;
}

/*
 * A directory that is removed from a file system mounted with discard waits
 * for the disk, and there are six. So it is done by a process that begins when
 * ours ends; whoever is killed before leaves what sweep_tmp() removes. There
 * is time then to clean up after dead monitors.
 */
int container_teardown_later(const struct container_home *h,
			     const struct container *c, bool volumes,
			     int userns_fd, struct err *e)
{
	autofree char *path = gone_path(c->id);

	if (volumes && container_volumes_drop(h, c->id, userns_fd, e) < 0)
		return -1;
	if (hide(h, c, e) < 0)
		return -1;
	if (remove_later(h, path, userns_fd))
		return 0;
	return remove_all_of(h, path, userns_fd, false, e) < 0 ? -1 : 0;
}

static int remove_cgroup(void *arg, struct err *e)
{
	return cgroup_remove(*(const int *)arg, true, e) < 0 ? -1 : 0;
}

void container_cgroup_end(const struct container *c)
{
	/* Needed until the very end, as above. */
	static int fd = -1;
	struct err e = {0};
	const int rc = cgroup_remove(c->dir_fd, false, &e);

	if (rc < 0)
		log_warn("ignoring: %s", e.text);
	/* What a second one has left, the next command finds (has_leftover). */
	if (rc != 1 || fd >= 0)
		return;
	fd = fcntl(c->dir_fd, F_DUPFD_CLOEXEC, 3);
	(void)proc_leave(remove_cgroup, &fd, &fd, 1);
}

/* ---- those of the dead ---------------------------------------------------- */

/* Nothing says how it ended: its monitor was killed, and it with it. */
static bool is_unfinished(const struct container_state *s)
{
	return s->status == CONTAINER_EXITED && s->finished_ns == 0;
}

/* What its monitor died over, perhaps before there was anything to finish. */
static bool has_leftover(const struct container *c)
{
	return faccessat(c->dir_fd, "cgroup", F_OK, 0) == 0 ||
	       faccessat(c->dir_fd, "network", F_OK, 0) == 0;
}

static int end_kept(const struct container_home *h, struct container *c,
		    struct err *e)
{
	autostate struct container_state before = {0};
	autostate struct container_state s = {0};

	if (state_get(c->dir_fd, c->lock_fd, &before, e) < 0)
		return -1;
	if (before.alive || (!is_unfinished(&before) && !has_leftover(c)))
		return 0;
	if (container_lock_dead(c, e) < 0 ||
	    state_get(c->dir_fd, c->lock_fd, &s, e) < 0)
		return -1;
	container_cgroup_end(c);
	if (end_network(h, c, e) < 0)
		return -1;
	if (!is_unfinished(&s))
		return 0;
	s.finished_ns = clock_now();
	return container_state_put(c, &s, e);
}

/*
 * One that was never started is either left by a monitor that died on the way
 * to it, or it is one of `create --rm`, which says so in a state.json. 1: it
 * is gone.
 */
static int end_fleeting(const struct container_home *h, struct container *c,
			struct err *e)
{
	if (container_lock_dead(c, e) < 0)
		return -1;
	if (c->head.run == 0 &&
	    faccessat(c->dir_fd, "state.json", F_OK, 0) == 0)
		return 0;
	return container_teardown(h, c, true, -1, e) < 0 ? -1 : 1;
}

int container_settle(const struct container_home *h, struct container *c,
		     struct err *e)
{
	int rc;

	if (lock_is_held(c->lock_fd))
		return 0;
	rc = c->keep ? end_kept(h, c, e) : end_fleeting(h, c, e);
	lock_drop(c->lock_fd);
	/* Somebody else starts it, or removes it. */
	if (rc < 0 && (e->kind == ERR_BUSY || e->kind == ERR_NOTFOUND)) {
		rc = e->kind == ERR_NOTFOUND;
		err_clear(e);
	}
	return rc;
}

static int sweep_one(const struct container_home *h, const char *id,
		     struct err *e)
{
	autocontainer struct container c = CONTAINER_NONE;
	const int rc = container_open_id(h, id, &c, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	return container_settle(h, &c, e);
}

/* Most are alive: three calls for each of them. */
static bool is_alive(int containers, const char *id)
{
	char path[CONTAINER_ID_MAX + 16];
	autoclose int fd = -1;

	(void)snprintf(path, sizeof(path), "%.64s/spec.json", id);
	fd = openat(containers, path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && lock_is_held(fd);
}

/*
 * One that was hidden just now has a remover that is about to begin: to be
 * first would make a program's caller wait for the files of another.
 */
static bool is_fresh(const struct container_home *h, const char *path)
{
	struct stat st;
	int64_t age_s;

	if (fstatat(h->root_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return true;
	age_s = clock_now() / CLOCK_SECOND - st.st_ctim.tv_sec;
	return age_s >= 0 && age_s < REMOVER_SECONDS;
}

/* Soon done, and nobody may count on its remover: it may have been killed. */
static void drop_cgroups(const struct container_home *h, const char *gone)
{
	autoclose int fd =
		openat(h->root_fd, gone, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err ignored = {0};

	if (fd >= 0)
		(void)cgroup_remove(fd, false, &ignored);
}

/*
 * One that a killed command was making. Whoever makes one locks it before there
 * is an upper; what has none yet may be locked in this very moment.
 */
static bool is_abandoned(const struct container_home *h, const char *path)
{
	autofree char *upper = xasprintf("%s/upper", path);
	autofree char *spec = xasprintf("%s/spec.json", path);
	const bool begun = faccessat(h->root_fd, upper, F_OK, 0) == 0;
	autoclose int fd =
		openat(h->root_fd, spec, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 ? errno != ENOENT : lock_is_held(fd))
		return false;
	return begun || !is_fresh(h, path);
}

static void sweep_path(const struct container_home *h, char *path)
{
	struct gone g = {.home = *h, .name = path, .userns_fd = -1};
	struct err e = {0};

	if (remove_gone(&g, &e) < 0)
		log_warn("ignoring: %s", e.text);
}

/* What a killed remover left: nobody uses it, anybody may remove it. */
static void sweep_gone(const struct container_home *h, const char *id)
{
	autofree char *path = gone_path(id);

	if (is_fresh(h, path))
		drop_cgroups(h, path);
	else
		sweep_path(h, path);
}

static void sweep_made(const struct container_home *h, const char *id)
{
	autofree char *path = xasprintf("tmp/%s", id);
	autofree char *gone = gone_path(id);

	/* Of several that come by one removes it. */
	if (is_abandoned(h, path) &&
	    renameat(h->root_fd, path, h->root_fd, gone) == 0)
		sweep_path(h, gone);
}

static void sweep_tmp(const struct container_home *h)
{
	const int fd =
		openat(h->root_fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;

	while (d && (de = readdir(d)) != NULL) {
		const char *const id = str_after(de->d_name, GONE);

		if (id && name_is_id(id))
			sweep_gone(h, id);
		else if (name_is_id(de->d_name))
			sweep_made(h, de->d_name);
	}
}

int container_sweep(const struct container_home *h, struct err *e)
{
	const int fd = openat(h->root_fd, "containers",
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = fd < 0 ? NULL : fdopendir(fd);

	sweep_tmp(h);
	if (!d)
		return fd < 0 && errno == ENOENT
			       ? 0
			       : err_sys(e, "opendir", "containers");
	for (;;) {
		const struct dirent *const de = readdir(d);

		if (!de)
			return 0;
		if (!name_is_id(de->d_name) || is_alive(fd, de->d_name) ||
		    sweep_one(h, de->d_name, e) >= 0)
			continue;
		/* One that cannot be ended must not stop the others. */
		log_warn("ignoring container %.12s: %s", de->d_name, e->text);
		err_clear(e);
	}
}

/* ---- removal -------------------------------------------------------------- */

/* SIGKILL to init; the monitor then ends it as always, and lets go. */
static int kill_and_wait(const struct container *c, struct err *e)
{
	autoclose int init = -1;

	if (!lock_is_held(c->lock_fd))
		return 0;
	if (container_mark_stopping(c, true, e) < 0)
		return -1;
	crash_point("remove-marked");
	init = container_init_pidfd(c, NULL, e);
	err_clear(e);
	if (init >= 0)
		(void)syscall(SYS_pidfd_send_signal, init, SIGKILL, NULL, 0);
	crash_point("remove-killed");
	return container_wait_unlocked(c, e);
}

/* 1: it is gone already. */
static int lock_to_remove(struct container *c, bool force, struct err *e)
{
	int rc;

	if (force && kill_and_wait(c, e) < 0)
		return -1;
	rc = container_lock(c, e);
	/* With --rm its end has removed it. */
	if (rc < 0 && force && e->kind == ERR_NOTFOUND) {
		err_clear(e);
		return 1;
	}
	if (rc < 0 && e->kind == ERR_BUSY) {
		err_clear(e);
		(void)err_set(e, ERR_BUSY, "container %s is running", c->name);
		return err_hint(e, "stop it before, or use -f");
	}
	return rc;
}

int container_remove(const struct container_home *h, struct container *c,
		     bool force, bool volumes, struct err *e)
{
	const int rc = lock_to_remove(c, force, e);

	return rc ? (rc < 0 ? -1 : 0)
		  : container_teardown(h, c, volumes, -1, e);
}

int container_hide(const struct container_home *h, struct container *c,
		   bool force, bool volumes, struct err *e)
{
	const int rc = lock_to_remove(c, force, e);

	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (end_network(h, c, e) < 0)
		return -1;
	if (volumes && container_volumes_drop(h, c->id, -1, e) < 0)
		return -1;
	return hide(h, c, e);
}

/* ---- many ----------------------------------------------------------------- */

struct share {
	const struct container_home *home;
	const struct container *v;
	size_t n;
	size_t first;
};

static int remove_share(void *arg, struct err *e)
{
	const struct share *const s = arg;
	struct err one = {0};

	for (size_t i = s->first; i < s->n; i += REMOVERS) {
		autofree char *path = gone_path(s->v[i].id);
		struct gone g = {
			.home = *s->home, .name = path, .userns_fd = -1};

		err_clear(&one);
		/* The others are to go all the same. */
		if (remove_gone(&g, &one) < 0 && !err_is(e))
			*e = one;
	}
	return err_is(e) ? -1 : 0;
}

/* Of those whose cgroup is busy one has a remover, who looks at the others. */
static void leave_busy(const struct container_home *h,
		       const struct container *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		autofree char *path = gone_path(v[i].id);

		if (faccessat(h->root_fd, path, F_OK, 0) == 0 &&
		    remove_later(h, path, -1))
			return;
	}
}

int container_remove_hidden(const struct container_home *h,
			    const struct container *v, size_t n, struct err *e)
{
	struct worker w[REMOVERS] = {WORKER_NONE, WORKER_NONE, WORKER_NONE,
				     WORKER_NONE};
	struct share s = {.home = h, .v = v, .n = n};
	struct err one = {0};

	for (s.first = 0; s.first < REMOVERS && s.first < n; s.first++) {
		err_clear(&one);
		if (n > 1 && proc_start(&w[s.first], "remove", remove_share, &s,
					&one) == 0)
			continue;
		err_clear(&one);
		if (remove_share(&s, &one) < 0 && !err_is(e))
			*e = one;
	}
	for (size_t i = 0; i < REMOVERS; i++) {
		err_clear(&one);
		if (w[i].pid && proc_wait(&w[i], &one) < 0 && !err_is(e))
			*e = one;
	}
	leave_busy(h, v, n);
	return err_is(e) ? -1 : 0;
}
