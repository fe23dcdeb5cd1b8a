#include "rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/copyup.h"
#include "runtime/mnt.h"

extern int mount(const char *source, const char *target, const char *type,
		 unsigned long flags, const void *data);
extern int umount2(const char *target, int flags);

/* <sys/mount.h> and <linux/mount.h> cannot be had together on Debian 12. */
#define UMOUNT_DETACH 2

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static const struct node {
	const char *path;
	unsigned int major, minor;
} nodes[] = {
	{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
	{"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
};

/* What of the host goes into the container: detached, before the pivot. */
struct host {
	int *trees; /* the user's volumes, in spec order */
	int files[CONTAINER_FILES];
	int nodes[ARRAY_LEN(nodes)];
	int sys;
};

/* ---- prepare -------------------------------------------------------------- */

static const char *const file_names[CONTAINER_FILES] = {
	[CONTAINER_HOSTS] = "hosts",
	[CONTAINER_HOSTNAME] = "hostname",
	[CONTAINER_RESOLV] = "resolv.conf",
};

static const char *const file_targets[CONTAINER_FILES] = {
	[CONTAINER_HOSTS] = "/etc/hosts",
	[CONTAINER_HOSTNAME] = "/etc/hostname",
	[CONTAINER_RESOLV] = "/etc/resolv.conf",
};

/*
 * Without a user namespace, root of the container may make device nodes
 * (CAP_MKNOD is among Docker's defaults), and images and volumes may hold
 * some. So they lead nowhere but in the mounts of /dev's own nodes; else one
 * mknod would be enough to write to the host's disk.
 */
static bool no_devices(const struct run_spec *s)
{
	return !s->userns && !s->privileged;
}

static int shut_devices(const struct run_spec *s, int tree, struct err *e)
{
	struct stat st;

	if (!no_devices(s))
		return 0;
	if (fstat(tree, &st) < 0)
		return err_sys(e, "fstat", "the mount");
	/* One that is named by itself is meant. */
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return 0;
	return mnt_nodev(tree, "", true, e);
}

static int prepare_volumes(const struct run_spec *s, struct host *h,
			   struct err *e)
{
	h->trees = xcalloc(s->n_mounts, sizeof(*h->trees));
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct mount_spec *const m = &s->mounts[i];
		/* One that may have to be filled is made read-only later. */
		const bool fill = m->type == MOUNT_VOLUME && !m->no_copy;
		STEP(e, "volume", "copy mount %s", m->source);

		h->trees[i] =
			mnt_clone(AT_FDCWD, m->source, true,
				  m->readonly && !fill, m->propagation, e);
		if (h->trees[i] < 0 || shut_devices(s, h->trees[i], e) < 0)
			return -1;
	}
	return 0;
}

static int prepare_files(const struct container *c, const char *dir,
			 bool readonly, struct host *h, struct err *e)
{
	for (int i = 0; i < CONTAINER_FILES; i++) {
		autofree char *path = xasprintf("%s/%s", dir, file_names[i]);

		h->files[i] = -1;
		if (i == CONTAINER_RESOLV && !c->has_resolv)
			continue;
		h->files[i] = mnt_clone(AT_FDCWD, path, false, readonly, 0, e);
		if (h->files[i] < 0)
			return -1;
	}
	return 0;
}

static int prepare_devices(const struct run_spec *s, struct host *h,
			   struct err *e)
{
	/* mknod(2) is refused in user namespaces: lend the host's nodes. */
	for (size_t i = 0; s->userns && i < ARRAY_LEN(nodes); i++) {
		h->nodes[i] =
			mnt_clone(AT_FDCWD, nodes[i].path, false, false, 0, e);
		if (h->nodes[i] < 0)
			return -1;
	}
	/* sysfs may be mounted only by the owner of a network namespace. */
	if (s->userns && s->net == NET_HOST) {
		h->sys = mnt_clone(AT_FDCWD, "/sys", true, true, MS_PRIVATE, e);
		if (h->sys < 0)
			return -1;
	}
	return 0;
}

/*
 * The host's mounts become slaves: what is mounted here never reaches the
 * host, and a volume asked for as rslave still hears of the host.
 * *ret_dir is where the container's directory can be reached.
 */
static int prepare(const struct run_spec *s, const struct container *c,
		   const struct host_trees *t, struct host *h,
		   const char **ret_dir, struct err *e)
{
	STEP(e, "prepare", "copy what comes from the host");

	*h = (struct host){.sys = -1};
	if (mnt_private(e) < 0)
		return -1;
	if (prepare_devices(s, h, e) < 0 || prepare_volumes(s, h, e) < 0)
		return -1;
	*ret_dir = c->dir;
	if (t->dir >= 0) {
		/* Any directory that everybody can reach; nobody needs it. */
		*ret_dir = "/dev";
		/*
		 * The layers as well, one over the other: overlayfs takes only
		 * mounts of our own namespace, by their fds.
		 */
		for (int i = 0; i < t->n_lowers && !s->rootfs; i++)
			if (mnt_attach(t->lowers[i], *ret_dir, e) < 0)
				return -1;
		if (mnt_attach(t->dir, *ret_dir, e) < 0)
			return -1;
	}
	return prepare_files(c, *ret_dir, s->readonly_root, h, e);
}

/* ---- root and pivot ------------------------------------------------------- */

static int root_overlay(const struct run_spec *s, const char *dir,
			const struct host_trees *t, struct err *e)
{
	autofree char *upper = xasprintf("%s/upper", dir);
	autofree char *work = xasprintf("%s/work", dir);
	const struct mnt_overlay o = {
		.lower_paths = s->lowers.v,
		.lower_fds = t->dir >= 0 ? t->lowers : NULL,
		.n_lowers = (int)s->lowers.n,
		.upper = upper,
		.work = work,
		.userxattr = s->userns,
		.is_volatile = !s->keep,
		.nodev = no_devices(s),
	};

	return mnt_overlay(&o, dir, e);
}

static int root_directory(const struct run_spec *s, const char *dir,
			  const struct host_trees *t, struct err *e)
{
	autoclose int tree = -1;
	STEP(e, "rootfs", "use directory %s", s->rootfs);

	if (t->dir >= 0)
		return mnt_attach(t->lowers[0], dir, e);
	tree = mnt_clone(AT_FDCWD, s->rootfs, true, false, MS_PRIVATE, e);
	if (tree < 0 || shut_devices(s, tree, e) < 0)
		return -1;
	return mnt_attach(tree, dir, e);
}

/*
 * The new root takes the place of the old one, which stays mounted over it:
 * "/" is the new root already, "." the old one. (pivot_root(2), NOTES)
 */
static int pivot(const char *dir, struct err *e)
{
	STEP(e, "pivot", "make it the root");

	if (chdir(dir) < 0)
		return err_sys(e, "chdir", "%s", dir);
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(e, "pivot_root", ".");
	return 0;
}

/* The host goes out of reach, whole. */
static int let_go_of_host(struct err *e)
{
	STEP(e, "detach", "let go of the host's mounts");

	if (umount2(".", UMOUNT_DETACH) < 0)
		return err_sys(e, "umount2", "the old root");
	if (chdir("/") < 0)
		return err_sys(e, "chdir", "/");
	return 0;
}

/* ---- proc, sys, dev ------------------------------------------------------- */

/*
 * mount(2) on a directory of the root that an image may lack. If the image
 * has a symlink there it is followed, and stays inside: "/" is the new root.
 */
static int mount_here(const char *type, const char *target, unsigned long flags,
		      const char *data, struct err *e)
{
	if (mount(type, target, type, flags, data) == 0)
		return 0;
	if (errno == ENOENT && mkdir(target, 0755) < 0)
		return err_sys(e, "mkdir", "%s", target);
	return mnt_new(type, target, flags, data, e);
}

static int mount_proc(struct err *e)
{
	STEP(e, "proc", "mount /proc");

	if (mount_here("proc", "/proc", SAFE, NULL, e) == 0)
		return 0;
	if (e->sys == EPERM)
		(void)err_hint(e, "an outer container masks its own /proc, so "
				  "the kernel refuses a fresh one: start the "
				  "outer one with --security-opt "
				  "systempaths=unconfined or --privileged");
	return -1;
}

static int mount_sys(const struct host *h, struct err *e)
{
	STEP(e, "sys", "mount /sys read-only");

	if (h->sys >= 0)
		return mnt_attach_make(h->sys, "/sys", true, e);
	if (mount_here("sysfs", "/sys", SAFE | MS_RDONLY, NULL, e) < 0)
		return -1;
	/* A fresh view of the container's own cgroup; v1 hosts have none. */
	(void)mount("cgroup2", "/sys/fs/cgroup", "cgroup2", SAFE | MS_RDONLY,
		    NULL);
	return 0;
}

static int make_nodes(const struct host *h, bool lent, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		const struct node *const n = &nodes[i];

		if (lent) {
			if (mnt_attach_make(h->nodes[i], n->path, false, e) < 0)
				return -1;
		} else if (mknod(n->path, S_IFCHR | 0666,
				 makedev(n->major, n->minor)) < 0) {
			return err_sys(e, "mknod", "%s", n->path);
		}
	}
	return 0;
}

