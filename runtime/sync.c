#include "sync.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"

static const char *const names[SYNC_STEPS] = {
	[SYNC_UNSHARED] = "UNSHARED", [SYNC_PLUMBED] = "PLUMBED",
	[SYNC_TTY] = "TTY",           [SYNC_GO] = "GO",
	[SYNC_ERROR] = "ERROR",
};

union fd_space {
	char buf[CMSG_SPACE(sizeof(int) * SYNC_FDS_MAX)];
	struct cmsghdr head;
};

int sync_pair(int ret[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret) < 0)
		return err_sys(e, "socketpair", "between monitor and init");
	return 0;
}

static int send_msg(int sock, const struct sync_msg *m, size_t len,
		    const int *fds, int n, struct err *e)
{
	/* A step without an error is its number alone. */
	struct iovec iov = {.iov_base = (void *)(uintptr_t)m, .iov_len = len};
	union fd_space space;
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t rc;

	if (n > 0) {
		/* At its start, where CMSG_FIRSTHDR would find it. */
		struct cmsghdr *const c = &space.head;

		memset(&space, 0, sizeof(space));
		h.msg_control = space.buf;
		h.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n);
	}
	do {
		rc = sendmsg(sock, &h, MSG_NOSIGNAL);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return err_sys(e, "sendmsg", "step %s", names[m->step]);
	return 0;
}

int sync_send_fds(int sock, enum sync_step step, const int *fds, int n,
		  struct err *e)
{
	const struct sync_msg m = {.step = (uint32_t)step};

	return send_msg(sock, &m, sizeof(m.step), fds, n, e);
}

int sync_send(int sock, enum sync_step step, struct err *e)
{
	return sync_send_fds(sock, step, NULL, 0, e);
}

/* Every fd that came is taken, so that none leaks on a short answer. */
static int take_fds(struct msghdr *h, int *ret, int max)
{
	int n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		int fds[SYNC_FDS_MAX];
		int k;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		k = (int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), (size_t)k * sizeof(int));
		for (int i = 0; i < k; i++) {
			if (n < max)
				ret[n++] = fds[i];
			else
				(void)close(fds[i]);
		}
	}
	return n;
}

/* Returns the bytes received (0: end of file) and the fds. */
static ssize_t recv_msg(int sock, struct sync_msg *m, int *fds, int max,
			int *ret_n)
{
	struct iovec iov = {.iov_base = m, .iov_len = sizeof(*m)};
	union fd_space space;
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (max > 0) {
		h.msg_control = space.buf;
		h.msg_controllen = sizeof(space.buf);
	}
	/*
	 * ECONNRESET says once that the peer closed without having read all;
	 * what it wrote before is still there to be read.
	 */
	do {
		n = recvmsg(sock, &h, MSG_CMSG_CLOEXEC);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	*ret_n = n >= 0 && max > 0 ? take_fds(&h, fds, max) : 0;
	return n;
}

int sync_wait_fds(int sock, enum sync_step step, int *ret_fds, int max,
		  struct err *e)
{
	struct sync_msg m = {0};
	int n_fds = 0;
	const ssize_t n = recv_msg(sock, &m, ret_fds, max, &n_fds);

	if (n < 0)
		return err_sys(e, "recvmsg", "step %s", names[step]);
	if (n == 0)
		return err_set(e, ERR_GONE, "the other process died before %s",
			       names[step]);
	if (n == (ssize_t)sizeof(m) && m.step == SYNC_ERROR) {
		*e = m.err;
		return -1;
	}
	if (n < (ssize_t)sizeof(m.step) || m.step != (uint32_t)step)
		return err_set(e, ERR_INVALID, "unexpected message before %s",
			       names[step]);
	return n_fds;
}

int sync_wait(int sock, enum sync_step step, struct err *e)
{
	return sync_wait_fds(sock, step, NULL, 0, e) < 0 ? -1 : 0;
}

int sync_wait_exec(int sock, struct err *e)
{
	struct sync_msg m = {0};
	int n_fds = 0;
	const ssize_t n = recv_msg(sock, &m, NULL, 0, &n_fds);

	if (n < 0)
		return err_sys(e, "recvmsg", "end of the start");
	if (n == 0)
		return 0;
	if (n != (ssize_t)sizeof(m) || m.step != SYNC_ERROR)
		return err_set(e, ERR_INVALID, "unexpected message after GO");
	*e = m.err;
	return -1;
}

void sync_die(int sock, const struct err *why)
{
	const struct sync_msg m = {.step = SYNC_ERROR, .err = *why};
	struct err ignored = {0};

	(void)send_msg(sock, &m, sizeof(m), NULL, 0, &ignored);
	_exit(125);
}
