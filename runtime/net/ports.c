#include "ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "base/trace.h"
#include "runtime/net/portnear.h"
#include "runtime/net/portowner.h"
#include "runtime/net/sockname.h"
#include "runtime/spec.h"

#define TRIES 16 /* numbers for one dynamic port, of both families */

/* ---- words -------------------------------------------------------------------- */

uint8_t ports_protocol(const char *name)
{
	if (!strcmp(name, "udp"))
		return IPPROTO_UDP;
	return !strcmp(name, "sctp") ? IPPROTO_SCTP : IPPROTO_TCP;
}

bool ports_is_any(const struct ip *a)
{
	for (size_t i = 0; i < a->len; i++)
		if (a->b[i])
			return false;
	return true;
}

bool ports_is_loopback(const struct ip *a)
{
	if (a->len == 4)
		return a->b[0] == 127;
	return a->len == 16 &&
	       memcmp(a->b, &in6addr_loopback, sizeof(in6addr_loopback)) == 0;
}

const char *ports_text(const struct port_map *p, char ret[PORTS_TEXT_MAX])
{
	char ip[IP_TEXT_MAX];

	(void)snprintf(ret, PORTS_TEXT_MAX,
		       p->ip.len == 16 ? "[%s]:%u" : "%s:%u",
		       ip_text(&p->ip, ip), p->host);
	return ret;
}

/* ---- one socket ------------------------------------------------------------------ */

static int low_port(const struct port_map *p, struct err *e)
{
	const uint16_t start = portnear_start();
	const uint16_t near = portnear_find(p, start);

	return err_hint(e,
			"ports below %u (net.ipv4.ip_unprivileged_port_start) "
			"are for root; the nearest free one: -p %u:%u",
			start, near ? near : start, p->port);
}

/* Taken, by whom it may be; or another reason why it cannot be ours. */
static int refuse(const struct port_map *p, const char *call, struct err *e)
{
	const int why = errno;
	char text[PORTS_TEXT_MAX];
	char owner[PORTOWNER_MAX];

	ports_text(p, text);
	if (why == EADDRINUSE) {
		(void)err_set(e, ERR_BUSY, "port %s/%s is already in use%s%s",
			      text, p->protocol,
			      portowner_find(p, owner) ? " by " : "", owner);
		return err_hint(e,
				"choose another one, or leave it out "
				"('-p %u') for any free port",
				p->port);
	}
	(void)err_sysno(e, why, call, "%s/%s", text, p->protocol);
	if (why == EADDRNOTAVAIL)
		return err_hint(e, "this host does not have that address: "
				   "see 'ip address'");
	if (why == EACCES)
		return low_port(p, e);
	if (why == EMFILE)
		return err_hint(e, "each published port is an open file: see "
				   "'ulimit -n'");
	return -1;
}

static int open_port(const struct port_map *p, int *ret_fd, struct err *e)
{
	const bool tcp = !strcmp(p->protocol, "tcp");
	const int family = p->ip.len == 16 ? AF_INET6 : AF_INET;
	const int on = 1;
	union sockname a;
	autoclose int fd = socket(family,
				  (tcp ? SOCK_STREAM : SOCK_DGRAM) |
					  SOCK_CLOEXEC | SOCK_NONBLOCK,
				  0);

	*ret_fd = -1;
	if (fd < 0)
		return refuse(p, "socket", e);
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on,
				 sizeof(on));
	/* Connections of the past are no reason to refuse. */
	if (tcp)
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, &a.any, sockname_make(&a, &p->ip, p->host)) < 0)
		return refuse(p, "bind", e);
	if (tcp && listen(fd, SOMAXCONN) < 0)
		return refuse(p, "listen", e);
	*ret_fd = take_fd(&fd);
	return 0;
}

/* ---- one port, on all its addresses ------------------------------------------------ */

struct choice {
	struct ip ips[2];
	size_t n;
	bool either; /* the second one only where the host has IPv6 */
	struct port_map map;
};

static void keep(struct ports *ret, const struct port_map *p, int fd)
{
	ret->v = xrealloc(ret->v, (ret->n + 1) * sizeof(*ret->v));
	ret->fds = xrealloc(ret->fds, (ret->n + 1) * sizeof(*ret->fds));
	ret->v[ret->n] = *p;
	ret->fds[ret->n++] = fd;
}

static void drop_from(struct ports *ret, size_t n)
{
	while (ret->n > n)
		own_close(&ret->fds[--ret->n]);
}

static bool no_ipv6(const struct err *e)
{
	return e->sys == EAFNOSUPPORT || e->sys == EADDRNOTAVAIL;
}

