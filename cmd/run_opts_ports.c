/*
 * -p, -P, --expose: ports, their ranges and protocols
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/log.h"
#include "base/own.h"
#include "cmd/run_opts.h"

struct range {
	uint16_t first, last;
};

/* "80" or "80-90"; false for anything else, 0 included. */
static bool take_range(const char *s, size_t n, struct range *ret)
{
	const char *const dash = memchr(s, '-', n);
	const size_t k = dash ? (size_t)(dash - s) : n;
	uint64_t a, b;

	if (!str_to_u64n(s, k, 65535, &a) || a == 0)
		return false;
	b = a;
	if (dash && !str_to_u64n(dash + 1, n - k - 1, 65535, &b))
		return false;
	if (b < a)
		return false;
	*ret = (struct range){(uint16_t)a, (uint16_t)b};
	return true;
}

/* "80/tcp" -> "tcp"; without one it is tcp. NULL: unknown. */
static const char *take_protocol(const char *s, size_t *ret_len)
{
	static const char *const protocols[] = {"tcp", "udp", "sctp"};
	const char *const slash = strchr(s, '/');

	*ret_len = slash ? (size_t)(slash - s) : strlen(s);
	for (size_t i = 0; i < ARRAY_LEN(protocols); i++)
		if (!slash || !strcasecmp(slash + 1, protocols[i]))
			return protocols[i];
	return NULL;
}

/*
 * What stands before the last two ':' is the address, which may be an IPv6
 * one in brackets.
 */
static int take_ip(const char **s, char **ret, struct err *e)
{
	const char *const close = **s == '[' ? strchr(*s, ']') : NULL;
	const char *const c1 = strchr(close ? close : *s, ':');
	const char *const c2 = c1 ? strchr(c1 + 1, ':') : NULL;
	struct ip parsed;
	autofree char *ip = NULL;

	*ret = NULL;
	if (close) {
		if (close[1] != ':')
			return err_set(e, ERR_USAGE, "no port behind the ']'");
		ip = xstrndup(*s + 1, (size_t)(close - *s - 1));
		*s = close + 2;
	} else if (c2) {
		ip = xstrndup(*s, (size_t)(c1 - *s));
		*s = c1 + 1;
	} else {
		return 0;
	}
	if (!*ip)
		return 0;
	if (!ip_parse(ip, &parsed))
		return err_set(e, ERR_USAGE, "invalid IP address: %s", ip);
	*ret = take_ptr(&ip);
	return 0;
}

static void add_ports(struct run_spec *s, const struct port_spec *like,
		      const struct range *host, const struct range *inside)
{
	const bool pairs = host->first && inside->last > inside->first;

	for (unsigned int i = inside->first; i <= inside->last; i++) {
		struct port_spec p = *like;
		const unsigned int at = i - inside->first;

		p.ip = like->ip ? xstrdup(like->ip) : NULL;
		p.port = (uint16_t)i;
		p.host_first =
			pairs ? (uint16_t)(host->first + at) : host->first;
		p.host_last = pairs ? p.host_first : host->last;
		spec_add_port(s, &p);
	}
}

/* Left out, and "0", is any free one: of a range one for each. */
static bool take_host(const char *s, size_t n, struct range *ret)
{
	*ret = (struct range){0};
	return n == 0 || (n == 1 && *s == '0') || take_range(s, n, ret);
}

static int short_form(const char *text, struct run_spec *s, struct err *e)
{
	size_t n;
	const char *const protocol = take_protocol(text, &n);
	autofree char *plain = xstrndup(text, n);
	autofree char *ip = NULL;
	const char *p = plain;
	const char *colon;
	struct port_spec like = {0};
	struct range host = {0};
	struct range inside;

	if (!protocol)
		return err_set(e, ERR_USAGE, "invalid proto: %s", text + n + 1);
	if (take_ip(&p, &ip, e) < 0)
		return -1;
	colon = strchr(p, ':');
	if (colon && !take_host(p, (size_t)(colon - p), &host))
		return err_set(e, ERR_USAGE, "invalid hostPort: %.*s",
			       (int)(colon - p), p);
	p = colon ? colon + 1 : p;
	if (!*p)
		return err_set(e, ERR_USAGE, "no port specified");
	if (!take_range(p, strlen(p), &inside))
		return err_set(e, ERR_USAGE, "invalid containerPort: %s", p);
	if (host.first && inside.last > inside.first &&
	    host.last - host.first != inside.last - inside.first)
		return err_set(e, ERR_USAGE,
			       "the ranges are of different length");
	like.ip = ip;
	(void)snprintf(like.protocol, sizeof(like.protocol), "%s", protocol);
	add_ports(s, &like, &host, &inside);
	return 0;
}

