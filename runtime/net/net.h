/*
 * net - the network of one container, from before its program runs to its end
 *
 * The one face of this wing for the rest of runtime: net_up is called by the
 * monitor when the container's namespaces are there and before GO; net_down by
 * whoever ends it: the monitor, or anybody who finds the work of a dead one
 * (container_settle, container_teardown).
 *
 *   containers/<id>/network   what it has (struct net_state); there, though
 *                             perhaps empty, before the first effect
 *   networks/<name>/used/...  addresses (book.h)
 *
 * What is in the kernel hangs on the container's network namespace, and goes
 * with it: the interfaces. What does not (addresses in the book, rules, lines
 * in other containers' hosts files) is taken back by net_down from what the
 * disk says alone; it can be repeated.
 *
 * Errors: of net_up they are those of a start. ERR_NOTFOUND: no such network.
 */
#ifndef RUNTIME_NET_NET_H
#define RUNTIME_NET_NET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/container.h"
#include "runtime/net/netdef.h"
#include "runtime/spec.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* One interface of the container, as it really is. */
struct net_end {
	char *network;
	char *network_id;
	char *driver; /* "bridge", "macvlan", "ipvlan" */
	char *name;   /* inside: eth0 */
	char *host;   /* bridge: its other end, on the host */
	char *link;   /* the bridge, or the parent */
	char *ip;
	char *gateway;
	char *ip6;
	char *gateway6;
	char *mac;
	uint32_t prefix;
	uint32_t prefix6;
	struct strv aliases;
	uint32_t number; /* among those of the container */
	bool internal;   /* its network leads nowhere */
	int gw_priority; /* of net_attach */
};

/* A published port, as it really is. */
struct net_port {
	char *ip;      /* on the host; NULL: all addresses */
	uint16_t host; /* never 0 */
	uint16_t port; /* in the container */
	char protocol[5];
};

/* The file "network". */
struct net_state {
	struct net_end *ends;
	size_t n_ends;
	struct net_port *ports;
	size_t n_ports;
	char *joining; /* the network whose address it is about to get */
	bool outlives; /* its processes may: interfaces are removed by us */
	char *user;    /* "pasta", "slirp4netns" */
	int user_pid;
};

/* Whose network it is. */
struct net_of {
	const struct container_home *home;
	const struct container *container;
};

/* Does this container have a network that needs net_up? */
static inline bool net_is_wanted(const struct run_spec *s)
{
	return s->net == NET_NETS || s->net == NET_USER;
}

/* What lives in the monitor meanwhile: ports that it carries, helpers. */
struct net_live;

/*
 * All that the spec asks for, for a container whose init is there (pid, and a
 * pidfd of it) and waits. After an error net_down is to be called. *ret may be
 * NULL.
 */
int net_up(const struct net_of *o, const struct run_spec *s, pid_t init,
	   int pidfd, struct net_live **ret, struct err *e);

/* For the monitor's poll loop: -1 when there is nothing to wait for. */
int net_live_fd(const struct net_live *l);
void net_live_turn(struct net_live *l);
/* A bridge may have come, and with it ports to hold and carry (net_connect). */
void net_live_poke(struct net_live *l);
void net_live_free(struct net_live *l); /* NULL is fine */

/*
 * A running container comes into one more network, or leaves one. ERR_EXISTS,
 * ERR_NOTFOUND: it is in there already, or is not. The file "nets"
 * (spec_file.h) is the caller's, who holds net_lock from before he reads it
 * until it is written.
 */
int net_connect(const struct net_of *o, const struct run_spec *s,
		const struct net_attach *a, pid_t init, int pidfd,
		struct err *e);
int net_disconnect(const struct net_of *o, const struct run_spec *s,
		   const char *network, int pidfd, struct err *e);

/*
 * A network that nobody is in: its bridge, or what was made for its parent, and
 * then its files. The caller holds netdef_lock exclusively.
 */
int net_remove(const struct container_home *h, const struct netdef *d,
	       struct err *e);

/*
 * An fd that locks a container's files "network" and "nets": for the two above,
 * against each other and against its end.
 */
int net_lock(int dir_fd, struct err *e);

/* Take back what net_up did, or began to; nothing to do is success. */
int net_down(const struct net_of *o, struct err *e);

/*
 * Its name is o->container->name now: those in its networks find it by that. The
 * caller holds net_lock. Where it does not run there is nothing to be done.
 */
int net_rename(const struct net_of *o, struct err *e);

/*
 * Say again to the firewall what a container that lives has in it, after
 * somebody flushed the rules, or put others beside them: warnings gets a line
 * for each firewall that may cut it off. 1: done; 0: it has no such network.
 * One that fails is no reason to leave out the others: of several that do the
 * first is the error, and the others are warnings.
 */
int net_reload(const struct net_of *o, struct buf *warnings, struct err *e);

/*
 * The interface with the default route: of those that lead out one with the
 * highest gw_priority, and of these the first. n_ends: none leads out.
 */
size_t net_way_out(const struct net_state *s);

/* The file of a container; absent is empty. */
int net_state_read(int dir_fd, struct net_state *ret, struct err *e);
/*
 * empty: it is there with nothing in it, and is filled as it stands. To put
 * another in its place would make the disk find room for it at once, and take
 * it back soon (1 ms on ext4 with discard).
 */
int net_state_write(int dir_fd, const struct net_state *s, bool empty,
		    struct err *e);
void net_state_free(struct net_state *s);
#define autonetstate __attribute__((cleanup(net_state_free)))

#endif
