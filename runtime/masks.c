#include "masks.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/mount.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/trace.h"
#include "runtime/mnt.h"
#include "runtime/place.h"

extern int mount(const char *source, const char *target, const char *type,
		 unsigned long flags, const void *data);

#define SAFE_ATTR (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/*
 * How it works: the cwd is the root of the container's procfs, so targets in it
 * are plain names, and every fd of ours has the name self/fd/N. No path leads
 * through the root of the container.
 *
 * One empty tmpfs covers all masked directories, because a machine with many
 * processors has a directory to mask for each of them.
 */
struct cover {
	const struct masks_at *at;
	int empty;
	bool mounted; /* empty is attached */
};

/* "/proc/acpi" -> proc and "acpi" */
static int base_of(const struct cover *c, const char *path, const char **ret)
{
	const bool proc = path[1] == 'p';

	path += proc ? strlen("/proc") : strlen("/sys");
	*ret = *path ? path + 1 : ".";
	return proc ? c->at->proc : c->at->sys;
}

/* This kernel does not have the file. */
static bool is_absent(const struct cover *c, const char *path)
{
	const char *name;
	const int base = base_of(c, path, &name);
	autoclose int fd = path_open(base, name, PATH_BENEATH, O_PATH, 0);

	return fd < 0 && errno == ENOENT;
}

static int mount_fd(const struct cover *c, int source, int base,
		    const char *name)
{
	char from[32];
	char to[128];

	(void)snprintf(from, sizeof(from), "self/fd/%d", source);
	if (base != c->at->proc)
		(void)snprintf(to, sizeof(to), "self/fd/%d%s%s", base,
			       *name ? "/" : "", name);
	return mount(from, base == c->at->proc ? name : to, NULL, MS_BIND,
		     NULL);
}

/* 0: masked, 1: not in this kernel, -1 */
static int mask(struct cover *c, const char *path, bool is_dir, struct err *e)
{
	const char *name;
	const int base = base_of(c, path, &name);
	const bool first = is_dir && !c->mounted;
	const int rc = first ? (int)syscall(SYS_move_mount, c->empty, "", base,
					    name, MOVE_MOUNT_F_EMPTY_PATH)
			     : mount_fd(c, is_dir ? c->empty : c->at->null,
					base, name);

	if (rc == 0) {
		c->mounted |= first;
		return 0;
	}
	if (errno == ENOENT && is_absent(c, path))
		return 1;
	return err_sys(e, "mount", "a mask on %s", path);
}

/* unmask=: a path, a pattern, or a directory above it. */
static bool is_open(const struct run_spec *s, const char *path)
{
	for (size_t i = 0; i < s->unmask.n; i++)
		if (fnmatch(s->unmask.v[i], path, FNM_LEADING_DIR) == 0)
			return true;
	return false;
}

static int mask_all(const struct run_spec *s, struct cover *c,
		    const char *const *paths, size_t n, bool is_dir,
		    struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!is_open(s, paths[i]) && mask(c, paths[i], is_dir, e) < 0)
			return -1;
	return 0;
}

/* As docker masks them; sched_debug and timer_stats are gone since 5.13. */
static int mask_proc(const struct run_spec *s, struct cover *c, struct err *e)
{
	static const char *const files[] = {
		"/proc/interrupts",    "/proc/kcore",      "/proc/keys",
		"/proc/latency_stats", "/proc/timer_list",
	};
	static const char *const dirs[] = {
		"/proc/acpi",
		"/proc/asound",
		"/proc/scsi",
	};

	return mask_all(s, c, files, ARRAY_LEN(files), false, e) < 0 ||
			       mask_all(s, c, dirs, ARRAY_LEN(dirs), true, e) <
				       0
		       ? -1
		       : 0;
}

/* Each processor has a directory of its own; none has it or all. */
static int mask_throttle(struct cover *c, struct err *e)
{
	int rc = 0;

	for (int cpu = 0; rc == 0; cpu++) {
		char path[80];

		(void)snprintf(path, sizeof(path),
			       "/sys/devices/system/cpu/cpu%d/thermal_throttle",
			       cpu);
		rc = mask(c, path, true, e);
	}
	return rc < 0 ? -1 : 0;
}

static int mask_sys(const struct run_spec *s, struct cover *c, struct err *e)
{
	static const char *const dirs[] = {
		"/sys/firmware",
		"/sys/devices/virtual/powercap",
	};

	if (mask_all(s, c, dirs, ARRAY_LEN(dirs), true, e) < 0)
		return -1;
	return mask_throttle(c, e);
}

