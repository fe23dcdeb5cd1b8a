#include "place.h"

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

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

/* The inode number of the root of every procfs. */
#define PROC_ROOT_INO 1

/* The kernel's own limit of links in a path (path_resolution(7)). */
#define LINKS_MAX 40

/* ---- words ------------------------------------------------------------------ */

int place_clean(const char *target, char **ret, struct err *e)
{
	autofree char *out = xmalloc(strlen(target) + 2);
	size_t n = 0;

	if (target[0] != '/')
		return err_set(e, ERR_USAGE,
			       "target '%s' is not an absolute path", target);
	for (const char *p = target; *p;) {
		size_t k;

		p += strspn(p, "/");
		k = strcspn(p, "/");
		if (k == 2 && !memcmp(p, "..", 2)) {
			while (n > 0 && out[--n] != '/')
				;
		} else if (k > 0 && !(k == 1 && *p == '.')) {
			out[n++] = '/';
			memcpy(out + n, p, k);
			n += k;
		}
		p += k;
	}
	out[n] = '\0';
	if (n == 0)
		return err_set(e, ERR_USAGE, "the target may not be '/'");
	*ret = take_ptr(&out);
	return 0;
}

static bool is_below(const char *path, const char *dir)
{
	const size_t n = strlen(dir);

	return !strncmp(path, dir, n) && (path[n] == '\0' || path[n] == '/');
}

bool place_is_kernels(const char *path)
{
	return is_below(path, "/proc") || is_below(path, "/sys");
}

/* The files that runc allows, for lxcfs. */
static bool is_lxcfs(const char *path)
{
	static const char *const files[] = {
		"/proc/cpuinfo",
		"/proc/diskstats",
		"/proc/loadavg",
		"/proc/meminfo",
		"/proc/net/dev",
		"/proc/slabinfo",
		"/proc/stat",
		"/proc/swaps",
		"/proc/sys/crypto/fips_enabled",
		"/proc/sys/kernel/ns_last_pid",
		"/proc/uptime",
	};

	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (!strcmp(path, files[i]))
			return true;
	return false;
}

static int refuse(const char *target, struct err *e)
{
	(void)err_set(e, ERR_USAGE,
		      "nothing may be mounted on %s: it belongs to the kernel",
		      target);
	if (is_below(target, "/sys"))
		return err_hint(e, "only a part of the host's own /sys may be "
				   "mounted there, as in "
				   "-v /sys/fs/cgroup:/sys/fs/cgroup:ro");
	return err_hint(e, "choose another target, such as /host/proc; a file "
			   "may cover only /proc/cpuinfo, meminfo, stat, "
			   "uptime and the other files of lxcfs");
}

int place_check_path(const char *target, struct err *e)
{
	autofree char *clean = NULL;

	if (place_clean(target, &clean, e) < 0)
		return -1;
	return place_is_kernels(clean) ? refuse(clean, e) : 0;
}

int place_check(const struct mount_spec *m, struct err *e)
{
	autofree char *clean = NULL;

	if (place_clean(m->target, &clean, e) < 0)
		return -1;
	if (!place_is_kernels(clean))
		return 0;
	/* An exception must be written as a clean path. */
	if (m->type == MOUNT_BIND && !m->throw_away &&
	    !strcmp(clean, m->target) &&
	    (is_lxcfs(clean) ||
	     (is_below(clean, "/sys") && is_below(m->source, "/sys"))))
		return 0;
	return refuse(clean, e);
}

/* ---- what was found ----------------------------------------------------------- */

static long magic_of(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) < 0 ? -1 : (long)fs.f_type;
}

/* What stands on or below /proc and /sys on any host; -1: cannot be told. */
static bool is_kernel_magic(long magic)
{
	static const long all[] = {
		PROC_SUPER_MAGIC,   SYSFS_MAGIC,
		CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC,
		DEBUGFS_MAGIC,      TRACEFS_MAGIC,
		SECURITYFS_MAGIC,   BPF_FS_MAGIC,
		PSTOREFS_MAGIC,     EFIVARFS_MAGIC,
		SELINUX_MAGIC,      SMACK_MAGIC,
		BINFMTFS_MAGIC,     -1,
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (magic == all[i])
			return true;
	return false;
}

int place_proc(struct err *e)
{
	autoclose int fd = path_open(AT_FDCWD, "proc", PATH_NO_LINKS,
				     O_PATH | O_DIRECTORY, 0);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "openat2", "/proc");
	if (fstat(fd, &st) < 0 || st.st_ino != PROC_ROOT_INO ||
	    magic_of(fd) != PROC_SUPER_MAGIC)
		return err_set(e, ERR_INVALID,
			       "/proc in the container is not a procfs");
	return take_fd(&fd);
}

