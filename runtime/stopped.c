#include "runtime/stopped.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/userns.h"
#include "runtime/hide.h"
#include "runtime/lend.h"
#include "runtime/mnt.h"
#include "runtime/mounts.h"
#include "runtime/place.h"
#include "runtime/sync.h"

/*
 * Directories that every host has and nobody needs who only copies files: what
 * came by fd is mounted on the first, what is written in memory on the second.
 */
#define PLACE_ROOT   "/dev"
#define PLACE_MEMORY "/sys"

/* ---- whose ids ------------------------------------------------------------------ */

int stopped_enter(const struct run_spec *s, struct err *e)
{
	struct idmap ignored;
	uint32_t root;

	if (userns_is_entered()) {
		if (unshare(CLONE_NEWNS) < 0)
			return err_sys(e, "unshare", "CLONE_NEWNS");
		return mnt_private(e);
	}
	/* With keep-id they are not those of the store. */
	if (s->userns && idmap_uid_outside(&s->map, 0, &root) &&
	    idmap_gid_outside(&s->map, 0, &root))
		return userns_enter(&s->map, e);
	return userns_enter_for_store(&ignored, e);
}

struct lender {
	const struct run_spec *spec;
	const char *dir;
	pid_t target;
	int sync;
	int not_ours; /* the end of the other */
};

static int lend_to(const struct lender *l, int *fds, int *n, struct err *e)
{
	autofree char *path = xasprintf("/proc/%d/ns/user", (int)l->target);
	autoclose int userns = -1;

	if (sync_wait(l->sync, SYNC_UNSHARED, e) < 0 ||
	    idmap_write(l->target, &l->spec->map, e) < 0)
		return -1;
	userns = open(path, O_RDONLY | O_CLOEXEC);
	if (userns < 0)
		return err_sys(e, "open", "%s", path);
	return lend_trees(l->spec, l->dir, userns, fds, n, e);
}

/* In a worker that stays outside, as root of the host. */
static int lend(void *arg, struct err *e)
{
	const struct lender *const l = arg;
	int fds[SYNC_FDS_MAX];
	int n = 0;
	int rc;

	(void)close(l->not_ours);
	rc = lend_to(l, fds, &n, e);
	if (rc == 0)
		rc = sync_send_fds(l->sync, SYNC_PLUMBED, fds, n, e);
	for (int i = 0; i < n; i++)
		own_close(&fds[i]);
	return rc;
}

/* The container's own range: as its init does it (init.c). */
static int enter_range(const struct container *c, const struct run_spec *s,
		       struct host_trees *t, struct err *e)
{
	autoworker struct worker w = WORKER_NONE;
	struct err cause = {0};
	int fds[SYNC_FDS_MAX];
	int pair[2];
	int n = -1;
	struct lender l = {.spec = s, .dir = c->dir, .target = getpid()};

	if (sync_pair(pair, e) < 0)
		return -1;
	l.sync = pair[1];
	l.not_ours = pair[0];
	(void)hide_begin();
	if (proc_start(&w, "lend", lend, &l, e) == 0) {
		(void)close(pair[1]);
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			(void)err_sys(e, "unshare", "its user namespace");
		else if (sync_send(pair[0], SYNC_UNSHARED, e) == 0)
			n = sync_wait_fds(pair[0], SYNC_PLUMBED, fds,
					  SYNC_FDS_MAX, e);
	} else {
		(void)close(pair[1]);
	}
	(void)close(pair[0]);
	if (w.pid > 0 && proc_wait(&w, &cause) < 0) {
		*e = cause;
		return -1;
	}
	if (n < 0 || lend_take(s, fds, n, t, e) < 0)
		return -1;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, "setresuid", "0 in the user namespace");
	return mnt_private(e);
}

/* ---- what is mounted in it -------------------------------------------------------- */

static bool is_empty(const char *path)
{
	autodir DIR *d = opendir(path);

	while (d) {
		const struct dirent *const de = readdir(d);

		if (!de)
			return true;
		if (strcmp(de->d_name, ".") != 0 &&
		    strcmp(de->d_name, "..") != 0)
			return false;
	}
	return false;
}

static bool is_wanted(const struct container *c, const struct mount_spec *m)
{
	/* /proc and /sys only exist while it runs. */
	if (m->type == MOUNT_TMPFS || place_is_kernels(m->target))
		return false;
	if (access(m->source, F_OK) < 0) {
		log_warn("ignoring what is mounted on %s: %s: %s", m->target,
			 m->source, strerror(errno));
		return false;
	}
	return m->type != MOUNT_VOLUME || m->no_copy || c->head.run != 0 ||
	       !is_empty(m->source);
}

