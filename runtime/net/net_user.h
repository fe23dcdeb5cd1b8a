/*
 * net_user - the part of net.h that is for ordinary users (user.h)
 */
#ifndef RUNTIME_NET_NET_USER_H
#define RUNTIME_NET_NET_USER_H

#include "runtime/net/net.h"

/*
 * Start what carries the network of a container whose init waits, with the
 * ports that it publishes. The file "network" says of it before it runs.
 */
int net_user_up(const struct net_of *o, const struct run_spec *s, pid_t init,
		struct net_state *st, struct err *e);

/* It dies with the monitor: whoever does a dead one's work finds nothing. */
void net_user_down(const struct net_state *st);

#endif