/*
 * A mask on a file of procfs is a mount of another file system, so check the
 * path too. Our own procfs tells it; if that fails, assume a kernel file.
 */
static bool is_on_kernels(int root, int fd)
{
	struct err ignored = {0};
	autoclose int proc = -1;
	char name[32];
	char path[4096];
	ssize_t n;

	if (is_kernel_magic(magic_of(fd)))
		return true;
	/* Below a directory that prism made, or without a procfs. */
	if (root != AT_FDCWD)
		return false;
	proc = place_proc(&ignored);
	(void)snprintf(name, sizeof(name), "self/fd/%d", fd);
	n = proc < 0 ? -1
		     : path_readlink(proc, name, PATH_BENEATH, path,
				     sizeof(path));
	return n <= 0 || path[0] != '/' || place_is_kernels(path);
}

static int refuse_found(const char *target, struct err *e)
{
	(void)err_set(e, ERR_USAGE,
		      "%s leads into /proc or /sys, where nothing may be "
		      "mounted",
		      target);
	return err_hint(e, "a link in the image leads there: choose another "
			   "target");
}

static int refuse_type(const char *target, bool is_dir, struct err *e)
{
	(void)err_set(e, ERR_USAGE,
		      "%s is %sa directory in the image, but the source is %s",
		      target, is_dir ? "not " : "", is_dir ? "one" : "a file");
	return err_hint(e, "choose another target, or a %s as the source",
			is_dir ? "file" : "directory");
}

/* ---- /proc, /sys, /dev ---------------------------------------------------------- */

/* Word the reason, in errno, why the directory cannot be opened. */
static int no_directory(const char *name, const char *where, struct err *e)
{
	const int why = errno;
	char to[256];

	if (why == ELOOP &&
	    path_readlink(AT_FDCWD, name, PATH_NO_LINKS, to, sizeof(to)) >= 0)
		(void)err_set(e, ERR_INVALID, "'/%s' in %s is a link to '%s'",
			      name, where, to);
	else if (why == ELOOP)
		(void)err_set(e, ERR_INVALID, "'/%s' in %s is a link", name,
			      where);
	else if (why == ENOTDIR)
		(void)err_set(e, ERR_INVALID, "'/%s' in %s is not a directory",
			      name, where);
	else
		return err_sysno(e, why, "openat2", "/%s in %s", name, where);
	return err_hint(e,
			"prism mounts the container's own /%s there: it "
			"must be a directory, or missing",
			name);
}

static int open_own(const char *name, const char *where, struct err *e)
{
	int fd = path_open(AT_FDCWD, name, PATH_NO_LINKS, O_PATH | O_DIRECTORY,
			   0);

	if (fd < 0 && errno == ENOENT) {
		if (path_mkdir(AT_FDCWD, name, PATH_NO_LINKS, 0755) < 0)
			return err_sys(e, "mkdirat", "/%s", name);
		fd = path_open(AT_FDCWD, name, PATH_NO_LINKS,
			       O_PATH | O_DIRECTORY, 0);
	}
	return fd < 0 ? no_directory(name, where, e) : fd;
}

/*
 * The owner of a --rootfs directory may replace entries at any time: check that
 * the program sees at this name what was mounted.
 */
static int check_own(int tree, const char *name, long magic, struct err *e)
{
	autoclose int seen = path_open(AT_FDCWD, name, PATH_NO_LINKS,
				       O_PATH | O_DIRECTORY, 0);
	struct stat want, have;

	if (seen < 0)
		return err_sys(e, "openat2", "/%s", name);
	if (fstat(tree, &want) < 0 || fstat(seen, &have) < 0)
		return err_sys(e, "fstat", "/%s", name);
	if (want.st_dev != have.st_dev || want.st_ino != have.st_ino ||
	    (magic && magic_of(seen) != magic) ||
	    (magic == PROC_SUPER_MAGIC && have.st_ino != PROC_ROOT_INO))
		return err_set(e, ERR_INVALID,
			       "/%s was replaced while prism mounted it", name);
	return 0;
}

