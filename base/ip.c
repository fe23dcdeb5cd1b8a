#include "ip.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "str.h"

bool ip_parse(const char *s, struct ip *ret)
{
	struct ip a = {0};

	if (inet_pton(AF_INET, s, a.b) == 1)
		a.len = 4;
	else if (inet_pton(AF_INET6, s, a.b) == 1)
		a.len = 16;
	else
		return false;
	*ret = a;
	return true;
}

bool ip_net_parse(const char *s, struct ip_net *ret)
{
	const char *const slash = strchr(s, '/');
	char text[IP_TEXT_MAX];
	struct ip_net n = {0};
	uint32_t prefix;

	if (!slash || (size_t)(slash - s) >= sizeof(text))
		return false;
	memcpy(text, s, (size_t)(slash - s));
	text[slash - s] = '\0';
	if (!ip_parse(text, &n.ip) ||
	    !str_to_u32(slash + 1, n.ip.len * 8U, &prefix))
		return false;
	n.prefix = (uint8_t)prefix;
	*ret = n;
	return true;
}

const char *ip_text(const struct ip *a, char ret[IP_TEXT_MAX])
{
	ret[0] = '\0';
	if (ip_is(a))
		(void)inet_ntop(a->len == 4 ? AF_INET : AF_INET6, a->b, ret,
				IP_TEXT_MAX);
	return ret;
}

const char *ip_net_text(const struct ip_net *n, char ret[IP_TEXT_MAX])
{
	size_t used;

	if (!*ip_text(&n->ip, ret))
		return ret;
	used = strlen(ret);
	(void)snprintf(ret + used, IP_TEXT_MAX - used, "/%u", n->prefix);
	return ret;
}

int ip_cmp(const struct ip *a, const struct ip *b)
{
	return a->len != b->len ? (int)a->len - (int)b->len
				: memcmp(a->b, b->b, a->len);
}

bool ip_add(struct ip *a, uint32_t n)
{
	struct ip sum = *a;
	uint64_t carry = n;

	for (size_t i = a->len; i > 0 && carry; i--) {
		carry += sum.b[i - 1];
		sum.b[i - 1] = (uint8_t)carry;
		carry >>= 8;
	}
	if (carry)
		return false;
	*a = sum;
	return true;
}

/* The bits of byte i that name the subnet. */
static uint8_t mask_at(const struct ip_net *n, size_t i)
{
	const size_t whole = n->prefix / 8U;

	if (i < whole)
		return 0xff;
	return i == whole ? (uint8_t)(0xff00U >> (n->prefix % 8U)) : 0;
}

struct ip ip_net_first(const struct ip_net *n)
{
	struct ip a = n->ip;

	for (size_t i = 0; i < a.len; i++)
		a.b[i] &= mask_at(n, i);
	return a;
}

struct ip ip_net_last(const struct ip_net *n)
{
	struct ip a = n->ip;

	for (size_t i = 0; i < a.len; i++)
		a.b[i] |= (uint8_t)~mask_at(n, i);
	return a;
}

bool ip_net_has(const struct ip_net *n, const struct ip *a)
{
	const struct ip first = ip_net_first(n);
	const struct ip last = ip_net_last(n);

	return ip_is(a) && a->len == n->ip.len && ip_cmp(&first, a) <= 0 &&
	       ip_cmp(a, &last) <= 0;
}

bool ip_net_overlaps(const struct ip_net *a, const struct ip_net *b)
{
	const struct ip a0 = ip_net_first(a);
	const struct ip b0 = ip_net_first(b);

	return ip_net_has(a, &b0) || ip_net_has(b, &a0);
}

static int hex_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool mac_parse(const char *s, uint8_t ret[6])
{
	uint8_t mac[6];

	if (strlen(s) != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		const int hi = hex_of(s[3 * i]);
		const int lo = hex_of(s[3 * i + 1]);
		const char after = s[3 * i + 2];

		if (hi < 0 || lo < 0 ||
		    (i < 5 ? after != ':' && after != '-' : after != '\0'))
			return false;
		mac[i] = (uint8_t)(hi * 16 + lo);
	}
	memcpy(ret, mac, sizeof(mac));
	return true;
}

const char *mac_text(const uint8_t mac[6], char ret[MAC_TEXT_MAX])
{
	(void)snprintf(ret, MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x",
		       mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return ret;
}
