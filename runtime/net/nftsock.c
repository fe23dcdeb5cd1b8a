#include "nftsock.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/own.h"
#include "base/proc.h"
#include "runtime/net/nl.h"

/* The one that is not in use, and whose it is. */
static struct {
	pid_t pid;
	int fd;
} idle = {.fd = -1};

static int open_socket(struct err *e)
{
	struct nl n;

	if (nl_open(&n, NETLINK_NETFILTER, NULL, 0, e) == 0)
		return n.fd;
	if (e->sys == EPROTONOSUPPORT)
		return err_hint(e, "this kernel has no nf_tables: try "
				   "'modprobe nf_tables'");
	return -1;
}

int nftsock_take(struct err *e)
{
	if (idle.fd < 0 || idle.pid != getpid())
		return open_socket(e);
	proc_hold(-1);
	return take_fd(&idle.fd);
}

void nftsock_put(int *fd)
{
	const pid_t pid = getpid();

	if (idle.fd >= 0 && idle.pid == pid) {
		own_close(fd);
		return;
	}
	idle.pid = pid;
	idle.fd = take_fd(fd);
	proc_hold(idle.fd);
}

void nftsock_forget(void)
{
	struct err ignored = {0};
	autoclose int fd = nftsock_take(&ignored);
}

/* Room for n bytes; without the privilege what the system allows. */
static void grow(int fd, size_t n)
{
	const int size = (int)n;

	if (n > KIB(128))
		(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size,
				 sizeof(size));
}

int nftsock_send(int fd, const void *p, size_t n, struct err *e)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	grow(fd, n);
	if (sendto(fd, p, n, 0, (const struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return err_sys(e, "sendto", "nf_tables, %zu bytes", n);
	return 0;
}

int nftsock_refusal(const struct nlmsghdr *m, const char *what, struct err *e)
{
	const struct nlmsgerr *const r = NLMSG_DATA(m);
	const char *const words = nl_words(m);

	(void)err_sysno(e, -r->error, "nf_tables", "%s", what);
	if (words)
		(void)err_append(e, ": %s", words);
	if (r->error == -EPERM)
		(void)err_hint(e, "changing the firewall needs CAP_NET_ADMIN "
				  "in the host's network namespace");
	if (r->error == -EOPNOTSUPP || r->error == -ENOENT)
		(void)err_hint(e, "the kernel may lack a part of nf_tables "
				  "(nft_nat, nft_masq, nft_ct, nft_fib_inet)");
	return -1;
}
