/*
 * forward - connections to published ports that no firewall rule leads to the
 * container, carried by the monitor
 *
 * Rules translate what comes to the host's addresses, but 127.0.0.1 and ::1
 * never leave the loopback link (unless route_localnet is on, which opens the
 * loopback services of the host to its neighbours). So what arrives at the
 * reserved sockets themselves is carried here: from 127.0.0.1 and ::1, over
 * IPv6 to a container that has IPv4 alone, and everything if somebody flushed
 * the rules. The container sees the host's address in its network as peer.
 *
 * All sockets are behind one epoll fd, for the caller's own poll loop. No call
 * blocks. A connection has one buffer per direction; who does not read makes
 * the other side wait. The end of one direction is passed on alone.
 *
 * tcp: a connection that the container refuses is reset. udp: answers go to
 * whoever sent last from one address; such a pair is given up when it is idle
 * for FORWARD_UDP_IDLE_S and another one needs the place.
 *
 * Life: forward_make -> forward_to at each start -> forward_turn whenever
 * forward_fd is readable -> forward_free.
 */
#ifndef RUNTIME_NET_FORWARD_H
#define RUNTIME_NET_FORWARD_H

#include "base/err.h"
#include "base/ip.h"
#include "runtime/net/ports.h"

#define FORWARD_MAX        256 /* connections at a time; others wait */
#define FORWARD_UDP_IDLE_S 60

struct forward;

/* Takes the sockets of p, not p. NULL without any. */
int forward_make(struct ports *p, struct forward **ret, struct err *e);
void forward_free(struct forward *f); /* NULL is fine */

/* Where the container is now; none: nowhere, connections are reset. */
void forward_to(struct forward *f, const struct ip *v4, const struct ip *v6);

int forward_fd(const struct forward *f); /* -1 for NULL */
void forward_turn(struct forward *f);

#endif
