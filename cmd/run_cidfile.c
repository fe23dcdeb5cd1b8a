#include "cmd/run_cidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "base/own.h"
#include "base/str.h"

static int exists(const char *path, struct err *e)
{
	(void)err_set(e, ERR_EXISTS, "--cidfile: %s exists already", path);
	return err_hint(e, "make sure that the other container isn't running, "
			   "and delete it");
}

int run_cidfile_check(const char *path, struct err *e)
{
	if (!path || faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	return exists(path, e);
}

static int write_tmp(const char *tmp, const char *id, struct err *e)
{
	autoclose int fd =
		open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_sys(e, "open", "--cidfile: %s", tmp);
	return io_write_all(fd, id, strlen(id), tmp, e);
}

int run_cidfile_write(const char *path, const char *id, struct err *e)
{
	char unique[9];
	autofree char *tmp = NULL;
	int rc;

	if (!path)
		return 0;
	str_random_hex(unique, 4);
	tmp = xasprintf("%s.%s", path, unique);
	if (write_tmp(tmp, id, e) < 0) {
		(void)unlink(tmp);
		return -1;
	}
	/* link(2) does not replace; a file system without it renames. */
	rc = link(tmp, path);
	if (rc < 0 && errno != EEXIST)
		rc = rename(tmp, path);
	if (rc < 0)
		rc = errno == EEXIST
			     ? exists(path, e)
			     : err_sys(e, "link", "--cidfile: %s", path);
	(void)unlink(tmp);
	return rc;
}

void run_cidfile_remove(const char *path)
{
	if (path)
		(void)unlink(path);
}