/* A copy of s with the mounts that can be; it borrows all its strings. */
static struct run_spec choose_mounts(const struct container *c,
				     const struct run_spec *s)
{
	struct run_spec ret = *s;

	ret.mounts =
		s->n_mounts ? xcalloc(s->n_mounts, sizeof(*ret.mounts)) : NULL;
	ret.n_mounts = 0;
	for (size_t i = 0; i < s->n_mounts; i++) {
		struct mount_spec m = s->mounts[i];

		if (!is_wanted(c, &m))
			continue;
		/* Nothing more is to be done to it than to mount it. */
		m.no_copy = true;
		m.chown = false;
		m.propagation = MS_PRIVATE;
		/* What is thrown away must not be written through either. */
		m.readonly = m.readonly || m.throw_away;
		m.throw_away = false;
		ret.mounts[ret.n_mounts++] = m;
	}
	return ret;
}

/* ---- the root --------------------------------------------------------------------- */

/* An upper directory that ends with us, alike from outside. */
static int in_memory(const char *like, struct mnt_overlay *o, struct err *e)
{
	struct stat st;

	o->upper = PLACE_MEMORY "/upper";
	o->work = PLACE_MEMORY "/work";
	if (stat(like, &st) < 0)
		return err_sys(e, "stat", "%s", like);
	if (mnt_new("tmpfs", PLACE_MEMORY, 0, "mode=0700", e) < 0)
		return -1;
	if (mkdir(o->upper, 0700) < 0 || mkdir(o->work, 0700) < 0)
		return err_sys(e, "mkdir", "in memory");
	if (chown(o->upper, st.st_uid, st.st_gid) < 0 ||
	    chmod(o->upper, st.st_mode & 07777) < 0)
		return err_sys(e, "chmod", "%s", o->upper);
	return 0;
}

/* By names, or (after enter_range) by the fds that were lent. */
static int mount_layers(const struct run_spec *s, const char *dir,
			const struct host_trees *t, bool writable,
			struct err *e)
{
	autofree char *upper = xasprintf("%s/upper", dir);
	autofree char *work = xasprintf("%s/work", dir);
	autofree int *fds = xcalloc(s->lowers.n + 1, sizeof(*fds));
	struct mnt_overlay o = {
		.lower_fds = fds,
		.upper = upper,
		.work = work,
		.userxattr = s->userns,
	};
	int n = 0;
	int rc;

	if (!writable) {
		fds[n++] = open(upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (in_memory(upper, &o, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < s->lowers.n; i++)
		fds[n++] = t->dir >= 0 ? fcntl(t->lowers[i], F_DUPFD_CLOEXEC, 3)
				       : open(s->lowers.v[i],
					      O_PATH | O_DIRECTORY | O_CLOEXEC);
	o.n_lowers = n;
	rc = mnt_overlay(&o, PLACE_ROOT, e);
	for (int i = 0; i < n; i++)
		own_close(&fds[i]);
	return rc;
}

static int mount_root(const struct container *c, const struct run_spec *s,
		      const struct host_trees *t, bool writable, struct err *e)
{
	autoclose int tree = -1;

	/* Overlayfs takes only mounts of our own namespace. */
	for (int i = 0; t->dir >= 0 && i < t->n_lowers; i++)
		if (mnt_attach(t->lowers[i], PLACE_ROOT, e) < 0)
			return -1;
	if (!s->rootfs && t->dir >= 0 && mnt_attach(t->dir, PLACE_ROOT, e) < 0)
		return -1;
	if (!s->rootfs)
		return mount_layers(s, t->dir >= 0 ? PLACE_ROOT : c->dir, t,
				    writable, e);
	if (t->dir >= 0)
		return 0;
	tree = mnt_clone(AT_FDCWD, s->rootfs, true, false, MS_PRIVATE, e);
	return tree < 0 ? -1 : mnt_attach(tree, PLACE_ROOT, e);
}

static int open_it(const struct container *c, const struct run_spec *s,
		   const struct host_trees *t, bool writable, struct err *e)
{
	autofree int *trees = NULL;
	autoclose int root = -1;

	/* While the host is in sight. */
	if (mounts_prepare_shared(s, &trees, e) < 0)
		return -1;
	mounts_take_lent(s, trees, t->lent, t->n_lent);
	if (mounts_prepare(s, trees, e) < 0 ||
	    mount_root(c, s, t, writable, e) < 0)
		return -1;
	root = open(PLACE_ROOT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "open", PLACE_ROOT);
	if (s->n_mounts && mounts_attach(s, trees, root, -1, e) < 0)
		return -1;
	return take_fd(&root);
}

int stopped_open(const struct container *c, const struct run_spec *s,
		 bool writable, struct err *e)
{
	struct host_trees t = {.dir = -1};
	struct run_spec chosen;
	int rc = 0;

	if (s->map_auto) {
		chosen = choose_mounts(c, s);
		rc = enter_range(c, &chosen, &t, e);
	} else {
		/* Before we look: a volume's owner may be in there alone. */
		if (stopped_enter(s, e) < 0)
			return -1;
		chosen = choose_mounts(c, s);
	}
	if (rc == 0)
		rc = open_it(c, &chosen, &t, writable, e);
	free(chosen.mounts);
	return rc;
}