static int move_to(int tree, int to)
{
	return (int)syscall(SYS_move_mount, tree, "", to, "",
			    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

int place_own(int tree, const char *name, long magic, const char *where,
	      struct err *e)
{
	autoclose int dir = open_own(name, where, e);

	if (dir < 0)
		return -1;
	if (move_to(tree, dir) < 0)
		return err_sys(e, "move_mount", "on /%s", name);
	return check_own(tree, name, magic, e);
}

/* ---- targets ------------------------------------------------------------------------ */

/* The error, in errno, of a directory that could not be made. */
static int not_made(int root, const char *path, unsigned int way, struct err *e)
{
	const int why = errno;
	autofree char *up = xstrdup(path);
	autoclose int fd = -1;
	char *slash;

	while (fd < 0 && (slash = strrchr(up, '/')) && slash != up) {
		*slash = '\0';
		fd = path_open(root, up, way, O_PATH, 0);
	}
	if (fd >= 0 && is_kernel_magic(magic_of(fd)))
		return refuse_found(path, e);
	return err_sysno(e, why, "mkdirat", "%s", path);
}

int place_parent(int root, const char *target, unsigned int way,
		 const char **ret_name, struct err *e)
{
	const char *const slash = strrchr(target, '/');
	autofree char *dir = slash ? xstrndup(target, (size_t)(slash - target) +
							      (slash == target))
				   : xstrdup(".");
	autoclose int fd = path_make_dirs(root, dir, way, 0755);

	if (fd < 0)
		return not_made(root, dir, way, e);
	if (is_kernel_magic(magic_of(fd)))
		return refuse_found(target, e);
	*ret_name = slash ? slash + 1 : target;
	return take_fd(&fd);
}

/*
 * Make an empty file; for a dangling link, at its target. *at: malloced, may be
 * replaced by another path.
 */
static int make_file(int root, char **at, unsigned int way, struct err *e)
{
	for (int links = 0; links <= LINKS_MAX; links++) {
		const char *name = "";
		autoclose int dir = place_parent(root, *at, way, &name, e);
		autoclose int fd = -1;
		char to[4096];
		char *end;

		if (dir < 0)
			return -1;
		if ((way & PATH_WAY) == PATH_NO_LINKS ||
		    path_readlink(dir, name, PATH_NO_LINKS, to, sizeof(to)) <
			    0) {
			fd = path_open(dir, name, PATH_NO_LINKS,
				       O_WRONLY | O_CREAT | O_EXCL, 0644);
			return fd < 0 && errno != EEXIST
				       ? err_sys(e, "openat2", "%s", *at)
				       : 0;
		}
		end = to[0] == '/'
			      ? xstrdup(to)
			      : xasprintf("%.*s%s", (int)(name - *at), *at, to);
		free(*at);
		*at = end;
	}
	return err_sysno(e, ELOOP, "openat2", "%s", *at);
}

/* O_PATH of target, made if it is missing. */
static int open_target(int root, const char *target, unsigned int way,
		       bool is_dir, struct err *e)
{
	autofree char *at = NULL;
	int fd = path_open(root, target, way, O_PATH, 0);

	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "openat2", "%s", target);
	if (fd >= 0)
		return fd;
	if (is_dir) {
		fd = path_make_dirs(root, target, way, 0755);
		return fd < 0 ? not_made(root, target, way, e) : fd;
	}
	at = xstrdup(target);
	if (make_file(root, &at, way, e) < 0)
		return -1;
	fd = path_open(root, target, way, O_PATH, 0);
	return fd < 0 ? err_sys(e, "openat2", "%s", target) : fd;
}

/* The exceptions: create nothing, and cover only the file that was meant. */
static int open_kernels(int root, int tree, const char *target, struct err *e)
{
	autoclose int fd = path_open(root, target + 1, PATH_BENEATH, O_PATH, 0);
	const bool proc = is_below(target, "/proc");
	struct stat over, under;

	if (fd < 0)
		return err_sys(e, "openat2", "%s", target);
	if (fstat(tree, &over) < 0 || fstat(fd, &under) < 0)
		return err_sys(e, "fstat", "%s", target);
	if (proc ? magic_of(fd) != PROC_SUPER_MAGIC || !S_ISREG(over.st_mode) ||
			    !S_ISREG(under.st_mode)
		 : !is_kernel_magic(magic_of(fd)))
		return refuse(target, e);
	return take_fd(&fd);
}

int place_attach(int root, int tree, const char *target, unsigned int way,
		 bool is_dir, struct err *e)
{
	const bool kernels = place_is_kernels(target);
	/* The usual case: it exists in the root's own file system. */
	autoclose int to = kernels ? open_kernels(root, tree, target, e)
				   : path_open(root, target, way | PATH_NO_XDEV,
					       O_PATH, 0);
	struct stat st;

	if (kernels && to < 0)
		return -1;
	if (to < 0) {
		to = open_target(root, target, way, is_dir, e);
		if (to < 0)
			return -1;
		if (is_on_kernels(root, to))
			return refuse_found(target, e);
	}
	if (move_to(tree, to) == 0)
		return 0;
	if (fstat(to, &st) == 0 && S_ISDIR(st.st_mode) != is_dir)
		return refuse_type(target, is_dir, e);
	return err_sys(e, "move_mount", "on %s", target);
}
