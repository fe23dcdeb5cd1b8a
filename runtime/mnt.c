#include "mnt.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/trace.h"

/*
 * <sys/mount.h> and <linux/mount.h> of Debian 12 cannot be included together;
 * these are the calls that the first would give.
 */
extern int mount(const char *source, const char *target, const char *type,
		 unsigned long flags, const void *data);

/* Since 6.13; older headers lack it. */
#define OVL_LOWERDIR_PLUS "lowerdir+"

static int sys_fsopen(const char *type)
{
	return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
}

static int sys_fsconfig(int fs, unsigned int cmd, const char *key,
			const char *value, int aux)
{
	return (int)syscall(SYS_fsconfig, fs, cmd, key, value, aux);
}

int mnt_new(const char *type, const char *target, unsigned long flags,
	    const char *data, struct err *e)
{
	if (mount(type, target, type, flags, data) < 0)
		return err_sys(e, "mount", "%s on %s%s%s%s", type, target,
			       data ? " (" : "", data ? data : "",
			       data ? ")" : "");
	return 0;
}

int mnt_private(struct err *e)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_sys(e, "mount", "/ as slave");
	return 0;
}

int mnt_clone_attr(int dirfd, const char *path, bool recursive, uint64_t attr,
		   uint64_t propagation, struct err *e)
{
	const unsigned int rec = recursive ? AT_RECURSIVE : 0;
	struct mount_attr set = {
		.attr_set = attr,
		.propagation = propagation,
	};
	autoclose int fd = (int)syscall(SYS_open_tree, dirfd, path,
					OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
						AT_EMPTY_PATH | rec);

	if (fd < 0)
		return err_sys(e, "open_tree", "%s", path);
	if (!attr && !propagation)
		return take_fd(&fd);
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH | rec, &set,
		    sizeof(set)) < 0)
		return err_sys(e, "mount_setattr", "%s%s", path,
			       attr & MOUNT_ATTR_RDONLY ? " (read-only)" : "");
	return take_fd(&fd);
}

int mnt_clone(int dirfd, const char *path, bool recursive, bool readonly,
	      uint64_t propagation, struct err *e)
{
	return mnt_clone_attr(dirfd, path, recursive,
			      readonly ? MOUNT_ATTR_RDONLY : 0, propagation, e);
}

int mnt_attach(int tree, const char *target, struct err *e)
{
	if (syscall(SYS_move_mount, tree, "", AT_FDCWD, target,
		    MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "move_mount", "on %s", target);
	return 0;
}

int mnt_nodev(int dirfd, const char *path, bool recursive, struct err *e)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_NODEV};
	const unsigned int flags =
		AT_EMPTY_PATH | (recursive ? (unsigned int)AT_RECURSIVE : 0);

	if (syscall(SYS_mount_setattr, dirfd, path, flags, &attr,
		    sizeof(attr)) < 0)
		return err_sys(e, "mount_setattr", "%s nodev",
			       *path ? path : "the mount");
	return 0;
}

int mnt_readonly(const char *target, bool recursive, struct err *e)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

	if (syscall(SYS_mount_setattr, AT_FDCWD, target,
		    recursive ? AT_RECURSIVE : 0, &attr, sizeof(attr)) < 0)
		return err_sys(e, "mount_setattr", "%s read-only", target);
	return 0;
}

int mnt_tree_readonly(int tree, const char *what, struct err *e)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};

	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE,
		    &attr, sizeof(attr)) < 0)
		return err_sys(e, "mount_setattr", "%s read-only", what);
	return 0;
}

/* ---- overlay --------------------------------------------------------------
 *
 * Two ways, chosen by trying:
 *   1. mount(2) with names: one call, while the options fit into a page (some
 *      40 layers) and no name needs an escape;
 *   2. fsopen with lowerdir+ by fd (6.13) or by name (6.8): up to the
 *      kernel's 500 layers, and the kernel says in words what it dislikes.
 * When 1 fails for a reason of its own, 2 is tried for its words.
 */

#define OPTIONS_MAX 4095 /* mount(2) takes one page with its NUL */

static bool fits_options(const char *path)
{
	return strpbrk(path, ",:\\") == NULL;
}

/* False when way 1 is closed. */
static bool overlay_options(const struct mnt_overlay *o, struct buf *b)
{
	for (int i = 0; i < o->n_lowers; i++) {
		buf_adds(b, i ? ":" : "lowerdir=");
		if (o->lower_fds)
			buf_addf(b, "/proc/self/fd/%d", o->lower_fds[i]);
		else if (fits_options(o->lower_paths[i]))
			buf_adds(b, o->lower_paths[i]);
		else
			return false;
	}
	if (o->upper)
		buf_addf(b, ",upperdir=%s,workdir=%s", o->upper, o->work);
	buf_addf(b, "%s%s", o->userxattr ? ",userxattr" : "",
		 o->is_volatile ? ",volatile" : "");
	return !b->over && (!o->upper || fits_options(o->upper));
}

/*
 * What the kernel wrote into the context's log: "e overlay: ...". A second try
 * in other words writes the same again.
 */
static void append_log(int fs, struct err *e)
{
	char line[256];
	char last[256] = "";
	ssize_t n;

	while ((n = read(fs, line, sizeof(line) - 1)) > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, last) != 0)
			(void)err_append(e, "; kernel: %s",
					 line[1] == ' ' ? line + 2 : line);
		memcpy(last, line, sizeof(last));
	}
}

static int set_string(int fs, const char *key, const char *value, struct err *e)
{
	if (sys_fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) == 0)
		return 0;
	(void)err_sys(e, "fsconfig", "%s=%s", key, value);
	append_log(fs, e);
	return -1;
}