/* Each of our nodes becomes a mount of its own, then /dev has no others. */
static int close_dev(struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++)
		if (mount(nodes[i].path, nodes[i].path, NULL, MS_BIND, NULL) <
		    0)
			return err_sys(e, "mount", "%s on itself",
				       nodes[i].path);
	return mnt_nodev(AT_FDCWD, "/dev", false, e);
}

static int make_links(struct err *e)
{
	static const char *const links[][2] = {
		{"/proc/self/fd", "/dev/fd"},
		{"/proc/self/fd/0", "/dev/stdin"},
		{"/proc/self/fd/1", "/dev/stdout"},
		{"/proc/self/fd/2", "/dev/stderr"},
		{"pts/ptmx", "/dev/ptmx"},
		{"/proc/kcore", "/dev/core"},
	};

	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (symlink(links[i][0], links[i][1]) < 0)
			return err_sys(e, "symlink", "%s", links[i][1]);
	return 0;
}

static int mount_below_dev(const struct run_spec *s, struct err *e)
{
	uint32_t tty_gid;
	/* gid 5 is tty everywhere; where it is not mapped the kernel refuses */
	const bool has_gid =
		!s->userns || idmap_gid_outside(&s->map, 5, &tty_gid);

	if (mkdir("/dev/pts", 0755) < 0 || mkdir("/dev/shm", 01777) < 0 ||
	    mkdir("/dev/mqueue", 0755) < 0)
		return err_sys(e, "mkdir", "below /dev");
	if (mnt_new("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC,
		    has_gid ? "newinstance,ptmxmode=0666,mode=0620,gid=5"
			    : "newinstance,ptmxmode=0666,mode=0620",
		    e) < 0)
		return -1;
	if (mnt_new("tmpfs", "/dev/shm", SAFE, "mode=1777,size=64m", e) < 0)
		return -1;
	/* Kernels without POSIX message queues, and nested namespaces. */
	(void)mount("mqueue", "/dev/mqueue", "mqueue", SAFE, NULL);
	return 0;
}

