/*
 * portnear - a port that could be had instead: for an error
 */
#ifndef RUNTIME_NET_PORTNEAR_H
#define RUNTIME_NET_PORTNEAR_H

#include <stdint.h>

struct port_map;

/* net.ipv4.ip_unprivileged_port_start: below are root's. */
uint16_t portnear_start(void);

/* The nearest free one from p->host or from `from` upwards; 0: none near. */
uint16_t portnear_find(const struct port_map *p, uint16_t from);

#endif
