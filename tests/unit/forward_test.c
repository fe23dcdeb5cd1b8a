/*
 * forward, and ports that are really reserved, on loopback in a network
 * namespace of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/own.h"
#include "base/str.h"
#include "runtime/net/forward.h"
#include "runtime/net/ports.h"
#include "runtime/net/sockname.h"
#include "runtime/spec.h"

/* A network namespace of its own, lo up; the reason when there is none. */
static const char *enter_world(void)
{
	struct ifreq r = {.ifr_name = "lo"};
	autoclose int fd = -1;

	if (unshare(CLONE_NEWNET) < 0)
		return strerror(errno);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	r.ifr_flags = IFF_UP;
	return fd < 0 || ioctl(fd, SIOCSIFFLAGS, &r) < 0 ? strerror(errno)
							 : NULL;
}

#define WORLD()                             \
	do {                                \
		if (getuid() != 0)          \
			skip();             \
		assert_null(enter_world()); \
	} while (0)

static struct ip ip_of(const char *text)
{
	struct ip ip;

	assert_true(ip_parse(text, &ip));
	return ip;
}

static int socket_at(const char *ip, uint16_t port, int type, bool serve)
{
	const struct ip at = ip_of(ip);
	const struct timeval patience = {.tv_sec = 5};
	union sockname a;
	const socklen_t n = sockname_make(&a, &at, port);
	const int fd = socket(at.len == 16 ? AF_INET6 : AF_INET,
			      type | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	if (serve) {
		assert_int_equal(bind(fd, &a.any, n), 0);
		if (type == SOCK_STREAM)
			assert_int_equal(listen(fd, 8), 0);
	} else {
		assert_int_equal(connect(fd, &a.any, n), 0);
	}
	return fd;
}

static uint16_t port_of(int fd)
{
	union sockname a = {0};
	socklen_t n = sizeof(a);

	assert_int_equal(getsockname(fd, &a.any, &n), 0);
	return sockname_port(&a);
}

/* As the monitor does; until fd can be read, or nothing happens for long. */
static void serve_until(struct forward *f, int fd)
{
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN},
			      {.fd = forward_fd(f), .events = POLLIN}};

	while (poll(p, 2, 60000) > 0) {
		if (p[1].revents)
			forward_turn(f);
		if (p[0].revents)
			return;
	}
	fail_msg("nothing came");
}

/* The same for what is to happen inside: a few turns without an event more. */
static void serve_all(struct forward *f)
{
	struct pollfd p = {.fd = forward_fd(f), .events = POLLIN};

	for (int i = 0; i < 1000 && poll(&p, 1, 50) > 0; i++)
		forward_turn(f);
}

struct road {
	struct forward *f;
	int server;
	uint16_t host; /* the published port */
};

/* A server at 127.0.0.9 as the container, a port of 127.0.0.1 for it. */
static void build(struct road *r, const char *protocol, const char *at)
{
	const bool tcp = !strcmp(protocol, "tcp");
	struct ip none = {0};
	const struct ip to = ip_of("127.0.0.9");
	struct port_spec p = {.ip = xstrdup(at)};
	const struct ports_wish w = {.ports = &p, .n_ports = 1};
	struct ports ports = {0};
	struct err e = {0};

	r->server =
		socket_at("127.0.0.9", 0, tcp ? SOCK_STREAM : SOCK_DGRAM, true);
	p.port = port_of(r->server);
	(void)snprintf(p.protocol, sizeof(p.protocol), "%s", protocol);
	assert_int_equal(ports_reserve(&w, &ports, &e), 0);
	assert_int_equal(ports.n, 1);
	assert_true(ports.v[0].host > 0);
	r->host = ports.v[0].host;
	assert_int_equal(forward_make(&ports, &r->f, &e), 0);
	assert_non_null(r->f);
	forward_to(r->f, &to, &none);
	ports_free(&ports);
	free(p.ip);
}

static void tear_down(struct road *r)
{
	forward_free(r->f);
	own_close(&r->server);
}