static int set_lower(int fs, const struct mnt_overlay *o, int i, struct err *e)
{
	autoclose int fd = o->lower_fds
				   ? fcntl(o->lower_fds[i], F_DUPFD_CLOEXEC, 3)
				   : open(o->lower_paths[i],
					  O_PATH | O_DIRECTORY | O_CLOEXEC);
	const int lower = fd;
	char name[40];

	if (fd < 0 && o->lower_paths)
		return err_sys(e, "open", "layer %s", o->lower_paths[i]);
	if (sys_fsconfig(fs, FSCONFIG_SET_FD, OVL_LOWERDIR_PLUS, NULL, lower) ==
	    0)
		return 0;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", lower);
	return set_string(fs, OVL_LOWERDIR_PLUS, name, e);
}

/* A path of any length: fsconfig takes strings of up to 255 bytes only. */
static int set_dir(int fs, const char *key, const char *path, struct err *e)
{
	autoclose int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char name[40];

	if (fd < 0)
		return err_sys(e, "open", "%s", path);
	if (sys_fsconfig(fs, FSCONFIG_SET_FD, key, NULL, fd) == 0)
		return 0;
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return set_string(fs, key, strlen(path) < 256 ? path : name, e);
}

/* "size=1m,ro" word by word. */
static int set_options(int fs, const char *data, struct err *e)
{
	while (data && *data) {
		const size_t n = strcspn(data, ",");
		autofree char *word = xstrndup(data, n);
		char *const eq = strchr(word, '=');

		if (eq)
			*eq = '\0';
		if (eq && set_string(fs, word, eq + 1, e) < 0)
			return -1;
		if (!eq && *word &&
		    sys_fsconfig(fs, FSCONFIG_SET_FLAG, word, NULL, 0) < 0) {
			(void)err_sys(e, "fsconfig", "%s", word);
			append_log(fs, e);
			return -1;
		}
		data += n + (data[n] == ',');
	}
	return 0;
}

int mnt_fs(const char *type, const char *data, uint64_t attr, struct err *e)
{
	autoclose int fs = sys_fsopen(type);
	int m;

	if (fs < 0)
		return err_sys(e, "fsopen", "%s", type);
	/* The source, as mount(8) sets it; else /proc/mounts shows "none". */
	if (set_string(fs, "source", type, e) < 0 ||
	    set_options(fs, data, e) < 0)
		return -1;
	if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		(void)err_sys(e, "fsconfig", "create %s (%s)", type,
			      data ? data : "");
		append_log(fs, e);
		return -1;
	}
	m = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attr);
	return m < 0 ? err_sys(e, "fsmount", "%s", type) : m;
}

static int overlay_by_fsopen(const struct mnt_overlay *o, const char *target,
			     struct err *e)
{
	autoclose int fs = sys_fsopen("overlay");
	autoclose int m = -1;

	if (fs < 0) {
		(void)err_sys(e, "fsopen", "overlay");
		if (e->sys == ENODEV)
			(void)err_hint(e, "the overlay module is not loaded: "
					  "modprobe overlay");
		return -1;
	}
	for (int i = 0; i < o->n_lowers; i++)
		if (set_lower(fs, o, i, e) < 0)
			return -1;
	if (o->upper && (set_dir(fs, "upperdir", o->upper, e) < 0 ||
			 set_dir(fs, "workdir", o->work, e) < 0))
		return -1;
	if (o->userxattr &&
	    sys_fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0) < 0)
		return err_sys(e, "fsconfig", "userxattr");
	if (o->is_volatile &&
	    sys_fsconfig(fs, FSCONFIG_SET_FLAG, "volatile", NULL, 0) < 0)
		return err_sys(e, "fsconfig", "volatile");
	if (sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		(void)err_sys(e, "fsconfig", "create overlay");
		append_log(fs, e);
		return -1;
	}
	m = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			 o->nodev ? MOUNT_ATTR_NODEV : 0);
	if (m < 0)
		return err_sys(e, "fsmount", "overlay");
	return mnt_attach(m, target, e);
}

/* What upper and work lie on, and what overlayfs says of that. */
static void explain_overlay(const struct mnt_overlay *o, struct err *e)
{
	struct statfs fs;
	struct stat u, w;

	if (o->upper && statfs(o->upper, &fs) == 0 &&
	    fs.f_type == OVERLAYFS_SUPER_MAGIC)
		(void)err_hint(e,
			       "the store lies on an overlay, as the root of a "
			       "container is one, and the kernel writes no "
			       "overlay onto another: put it on a volume or a "
			       "tmpfs with --root or PRISM_ROOT");
	else if (o->upper && stat(o->upper, &u) == 0 &&
		 stat(o->work, &w) == 0 && u.st_dev != w.st_dev)
		(void)err_hint(e,
			       "upper and work must lie on one file "
			       "system; %.80s does not",
			       o->work);
	else if (e->sys == EINVAL)
		(void)err_hint(e, "overlayfs refuses some file systems for "
				  "its upper directory (NFS and others): put "
				  "the store elsewhere with --root");
	else if (e->sys == EPERM)
		(void)err_hint(e, "overlayfs in a user namespace needs kernel "
				  "5.11 or newer");
}

int mnt_overlay(const struct mnt_overlay *o, const char *target, struct err *e)
{
	/* Of a few layers: nothing is asked of the heap. */
	char few[1024];
	autobuf struct buf b = buf_on(few, sizeof(few), OPTIONS_MAX);
	STEP(e, "overlay", "mount %d layers", o->n_lowers);

	if (overlay_options(o, &b) &&
	    mount("overlay", target, "overlay", o->nodev ? MS_NODEV : 0,
		  buf_str(&b)) == 0)
		return 0;
	if (overlay_by_fsopen(o, target, e) == 0)
		return 0;
	explain_overlay(o, e);
	return -1;
}
