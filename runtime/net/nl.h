/*
 * nl - requests to the kernel over netlink, many in one call
 *
 * A struct nl is a socket and the messages that wait to be sent. Each is begun
 * with words that say what it does; when the kernel refuses one, the error has
 * these words, the errno and what the kernel itself says (its extended ack).
 *
 *         struct nl n;
 *         char mem[NL_ROOM];
 *         nl_open(&n, NETLINK_ROUTE, mem, sizeof(mem), e);
 *         h = nl_begin(&n, "address %s on eth0", text);
 *         ... mnl_nlmsg_put_header(h) or nl_put, attributes by mnl_attr_put_*
 *         nl_talk(&n, e);
 *
 * The kernel works on the messages one after the other, also behind one that it
 * refused (but for nftables, where a batch is a transaction).
 *
 * A socket belongs to the network namespace in which it was opened.
 */
#ifndef RUNTIME_NET_NL_H
#define RUNTIME_NET_NL_H

#include "base/err.h"

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NL_ROOM        8192 /* for what one container needs */
#define NL_MESSAGE_MAX 2048 /* so much is free where nl_begin points to */
#define NL_MANY        64
#define NL_WHAT_MAX    64

struct nl {
	int fd;
	uint32_t seq; /* of the first one that waits */
	uint32_t n;   /* how many wait */
	bool over;    /* too many */
	char *mem;
	size_t size;
	size_t len; /* without the last one, which may still grow */
	char what[NL_MANY][NL_WHAT_MAX];
};
#define autonl __attribute__((cleanup(nl_close)))

/* mem: for the messages, the caller's, aligned as for a struct nlmsghdr. */
int nl_open(struct nl *n, int bus, void *mem, size_t size, struct err *e);

/*
 * The same in the network namespace of a process or of an open file of one
 * (pidfd or /proc/PID/ns/net). The caller must be alone in its process: it goes
 * there and comes back.
 */
int nl_open_in(struct nl *n, int netns, int bus, void *mem, size_t size,
	       struct err *e);

void nl_close(struct nl *n);

/* Room for one more message, with the number that its nlmsg_seq has to be. */
void *nl_begin(struct nl *n, uint32_t *ret_seq, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * A request with its fixed part (size bytes, zeroed, at
 * mnl_nlmsg_get_payload), already begun; flags are added to NLM_F_REQUEST.
 */
struct nlmsghdr *nl_put(struct nl *n, uint16_t type, uint16_t flags,
			size_t size, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Send all that waits and hear the answers; the first error is told. */
int nl_talk(struct nl *n, struct err *e);

/*
 * Send the one that waits, and have cb called with each message of the answer
 * (libmnl's MNL_CB_*).
 */
int nl_ask(struct nl *n, mnl_cb_t cb, void *ctx, struct err *e);

/* What the kernel says beside the number, in an error message; or NULL. */
const char *nl_words(const struct nlmsghdr *h);

/*
 * The first attribute of this type behind the fixed part of a message, if what
 * is in it is of that kind; NULL without one. The same of a nested one.
 */
const struct nlattr *nl_attr(const struct nlmsghdr *h, size_t fixed,
			     uint16_t type, enum mnl_attr_data_type data);
const struct nlattr *nl_attr_in(const struct nlattr *nest, uint16_t type,
				enum mnl_attr_data_type data);

#endif
