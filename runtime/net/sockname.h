/*
 * sockname - addresses as sockets take them, of both families
 */
#ifndef RUNTIME_NET_SOCKNAME_H
#define RUNTIME_NET_SOCKNAME_H

#include "base/ip.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

union sockname {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* Returns its length. */
static inline socklen_t sockname_make(union sockname *ret, const struct ip *ip,
				      uint16_t port)
{
	memset(ret, 0, sizeof(*ret));
	if (ip->len == 16) {
		ret->v6.sin6_family = AF_INET6;
		ret->v6.sin6_port = htons(port);
		memcpy(&ret->v6.sin6_addr, ip->b, 16);
		return sizeof(ret->v6);
	}
	ret->v4.sin_family = AF_INET;
	ret->v4.sin_port = htons(port);
	memcpy(&ret->v4.sin_addr, ip->b, 4);
	return sizeof(ret->v4);
}

static inline uint16_t sockname_port(const union sockname *a)
{
	return ntohs(a->any.sa_family == AF_INET6 ? a->v6.sin6_port
						  : a->v4.sin_port);
}

#endif
