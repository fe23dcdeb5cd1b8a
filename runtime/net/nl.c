#include "nl.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"

/* Where the kernel sends more than this at once it is cut, and that is seen. */
#define ANSWER_MAX 32768

/* ---- sockets -------------------------------------------------------------- */

int nl_open(struct nl *n, int bus, void *mem, size_t size, struct err *e)
{
	const int one = 1;
	const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, bus);

	n->fd = fd;
	n->seq = 1;
	n->n = 0;
	n->over = false;
	n->mem = mem;
	n->size = size;
	n->len = 0;
	if (fd < 0)
		return err_sys(e, "socket", "AF_NETLINK");
	/* Without them errors have fewer words. */
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	return 0;
}

int nl_open_in(struct nl *n, int netns, int bus, void *mem, size_t size,
	       struct err *e)
{
	autoclose int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int rc;

	n->fd = -1;
	if (home < 0)
		return err_sys(e, "open", "/proc/self/ns/net");
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_sys(e, "setns", "the container's network");
	rc = nl_open(n, bus, mem, size, e);
	if (setns(home, CLONE_NEWNET) == 0)
		return rc;
	if (rc == 0)
		(void)err_sys(e, "setns", "back to our own network");
	nl_close(n);
	return -1;
}

void nl_close(struct nl *n)
{
	own_close(&n->fd);
}

/* ---- messages ------------------------------------------------------------- */

/* The last one is complete now. */
static void end_last(struct nl *n)
{
	const struct nlmsghdr *const h = (void *)(n->mem + n->len);

	if (n->n > 0)
		n->len += MNL_ALIGN(h->nlmsg_len);
}

static void *begin(struct nl *n, uint32_t *ret_seq, const char *fmt, va_list ap)
{
	end_last(n);
	if (n->n == NL_MANY || n->len + NL_MESSAGE_MAX > n->size) {
		n->over = true;
		n->n = 0;
		n->len = 0;
	}
	(void)vsnprintf(n->what[n->n], sizeof(n->what[0]), fmt, ap);
	*ret_seq = n->seq + n->n++;
	return n->mem + n->len;
}

void *nl_begin(struct nl *n, uint32_t *ret_seq, const char *fmt, ...)
{
	va_list ap;
	void *p;

	va_start(ap, fmt);
	p = begin(n, ret_seq, fmt, ap);
	va_end(ap);
	return p;
}

struct nlmsghdr *nl_put(struct nl *n, uint16_t type, uint16_t flags,
			size_t size, const char *fmt, ...)
{
	struct nlmsghdr *h;
	uint32_t seq;
	va_list ap;

	va_start(ap, fmt);
	h = mnl_nlmsg_put_header(begin(n, &seq, fmt, ap));
	va_end(ap);
	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = seq;
	(void)mnl_nlmsg_put_extra_header(h, size);
	return h;
}

struct find {
	uint16_t type;
	enum mnl_attr_data_type data;
	const struct nlattr *found;
};

static int find_attr(const struct nlattr *a, void *ctx)
{
	struct find *const f = ctx;

	if (mnl_attr_get_type(a) != f->type ||
	    mnl_attr_validate(a, f->data) < 0)
		return MNL_CB_OK;
	f->found = a;
	return MNL_CB_STOP;
}

const struct nlattr *nl_attr(const struct nlmsghdr *h, size_t fixed,
			     uint16_t type, enum mnl_attr_data_type data)
{
	struct find f = {.type = type, .data = data};

	(void)mnl_attr_parse(h, (unsigned int)fixed, find_attr, &f);
	return f.found;
}

const struct nlattr *nl_attr_in(const struct nlattr *nest, uint16_t type,
				enum mnl_attr_data_type data)
{
	struct find f = {.type = type, .data = data};

	(void)mnl_attr_parse_nested(nest, find_attr, &f);
	return f.found;
}

/* ---- answers -------------------------------------------------------------- */

const char *nl_words(const struct nlmsghdr *h)
{
	const struct nlmsgerr *const answer = mnl_nlmsg_get_payload(h);
	size_t fixed = sizeof(*answer);
	const struct nlattr *a;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return NULL;
	/* Our own message stands between, unless it was left out. */
	if (!(h->nlmsg_flags & NLM_F_CAPPED))
		fixed += MNL_ALIGN(mnl_nlmsg_get_payload_len(&answer->msg));
	a = nl_attr(h, fixed, NLMSGERR_ATTR_MSG, MNL_TYPE_NUL_STRING);
	return a ? mnl_attr_get_str(a) : NULL;
}

