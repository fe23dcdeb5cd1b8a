#include "rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fdlist.h"
#include "base/own.h"
#include "base/path.h"
#include "base/trace.h"
#include "runtime/devices.h"
#include "runtime/masks.h"
#include "runtime/mnt.h"
#include "runtime/mounts.h"
#include "runtime/netns.h"
#include "runtime/place.h"
#include "runtime/tune.h"

extern int mount(const char *source, const char *target, const char *type,
		 unsigned long flags, const void *data);
extern int umount2(const char *target, int flags);

/* <sys/mount.h> and <linux/mount.h> cannot be had together on Debian 12. */
#define UMOUNT_DETACH 2

#define SAFE      (MS_NOSUID | MS_NODEV | MS_NOEXEC)
#define SAFE_ATTR (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

static const struct node {
	const char *path; /* on the host */
	const char *name; /* in the container's /dev */
	unsigned int major, minor;
} nodes[] = {
	{"/dev/null", "null", 1, 3},       {"/dev/zero", "zero", 1, 5},
	{"/dev/full", "full", 1, 7},       {"/dev/random", "random", 1, 8},
	{"/dev/urandom", "urandom", 1, 9}, {"/dev/tty", "tty", 5, 0},
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
	memset(h->nodes, -1, sizeof(h->nodes));
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

/* ---- only what is named stays open ------------------------------------------ */

static void add_fds(struct fd_list *l, const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		fd_list_add(l, fds[i]);
}

/*
 * The table: fds 0 to 2, which by now are none of the caller's files except
 * pipes; the socket to the monitor; the network namespace still being made; and
 * everything to be mounted.
 */
static int keep_only(const struct run_spec *s, const struct host_trees *t,
		     const struct host *h, struct err *e)
{
	const int ours[] = {t->sync, t->netns, h->sys, h->proc, h->shm};
	struct fd_list l = {0};
	int rc;

	add_fds(&l, ours, ARRAY_LEN(ours));
	add_fds(&l, h->files, ARRAY_LEN(h->files));
	add_fds(&l, h->nodes, ARRAY_LEN(h->nodes));
	add_fds(&l, h->trees, h->trees ? s->n_mounts : 0);
	devices_fds(h->devices, &l);
	rc = fd_list_close_others(&l);
	free(l.v);
	return rc < 0 ? err_sys(e, "close_range", "what is the host's") : 0;
}

/* ---- proc, sys, dev ------------------------------------------------------- */

/* The name of the root in errors. */
static const char *root_name(const struct run_spec *s)
{
	return s->rootfs ? s->rootfs : "this image";
}

static int mount_proc(const struct run_spec *s, const struct host *h,
		      struct inside *in, struct err *e)
{
	STEP(e, "proc", "mount /proc");

	in->proc = h->proc >= 0 ? h->proc : mnt_fs("proc", NULL, SAFE_ATTR, e);
	if (in->proc >= 0)
		return place_own(in->proc, "proc", PROC_SUPER_MAGIC,
				 root_name(s), e);
	if (e->sys == EPERM)
		(void)err_hint(e,
			       "an outer container masks parts of its /proc, "
			       "so the kernel refuses a fresh one: start the "
			       "outer one with --security-opt "
			       "systempaths=unconfined (podman: unmask=ALL), "
			       "or share its processes: --pid host");
	return -1;
}

/* A new cgroup mount of the container's own; v1 hosts have none. */
static int mount_cgroup(int sys, unsigned long flags, struct err *e)
{
	if (fchdir(sys) < 0)
		return err_sys(e, "fchdir", "/sys");
	(void)mount("cgroup2", "fs/cgroup", "cgroup2", flags, NULL);
	return chdir("/") < 0 ? err_sys(e, "chdir", "/") : 0;
}

/*
 * If an outer container masks parts of its own sysfs, the kernel refuses a new
 * one. Then mount the outer one, which shows another network namespace. ".." of
 * the new root is the mount below it, the old root.
 */
static int outer_sys(const struct run_spec *s, struct err *e)
{
	return mnt_clone(AT_FDCWD, "/../sys", true, !s->privileged, MS_PRIVATE,
			 e);
}

/* *ret: its root. */
static int mount_sys(const struct run_spec *s, const struct host *h, int *ret,
		     struct err *e)
{
	const uint64_t attr =
		SAFE_ATTR | (s->privileged ? 0 : MOUNT_ATTR_RDONLY);
	bool fresh = h->sys < 0;
	STEP(e, "sys", "mount /sys%s", s->privileged ? "" : " read-only");

	*ret = fresh ? mnt_fs("sysfs", NULL, attr, e) : h->sys;
	if (*ret < 0 && e->sys == EPERM) {
		err_clear(e);
		fresh = false;
		*ret = outer_sys(s, e);
	}
	if (*ret < 0 || place_own(*ret, "sys", fresh ? SYSFS_MAGIC : 0,
				  root_name(s), e) < 0)
		return -1;
	return fresh ? mount_cgroup(*ret,
				    SAFE | (s->privileged ? 0 : MS_RDONLY), e)
		     : 0;
}

static int lend_node(int tree, int dev, const char *name, struct err *e)
{
	if (path_mknod(dev, name, PATH_NO_LINKS, S_IFREG | 0644, 0) < 0)
		return err_sys(e, "mknodat", "/dev/%s", name);
	return place_attach(dev, tree, name, PATH_NO_LINKS, false, e);
}

static int make_nodes(const struct host *h, int dev, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(nodes); i++) {
		const struct node *const n = &nodes[i];

		if (h->lent) {
			if (lend_node(h->nodes[i], dev, n->name, e) < 0)
				return -1;
		} else if (path_mknod(dev, n->name, PATH_NO_LINKS,
				      S_IFCHR | 0666,
				      makedev(n->major, n->minor)) < 0) {
			return err_sys(e, "mknodat", "/dev/%s", n->name);
		}
	}
	return 0;
}

