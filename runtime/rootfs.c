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
#include "runtime/devices.h"
#include "runtime/masks.h"
#include "runtime/mnt.h"
#include "runtime/mounts.h"
#include "runtime/netns.h"
#include "runtime/tune.h"

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
	bool lent; /* the host's nodes, since we may make none */
	int nodes[ARRAY_LEN(nodes)];
	struct devices *devices;
	int sys; /* the host's /sys, /proc and /dev/shm; -1: a fresh one */
	int proc;
	int shm;
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

static int shut_devices(const struct run_spec *s, int tree, struct err *e)
{
	struct stat st;

	if (!spec_no_devices(s))
		return 0;
	if (fstat(tree, &st) < 0)
		return err_sys(e, "fstat", "the mount");
	/* One that is named by itself is meant. */
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		return 0;
	return mnt_nodev(tree, "", true, e);
}

static int prepare_files(const struct run_spec *s, const struct container *c,
			 const char *dir, struct host *h, struct err *e)
{
	for (int i = 0; i < CONTAINER_FILES; i++) {
		autofree char *path = xasprintf("%s/%s", dir, file_names[i]);

		h->files[i] = -1;
		if ((i == CONTAINER_RESOLV && !c->has_resolv) ||
		    (i == CONTAINER_HOSTS && s->no_hosts))
			continue;
		h->files[i] = mnt_clone(AT_FDCWD, path, false, s->readonly_root,
					0, e);
		if (h->files[i] < 0)
			return -1;
	}
	return 0;
}

static int prepare_devices(const struct run_spec *s, struct host *h,
			   struct err *e)
{
	h->lent = devices_are_lent(s);
	for (size_t i = 0; h->lent && i < ARRAY_LEN(nodes); i++) {
		h->nodes[i] =
			mnt_clone(AT_FDCWD, nodes[i].path, false, false, 0, e);
		if (h->nodes[i] < 0)
			return -1;
	}
	return devices_prepare(s, &h->devices, e);
}

/* File systems of namespaces that are not the container's own. */
static int prepare_shared(const struct run_spec *s, struct host *h,
			  struct err *e)
{
	const bool writable = s->privileged;

