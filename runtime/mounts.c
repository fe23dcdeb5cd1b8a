#include "mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/trace.h"
#include "base/walk.h"
#include "runtime/copyup.h"
#include "runtime/mnt.h"
#include "runtime/place.h"

extern int umount2(const char *target, int flags);

/* <sys/mount.h> and <linux/mount.h> cannot be had together on Debian 12. */
#define UMOUNT_DETACH 2

/* ---- before the pivot ------------------------------------------------------- */

static bool is_filled(const struct mount_spec *m)
{
	return m->type == MOUNT_VOLUME && !m->no_copy;
}

/* A device that is named by itself is meant. */
static bool is_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 &&
	       (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

bool mounts_is_lent(const struct run_spec *s, const struct mount_spec *m)
{
	return s->map_auto &&
	       (m->type == MOUNT_VOLUME || (m->type == MOUNT_BIND && m->idmap));
}

static int open_part(const struct mount_spec *m, struct err *e)
{
	autoclose int whole = open(m->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd;

	if (whole < 0)
		return err_sys(e, "open", "%s", m->source);
	fd = path_open(whole, m->subpath, PATH_IN_ROOT, O_PATH, 0);
	return fd < 0 ? err_sys(e, "openat2", "volume-subpath %s", m->subpath)
		      : fd;
}

int mounts_copy(const struct run_spec *s, const struct mount_spec *m,
		struct err *e)
{
	autoclose int part = -1;
	uint64_t attr = m->attr;
	STEP(e, "volume", "copy mount %s", m->source);

	/* One that may have to be filled is made read-only later. */
	if (m->readonly && !is_filled(m))
		attr |= MOUNT_ATTR_RDONLY;
	if (spec_no_devices(s) && !is_device(m->source))
		attr |= MOUNT_ATTR_NODEV;
	if (m->subpath) {
		part = open_part(m, e);
		if (part < 0)
			return -1;
	}
	return mnt_clone_attr(part < 0 ? AT_FDCWD : part,
			      part < 0 ? m->source : "", !m->not_recursive,
			      attr, m->propagation, e);
}

static int prepare(const struct run_spec *s, bool shared, int *trees,
		   struct err *e)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct mount_spec *const m = &s->mounts[i];

		if (m->type == MOUNT_TMPFS || mounts_is_lent(s, m) ||
		    (m->propagation == MS_SHARED) != shared)
			continue;
		trees[i] = mounts_copy(s, m, e);
		if (trees[i] < 0)
			return -1;
	}
	return 0;
}

int mounts_prepare_shared(const struct run_spec *s, int **ret_trees,
			  struct err *e)
{
	if (s->n_mounts == 0)
		return 0;
	*ret_trees = xcalloc(s->n_mounts, sizeof(**ret_trees));
	for (size_t i = 0; i < s->n_mounts; i++)
		(*ret_trees)[i] = -1;
	return prepare(s, true, *ret_trees, e);
}

int mounts_prepare(const struct run_spec *s, int *trees, struct err *e)
{
	return prepare(s, false, trees, e);
}

void mounts_take_lent(const struct run_spec *s, int *trees, const int *lent,
		      int n)
{
	int next = 0;

	for (size_t i = 0; i < s->n_mounts && next < n; i++)
		if (mounts_is_lent(s, &s->mounts[i]))
			trees[i] = lent[next++];
}

/* ---- volumes from the image ---------------------------------------------------- */

/* What the image has at the place of an empty volume goes into it. */
static int fill_volume(const struct mount_spec *m, int tree, bool first,
		       struct err *e)
{
	/* Do not copy from another mount: its files are not the image's. */
	autoclose int from =
		path_open_type(AT_FDCWD, m->target, PATH_IN_ROOT | PATH_NO_XDEV,
			       S_IFDIR, O_RDONLY);
	autoclose int to =
		path_open(tree, ".", PATH_NO_LINKS, O_RDONLY | O_DIRECTORY, 0);
	STEP(e, "copy-up", "fill volume %.12s from %s", m->volume, m->target);

	if (to < 0)
		return err_sys(e, "openat", "volume %s", m->volume);
	/* Nothing there, or a file: attaching it knows what to say of that. */
	if (first && from >= 0 && copyup(from, to, e) < 0)
		return -1;
	return m->readonly ? mnt_tree_readonly(tree, m->volume, e) : 0;
}