static void both_ways(const char *at)
{
	struct road r;
	char b[16] = "";
	autoclose int client = -1;
	autoclose int inside = -1;

	build(&r, "tcp", at);
	client = socket_at(at, r.host, SOCK_STREAM, false);
	serve_until(r.f, r.server);
	inside = accept4(r.server, NULL, NULL, SOCK_CLOEXEC);
	assert_true(inside >= 0);
	assert_int_equal(send(client, "ping", 4, 0), 4);
	serve_until(r.f, inside);
	assert_int_equal(recv(inside, b, sizeof(b), 0), 4);
	assert_memory_equal(b, "ping", 4);

	/* The end of one direction is not that of the other. */
	assert_int_equal(shutdown(client, SHUT_WR), 0);
	serve_until(r.f, inside);
	assert_int_equal(recv(inside, b, sizeof(b), 0), 0);
	assert_int_equal(send(inside, "pong", 4, 0), 4);
	own_close(&inside);
	serve_until(r.f, client);
	assert_int_equal(recv(client, b, sizeof(b), MSG_WAITALL), 4);
	assert_memory_equal(b, "pong", 4);
	serve_until(r.f, client);
	assert_int_equal(recv(client, b, sizeof(b), 0), 0);
	tear_down(&r);
}

static void tcp_goes_both_ways(void **state)
{
	(void)state;
	WORLD();
	both_ways("127.0.0.1");
}

static void ipv6_reaches_a_container_that_has_ipv4(void **state)
{
	(void)state;
	WORLD();
	both_ways("::1");
}

static void much_comes_through_whole(void **state)
{
	static unsigned char sent[300000];
	static unsigned char got[sizeof(sent)];
	size_t n_sent = 0;
	size_t n_got = 0;
	struct road r;
	autoclose int client = -1;
	autoclose int inside = -1;

	(void)state;
	WORLD();
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (unsigned char)(i * 7 + i / 251);
	build(&r, "tcp", "127.0.0.1");
	client = socket_at("127.0.0.1", r.host, SOCK_STREAM, false);
	serve_until(r.f, r.server);
	inside = accept4(r.server, NULL, NULL, SOCK_CLOEXEC);
	assert_true(inside >= 0);
	for (int i = 0; i < 100000 && n_got < sizeof(sent); i++) {
		const ssize_t out = send(client, sent + n_sent,
					 sizeof(sent) - n_sent, MSG_DONTWAIT);
		ssize_t in;

		n_sent += out > 0 ? (size_t)out : 0;
		forward_turn(r.f);
		in = recv(inside, got + n_got, sizeof(got) - n_got,
			  MSG_DONTWAIT);
		n_got += in > 0 ? (size_t)in : 0;
	}
	assert_int_equal(n_got, sizeof(sent));
	assert_memory_equal(got, sent, sizeof(sent));
	tear_down(&r);
}