/* Each of our nodes becomes a mount of its own, then /dev has no others. */
static int close_dev(const struct host *h, int dev, struct err *e)
{
	for (size_t i = 0; !h->lent && i < ARRAY_LEN(nodes); i++)
		if (mount(nodes[i].name, nodes[i].name, NULL, MS_BIND, NULL) <
		    0)
			return err_sys(e, "mount", "%s on itself",
				       nodes[i].path);
	return mnt_nodev(dev, "", false, e);
}

static int make_links(int dev, struct err *e)
{
	static const char *const links[][2] = {
		{"/proc/self/fd", "fd"},       {"/proc/self/fd/0", "stdin"},
		{"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
		{"pts/ptmx", "ptmx"},          {"/proc/kcore", "core"},
	};

	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		if (path_symlink(links[i][0], dev, links[i][1], PATH_NO_LINKS) <
		    0)
			return err_sys(e, "symlinkat", "/dev/%s", links[i][1]);
	return 0;
}

static int mount_shm(const struct run_spec *s, const struct host *h, int dev,
		     struct err *e)
{
	char data[48] = "mode=1777,size=64m";

	if (s->no_shm)
		return 0;
	if (h->shm >= 0)
		return place_attach(dev, h->shm, "shm", PATH_NO_LINKS, true, e);
	if (s->shm_bytes)
		(void)snprintf(data, sizeof(data), "mode=1777,size=%llu",
			       (unsigned long long)s->shm_bytes);
	return mnt_new("tmpfs", "shm", SAFE, data, e);
}

static int mount_below_dev(const struct run_spec *s, const struct host *h,
			   struct inside *in, struct err *e)
{
	uint32_t tty_gid;
	/* gid 5 is tty everywhere; where it is not mapped the kernel refuses */
	const bool has_gid =
		!s->userns || idmap_gid_outside(&s->map, 5, &tty_gid);

	if (path_mkdir(in->dev, "pts", PATH_NO_LINKS, 0755) < 0 ||
	    path_mkdir(in->dev, "shm", PATH_NO_LINKS, 01777) < 0 ||
	    path_mkdir(in->dev, "mqueue", PATH_NO_LINKS, 0755) < 0)
		return err_sys(e, "mkdirat", "below /dev");
	if (mnt_new("devpts", "pts", MS_NOSUID | MS_NOEXEC,
		    has_gid ? "newinstance,ptmxmode=0666,mode=0620,gid=5"
			    : "newinstance,ptmxmode=0666,mode=0620",
		    e) < 0)
		return -1;
	in->pts = !s->tty ? -1
			  : path_open(in->dev, "pts", PATH_NO_LINKS,
				      O_PATH | O_DIRECTORY, 0);
	if (s->tty && in->pts < 0)
		return err_sys(e, "openat2", "/dev/pts");
	if (mount_shm(s, h, in->dev, e) < 0)
		return -1;
	/* Kernels without POSIX message queues, and nested namespaces. */
	(void)mount("mqueue", "mqueue", "mqueue", SAFE, NULL);
	return 0;
}

static int open_null(int dev, struct err *e)
{
	autoclose int fd =
		path_open(dev, "null", PATH_NO_LINKS, O_RDWR | O_NOCTTY, 0);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "openat2", "/dev/null");
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode) ||
	    st.st_rdev != makedev(1, 3))
		return err_set(e, ERR_INVALID,
			       "/dev/null is not the null device");
	return take_fd(&fd);
}

