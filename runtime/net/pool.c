#include "runtime/net/pool.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"

#define FIELDS 11 /* of a line of /proc/net/route and ipv6_route, at most */

void pool_free(struct pool *p)
{
	free(p->v);
	*p = (struct pool){0};
}

void pool_add(struct pool *p, const struct ip_net *net, const char *by)
{
	struct pool_taken *t;

	p->v = xrealloc(p->v, (p->n + 1) * sizeof(*p->v));
	t = &p->v[p->n++];
	t->net = *net;
	(void)snprintf(t->by, sizeof(t->by), "%s", by);
}

const struct pool_taken *pool_find(const struct pool *p,
				   const struct ip_net *net)
{
	for (size_t i = 0; i < p->n; i++)
		if (ip_net_overlaps(&p->v[i].net, net))
			return &p->v[i];
	return NULL;
}

/* ---- the host's routes ------------------------------------------------------ */

/* The fields of one line, separated by white space; the rest of the text. */
static const char *split(const char *p, char f[FIELDS][40], size_t *ret_n)
{
	size_t n = 0;

	for (;;) {
		const size_t gap = strspn(p, " \t");
		const size_t len = strcspn(p + gap, " \t\n");

		p += gap;
		if (len == 0)
			break;
		if (n < FIELDS)
			(void)snprintf(f[n++], sizeof(f[0]), "%.*s",
				       (int)(len < 39 ? len : 39), p);
		p += len;
	}
	*ret_n = n;
	return *p ? p + 1 : p;
}

static bool from_hex(const char *s, uint8_t *ret, size_t n)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";

	if (strlen(s) != 2 * n)
		return false;
	for (size_t i = 0; i < 2 * n; i++) {
		const char *const d = s[i] ? strchr(digits, s[i]) : NULL;
		const unsigned int v = d ? (unsigned int)(d - digits) % 16 : 0;

		if (!d)
			return false;
		ret[i / 2] = (uint8_t)(i % 2 ? ret[i / 2] | v : v << 4);
	}
	return true;
}

/* Four bytes that were printed as one number of this machine. */
static bool from_word(const char *s, uint8_t ret[4])
{
	uint8_t b[4];
	uint32_t word;

	if (!from_hex(s, b, sizeof(b)))
		return false;
	word = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 |
	       (uint32_t)b[2] << 8 | b[3];
	memcpy(ret, &word, sizeof(word));
	return true;
}

static void add_route(struct pool *p, const struct ip_net *net, const char *dev,
		      const char *own)
{
	char by[80];

	if (net->prefix == 0 || (own && !strcmp(dev, own)))
		return;
	(void)snprintf(by, sizeof(by), "the host's route on %.40s", dev);
	pool_add(p, net, by);
}

/* Iface Destination Gateway Flags RefCnt Use Metric Mask ... */
void pool_add_routes4(struct pool *p, const char *text, const char *own)
{
	char f[FIELDS][40];
	size_t n;

	while (*text) {
		struct ip_net net = {.ip.len = 4};
		uint8_t mask[4];

		text = split(text, f, &n);
		if (n < 8 || !from_word(f[1], net.ip.b) ||
		    !from_word(f[7], mask))
			continue; /* the heading */
		for (size_t i = 0; i < 32; i++)
			net.prefix += mask[i / 8] >> (7 - i % 8) & 1;
		add_route(p, &net, f[0], own);
	}
}

/* destination prefix source prefix nexthop metric refcnt use flags device */
void pool_add_routes6(struct pool *p, const char *text, const char *own)
{
	char f[FIELDS][40];
	size_t n;

	while (*text) {
		struct ip_net net = {.ip.len = 16};

		text = split(text, f, &n);
		/* Link-local and multicast are on every link. */
		if (n < 10 || !from_hex(f[0], net.ip.b, 16) ||
		    !from_hex(f[1], &net.prefix, 1) || net.ip.b[0] >= 0xfe)
			continue;
		add_route(p, &net, f[9], own);
	}
}

/* Absent is a kernel without this family. */
static int read_routes(const char *path, struct buf *b, struct err *e)
{
	if (fs_read_at(AT_FDCWD, path, b, e) == 0)
		return 0;
	if (e->kind != ERR_NOTFOUND)
		return -1;
	err_clear(e);
	return 0;
}

int pool_add_routes(struct pool *p, const char *own, struct err *e)
{
	autobuf struct buf four = buf_make(STATE_MAX);
	autobuf struct buf six = buf_make(STATE_MAX);

	if (read_routes("/proc/net/route", &four, e) ||
	    read_routes("/proc/net/ipv6_route", &six, e))
		return -1;
	pool_add_routes4(p, buf_str(&four), own);
	pool_add_routes6(p, buf_str(&six), own);
	return 0;
}

/* ---- choosing ------------------------------------------------------------------ */

static bool first_free(const struct pool *p, const char *from, const char *to,
		       uint8_t prefix, struct ip_net *ret)
{
	struct ip_net net = {.prefix = prefix};
	struct ip last;

	(void)ip_parse(from, &net.ip);
	(void)ip_parse(to, &last);
	for (;;) {
		const struct pool_taken *const t = pool_find(p, &net);

		if (!t) {
			*ret = net;
			return true;
		}
		/* On to what lies behind the one in the way. */
		if (t->net.prefix < prefix)
			net.ip = ip_net_last(&t->net);
		else
			net.ip = ip_net_last(&net);
		if (!ip_add(&net.ip, 1) || ip_cmp(&net.ip, &last) > 0)
			return false;
	}
}

int pool_choose4(const struct pool *p, bool big, struct ip_net *ret,
		 struct err *e)
{
	const uint8_t prefix = big ? 16 : 24;

	if (first_free(p, big ? "10.88.0.0" : "10.89.0.0", "10.255.255.0",
		       prefix, ret) ||
	    first_free(p, "172.16.0.0", "172.31.255.0", prefix, ret) ||
	    first_free(p, "192.168.0.0", "192.168.255.0", prefix, ret))
		return 0;
	(void)err_set(e, ERR_BUSY,
		      "no free subnet: all private ones overlap "
		      "with networks or routes of the host");
	return err_hint(e, "name one with 'prism network create --subnet'");
}

void pool_choose6(const struct pool *p, struct ip_net *ret)
{
	do {
		char hex[11];
		struct ip_net net = {.ip.len = 16, .prefix = 64};

		str_random_hex(hex, 5);
		(void)from_hex(hex, net.ip.b + 1, 5);
		net.ip.b[0] = 0xfd;
		*ret = net;
	} while (pool_find(p, ret));
}