static int mount_dev(const struct run_spec *s, const struct host *h,
		     struct err *e)
{
	STEP(e, "dev", "make /dev");

	if (mount_here("tmpfs", "/dev", MS_NOSUID | MS_NOEXEC,
		       "mode=755,size=64m", e) < 0)
		return -1;
	if (make_nodes(h, s->userns, e) < 0 || make_links(e) < 0 ||
	    (no_devices(s) && close_dev(e) < 0))
		return -1;
	return mount_below_dev(s, e);
}

/* ---- masks ---------------------------------------------------------------- */

/* As docker masks them; sched_debug and timer_stats are gone since 5.13. */
static int mask_paths(struct err *e)
{
	static const char *const files[] = {
		"/proc/interrupts",    "/proc/kcore",      "/proc/keys",
		"/proc/latency_stats", "/proc/timer_list",
	};
	static const char *const dirs[] = {
		"/proc/acpi",
		"/proc/asound",
		"/proc/scsi",
		"/sys/firmware",
		"/sys/devices/virtual/powercap",
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (mount("/dev/null", files[i], NULL, MS_BIND, NULL) < 0 &&
		    errno != ENOENT)
			return err_sys(e, "mount", "/dev/null on %s", files[i]);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (mount("tmpfs", dirs[i], "tmpfs", SAFE | MS_RDONLY,
			  "nr_inodes=2") < 0 &&
		    errno != ENOENT)
			return err_sys(e, "mount", "tmpfs on %s", dirs[i]);
	return 0;
}

/* Each processor has a directory of its own; none has it or all. */
static int mask_throttle(struct err *e)
{
	for (int cpu = 0;; cpu++) {
		char path[80];

		(void)snprintf(path, sizeof(path),
			       "/sys/devices/system/cpu/cpu%d/thermal_throttle",
			       cpu);
		if (mount("tmpfs", path, "tmpfs", SAFE | MS_RDONLY,
			  "nr_inodes=2") == 0)
			continue;
		if (errno == ENOENT)
			return 0;
		return err_sys(e, "mount", "tmpfs on %s", path);
	}
}

/*
 * Bind each to itself, make all mounts below /proc read-only in one call (the
 * masks too), and /proc itself writable again.
 */
static int readonly_paths(struct err *e)
{
	static const char *const paths[] = {
		"/proc/bus",           "/proc/fs", "/proc/irq", "/proc/sys",
		"/proc/sysrq-trigger",
	};
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (mount(paths[i], paths[i], NULL, MS_BIND | MS_REC, NULL) <
			    0 &&
		    errno != ENOENT)
			return err_sys(e, "mount", "%s on itself", paths[i]);
	if (mnt_readonly("/proc", true, e) < 0)
		return -1;
	if (syscall(SYS_mount_setattr, AT_FDCWD, "/proc", 0, &writable,
		    sizeof(writable)) < 0)
		return err_sys(e, "mount_setattr", "/proc writable");
	return 0;
}

static int mask(struct err *e)
{
	STEP(e, "mask", "hide and protect parts of /proc and /sys");

	if (mask_paths(e) < 0 || mask_throttle(e) < 0)
		return -1;
	return readonly_paths(e);
}

/* ---- files ---------------------------------------------------------------- */

static int attach_files(const struct host *h, struct err *e)
{
	STEP(e, "files", "attach /etc/hosts and its like");

	for (int i = 0; i < CONTAINER_FILES; i++)
		if (h->files[i] >= 0 &&
		    mnt_attach_make(h->files[i], file_targets[i], false, e) < 0)
			return -1;
	return 0;
}

/* What the image has at the place of an empty volume goes into it. */
static int fill_volume(const struct mount_spec *m, int tree, struct err *e)
{
	autoclose int from =
		fs_open_in_root(AT_FDCWD, m->target, O_RDONLY | O_DIRECTORY, 0);
	autoclose int to =
		openat(tree, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	STEP(e, "copy-up", "fill volume %.12s from %s", m->volume, m->target);

	if (to < 0)
		return err_sys(e, "openat", "volume %s", m->volume);
	/* Nothing there, or a file: attaching it knows what to say of that. */
	if (from >= 0 && copyup(from, to, e) < 0)
		return -1;
	return m->readonly ? mnt_tree_readonly(tree, m->volume, e) : 0;
}

/* All of them before the first is attached: the image is meant, bare. */
static int fill_volumes(const struct run_spec *s, const struct host *h,
			struct err *e)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct mount_spec *const m = &s->mounts[i];

		if (m->type == MOUNT_VOLUME && !m->no_copy &&
		    fill_volume(m, h->trees[i], e) < 0)
			return -1;
	}
	return 0;
}

