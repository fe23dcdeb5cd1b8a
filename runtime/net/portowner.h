/*
 * portowner - who has a port of this host: for an error, so it may take its time
 */
#ifndef RUNTIME_NET_PORTOWNER_H
#define RUNTIME_NET_PORTOWNER_H

#include <stdbool.h>

struct port_map;

/*
 * "nginx (pid 812)" or, of a container of prism's, "container 8c5b1c2f9f3e".
 * False and "": nobody who can be seen.
 */
#define PORTOWNER_MAX 96
bool portowner_find(const struct port_map *p, char ret[PORTOWNER_MAX]);

#endif
