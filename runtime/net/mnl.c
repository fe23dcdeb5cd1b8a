/*
 * mnl - libmnl's functions, as <libmnl/libmnl.h> declares them
 *
 * libnftnl builds and reads its messages with them, and so do we. Debian has
 * libnftnl.a but no libmnl.a, and prism is a static program, so here they are
 * for all builds: netlink's framing (netlink(7)) is a length and a type before
 * each message and each attribute, all of it on 4 bytes. Left out is what
 * neither libnftnl nor we call.
 *
 * What is read comes from the kernel; lengths are checked all the same.
 */
#include <libmnl/libmnl.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- messages ------------------------------------------------------------- */

struct nlmsghdr *mnl_nlmsg_put_header(void *buf)
{
	struct nlmsghdr *const h = buf;

	*h = (struct nlmsghdr){.nlmsg_len = MNL_NLMSG_HDRLEN};
	return h;
}

static void *tail(struct nlmsghdr *h)
{
	return (char *)h + MNL_ALIGN(h->nlmsg_len);
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *nlh, size_t size)
{
	void *const p = tail(nlh);

	memset(p, 0, MNL_ALIGN(size));
	nlh->nlmsg_len += (uint32_t)MNL_ALIGN(size);
	return p;
}

size_t mnl_nlmsg_size(size_t len)
{
	return len + MNL_NLMSG_HDRLEN;
}

size_t mnl_nlmsg_get_payload_len(const struct nlmsghdr *nlh)
{
	return nlh->nlmsg_len - MNL_NLMSG_HDRLEN;
}

/* libmnl's getters give away the const of what they are given. */
static void *behind(const void *p, size_t n)
{
	return (void *)((uintptr_t)p + n);
}

void *mnl_nlmsg_get_payload(const struct nlmsghdr *nlh)
{
	return behind(nlh, MNL_NLMSG_HDRLEN);
}

void *mnl_nlmsg_get_payload_offset(const struct nlmsghdr *nlh, size_t offset)
{
	return behind(nlh, MNL_NLMSG_HDRLEN + MNL_ALIGN(offset));
}

void *mnl_nlmsg_get_payload_tail(const struct nlmsghdr *nlh)
{
	return behind(nlh, MNL_ALIGN(nlh->nlmsg_len));
}

bool mnl_nlmsg_ok(const struct nlmsghdr *nlh, int len)
{
	return len >= (int)sizeof(*nlh) && nlh->nlmsg_len >= sizeof(*nlh) &&
	       nlh->nlmsg_len <= (uint32_t)len;
}

struct nlmsghdr *mnl_nlmsg_next(const struct nlmsghdr *nlh, int *len)
{
	*len -= (int)MNL_ALIGN(nlh->nlmsg_len);
	return behind(nlh, MNL_ALIGN(nlh->nlmsg_len));
}

/* 0 on either side is "any": what the kernel says unasked. */
bool mnl_nlmsg_seq_ok(const struct nlmsghdr *nlh, unsigned int seq)
{
	return !nlh->nlmsg_seq || !seq || nlh->nlmsg_seq == seq;
}

bool mnl_nlmsg_portid_ok(const struct nlmsghdr *nlh, unsigned int portid)
{
	return !nlh->nlmsg_pid || !portid || nlh->nlmsg_pid == portid;
}

/* ---- attributes: writing -------------------------------------------------- */

void mnl_attr_put(struct nlmsghdr *nlh, uint16_t type, size_t len,
		  const void *data)
{
	struct nlattr *const a = tail(nlh);
	const size_t size = MNL_ATTR_HDRLEN + len;

	a->nla_type = type;
	a->nla_len = (uint16_t)size;
	if (len)
		memcpy((char *)a + MNL_ATTR_HDRLEN, data, len);
	memset((char *)a + size, 0, MNL_ALIGN(size) - size);
	nlh->nlmsg_len += (uint32_t)MNL_ALIGN(size);
}