static bool is_long_key(const char *word)
{
	static const char *const keys[] = {
		"published=", "target=", "protocol=", "mode="};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (str_starts(word, keys[i]))
			return true;
	return false;
}

/* published=8080,target=80[,protocol=udp]: docker(1) makes it the short one. */
static char *long_form(const char *text, struct err *e)
{
	autostrv struct strv words = {0};
	const char *from;
	const char *to;
	const char *protocol;

	while (*text) {
		const size_t n = strcspn(text, ",");
		autofree char *word = xstrndup(text, n);

		if (!is_long_key(word)) {
			(void)err_set(e, ERR_USAGE,
				      "'%s': there are published=, target=, "
				      "protocol= and mode=",
				      word);
			return NULL;
		}
		strv_setenv(&words, word);
		text += n + (text[n] == ',');
	}
	from = strv_getenv(&words, "published");
	to = strv_getenv(&words, "target");
	protocol = strv_getenv(&words, "protocol");
	return xasprintf("%s:%s/%s", from ? from : "", to ? to : "",
			 protocol ? protocol : "tcp");
}

int port_parse(const char *text, struct run_spec *s, struct err *e)
{
	autofree char *same = strchr(text, '=') ? long_form(text, e) : NULL;

	if (err_is(e))
		return -1;
	return short_form(same ? same : text, s, e);
}

int expose_parse(const char *text, struct strv *ret, struct err *e)
{
	size_t n;
	const char *const protocol = take_protocol(text, &n);
	struct range r;

	if (!protocol)
		return err_set(e, ERR_USAGE, "invalid proto: %s", text + n + 1);
	if (!take_range(text, n, &r))
		return err_set(e, ERR_USAGE, "invalid port: %.*s", (int)n,
			       text);
	for (unsigned int i = r.first; i <= r.last; i++) {
		autofree char *word = xasprintf("%u/%s", i, protocol);
		bool known = false;

		for (size_t k = 0; k < ret->n; k++)
			known = known || !strcmp(ret->v[k], word);
		if (!known)
			strv_add(ret, word);
	}
	return 0;
}

/* Ports without a network to publish them in: as Docker, they are dropped. */
static int can_publish(const struct run_opts *o, const struct run_spec *s,
		       struct err *e)
{
	if ((!s->n_ports && !s->publish_all) || s->net == NET_NETS ||
	    s->net == NET_USER)
		return 0;
	if (s->net == NET_HOST || o->networks.n > 0) {
		log_note("published ports are discarded with --network %s",
			 s->net == NET_HOST ? "host" : "none");
		return 0;
	}
	(void)err_set(e, ERR_UNSUPPORTED,
		      "%s: the default network is none here, which has no "
		      "ports",
		      s->publish_all ? "--publish-all" : "--publish");
	return err_hint(e, "--network bridge has; \"default-network\" in "
			   "config.json is what is taken without a flag");
}

int run_opts_ports(const struct run_opts *o, struct run_spec *s, struct err *e)
{
	for (size_t i = 0; i < o->ports.n; i++) {
		ERR_IN(e, "--publish %s", o->ports.v[i]);
		if (port_parse(o->ports.v[i], s, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < o->exposed.n; i++) {
		ERR_IN(e, "--expose %s", o->exposed.v[i]);
		if (expose_parse(o->exposed.v[i], &s->exposed, e) < 0)
			return -1;
	}
	s->publish_all = o->publish_all;
	return can_publish(o, s, e);
}
