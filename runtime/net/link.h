/*
 * link - network interfaces, their addresses and routes, by netlink
 *
 * The functions that put something add a message to what waits in a struct nl
 * (nl.h), so that several go in one call; those that ask do it at once.
 */
#ifndef RUNTIME_NET_LINK_H
#define RUNTIME_NET_LINK_H

#include "base/err.h"
#include "base/ip.h"
#include "runtime/net/nl.h"

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct link {
	uint32_t index; /* 0: there is none of this name */
	uint32_t flags; /* IFF_UP, ... */
	uint32_t mtu;
	char kind[16];   /* "bridge", "veth"; empty: a device */
	char alias[256]; /* what its maker wrote there */
};

/* Absent is no error. */
int link_find(struct nl *n, const char *name, struct link *ret, struct err *e);

/* The index of an interface where the socket is; 0: none. */
uint32_t link_index(const struct nl *n, const char *name);

/*
 * A new interface, up or not; the caller adds attributes and nests. index: of
 * link_new_index, or 0: the kernel's choice.
 */
struct nlmsghdr *link_put_new(struct nl *n, uint32_t index, const char *name,
			      bool up, const char *kind);
/*
 * A number that no interface is likely to have. The messages behind the one
 * that makes it can speak of it, so that all go in one call: nobody can be
 * killed between two of them, and none is about another's if the first is
 * refused.
 */
uint32_t link_new_index(void);
/* Change one: up, and more by attributes. */
struct nlmsghdr *link_put_change(struct nl *n, uint32_t index, bool up,
				 const char *what);
/* What is shown beside it; the kernel takes none with the making message. */
void link_put_alias(struct nl *n, uint32_t index, const char *alias);
/* At once; absent is success. */
int link_remove(struct nl *n, const char *name, struct err *e);

void link_put_address(struct nl *n, uint32_t index, const struct ip *a,
		      uint8_t prefix);
/* By a gateway; one of zeros: all is a neighbour. */
void link_put_default(struct nl *n, uint32_t index, const struct ip *gateway);

/* The alias of an interface on the host that a store has made. */
#define LINK_OWNER_MAX 256
void link_owner(const char *root_path, char ret[LINK_OWNER_MAX]);

/* MTU of the interface that has the host's default route; 0: there is none. */
uint32_t link_default_mtu(struct nl *n);

#endif
