/*
 * nftsock - the socket by which this process speaks to nf_tables
 *
 * There is one, it is opened when it is needed first, and is not closed:
 * close(2) of a socket to nf_tables waits until the kernel has freed what
 * anybody deleted, which it does an RCU grace period later (10 ms and more).
 * So that is left to the process that goes on when ours has ended
 * (proc_hold).
 *
 * Life: nftsock_take -> send and hear all that is answered -> nftsock_put.
 * Who has not heard everything closes it instead. Who takes a second one
 * meanwhile gets one that is opened for him. A child has none of its parent's.
 */
#ifndef RUNTIME_NET_NFTSOCK_H
#define RUNTIME_NET_NFTSOCK_H

#include "base/err.h"

#include <linux/netlink.h>
#include <stddef.h>

int nftsock_take(struct err *e);
void nftsock_put(int *fd);

/* Close it: for who goes to another network namespace. */
void nftsock_forget(void);

/* All of p in one call. */
int nftsock_send(int fd, const void *p, size_t n, struct err *e);

/* Whether what the kernel answered to "what" is a refusal, as an error. */
int nftsock_refusal(const struct nlmsghdr *m, const char *what, struct err *e);

#endif