void mnl_attr_put_u8(struct nlmsghdr *nlh, uint16_t type, uint8_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u16(struct nlmsghdr *nlh, uint16_t type, uint16_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u32(struct nlmsghdr *nlh, uint16_t type, uint32_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_u64(struct nlmsghdr *nlh, uint16_t type, uint64_t data)
{
	mnl_attr_put(nlh, type, sizeof(data), &data);
}

void mnl_attr_put_str(struct nlmsghdr *nlh, uint16_t type, const char *data)
{
	mnl_attr_put(nlh, type, strlen(data), data);
}

void mnl_attr_put_strz(struct nlmsghdr *nlh, uint16_t type, const char *data)
{
	mnl_attr_put(nlh, type, strlen(data) + 1, data);
}

bool mnl_attr_put_check(struct nlmsghdr *nlh, size_t buflen, uint16_t type,
			size_t len, const void *data)
{
	if (nlh->nlmsg_len + MNL_ATTR_HDRLEN + MNL_ALIGN(len) > buflen)
		return false;
	mnl_attr_put(nlh, type, len, data);
	return true;
}

struct nlattr *mnl_attr_nest_start(struct nlmsghdr *nlh, uint16_t type)
{
	struct nlattr *const a = tail(nlh);

	a->nla_type = (uint16_t)(NLA_F_NESTED | type);
	nlh->nlmsg_len += (uint32_t)MNL_ATTR_HDRLEN;
	return a;
}

void mnl_attr_nest_end(struct nlmsghdr *nlh, struct nlattr *start)
{
	start->nla_len = (uint16_t)((char *)tail(nlh) - (char *)start);
}

/* ---- attributes: reading -------------------------------------------------- */

uint16_t mnl_attr_get_type(const struct nlattr *attr)
{
	return attr->nla_type & NLA_TYPE_MASK;
}

uint16_t mnl_attr_get_len(const struct nlattr *attr)
{
	return attr->nla_len;
}

uint16_t mnl_attr_get_payload_len(const struct nlattr *attr)
{
	return (uint16_t)(attr->nla_len - MNL_ATTR_HDRLEN);
}

void *mnl_attr_get_payload(const struct nlattr *attr)
{
	return behind(attr, MNL_ATTR_HDRLEN);
}

uint8_t mnl_attr_get_u8(const struct nlattr *attr)
{
	return *(const uint8_t *)mnl_attr_get_payload(attr);
}

uint16_t mnl_attr_get_u16(const struct nlattr *attr)
{
	return *(const uint16_t *)mnl_attr_get_payload(attr);
}

uint32_t mnl_attr_get_u32(const struct nlattr *attr)
{
	return *(const uint32_t *)mnl_attr_get_payload(attr);
}

/* It lies on 4 bytes only. */
uint64_t mnl_attr_get_u64(const struct nlattr *attr)
{
	uint64_t n;

	memcpy(&n, mnl_attr_get_payload(attr), sizeof(n));
	return n;
}

const char *mnl_attr_get_str(const struct nlattr *attr)
{
	return mnl_attr_get_payload(attr);
}

bool mnl_attr_ok(const struct nlattr *attr, int len)
{
	return len >= (int)sizeof(*attr) && attr->nla_len >= sizeof(*attr) &&
	       (int)attr->nla_len <= len;
}

struct nlattr *mnl_attr_next(const struct nlattr *attr)
{
	return behind(attr, MNL_ALIGN(attr->nla_len));
}

/* Of a newer kernel than we know: to be passed over. */
int mnl_attr_type_valid(const struct nlattr *attr, uint16_t maxtype)
{
	if (mnl_attr_get_type(attr) <= maxtype)
		return 1;
	errno = EOPNOTSUPP;
	return -1;
}

static bool is_valid(const struct nlattr *a, enum mnl_attr_data_type type)
{
	static const uint8_t sizes[MNL_TYPE_MAX] = {
		[MNL_TYPE_U8] = 1,  [MNL_TYPE_U16] = 2,   [MNL_TYPE_U32] = 4,
		[MNL_TYPE_U64] = 8, [MNL_TYPE_MSECS] = 8,
	};
	const uint16_t len = mnl_attr_get_payload_len(a);
	const char *const text = mnl_attr_get_payload(a);

	switch (type) {
	case MNL_TYPE_FLAG:
		return len == 0;
	case MNL_TYPE_NUL_STRING:
		return len > 0 && text[len - 1] == '\0';
	case MNL_TYPE_STRING:
		return len > 0;
	case MNL_TYPE_NESTED:
		return len == 0 || len >= MNL_ATTR_HDRLEN;
	default:
		return type < MNL_TYPE_MAX && len >= sizes[type];
	}
}

int mnl_attr_validate(const struct nlattr *attr, enum mnl_attr_data_type type)
{
	if (is_valid(attr, type))
		return 0;
	errno = ERANGE;
	return -1;
}

int mnl_attr_parse_payload(const void *payload, size_t payload_len,
			   mnl_attr_cb_t cb, void *data)
{
	const char *const end = (const char *)payload + payload_len;
	const struct nlattr *a = payload;
	int rc = MNL_CB_OK;

	while (rc > MNL_CB_STOP &&
	       mnl_attr_ok(a, (int)(end - (const char *)a))) {
		rc = cb(a, data);
		a = mnl_attr_next(a);
	}
	return rc;
}

int mnl_attr_parse(const struct nlmsghdr *nlh, unsigned int offset,
		   mnl_attr_cb_t cb, void *data)
{
	const char *const from = mnl_nlmsg_get_payload_offset(nlh, offset);
	const char *const end = mnl_nlmsg_get_payload_tail(nlh);

	return end < from ? MNL_CB_OK
			  : mnl_attr_parse_payload(from, (size_t)(end - from),
						   cb, data);
}

int mnl_attr_parse_nested(const struct nlattr *attr, mnl_attr_cb_t cb,
			  void *data)
{
	return mnl_attr_parse_payload(mnl_attr_get_payload(attr),
				      mnl_attr_get_payload_len(attr), cb, data);
}

/* ---- answers -------------------------------------------------------------- */

static int take_error(const struct nlmsghdr *h)
{
	const struct nlmsgerr *const answer = mnl_nlmsg_get_payload(h);

	if (h->nlmsg_len < mnl_nlmsg_size(sizeof(*answer))) {
		errno = EBADMSG;
		return MNL_CB_ERROR;
	}
	errno = answer->error < 0 ? -answer->error : answer->error;
	return answer->error ? MNL_CB_ERROR : MNL_CB_STOP;
}

static int take_message(const struct nlmsghdr *h, mnl_cb_t cb, void *data)
{
	switch (h->nlmsg_type) {
	case NLMSG_NOOP:
		return MNL_CB_OK;
	case NLMSG_ERROR:
		return take_error(h);
	case NLMSG_DONE:
		return MNL_CB_STOP;
	case NLMSG_OVERRUN:
		errno = ENOBUFS;
		return MNL_CB_ERROR;
	default:
		return cb ? cb(h, data) : MNL_CB_OK;
	}
}

int mnl_cb_run(const void *buf, size_t numbytes, unsigned int seq,
	       unsigned int portid, mnl_cb_t cb_data, void *data)
{
	const struct nlmsghdr *h = buf;
	int len = (int)numbytes;
	int rc = MNL_CB_OK;

	while (rc > MNL_CB_STOP && mnl_nlmsg_ok(h, len)) {
		if (!mnl_nlmsg_portid_ok(h, portid)) {
			errno = ESRCH;
			return MNL_CB_ERROR;
		}
		/* The dump of a table that changes meanwhile is no dump. */
		if (!mnl_nlmsg_seq_ok(h, seq)) {
			errno = EPROTO;
			return MNL_CB_ERROR;
		}
		if (h->nlmsg_flags & NLM_F_DUMP_INTR) {
			errno = EINTR;
			return MNL_CB_ERROR;
		}
		rc = take_message(h, cb_data, data);
		h = mnl_nlmsg_next(h, &len);
	}
	return rc;
}

/* ---- sockets -------------------------------------------------------------- */

struct mnl_socket {
	int fd;
	struct sockaddr_nl addr;
};

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	struct mnl_socket *const s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->fd = socket(AF_NETLINK, SOCK_RAW | flags, bus);
	if (s->fd >= 0)
		return s;
	free(s);
	return NULL;
}

struct mnl_socket *mnl_socket_open(int bus)
{
	return mnl_socket_open2(bus, SOCK_CLOEXEC);
}

int mnl_socket_bind(struct mnl_socket *nl, unsigned int groups, pid_t pid)
{
	socklen_t len = sizeof(nl->addr);

	nl->addr = (struct sockaddr_nl){.nl_family = AF_NETLINK,
					.nl_groups = groups,
					.nl_pid = (uint32_t)pid};
	if (bind(nl->fd, (struct sockaddr *)&nl->addr, len) < 0)
		return -1;
	return getsockname(nl->fd, (struct sockaddr *)&nl->addr, &len);
}

int mnl_socket_close(struct mnl_socket *nl)
{
	const int rc = close(nl->fd);

	free(nl);
	return rc;
}

int mnl_socket_get_fd(const struct mnl_socket *nl)
{
	return nl->fd;
}

unsigned int mnl_socket_get_portid(const struct mnl_socket *nl)
{
	return nl->addr.nl_pid;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *nl, const void *req,
			  size_t siz)
{
	const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};

	return sendto(nl->fd, req, siz, 0, (const struct sockaddr *)&kernel,
		      sizeof(kernel));
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *nl, void *buf, size_t siz)
{
	struct sockaddr_nl from;
	struct iovec io = {.iov_base = buf, .iov_len = siz};
	struct msghdr msg = {.msg_name = &from,
			     .msg_namelen = sizeof(from),
			     .msg_iov = &io,
			     .msg_iovlen = 1};
	const ssize_t n = recvmsg(nl->fd, &msg, 0);

	if (n < 0)
		return -1;
	if (msg.msg_flags & MSG_TRUNC) {
		errno = ENOSPC;
		return -1;
	}
	return n;
}

/* ---- many messages in one ------------------------------------------------- */

struct mnl_nlmsg_batch {
	char *buf;
	size_t limit;
	char *at; /* where the next one begins */
};

struct mnl_nlmsg_batch *mnl_nlmsg_batch_start(void *buf, size_t bufsiz)
{
	struct mnl_nlmsg_batch *const b = malloc(sizeof(*b));

	if (b)
		*b = (struct mnl_nlmsg_batch){
			.buf = buf, .limit = bufsiz, .at = buf};
	return b;
}

void mnl_nlmsg_batch_stop(struct mnl_nlmsg_batch *b)
{
	free(b);
}

/* False: with this one it is past its limit, and has to be sent before it. */
bool mnl_nlmsg_batch_next(struct mnl_nlmsg_batch *b)
{
	const struct nlmsghdr *const h = (void *)b->at;

	if ((size_t)(b->at - b->buf) + h->nlmsg_len > b->limit)
		return false;
	b->at += MNL_ALIGN(h->nlmsg_len);
	return true;
}

size_t mnl_nlmsg_batch_size(struct mnl_nlmsg_batch *b)
{
	return (size_t)(b->at - b->buf);
}

void *mnl_nlmsg_batch_head(struct mnl_nlmsg_batch *b)
{
	return b->buf;
}

void *mnl_nlmsg_batch_current(struct mnl_nlmsg_batch *b)
{
	return b->at;
}

bool mnl_nlmsg_batch_is_empty(struct mnl_nlmsg_batch *b)
{
	return b->at == b->buf;
}
