#include "under.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "base/str.h"

static int make_files(int fs, struct err *e)
{
	static const char *const dirs[] = {"etc", "run", "proc", "sys", "dev"};
	static const char *const files[] = {".dockerenv", "run/.containerenv",
					    "etc/hosts", "etc/hostname"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		/* Modes are meant, whatever the umask. */
		if (mkdirat(fs, dirs[i], 0755) < 0 ||
		    fchmodat(fs, dirs[i], 0755, 0) < 0)
			return err_sys(e, "mkdirat", "%s", dirs[i]);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		autoclose int fd =
			openat(fs, files[i],
			       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		if (fd < 0 || fchmod(fd, 0644) < 0)
			return err_sys(e, "openat", "%s", files[i]);
	}
	if (symlinkat("/proc/mounts", fs, "etc/mtab") < 0)
		return err_sys(e, "symlinkat", "etc/mtab");
	return 0;
}

static int make_in(int tmp, const char *name, struct err *e)
{
	autoclose int dir = -1;
	autoclose int fs = -1;

	dir = fs_mkdir_open_at(tmp, name, 0755, e);
	if (dir < 0)
		return -1;
	fs = fs_mkdir_open_at(dir, "fs", 0755, e);
	if (fs < 0)
		return -1;
	if (fchmod(dir, 0755) < 0 || fchmod(fs, 0755) < 0)
		return err_sys(e, "fchmod", "%s", name);
	return make_files(fs, e);
}

int under_ensure(struct store *s, struct err *e)
{
	const int root = store_dirfd(s, STORE_ROOT, e);
	const int tmp = root < 0 ? -1 : store_dirfd(s, STORE_TMP, e);
	struct err ignored = {0};
	char name[24] = "under-";
	int rc;
	ERR_IN(e, "the directory below all layers");

	if (tmp < 0)
		return -1;
	if (faccessat(root, UNDER_PATH, F_OK, 0) == 0)
		return 0;
	str_random_hex(name + 6, 8);
	rc = make_in(tmp, name, e);
	if (rc == 0 && renameat(tmp, name, root, "under") < 0 &&
	    errno != ENOTEMPTY && errno != EEXIST)
		rc = err_sys(e, "renameat", "tmp/%s -> under", name);
	/* Ours, if it did not become the one. */
	(void)fs_remove_tree_at(tmp, name, &ignored);
	return rc;
}