/*
 * Bind each to itself, make all mounts below /proc read-only in one call (the
 * masks too), and /proc itself writable again.
 */
static int readonly_paths(const struct run_spec *s, const struct cover *c,
			  struct err *e)
{
	static const char *const paths[] = {
		"/proc/bus",           "/proc/fs", "/proc/irq", "/proc/sys",
		"/proc/sysrq-trigger",
	};
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		const char *const name = paths[i] + strlen("/proc/");

		if (is_open(s, paths[i]) ||
		    mount(name, name, NULL, MS_BIND | MS_REC, NULL) == 0)
			continue;
		if (errno != ENOENT || !is_absent(c, paths[i]))
			return err_sys(e, "mount", "%s on itself", paths[i]);
	}
	if (mnt_tree_readonly(c->at->proc, "/proc", e) < 0)
		return -1;
	if (syscall(SYS_mount_setattr, c->at->proc, "", AT_EMPTY_PATH,
		    &writable, sizeof(writable)) < 0)
		return err_sys(e, "mount_setattr", "/proc writable");
	return 0;
}

/* An O_PATH fd of the file to mask, on any mount; -1 and errno. */
static int open_more(const struct cover *c, const char *path)
{
	const char *name;
	int base;
	int fd;

	if (place_is_kernels(path)) {
		base = base_of(c, path, &name);
		return path_open(base, name, PATH_BENEATH, O_PATH, 0);
	}
	if (chdir("/") < 0)
		return -1;
	fd = path_open(AT_FDCWD, path, PATH_IN_ROOT, O_PATH, 0);
	if (fchdir(c->at->proc) < 0)
		own_close(&fd);
	return fd;
}

static int cover_fd(struct cover *c, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -1;
	if (!S_ISDIR(st.st_mode))
		return mount_fd(c, c->at->null, fd, "");
	if (c->mounted)
		return mount_fd(c, c->empty, fd, "");
	c->mounted = true;
	return (int)syscall(SYS_move_mount, c->empty, "", fd, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* mask=PATH: whatever it is. */
static int mask_more(const struct run_spec *s, struct cover *c, struct err *e)
{
	for (size_t i = 0; i < s->mask.n; i++) {
		autofree char *path = NULL;
		autoclose int fd = -1;

		/* Words that are not paths ("ALL") name no file. */
		if (s->mask.v[i][0] != '/')
			continue;
		if (place_clean(s->mask.v[i], &path, e) < 0)
			return -1;
		fd = open_more(c, path);
		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		if (fd < 0)
			return err_sys(e, "openat2", "%s", path);
		if (cover_fd(c, fd) < 0)
			return err_sys(e, "mount", "a mask on %s", path);
	}
	return 0;
}

static int open_cover(const struct masks_at *at, struct cover *ret,
		      struct err *e)
{
	*ret = (struct cover){.at = at};
	ret->empty = mnt_fs("tmpfs", "nr_inodes=2",
			    SAFE_ATTR | MOUNT_ATTR_RDONLY, e);
	if (ret->empty < 0)
		return -1;
	if (fchdir(at->proc) < 0) {
		own_close(&ret->empty);
		return err_sys(e, "fchdir", "/proc");
	}
	return 0;
}

static int close_cover(struct cover *c, struct err *e)
{
	own_close(&c->empty);
	return chdir("/") < 0 ? err_sys(e, "chdir", "/") : 0;
}

int masks_apply(const struct run_spec *s, const struct masks_at *at,
		struct err *e)
{
	struct cover c;
	STEP(e, "mask", "hide and protect parts of /proc and /sys");

	if (s->no_masks && s->mask.n == 0)
		return 0;
	if (open_cover(at, &c, e) < 0)
		return -1;
	if (!s->no_masks &&
	    (mask_proc(s, &c, e) < 0 || mask_sys(s, &c, e) < 0 ||
	     readonly_paths(s, &c, e) < 0))
		return -1;
	if (mask_more(s, &c, e) < 0)
		return -1;
	return close_cover(&c, e);
}

int masks_sys_again(const struct run_spec *s, const struct masks_at *at,
		    struct err *e)
{
	struct cover c;
	STEP(e, "mask", "hide parts of the host's /sys");

	if (s->no_masks)
		return 0;
	if (open_cover(at, &c, e) < 0 || mask_sys(s, &c, e) < 0)
		return -1;
	return close_cover(&c, e);
}
