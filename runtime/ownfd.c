#include "ownfd.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

/* A pipe or a terminal that polls writable takes this much. */
#define PIECE 4096

void ownfd_init(struct ownfd *o, int fd)
{
	struct stat st;

	*o = (struct ownfd){.fd = fd};
	o->is_file = fd >= 0 && fstat(fd, &st) == 0 &&
		     (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
}

static ssize_t try_write(struct ownfd *o, const void *p, size_t n, bool polled)
{
	const struct iovec iov = {(void *)(uintptr_t)p, n};
	ssize_t rc;

	if (o->is_file)
		return write(o->fd, p, n);
	if (!o->no_nowait) {
		rc = syscall(SYS_pwritev2, o->fd, &iov, 1UL, -1L, -1L,
			     RWF_NOWAIT);
		if (rc >= 0 || (errno != EOPNOTSUPP && errno != EINVAL &&
				errno != ENOSYS && errno != ESPIPE))
			return rc;
		o->no_nowait = true;
	}
	if (!polled)
		return 0;
	return write(o->fd, p, n < PIECE ? n : PIECE);
}

ssize_t ownfd_write(struct ownfd *o, const void *p, size_t n, bool polled)
{
	const ssize_t rc = try_write(o, p, n, polled);

	if (rc >= 0)
		return rc;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	o->why = errno;
	o->fd = -1;
	return -1;
}

size_t ownfd_splice(struct ownfd *o, int from, size_t n)
{
	ssize_t rc;

	if (o->fd < 0 || !o->is_file || o->no_splice)
		return 0;
	rc = splice(from, NULL, o->fd, NULL, n, SPLICE_F_NONBLOCK);
	/*
	 * Files opened with O_APPEND and some file systems do not support it.
	 */
	o->no_splice = rc < 0 && errno == EINVAL;
	return rc > 0 ? (size_t)rc : 0;
}

bool ownfd_is_left(const struct ownfd *o)
{
	return o->why == EPIPE || o->why == ECONNRESET ||
	       (o->why == EIO && !o->is_file);
}

int ownfd_lost(const struct ownfd *o, const char *name, struct err *e)
{
	if (!o->why || ownfd_is_left(o))
		return 0;
	return err_sysno(e, o->why, "write", "%s", name);
}
