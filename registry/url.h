/*
 * url - where a request goes, taken apart once so that it can be compared
 *
 * Only http and https, no user information (credentials in a URL end up in
 * logs), no fragment. Hosts come out normalised by libcurl: "127.1" and
 * "0x7f000001" are 127.0.0.1, IPv6 stands in brackets.
 *
 * Life: url_parse or url_resolve -> url_free. The zero value is empty.
 */
#ifndef REGISTRY_URL_H
#define REGISTRY_URL_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct url {
	char *text;  /* the whole, as it is sent */
	char *shown; /* without the query: signed URLs are secrets */
	char *host;
	uint16_t port;
	bool tls;
};

int url_parse(const char *s, struct url *ret, struct err *e);
/* A Location header, seen from base; relative ones too. */
int url_resolve(const struct url *base, const char *location, struct url *ret,
		struct err *e);
/* Append name=value to the query, encoded. */
int url_add_query(struct url *u, const char *name, const char *value,
		  struct err *e);
void url_copy(const struct url *u, struct url *ret);
void url_free(struct url *u);
#define autourl __attribute__((cleanup(url_free)))

/* Scheme, host and port: what credentials are bound to. */
bool url_same_origin(const struct url *a, const struct url *b);
/* Same host and port? For endpoints whose scheme is not known yet. */
bool url_same_place(const struct url *a, const struct url *b);

/* localhost, *.localhost, 127/8, ::1 - by name or number, never by lookup. */
bool host_is_loopback(const char *host);
/*
 * Numbers (and localhost) that no registry of the internet may send us to:
 * loopback, private, link-local, unspecified. Takes "[::1]" and "::1".
 */
bool host_is_private(const char *host);

/*
 * Parse a numeric host into its 4 or 16 bytes and return which; 0 if it is a
 * name. IPv4 mapped into IPv6 becomes IPv4.
 */
size_t host_address(const char *host, unsigned char ret[16]);

/*
 * Split "host:port", "[v6]:port", "host": host_len and port (0: none).
 */
bool host_split(const char *s, size_t *ret_host_len, uint16_t *ret_port);

#endif
