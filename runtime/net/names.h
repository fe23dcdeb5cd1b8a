/*
 * names - who is who in a network, in the hosts files of its members
 *
 * Between two marker lines each container's file has its own address and, in a
 * network that the user made, those of the others, by their names. The default
 * network has no names, as with Docker: all sorts of containers meet there.
 *
 * The files are mounted in the containers, and a mount keeps the inode: so they
 * are written in place, by one write, under the network's lock. What stands
 * outside of the markers is the container's and stays. Its program may write
 * there what it likes, and lay a lease on the file: nobody waits for it.
 */
#ifndef RUNTIME_NET_NAMES_H
#define RUNTIME_NET_NAMES_H

#include "base/err.h"
#include "runtime/net/net.h"

/*
 * The container's own file says where it is, and where the host is, if there is
 * a bridge on which it can be reached: host.docker.internal,
 * host.containers.internal, --add-host NAME:host-gateway; and nothing more of
 * networks that it has left.
 */
int names_own(const struct net_of *o, const struct run_spec *s,
	      const struct net_state *st, struct err *e);

/*
 * --link: those who are meant must run and have an address. ERR_NOTFOUND else.
 * names_own writes them down as far as they are there.
 */
int names_check_links(const struct net_of *o, const struct run_spec *s,
		      struct err *e);

/* Tell all members of a network who is in it now. */
int names_tell(int root_fd, const char *network, struct err *e);

/*
 * The text with what is between the markers of `what` replaced by block; at
 * the end if there was none, gone if block is empty.
 */
struct buf;
void names_replace(const char *text, const char *what, const char *block,
		   struct buf *ret);

/* The text without what is between the markers of networks that st has not. */
void names_drop_others(const char *text, const struct net_state *st,
		       struct buf *ret);

#endif
