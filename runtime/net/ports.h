/*
 * ports - published ports: chosen, and held, before the container starts
 *
 * A port is reserved by a socket that is bound to it and, for tcp, listens: so
 * a port that is taken is an error before anything has started, nobody else
 * gets it meanwhile, ss(8) shows who has it, and what no firewall rule leads to
 * the container (127.0.0.1, ::1; everything if somebody flushed the rules) is
 * carried by the one who holds the socket (forward.h). sctp is left to the
 * rules alone.
 *
 * "-p 80" without an address is one port for IPv4 and IPv6, the same number.
 *
 * Life: ports_reserve -> the list is written down, the sockets go to
 * forward_make -> ports_free, which closes those that are left.
 * Errors: ERR_BUSY when a port is taken; says by whom if that can be found.
 */
#ifndef RUNTIME_NET_PORTS_H
#define RUNTIME_NET_PORTS_H

#include "base/err.h"
#include "base/ip.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One port of the host as it is: with address, and no ranges. */
struct port_map {
	struct ip ip; /* 0.0.0.0 and :: are all addresses */
	uint16_t host;
	uint16_t port;    /* in the container */
	char protocol[5]; /* tcp, udp, sctp */
};

struct ports {
	struct port_map *v;
	int *fds; /* of each; -1: none (sctp) */
	size_t n;
};
#define autoports __attribute__((cleanup(ports_free)))

struct ports_wish {
	const struct port_spec *ports;
	size_t n_ports;
	const struct strv *exposed; /* NULL: no -P */
	struct ip ip;               /* where none is given; none: all */
	bool no_v6; /* IPv6 is off on this host, or not wanted */
};

int ports_reserve(const struct ports_wish *w, struct ports *ret, struct err *e);
void ports_free(struct ports *p);

/* "0.0.0.0:8080", "[::]:8080". */
#define PORTS_TEXT_MAX (IP_TEXT_MAX + 10)
const char *ports_text(const struct port_map *p, char ret[PORTS_TEXT_MAX]);

/* True for 0.0.0.0 and ::, and for 127.0.0.0/8 and ::1. */
bool ports_is_any(const struct ip *a);
bool ports_is_loopback(const struct ip *a);

uint8_t ports_protocol(const char *name); /* IPPROTO_TCP, ... */

#endif