	/*
	 * sysfs may be mounted only by the owner of a network namespace. Of
	 * another container's we are it, its user namespace being joined, or
	 * have its own mount, as with /proc.
	 */
	if (s->userns && s->net == NET_HOST) {
		h->sys = mnt_clone(AT_FDCWD, "/sys", true, !writable,
				   MS_PRIVATE, e);
		if (h->sys < 0)
			return -1;
	}
	/* And proc by that of a pid namespace. */
	if (s->userns && s->pid_ns == NS_HOST) {
		h->proc = mnt_clone(AT_FDCWD, "/proc", true, false, MS_PRIVATE,
				    e);
		if (h->proc < 0)
			return -1;
	}
	if (s->ipc_ns == NS_HOST) {
		h->shm = mnt_clone(AT_FDCWD, "/dev/shm", true, false,
				   MS_PRIVATE, e);
		if (h->shm < 0)
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

	*h = (struct host){.sys = t->joined->sys,
			   .proc = t->joined->proc,
			   .shm = t->joined->shm};
	if (mounts_prepare_shared(s, &h->trees, e) < 0 || mnt_private(e) < 0)
		return -1;
	mounts_take_lent(s, h->trees, t->lent, t->n_lent);
	if (prepare_devices(s, h, e) < 0 || prepare_shared(s, h, e) < 0 ||
	    mounts_prepare(s, h->trees, e) < 0)
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
	return prepare_files(s, c, *ret_dir, h, e);
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
		.nodev = spec_no_devices(s),
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

/* The host goes out of reach, whole; "." is the new root from here on. */
static int let_go_of_host(struct err *e)
{
	STEP(e, "detach", "let go of the host's mounts");

	if (umount2(".", UMOUNT_DETACH) < 0)
		return err_sys(e, "umount2", "the old root");
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

static int mount_proc(const struct host *h, struct err *e)
{
	STEP(e, "proc", "mount /proc");

	if (h->proc >= 0)
		return mnt_attach_make(h->proc, "/proc", true, e);
	if (mount_here("proc", "/proc", SAFE, NULL, e) == 0)
		return 0;
	if (e->sys == EPERM)
		(void)err_hint(e,
			       "an outer container masks parts of its /proc, "
			       "so the kernel refuses a fresh one: start the "
			       "outer one with --security-opt "
			       "systempaths=unconfined (podman: unmask=ALL), "
			       "or share its processes: --pid host");
	return -1;
}

/*
 * An outer container masks parts of its own, so that the kernel refuses a fresh
 * one: that one then, whose network is not ours. ".." of the new root is what is
 * mounted over it, the old root.
 */
static int mount_outer_sys(const struct run_spec *s, struct err *e)
{
	autoclose int tree = mnt_clone(AT_FDCWD, "/../sys", true,
				       !s->privileged, MS_PRIVATE, e);

	return tree < 0 ? -1 : mnt_attach_make(tree, "/sys", true, e);
}

static int mount_sys(const struct run_spec *s, const struct host *h,
		     struct err *e)
{
	const unsigned long flags = SAFE | (s->privileged ? 0 : MS_RDONLY);
	STEP(e, "sys", "mount /sys%s", s->privileged ? "" : " read-only");

	if (h->sys >= 0)
		return mnt_attach_make(h->sys, "/sys", true, e);
	if (mount_here("sysfs", "/sys", flags, NULL, e) < 0) {
		if (e->sys != EPERM)
			return -1;
		err_clear(e);
		return mount_outer_sys(s, e);
	}
	/* A fresh view of the container's own cgroup; v1 hosts have none. */
	(void)mount("cgroup2", "/sys/fs/cgroup", "cgroup2", flags, NULL);
	return 0;
}

static int make_nodes(const struct host *h, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		const struct node *const n = &nodes[i];

		if (h->lent) {
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
static int close_dev(const struct host *h, struct err *e)
{
	for (size_t i = 0; !h->lent && i < ARRAY_LEN(nodes); i++)
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

static int mount_shm(const struct run_spec *s, const struct host *h,
		     struct err *e)
{
	char data[48] = "mode=1777,size=64m";

	if (s->no_shm)
		return 0;
	if (h->shm >= 0)
		return mnt_attach(h->shm, "/dev/shm", e);
	if (s->shm_bytes)
		(void)snprintf(data, sizeof(data), "mode=1777,size=%llu",
			       (unsigned long long)s->shm_bytes);
	return mnt_new("tmpfs", "/dev/shm", SAFE, data, e);
}

static int mount_below_dev(const struct run_spec *s, const struct host *h,
			   struct err *e)
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
	if (mount_shm(s, h, e) < 0)
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
	if (make_nodes(h, e) < 0 || make_links(e) < 0 ||
	    devices_make(s, h->devices, e) < 0 ||
	    (spec_no_devices(s) && close_dev(h, e) < 0))
		return -1;
	return mount_below_dev(s, h, e);
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
		 const struct host_trees *t, int netns, struct err *e)
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
	 * sight, unmasked: the host's. A sysfs shows one network namespace, so
	 * where that is made beside us it comes as late as it can.
	 */
	if (mount_proc(&h, e) < 0 || (netns < 0 && mount_sys(s, &h, e) < 0) ||
	    let_go_of_host(e) < 0 || mount_dev(s, &h, e) < 0)
		return -1;
	if (netns >= 0 && (netns_take(netns, e) < 0 || mount_sys(s, &h, e) < 0))
		return -1;
	if (tune_namespaces(s, e) < 0 || masks_apply(s, e) < 0)
		return -1;
	(void)umask(022);
	if (mounts_fill(s, h.trees, c->head.run == 0, e) < 0 ||
	    attach_files(&h, e) < 0 || mounts_attach(s, h.trees, e) < 0)
		return -1;
	free(h.trees);
	return 0;
}