/* Look up names below /dev in the tmpfs itself, by the cwd or its fd. */
static int mount_dev(const struct run_spec *s, const struct host *h,
		     struct inside *in, struct err *e)
{
	STEP(e, "dev", "make /dev");

	in->dev = mnt_fs("tmpfs", "mode=755,size=64m",
			 MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, e);
	if (in->dev < 0 ||
	    place_own(in->dev, "dev", TMPFS_MAGIC, root_name(s), e) < 0)
		return -1;
	if (make_nodes(h, in->dev, e) < 0 || make_links(in->dev, e) < 0 ||
	    devices_make(s, h->devices, in->dev, e) < 0)
		return -1;
	if (fchdir(in->dev) < 0)
		return err_sys(e, "fchdir", "/dev");
	if ((spec_no_devices(s) && close_dev(h, in->dev, e) < 0) ||
	    mount_below_dev(s, h, in, e) < 0)
		return -1;
	if (chdir("/") < 0)
		return err_sys(e, "chdir", "/");
	in->null = open_null(in->dev, e);
	return in->null < 0 ? -1 : 0;
}

/* ---- files ---------------------------------------------------------------- */

static int attach_files(const struct host *h, struct err *e)
{
	STEP(e, "files", "attach /etc/hosts and its like");

	for (int i = 0; i < CONTAINER_FILES; i++)
		if (h->files[i] >= 0 &&
		    place_attach(AT_FDCWD, h->files[i], file_targets[i],
				 PATH_IN_ROOT, false, e) < 0)
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
	return place_attach(AT_FDCWD, tree, "dev/console", PATH_NO_LINKS, false,
			    e);
}

/* Mask a /sys of the host, mounted over the container's, like that one. */
static int attach_mounts(const struct run_spec *s, const struct inside *in,
			 struct err *e)
{
	autoclose int sys = -1;
	struct masks_at at = {.proc = in->proc, .null = in->null};

	if (mounts_attach(s, in->trees, AT_FDCWD, in->dev, e) < 0)
		return -1;
	if (!spec_mount_at(s, "/sys"))
		return 0;
	sys = path_open(AT_FDCWD, "sys", PATH_NO_LINKS, O_PATH | O_DIRECTORY,
			0);
	if (sys < 0)
		return err_sys(e, "openat2", "/sys");
	at.sys = sys;
	return masks_sys_again(s, &at, e);
}

static int build_inside(const struct run_spec *s, const struct host_trees *t,
			const struct host *h, struct inside *in, struct err *e)
{
	const bool late = t->netns >= 0;
	struct masks_at at;

	/*
	 * A user namespace may mount proc and sysfs only while unmasked ones,
	 * the host's, are visible. A sysfs shows one network namespace; if that
	 * is made by a thread, mount the sysfs as late as possible.
	 */
	if (mount_proc(s, h, in, e) < 0 ||
	    (!late && mount_sys(s, h, &at.sys, e) < 0) ||
	    let_go_of_host(e) < 0 || mount_dev(s, h, in, e) < 0)
		return -1;
	if (late &&
	    (netns_take(t->netns, e) < 0 || mount_sys(s, h, &at.sys, e) < 0))
		return -1;
	at.proc = in->proc;
	at.null = in->null;
	if (tune_namespaces(s, in->proc, e) < 0 || masks_apply(s, &at, e) < 0)
		return -1;
	(void)close(at.sys);
	return 0;
}

/*
 * Fds of h are not closed one by one: they are CLOEXEC and init is about to
 * execute PID 1, or to die. The umask is 0, since container_run, and 022 for
 * the program.
 */
int rootfs_build(const struct run_spec *s, const struct container *c,
		 const struct host_trees *t, struct inside *ret, struct err *e)
{
	const char *dir = NULL;
	struct host h;

	*ret = (struct inside){.proc = -1, .dev = -1, .pts = -1, .null = -1};
	if (prepare(s, c, t, &h, &dir, e) < 0)
		return -1;
	if ((s->rootfs ? root_directory(s, dir, t, e)
		       : root_overlay(s, dir, t, e)) < 0)
		return -1;
	if (pivot(dir, e) < 0 || keep_only(s, t, &h, e) < 0)
		return -1;
	if (build_inside(s, t, &h, ret, e) < 0)
		return -1;
	ret->trees = h.trees;
	(void)umask(022);
	if (mounts_fill(s, h.trees, c->head.run == 0, e) < 0 ||
	    attach_files(&h, e) < 0)
		return -1;
	return attach_mounts(s, ret, e);
}
