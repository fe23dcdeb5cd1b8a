#include "attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/own.h"

#define KIND (SOCK_SEQPACKET | SOCK_CLOEXEC)

int attach_pair(int ret[2], struct err *e)
{
	if (socketpair(AF_UNIX, KIND, 0, ret) < 0)
		return err_sys(e, "socketpair", "to the monitor");
	return 0;
}

int attach_send(int fd, enum attach_type type, const void *p, size_t n,
		int flags)
{
	char t = (char)type;
	const struct iovec iov[] = {{&t, 1}, {(void *)(uintptr_t)p, n}};
	const struct msghdr h = {.msg_iov = (struct iovec *)(uintptr_t)iov,
				 .msg_iovlen = n ? 2 : 1};
	ssize_t rc;

	do {
		rc = sendmsg(fd, &h, flags | MSG_NOSIGNAL);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -1 : 0;
}

ssize_t attach_recv(int fd, enum attach_type *ret_type, void *buf, int flags)
{
	char t = 0;
	struct iovec iov[] = {{&t, 1}, {buf, ATTACH_DATA_MAX}};
	struct msghdr h = {.msg_iov = iov, .msg_iovlen = 2};
	ssize_t n;

	/*
	 * ECONNRESET is said once, to tell that the peer went without reading
	 * all of ours; what it sent before still waits behind it.
	 */
	do {
		n = recvmsg(fd, &h, flags);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n == 0)
		errno = 0;
	if (n <= 0)
		return -1;
	if (h.msg_flags & MSG_TRUNC) {
		errno = EMSGSIZE;
		return -1;
	}
	*ret_type = (enum attach_type)t;
	return n - 1;
}

/* By way of the directory's fd: the path of a store may be longer than 108. */
static void address(int dir_fd, struct sockaddr_un *ret)
{
	*ret = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(ret->sun_path, sizeof(ret->sun_path),
		       "/proc/self/fd/%d/" ATTACH_NAME, dir_fd);
}

int attach_listen(int dir_fd, struct err *e)
{
	autoclose int fd = socket(AF_UNIX, KIND | SOCK_NONBLOCK, 0);
	struct sockaddr_un a;
	mode_t old;
	int rc;

	if (fd < 0)
		return err_sys(e, "socket", "AF_UNIX");
	address(dir_fd, &a);
	/* Of a monitor that was killed. */
	(void)unlinkat(dir_fd, ATTACH_NAME, 0);
	/* Who can connect can type: the owner alone. */
	old = umask(0177);
	rc = bind(fd, (const struct sockaddr *)&a, sizeof(a));
	(void)umask(old);
	if (rc < 0)
		return err_sys(e, "bind", ATTACH_NAME);
	if (listen(fd, 16) < 0)
		return err_sys(e, "listen", ATTACH_NAME);
	return take_fd(&fd);
}

int attach_accept(int listen_fd)
{
	return accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

int attach_connect(int dir_fd, struct err *e)
{
	autoclose int fd = socket(AF_UNIX, KIND, 0);
	struct sockaddr_un a;

	if (fd < 0)
		return err_sys(e, "socket", "AF_UNIX");
	address(dir_fd, &a);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) == 0)
		return take_fd(&fd);
	if (errno == ENOENT || errno == ECONNREFUSED)
		return err_set(e, ERR_NOTFOUND, "nobody listens");
	return err_sys(e, "connect", ATTACH_NAME);
}

void attach_poke(int dir_fd)
{
	struct err ignored = {0};
	autoclose int fd = attach_connect(dir_fd, &ignored);

	(void)fd;
}

void attach_signal(int dir_fd, int sig)
{
	struct err ignored = {0};
	autoclose int fd = attach_connect(dir_fd, &ignored);
	const char byte = (char)sig;

	if (fd >= 0)
		(void)attach_send(fd, ATTACH_SIGNAL, &byte, 1, 0);
}