/* All of them before the first is attached: the image is meant, bare. */
int mounts_fill(const struct run_spec *s, const int *trees, bool first,
		struct err *e)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (is_filled(&s->mounts[i]) &&
		    fill_volume(&s->mounts[i], trees[i], first, e) < 0)
			return -1;
	return 0;
}

/* ---- attaching ------------------------------------------------------------------- */

static int attach_tmpfs(const struct run_spec *s, const struct mount_spec *m,
			int root, int *tree, struct err *e)
{
	const uint64_t attr = m->attr | (m->readonly ? MOUNT_ATTR_RDONLY : 0) |
			      (spec_no_devices(s) ? MOUNT_ATTR_NODEV : 0);
	STEP(e, "volume", "tmpfs on %s", m->target);

	*tree = mnt_fs("tmpfs", m->data, attr, e);
	if (*tree < 0)
		return -1;
	return place_attach(root, *tree, m->target, PATH_IN_ROOT, true, e);
}

/* Replace *tree by the mount that now covers it. */
static int take_cover(const struct mount_spec *m, int root, int *tree,
		      struct err *e)
{
	autoclose int top = path_open(root, m->target, PATH_IN_ROOT,
				      O_PATH | O_DIRECTORY, 0);
	struct statfs fs;

	if (top < 0)
		return err_sys(e, "openat2", "%s", m->target);
	if (fstatfs(top, &fs) < 0 || fs.f_type != OVERLAYFS_SUPER_MAGIC)
		return err_set(e, ERR_INVALID,
			       "%s is no longer the overlay that prism mounted",
			       m->target);
	own_close(tree);
	*tree = take_fd(&top);
	return 0;
}

/* The cwd is the root of the container's /dev. */
static int cover_from_here(const struct run_spec *s, int tree, struct err *e)
{
	static const char at[] = ".prism-overlay";
	char target[40];
	const struct mnt_overlay o = {
		.lower_fds = &tree,
		.n_lowers = 1,
		.upper = ".prism-overlay/upper",
		.work = ".prism-overlay/work",
		.userxattr = s->userns,
		.nodev = spec_no_devices(s),
	};
	struct stat st;
	int rc;

	(void)snprintf(target, sizeof(target), "/proc/self/fd/%d", tree);
	if (fstat(tree, &st) < 0)
		return err_sys(e, "fstat", "the mount");
	if (mkdir(at, 0700) < 0)
		return err_sys(e, "mkdir", "%s", at);
	if (mnt_new("tmpfs", at, 0, "mode=0700", e) < 0)
		return -1;
	/* The root of an overlay looks like its upper directory. */
	if (mkdir(o.upper, st.st_mode & 07777) < 0 || mkdir(o.work, 0700) < 0)
		return err_sys(e, "mkdir", "%s", at);
	if (chown(o.upper, st.st_uid, st.st_gid) < 0)
		return err_sys(e, "chown", "%s", o.upper);
	rc = mnt_overlay(&o, target, e);
	(void)umount2(at, UMOUNT_DETACH);
	(void)rmdir(at);
	return rc;
}

/*
 * Keep writes in memory: an overlay over the mount, whose upper directory is in
 * a tmpfs that nothing else can reach.
 */
static int cover(const struct run_spec *s, const struct mount_spec *m, int dev,
		 int *tree, struct err *e)
{
	struct stat st;
	int rc;
	STEP(e, "volume", "throw-away writes on %s", m->target);

	if (fstat(*tree, &st) < 0)
		return err_sys(e, "fstat", "%s", m->target);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE, "option O: %s is not a directory",
			       m->source);
	if (fchdir(dev) < 0)
		return err_sys(e, "fchdir", "/dev");
	rc = cover_from_here(s, *tree, e);
	if (chdir("/") < 0)
		return err_sys(e, "chdir", "/");
	return rc < 0 ? -1 : take_cover(m, AT_FDCWD, tree, e);
}

