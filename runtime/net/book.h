/*
 * book - which address of a network is whose
 *
 *   networks/<name>/used/<address>  a symlink; its text is the container's id
 *                                   (its first digits, the others packed)
 *                                   and, behind spaces, the names by which
 *                                   others in the network know it
 *   networks/<name>/lock            flock'ed while one is chosen; it holds the
 *                                   address that was given last
 *
 * A symlink is made with its text or not at all, and only if there is none of
 * its name: so it is the reservation, and says by itself whose it is. Nothing
 * is to be repaired after a crash or a reboot. An address whose owner is gone
 * is given to others when there are no more free ones.
 *
 * Addresses are given in turn, so that one that was let go just now stays
 * unused for as long as possible: its old owner's network is still being taken
 * apart by the kernel.
 *
 * Errors: ERR_USAGE, an address that cannot be had in this network; ERR_BUSY,
 * it is another's, or there is no more.
 */
#ifndef RUNTIME_NET_BOOK_H
#define RUNTIME_NET_BOOK_H

#include "base/err.h"
#include "base/ip.h"
#include "runtime/net/netdef.h"

struct book_ask {
	const struct netdef *net;
	const char *id;    /* of the container */
	const char *names; /* with spaces between them; may be empty */
	struct ip ip;      /* wanted; none: any */
	struct ip ip6;
};

/* For each family that the network has. On an error nothing is reserved. */
int book_reserve(int root_fd, const struct book_ask *a, struct ip *ret_ip,
		 struct ip *ret_ip6, struct err *e);

/* What is another's by now, or nobody's, is left alone. */
int book_release(int root_fd, const char *network, const char *id,
		 const char *address, struct err *e);

/* All that a container has in a network, when it is not known which. */
int book_release_in(int root_fd, const char *network, const char *id,
		    struct err *e);
/* In all networks. */
int book_release_all(int root_fd, const char *id, struct err *e);

/* The first of the names of a container, which is its own, is another now. */
int book_rename(int root_fd, const char *network, const char *id,
		const char *name, struct err *e);

/* Everyone in a network, in no order; ends with fn's first non-zero result. */
typedef int (*book_fn)(void *ctx, const char *address, const char *id,
		       const char *names, struct err *e);
int book_each(int root_fd, const char *network, book_fn fn, void *ctx,
	      struct err *e);

/* An fd that holds the lock of a network. */
int book_lock(int root_fd, const char *network, struct err *e);

#endif
