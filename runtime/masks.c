#include "masks.h"

#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/mnt.h"

extern int mount(const char *source, const char *target, const char *type,
		 unsigned long flags, const void *data);

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/*
 * The first directory that is masked; the others show the same empty tmpfs: a
 * machine with many processors masks one for each of them.
 */
struct empty {
	char at[80];
};

static int mask_dir(struct empty *m, const char *path)
{
	if (m->at[0])
		return mount(m->at, path, NULL, MS_BIND, NULL);
	if (mount("tmpfs", path, "tmpfs", SAFE | MS_RDONLY, "nr_inodes=2") < 0)
		return -1;
	(void)snprintf(m->at, sizeof(m->at), "%s", path);
	return 0;
}

/* unmask=: a path, a pattern, or a directory above it. */
static bool is_open(const struct run_spec *s, const char *path)
{
	for (size_t i = 0; i < s->unmask.n; i++)
		if (fnmatch(s->unmask.v[i], path, FNM_LEADING_DIR) == 0)
			return true;
	return false;
}

/* As docker masks them; sched_debug and timer_stats are gone since 5.13. */
static int mask_paths(const struct run_spec *s, struct empty *m, struct err *e)
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
		if (!is_open(s, files[i]) &&
		    mount("/dev/null", files[i], NULL, MS_BIND, NULL) < 0 &&
		    errno != ENOENT)
			return err_sys(e, "mount", "/dev/null on %s", files[i]);
	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (!is_open(s, dirs[i]) && mask_dir(m, dirs[i]) < 0 &&
		    errno != ENOENT)
			return err_sys(e, "mount", "a mask on %s", dirs[i]);
	return 0;
}

/* Each processor has a directory of its own; none has it or all. */
static int mask_throttle(struct empty *m, struct err *e)
{
	for (int cpu = 0;; cpu++) {
		char path[80];

		(void)snprintf(path, sizeof(path),
			       "/sys/devices/system/cpu/cpu%d/thermal_throttle",
			       cpu);
		if (mask_dir(m, path) == 0)
			continue;
		if (errno == ENOENT)
			return 0;
		return err_sys(e, "mount", "a mask on %s", path);
	}
}

/*
 * Bind each to itself, make all mounts below /proc read-only in one call (the
 * masks too), and /proc itself writable again.
 */
static int readonly_paths(const struct run_spec *s, struct err *e)
{
	static const char *const paths[] = {
		"/proc/bus",           "/proc/fs", "/proc/irq", "/proc/sys",
		"/proc/sysrq-trigger",
	};
	struct mount_attr writable = {.attr_clr = MOUNT_ATTR_RDONLY};

	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (!is_open(s, paths[i]) &&
		    mount(paths[i], paths[i], NULL, MS_BIND | MS_REC, NULL) <
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

/* mask=PATH: whatever it is. */
static int mask_more(const struct run_spec *s, const struct empty *m,
		     struct err *e)
{
	for (size_t i = 0; i < s->mask.n; i++) {
		/* Not kept: the name of an fd says nothing later. */
		struct empty once = *m;
		const char *const path = s->mask.v[i];
		autoclose int fd = fs_open_in_root(AT_FDCWD, path, O_PATH, 0);
		char at[40];
		struct stat st;
		int rc;

		if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
			continue;
		if (fd < 0 || fstat(fd, &st) < 0)
			return err_sys(e, "openat2", "%s", path);
		(void)snprintf(at, sizeof(at), "/proc/self/fd/%d", fd);
		rc = S_ISDIR(st.st_mode)
			     ? mask_dir(&once, at)
			     : mount("/dev/null", at, NULL, MS_BIND, NULL);
		if (rc < 0)
			return err_sys(e, "mount", "a mask on %s", path);
	}
	return 0;
}

int masks_apply(const struct run_spec *s, struct err *e)
{
	struct empty m = {0};
	STEP(e, "mask", "hide and protect parts of /proc and /sys");

	if (!s->no_masks &&
	    (mask_paths(s, &m, e) < 0 || mask_throttle(&m, e) < 0 ||
	     readonly_paths(s, e) < 0))
		return -1;
	return mask_more(s, &m, e);
}