/* A container that does not listen is seen as such. */
static void refused_inside_is_reset_outside(void **state)
{
	struct road r;
	char b;
	autoclose int client = -1;

	(void)state;
	WORLD();
	build(&r, "tcp", "127.0.0.1");
	own_close(&r.server);
	client = socket_at("127.0.0.1", r.host, SOCK_STREAM, false);
	serve_until(r.f, client);
	assert_int_equal(recv(client, &b, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	tear_down(&r);
}

static void nowhere_is_reset_too(void **state)
{
	const struct ip none = {0};
	struct road r;
	char b;
	autoclose int client = -1;

	(void)state;
	WORLD();
	build(&r, "tcp", "127.0.0.1");
	forward_to(r.f, &none, &none);
	client = socket_at("127.0.0.1", r.host, SOCK_STREAM, false);
	serve_until(r.f, client);
	assert_int_equal(recv(client, &b, 1, 0), -1);
	assert_int_equal(errno, ECONNRESET);
	tear_down(&r);
}

static void datagrams_find_back(void **state)
{
	struct road r;
	char b[16];
	union sockname peer[2];
	int client[2];

	(void)state;
	WORLD();
	build(&r, "udp", "127.0.0.1");
	for (int i = 0; i < 2; i++) {
		socklen_t n = sizeof(peer[i]);

		client[i] = socket_at("127.0.0.1", r.host, SOCK_DGRAM, false);
		assert_int_equal(send(client[i], i ? "b" : "a", 1, 0), 1);
		serve_until(r.f, r.server);
		assert_int_equal(
			recvfrom(r.server, b, sizeof(b), 0, &peer[i].any, &n),
			1);
		assert_int_equal(b[0], i ? 'b' : 'a');
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sendto(r.server, i ? "B" : "A", 1, 0,
					&peer[i].any, sizeof(peer[i].v4)),
				 1);
		serve_until(r.f, client[i]);
		assert_int_equal(recv(client[i], b, sizeof(b), 0), 1);
		assert_int_equal(b[0], i ? 'B' : 'A');
		own_close(&client[i]);
	}
	tear_down(&r);
}

/* More than FORWARD_MAX at once: the rest waits, and then gets its turn. */
static void too_many_wait(void **state)
{
	enum {
		MANY = FORWARD_MAX + 20
	};
	static int client[MANY];
	struct road r;
	char b;

	(void)state;
	WORLD();
	build(&r, "tcp", "127.0.0.1");
	assert_int_equal(listen(r.server, MANY), 0);
	for (int i = 0; i < MANY; i++)
		client[i] = socket_at("127.0.0.1", r.host, SOCK_STREAM, false);
	serve_all(r.f);
	for (int i = 0; i < MANY; i++) {
		autoclose int inside = -1;

		serve_until(r.f, r.server);
		inside = accept4(r.server, NULL, NULL, SOCK_CLOEXEC);
		assert_true(inside >= 0);
		assert_int_equal(send(inside, "x", 1, 0), 1);
		own_close(&inside);
		serve_until(r.f, client[i]);
		assert_int_equal(recv(client[i], &b, 1, 0), 1);
		own_close(&client[i]);
	}
	tear_down(&r);
}

/* With no pair open there is no end that would ask them again. */
static void no_fd_for_the_first_is_tried_again(void **state)
{
	struct rlimit old;
	struct rlimit none;
	struct road r;
	autoclose int client = -1;

	(void)state;
	WORLD();
	build(&r, "tcp", "127.0.0.1");
	client = socket_at("127.0.0.1", r.host, SOCK_STREAM, false);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){.rlim_cur = 3, .rlim_max = old.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	forward_turn(r.f);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	serve_until(r.f, r.server);
	tear_down(&r);
}

/* As a fork holds it that has not come to its exec. */
static void a_socket_that_a_fork_holds_says_no_more(void **state)
{
	struct road r;
	struct pollfd p = {.events = POLLIN};
	union sockname peer;
	socklen_t peer_len = sizeof(peer);
	const struct ip none = {0};
	char b;
	int copy[64];
	size_t n = 0;
	autoclose int client = -1;

	(void)state;
	WORLD();
	build(&r, "udp", "127.0.0.1");
	client = socket_at("127.0.0.1", r.host, SOCK_DGRAM, false);
	assert_int_equal(send(client, "a", 1, 0), 1);
	serve_until(r.f, r.server);
	for (int fd = 3; fd < 64; fd++) {
		copy[n] = fcntl(fd, F_DUPFD_CLOEXEC, 100);
		n += copy[n] >= 0;
	}
	p.fd = forward_fd(r.f);
	forward_to(r.f, &none, &none);
	assert_int_equal(recvfrom(r.server, &b, 1, 0, &peer.any, &peer_len), 1);
	assert_int_equal(sendto(r.server, "A", 1, 0, &peer.any, peer_len), 1);
	assert_int_equal(poll(&p, 1, 0), 0);
	while (n)
		own_close(&copy[--n]);
	tear_down(&r);
}

/* ---- ports ---------------------------------------------------------------------- */

static int reserve_text(const char *ip, uint16_t first, uint16_t last,
			struct ports *ret, struct err *e)
{
	struct port_spec p = {.host_first = first,
			      .host_last = last,
			      .port = 80,
			      .protocol = "tcp"};
	const struct ports_wish w = {.ports = &p, .n_ports = 1};
	int rc;

	p.ip = ip ? xstrdup(ip) : NULL;
	rc = ports_reserve(&w, ret, e);
	free(p.ip);
	return rc;
}

static void a_taken_port_says_by_whom(void **state)
{
	struct ports p = {0};
	struct err e = {0};
	char pid[32];
	autoclose int other = -1;

	(void)state;
	WORLD();
	other = socket_at("127.0.0.1", 0, SOCK_STREAM, true);
	(void)snprintf(pid, sizeof(pid), "forward_test (pid %d)", getpid());
	assert_int_equal(
		reserve_text(NULL, port_of(other), port_of(other), &p, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_non_null(strstr(e.text, "already in use by "));
	assert_non_null(strstr(e.text, pid));
	assert_int_equal(p.n, 0);
}

static void a_range_gives_its_first_free_one(void **state)
{
	struct ports a = {0};
	struct ports b = {0};
	struct ports c = {0};
	struct err e = {0};

	(void)state;
	WORLD();
	assert_int_equal(reserve_text("127.0.0.1", 7000, 7001, &a, &e), 0);
	assert_int_equal(a.v[0].host, 7000);
	assert_int_equal(reserve_text(NULL, 7000, 7001, &b, &e), 0);
	assert_int_equal(b.v[0].host, 7001);
	assert_int_equal(reserve_text(NULL, 7000, 7001, &c, &e), -1);
	assert_int_equal(e.kind, ERR_BUSY);
	assert_non_null(strstr(e.text, "none of 7000-7001 is free"));
	/* And what was held is free again. */
	ports_free(&b);
	err_clear(&e);
	assert_int_equal(reserve_text(NULL, 7000, 7001, &c, &e), 0);
	assert_int_equal(c.v[0].host, 7001);
	ports_free(&c);
	ports_free(&a);
}

static void any_port_is_the_same_for_both_families(void **state)
{
	struct ports p = {0};
	struct err e = {0};
	char text[PORTS_TEXT_MAX];

	(void)state;
	WORLD();
	assert_int_equal(reserve_text(NULL, 0, 0, &p, &e), 0);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.v[0].ip.len, 4);
	assert_int_equal(p.v[1].ip.len, 16);
	assert_int_equal(p.v[0].host, p.v[1].host);
	p.v[0].host = p.v[1].host = 81;
	assert_string_equal(ports_text(&p.v[0], text), "0.0.0.0:81");
	assert_string_equal(ports_text(&p.v[1], text), "[::]:81");
	ports_free(&p);
}

static void exposed_ones_that_are_published_stay_so(void **state)
{
	autostrv struct strv exposed = {0};
	struct port_spec p = {.host_first = 7100,
			      .host_last = 7100,
			      .port = 80,
			      .protocol = "tcp"};
	const struct ports_wish w = {
		.ports = &p, .n_ports = 1, .exposed = &exposed, .no_v6 = true};
	struct ports got = {0};
	struct err e = {0};

	(void)state;
	WORLD();
	strv_add(&exposed, "80/tcp");
	strv_add(&exposed, "53/udp");
	assert_int_equal(ports_reserve(&w, &got, &e), 0);
	assert_int_equal(got.n, 2);
	assert_int_equal(got.v[0].host, 7100);
	assert_int_equal(got.v[1].port, 53);
	assert_string_equal(got.v[1].protocol, "udp");
	assert_true(got.v[1].host > 0);
	ports_free(&got);
}

static void an_address_of_another_host_is_refused(void **state)
{
	struct ports p = {0};
	struct err e = {0};

	(void)state;
	WORLD();
	assert_int_equal(reserve_text("192.0.2.1", 7200, 7200, &p, &e), -1);
	assert_int_equal(e.sys, EADDRNOTAVAIL);
	assert_non_null(strstr(e.text, "192.0.2.1:7200/tcp"));
	assert_non_null(strstr(e.hint, "does not have that address"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tcp_goes_both_ways),
		cmocka_unit_test(ipv6_reaches_a_container_that_has_ipv4),
		cmocka_unit_test(much_comes_through_whole),
		cmocka_unit_test(refused_inside_is_reset_outside),
		cmocka_unit_test(nowhere_is_reset_too),
		cmocka_unit_test(datagrams_find_back),
		cmocka_unit_test(no_fd_for_the_first_is_tried_again),
		cmocka_unit_test(a_socket_that_a_fork_holds_says_no_more),
		cmocka_unit_test(too_many_wait),
		cmocka_unit_test(a_taken_port_says_by_whom),
		cmocka_unit_test(a_range_gives_its_first_free_one),
		cmocka_unit_test(any_port_is_the_same_for_both_families),
		cmocka_unit_test(exposed_ones_that_are_published_stay_so),
		cmocka_unit_test(an_address_of_another_host_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