static int attach(const struct run_spec *s, const struct mount_spec *m,
		  int root, int dev, int *tree, struct err *e)
{
	struct stat st;
	STEP(e, "volume", "attach %s", m->target);

	if (fstat(*tree, &st) < 0)
		return err_sys(e, "fstat", "%s", m->source);
	if (place_attach(root, *tree, m->target, PATH_IN_ROOT,
			 S_ISDIR(st.st_mode), e) < 0)
		return -1;
	return m->throw_away ? cover(s, m, dev, tree, e) : 0;
}

static size_t depth_of(const char *path)
{
	size_t n = 0;

	for (; *path; path++)
		n += *path == '/';
	return n;
}

int mounts_attach(const struct run_spec *s, int *trees, int root, int dev,
		  struct err *e)
{
	size_t deepest = 0;

	for (size_t i = 0; i < s->n_mounts; i++) {
		const size_t d = depth_of(s->mounts[i].target);

		deepest = d > deepest ? d : deepest;
	}
	for (size_t d = 1; d <= deepest; d++)
		for (size_t i = 0; i < s->n_mounts; i++) {
			const struct mount_spec *const m = &s->mounts[i];

			if (depth_of(m->target) != d)
				continue;
			if (place_check(m, e) < 0 ||
			    (m->type == MOUNT_TMPFS
				     ? attach_tmpfs(s, m, root, &trees[i], e)
				     : attach(s, m, root, dev, &trees[i], e)) <
				    0)
				return -1;
		}
	return 0;
}

/* ---- U -------------------------------------------------------------------------- */

struct owner {
	uint32_t uid, gid;
};

static int give_tree(int fd, const char *name, const struct owner *o,
		     struct err *e)
{
	autowalk struct walk *w = walk_open(fd, name, WALK_NO_STAT, e);
	struct walk_at at = {0};

	if (!w)
		return -1;
	for (;;) {
		const int event = walk_next(w, &at, e);

		if (event <= 0)
			return event;
		if (event != WALK_UP &&
		    path_chown(at.dir, at.name, PATH_NO_LINKS, o->uid, o->gid) <
			    0)
			return err_sys(e, "fchownat", "%s to %u:%u",
				       walk_tail(at.path), o->uid, o->gid);
	}
}

/* Takes the fd. */
static int give(int opened, const char *name, const struct owner *o,
		struct err *e)
{
	autoclose int fd = opened;
	struct stat st;

	if (fchown(fd, o->uid, o->gid) < 0)
		return err_sys(e, "fchown", "%s", name);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "fstat", "%s", name);
	return S_ISDIR(st.st_mode) ? give_tree(fd, name, o, e) : 0;
}

int mounts_give_root(const struct run_spec *s, const struct mount_spec *m,
		     struct err *e)
{
	struct owner o = {0};
	int fd;
	STEP(e, "volume", "%s to the container's root", m->source);

	if (!s->map_auto || !m->chown || m->type != MOUNT_BIND ||
	    mounts_is_lent(s, m))
		return 0;
	if (!idmap_uid_outside(&s->map, 0, &o.uid) ||
	    !idmap_gid_outside(&s->map, 0, &o.gid))
		return err_set(e, ERR_INVALID, "0 is not in the map");
	fd = open(m->source, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open", "%s", m->source)
		      : give(fd, m->source, &o, e);
}

/*
 * Use the fd of the mount, because other containers may be changing the
 * directories on its path.
 */
int mounts_chown(const struct run_spec *s, const int *trees, uint32_t uid,
		 uint32_t gid, struct err *e)
{
	const struct owner o = {uid, gid};

	for (size_t i = 0; i < s->n_mounts; i++) {
		const char *const target = s->mounts[i].target;
		struct stat st;
		int fd;
		STEP(e, "volume", "%s to %u:%u", target, uid, gid);

		if (!s->mounts[i].chown)
			continue;
		if (fstat(trees[i], &st) < 0)
			return err_sys(e, "fstat", "%s", target);
		if (!S_ISDIR(st.st_mode)) {
			if (fchownat(trees[i], "", uid, gid, AT_EMPTY_PATH) < 0)
				return err_sys(e, "fchownat", "%s", target);
			continue;
		}
		fd = path_open(trees[i], ".", PATH_NO_LINKS,
			       O_RDONLY | O_DIRECTORY, 0);
		if (fd < 0)
			return err_sys(e, "openat2", "%s", target);
		if (give(fd, target, &o, e) < 0)
			return -1;
	}
	return 0;
}