/* sctp: the kernel may not have it, and a rule is all that carries it. */
static int reserve_one(struct choice *c, size_t i, struct ports *ret,
		       struct err *e)
{
	union sockname a = {0};
	socklen_t len = sizeof(a);
	const bool sctp = !strcmp(c->map.protocol, "sctp");
	int fd = -1;

	c->map.ip = c->ips[i];
	if (!sctp || c->map.host == 0) {
		struct port_map p = c->map;

		if (sctp)
			memcpy(p.protocol, "tcp", 4);
		if (open_port(&p, &fd, e) < 0)
			return -1;
	}
	if (c->map.host == 0 && getsockname(fd, &a.any, &len) == 0)
		c->map.host = sockname_port(&a);
	if (sctp)
		own_close(&fd);
	keep(ret, &c->map, fd);
	return 0;
}

/* This number, or with 0 any, on all addresses or on none. */
static int reserve_number(struct choice *c, uint16_t number, struct ports *ret,
			  struct err *e)
{
	const size_t before = ret->n;

	c->map.host = number;
	for (size_t i = 0; i < c->n; i++) {
		if (reserve_one(c, i, ret, e) == 0)
			continue;
		if (i > 0 && c->either && no_ipv6(e)) {
			err_clear(e);
			continue;
		}
		drop_from(ret, before);
		return -1;
	}
	return 0;
}

static int reserve_any(struct choice *c, struct ports *ret, struct err *e)
{
	for (int i = 0;; i++) {
		if (reserve_number(c, 0, ret, e) == 0)
			return 0;
		if (e->kind != ERR_BUSY || i == TRIES)
			return -1;
		err_clear(e);
	}
}

static int reserve_of_range(struct choice *c, const struct port_spec *p,
			    struct ports *ret, struct err *e)
{
	for (unsigned int n = p->host_first;; n++) {
		if (reserve_number(c, (uint16_t)n, ret, e) == 0)
			return 0;
		if (e->kind != ERR_BUSY || n >= p->host_last)
			break;
		err_clear(e);
	}
	if (e->kind == ERR_BUSY && p->host_first < p->host_last)
		(void)err_prefix(e, "none of %u-%u is free", p->host_first,
				 p->host_last);
	return -1;
}

static int reserve(const struct ports_wish *w, const struct port_spec *p,
		   struct ports *ret, struct err *e)
{
	struct choice c = {.n = 1, .map = {.port = p->port}};

	(void)snprintf(c.map.protocol, sizeof(c.map.protocol), "%s",
		       p->protocol);
	if (p->ip && !ip_parse(p->ip, &c.ips[0]))
		return err_set(e, ERR_USAGE, "invalid IP address: %s", p->ip);
	if (!p->ip)
		c.ips[0] = w->ip;
	if (!ip_is(&c.ips[0])) {
		c.ips[0].len = 4;
		c.ips[1].len = 16;
		c.n = w->no_v6 ? 1 : 2;
		c.either = true;
	}
	return p->host_first ? reserve_of_range(&c, p, ret, e)
			     : reserve_any(&c, ret, e);
}

/* ---- all ---------------------------------------------------------------------------- */

static bool is_published(const struct ports_wish *w, const struct port_spec *x)
{
	for (size_t i = 0; i < w->n_ports; i++)
		if (w->ports[i].port == x->port &&
		    !strcmp(w->ports[i].protocol, x->protocol))
			return true;
	return false;
}

/* "80/tcp" of -P. */
static int reserve_exposed(const struct ports_wish *w, const char *text,
			   struct ports *ret, struct err *e)
{
	const char *const slash = strchr(text, '/');
	const size_t n = slash ? (size_t)(slash - text) : strlen(text);
	struct port_spec p = {0};
	uint64_t port;

	if (!str_to_u64n(text, n, 65535, &port))
		return err_set(e, ERR_INVALID, "invalid port: %s", text);
	p.port = (uint16_t)port;
	(void)snprintf(p.protocol, sizeof(p.protocol), "%.4s",
		       slash ? slash + 1 : "tcp");
	return is_published(w, &p) ? 0 : reserve(w, &p, ret, e);
}

int ports_reserve(const struct ports_wish *w, struct ports *ret, struct err *e)
{
	struct ports all = {0};
	STEP(e, "ports", "reserve %zu published ports", w->n_ports);

	for (size_t i = 0; i < w->n_ports; i++)
		if (reserve(w, &w->ports[i], &all, e) < 0) {
			ports_free(&all);
			return -1;
		}
	for (size_t i = 0; w->exposed && i < w->exposed->n; i++)
		if (reserve_exposed(w, w->exposed->v[i], &all, e) < 0) {
			ports_free(&all);
			return -1;
		}
	*ret = all;
	return 0;
}

void ports_free(struct ports *p)
{
	drop_from(p, 0);
	free(p->v);
	free(p->fds);
	*p = (struct ports){0};
}
