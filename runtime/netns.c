#include "netns.h"

#include <errno.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/trace.h"
#include "base/userns.h"
#include "base/vclone.h"
#include "runtime/nsjoin.h"

#define LO_UP                                                    \
	{                                                        \
		.ifr_name = "lo",                                \
		.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK \
	}

/* One byte, with one fd or without. */
struct one_fd {
	char byte;
	struct iovec iov;
	union {
		char space[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} control;
	struct msghdr msg;
};

static void one_fd_init(struct one_fd *m)
{
	memset(m, 0, sizeof(*m));
	m->iov.iov_base = &m->byte;
	m->iov.iov_len = 1;
	m->msg.msg_iov = &m->iov;
	m->msg.msg_iovlen = 1;
	m->msg.msg_control = m->control.space;
	m->msg.msg_controllen = sizeof(m->control.space);
}

/* ---- the thread: no libc ---------------------------------------------------- */

struct ahead {
	int sock; /* of the caller's fds; its own copy of them is the thread's */
	struct ifreq lo;
	struct one_fd answer;
};

static long make(struct ahead *a)
{
	long s;

	if (vclone_raw(SYS_unshare, CLONE_NEWNET, 0, 0, 0) < 0)
		return -1;
	s = vclone_raw(SYS_socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0, 0);
	if (s < 0 ||
	    vclone_raw(SYS_ioctl, s, SIOCSIFFLAGS, (long)&a->lo, 0) < 0)
		return -1;
	return vclone_raw(SYS_ioctl, s, SIOCGSKNS, 0, 0);
}

static void be_ahead(void *arg)
{
	struct ahead *const a = arg;
	const int fd = (int)make(a);

	if (fd < 0)
		a->answer.msg.msg_controllen = 0;
	else
		*(int *)(void *)CMSG_DATA(&a->answer.control.head) = fd;
	(void)vclone_raw(SYS_sendmsg, a->sock, (long)&a->answer.msg,
			 MSG_NOSIGNAL, 0);
}

/* ---- its callers -------------------------------------------------------------- */

int netns_ahead(const struct run_spec *s)
{
	static struct ahead a = {.lo = LO_UP};
	int pair[2];

	if (!spec_own_net(s) || s->userns || nsjoin_is_wanted(s))
		return -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	a.sock = pair[1];
	one_fd_init(&a.answer);
	a.answer.control.head.cmsg_level = SOL_SOCKET;
	a.answer.control.head.cmsg_type = SCM_RIGHTS;
	a.answer.control.head.cmsg_len = CMSG_LEN(sizeof(int));
	if (vclone_beside(be_ahead, &a) < 0) {
		(void)close(pair[0]);
		pair[0] = -1;
	}
	/* Now the thread alone has it: its end is the end of file. */
	(void)close(pair[1]);
	return pair[0];
}

int netns_take(int ahead, struct err *e)
{
	struct one_fd m;
	const struct cmsghdr *c;
	STEP(e, "network", "take the namespace made ahead");

	one_fd_init(&m);
	if (recvmsg(ahead, &m.msg, MSG_CMSG_CLOEXEC) < 0)
		return err_sys(e, "recvmsg", "the network namespace");
	c = CMSG_FIRSTHDR(&m.msg);
	if (c && c->cmsg_type == SCM_RIGHTS) {
		/* Not closed: init is about to execute, or to die. */
		const int fd = *(const int *)(const void *)CMSG_DATA(c);

		if (setns(fd, CLONE_NEWNET) < 0)
			return err_sys(e, "setns", "CLONE_NEWNET");
		return 0;
	}
	if (unshare(CLONE_NEWNET) < 0) {
		(void)err_sys(e, "unshare", "CLONE_NEWNET");
		userns_explain(e);
		return -1;
	}
	return netns_lo_up(e);
}

int netns_lo_up(struct err *e)
{
	struct ifreq lo = LO_UP;
	/* Not closed, as above. */
	const int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	STEP(e, "network", "lo up");

	if (s < 0)
		return err_sys(e, "socket", "AF_INET");
	if (ioctl(s, SIOCSIFFLAGS, &lo) == 0)
		return 0;
	(void)err_sys(e, "ioctl", "SIOCSIFFLAGS lo");
	if (e->sys == EPERM)
		(void)err_hint(e, "root without CAP_NET_ADMIN can have "
				  "--network host alone; an outer container "
				  "gives it with --cap-add NET_ADMIN");
	return -1;
}