static int attach_volumes(const struct run_spec *s, const struct host *h,
			  struct err *e)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		struct stat st;
		STEP(e, "volume", "attach %s", s->mounts[i].target);

		if (fstat(h->trees[i], &st) < 0)
			return err_sys(e, "fstat", "%s", s->mounts[i].source);
		if (mnt_attach_make(h->trees[i], s->mounts[i].target,
				    S_ISDIR(st.st_mode), e) < 0)
			return -1;
	}
	return 0;
}

int rootfs_console(int slave_fd, struct err *e)
{
	autoclose int tree = -1;
	STEP(e, "console", "terminal as /dev/console");

	tree = mnt_clone(slave_fd, "", false, false, 0, e);
	if (tree < 0)
		return -1;
	return mnt_attach_make(tree, "/dev/console", false, e);
}

/*
 * Fds of h are not closed one by one: they are CLOEXEC and init is about to
 * execute PID 1, or to die. The umask is 0, since container_run, and 022 for
 * the program.
 */
int rootfs_build(const struct run_spec *s, const struct container *c,
		 const struct host_trees *t, struct err *e)
{
	const char *dir = NULL;
	struct host h;

	if (prepare(s, c, t, &h, &dir, e) < 0)
		return -1;
	if ((s->rootfs ? root_directory(s, dir, t, e)
		       : root_overlay(s, dir, t, e)) < 0)
		return -1;
	if (pivot(dir, e) < 0)
		return -1;
	/*
	 * A user namespace may mount proc and sysfs only while others are in
	 * sight, unmasked: the host's.
	 */
	if (mount_proc(e) < 0 || mount_sys(&h, e) < 0 || let_go_of_host(e) < 0)
		return -1;
	if (mount_dev(s, &h, e) < 0 || mask(e) < 0)
		return -1;
	(void)umask(022);
	if (fill_volumes(s, &h, e) < 0 || attach_files(&h, e) < 0 ||
	    attach_volumes(s, &h, e) < 0)
		return -1;
	free(h.trees);
	return 0;
}
