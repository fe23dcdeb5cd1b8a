/*
 * ip - IPv4 and IPv6 addresses and subnets as plain values
 *
 * A struct ip is 4 or 16 bytes in network order; len 0 is "none", so that {0}
 * is the empty value. Text is read strictly (inet_pton), numbers of a subnet's
 * prefix too.
 */
#ifndef BASE_IP_H
#define BASE_IP_H

#include <stdbool.h>
#include <stdint.h>

#define IP_TEXT_MAX 52 /* an IPv6 address and its prefix */

struct ip {
	uint8_t len; /* 4, 16; 0: none */
	uint8_t b[16];
};

struct ip_net {
	struct ip ip;
	uint8_t prefix;
};

static inline bool ip_is(const struct ip *a)
{
	return a->len != 0;
}

/* The whole of s is an address. */
bool ip_parse(const char *s, struct ip *ret);
/* "ADDRESS/PREFIX"; bits behind the prefix are kept. */
bool ip_net_parse(const char *s, struct ip_net *ret);

/* Empty for none; return their buffer. */
const char *ip_text(const struct ip *a, char ret[IP_TEXT_MAX]);
const char *ip_net_text(const struct ip_net *n, char ret[IP_TEXT_MAX]);

/* As memcmp; IPv4 comes before IPv6. */
int ip_cmp(const struct ip *a, const struct ip *b);
/* The address n steps on; false (and a as it was) past the last there is. */
bool ip_add(struct ip *a, uint32_t n);

/* The first address of a subnet (its name) and the last one. */
struct ip ip_net_first(const struct ip_net *n);
struct ip ip_net_last(const struct ip_net *n);
/* False when one of them is none, or they are of different families. */
bool ip_net_has(const struct ip_net *n, const struct ip *a);
bool ip_net_overlaps(const struct ip_net *a, const struct ip_net *b);

/* "02:42:0a:58:00:02", also with dashes; false leaves ret alone. */
bool mac_parse(const char *s, uint8_t ret[6]);
#define MAC_TEXT_MAX 18
const char *mac_text(const uint8_t mac[6], char ret[MAC_TEXT_MAX]);

#endif
