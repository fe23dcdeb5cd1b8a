#include "passwd.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/path.h"
#include "base/trace.h"
#include "runtime/mnt.h"
#include "runtime/place.h"

static int read_passwd(struct buf *b, struct err *e)
{
	autoclose int fd = path_open_type(AT_FDCWD, "etc/passwd", PATH_IN_ROOT,
					  S_IFREG, O_RDONLY);

	if (fd < 0 && (errno == ENOENT || errno == EBADF || errno == EISDIR))
		return 1;
	if (fd < 0)
		return err_sys(e, "openat2", "/etc/passwd");
	return io_read_all(fd, b, "/etc/passwd", e);
}

int passwd_add(const struct passwd_line *l, int dev, bool readonly,
	       struct err *e)
{
	static const char name[] = ".prism-passwd";
	autobuf struct buf b = buf_make(ETC_FILE_MAX);
	autoclose int fd = -1;
	autoclose int tree = -1;
	int rc;
	STEP(e, "passwd", "a line for uid %u", l->uid);

	rc = read_passwd(&b, e);
	if (rc != 0)
		return rc < 0 ? -1 : 0;
	if (b.len && b.p[b.len - 1] != '\n')
		buf_addc(&b, '\n');
	if (l->name)
		buf_adds(&b, l->name);
	else
		buf_addf(&b, "%u", l->uid);
	buf_addf(&b, ":*:%u:%u:container user:%s:/bin/sh\n", l->uid, l->gid,
		 l->home);
	if (b.over)
		return err_set(e, ERR_TOOBIG, "/etc/passwd: larger than %zu",
			       b.max);
	fd = path_open(dev, name, PATH_NO_LINKS, O_WRONLY | O_CREAT | O_EXCL,
		       0644);
	if (fd < 0)
		return err_sys(e, "openat2", "/dev/%s", name);
	if (io_write_all(fd, buf_str(&b), b.len, name, e) < 0)
		return -1;
	tree = mnt_clone(dev, name, false, readonly, 0, e);
	rc = tree < 0 ? -1
		      : place_attach(AT_FDCWD, tree, "/etc/passwd",
				     PATH_IN_ROOT, false, e);
	/* Only then: a file without a name is not mounted. */
	(void)path_unlink(dev, name, PATH_NO_LINKS, 0);
	return rc;
}