static void take_error(const struct nl *n, const struct nlmsghdr *h,
		       struct err *e)
{
	const struct nlmsgerr *const answer = mnl_nlmsg_get_payload(h);
	const uint32_t i = h->nlmsg_seq - n->seq;
	const char *const words = nl_words(h);

	if (err_is(e))
		return;
	(void)err_sysno(e, -answer->error, "netlink", "%s",
			i < NL_MANY ? n->what[i] : "");
	if (words)
		(void)err_append(e, ": %s", words);
}

static bool is_error(const struct nlmsghdr *h)
{
	return h->nlmsg_type == NLMSG_ERROR &&
	       h->nlmsg_len >= mnl_nlmsg_size(sizeof(struct nlmsgerr));
}

/*
 * What is to be heard is there when send(2) returns. 0: no more of it, as
 * behind the last message of a batch for nftables, which is not answered by
 * all kernels.
 */
static ssize_t receive(const struct nl *n, void *mem, size_t size,
		       struct err *e)
{
	ssize_t got;

	do {
		got = recv(n->fd, mem, size, MSG_TRUNC | MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got < 0)
		return err_sys(e, "recv", "netlink");
	if ((size_t)got > size)
		return err_set(e, ERR_TOOBIG, "netlink: an answer of %zd bytes",
			       got);
	return got;
}

static int send_all(struct nl *n, bool ack, struct err *e)
{
	struct nlmsghdr *const last = (void *)(n->mem + n->len);
	ssize_t sent;

	if (ack)
		last->nlmsg_flags |= NLM_F_ACK;
	end_last(n);
	if (n->over)
		return err_set(e, ERR_TOOBIG, "netlink: too many messages");
	do {
		sent = send(n->fd, n->mem, n->len, 0);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? err_sys(e, "send", "netlink: %s", n->what[0]) : 0;
}

/* The next ones have higher numbers. */
static void start_over(struct nl *n)
{
	n->seq += n->n;
	n->n = 0;
	n->len = 0;
	n->over = false;
}

/*
 * Only the last one asks for an answer: the others answer when they fail, and
 * before it.
 */
static int hear(const struct nl *n, struct err *e)
{
	const uint32_t last = n->seq + n->n - 1;
	_Alignas(struct nlmsghdr) char mem[4096];

	for (;;) {
		const struct nlmsghdr *h = (void *)mem;
		const ssize_t got = receive(n, mem, sizeof(mem), e);
		int len = (int)got;

		if (got <= 0)
			return err_is(e) ? -1 : 0;
		for (; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len)) {
			const struct nlmsgerr *const answer =
				mnl_nlmsg_get_payload(h);

			if (!is_error(h))
				continue;
			if (answer->error)
				take_error(n, h, e);
			if (h->nlmsg_seq == last)
				return err_is(e) ? -1 : 0;
		}
	}
}

int nl_talk(struct nl *n, struct err *e)
{
	int rc;

	if (n->n == 0)
		return 0;
	rc = send_all(n, true, e);
	if (rc == 0)
		rc = hear(n, e);
	start_over(n);
	return rc;
}

static int hear_all(const struct nl *n, mnl_cb_t cb, void *ctx, struct err *e)
{
	_Alignas(struct nlmsghdr) char mem[ANSWER_MAX];

	for (;;) {
		const struct nlmsghdr *const h = (void *)mem;
		const ssize_t got = receive(n, mem, sizeof(mem), e);
		int rc;

		if (got <= 0)
			return err_is(e) ? -1 : 0;
		/* Of an answer that nobody heard to its end. */
		if (!mnl_nlmsg_ok(h, (int)got) || h->nlmsg_seq != n->seq)
			continue;
		if (is_error(h)) {
			const struct nlmsgerr *const answer =
				mnl_nlmsg_get_payload(h);

			if (answer->error)
				take_error(n, h, e);
			return err_is(e) ? -1 : 0;
		}
		rc = mnl_cb_run(mem, (size_t)got, n->seq, 0, cb, ctx);
		if (rc < 0)
			return err_sys(e, "netlink", "%s", n->what[0]);
		if (rc == MNL_CB_STOP)
			return 0;
	}
}

int nl_ask(struct nl *n, mnl_cb_t cb, void *ctx, struct err *e)
{
	/* A dump ends by itself, a single answer by its ack. */
	int rc = send_all(n, true, e);

	if (rc == 0)
		rc = hear_all(n, cb, ctx, e);
	start_over(n);
	return rc;
}
