/*
 * netpeer - both ends of a conversation, for the tests of networks
 *
 *	netpeer serve NAME PORT...    answers on tcp and udp, IPv4 and IPv6
 *	netpeer ask tcp|udp ADDRESS PORT    prints the answer; 1: there is none
 *	netpeer try tcp|udp ADDRESS PORT    the same, where none is expected: not
 *	                              for long
 *	netpeer answer ADDRESS    a name server on port 53 that knows no other one
 *	netpeer announce LINK     one router advertisement
 *
 * An answer is "NAME ADDRESS", of the one who asked as the server sees it. A
 * static program, so that it runs in every image.
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define SOCKETS_MAX 32

/* The answer to a question must be there by then, on a busy machine too. */
#define ASK_SECONDS 30
#define TRY_SECONDS 3

static int die(const char *what)
{
	perror(what);
	exit(1);
}

static int open_port(int type, int port)
{
	const int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
	const struct sockaddr_in6 a = {.sin6_family = AF_INET6,
				       .sin6_port = htons((uint16_t)port)};
	const int on = 1, off = 0;

	if (fd < 0)
		die("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		die("bind");
	if (type == SOCK_STREAM && listen(fd, 128) < 0)
		die("listen");
	return fd;
}

/* IPv4 without the ::ffff: in front. */
static int answer_text(char *buf, size_t n, const char *name,
		       const struct sockaddr_in6 *from)
{
	char text[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(AF_INET6, &from->sin6_addr, text, sizeof(text));
	return snprintf(buf, n, "%s %s\n", name,
			strncmp(text, "::ffff:", 7) ? text : text + 7);
}

/* The question again, with one A record behind it. */
static ssize_t dns_answer(unsigned char *b, ssize_t n, size_t size,
			  const struct in_addr *a)
{
	const unsigned char record[] = {0xc0, 12, 0, 1,  0, 1,
					0,    0,  0, 60, 0, 4};
	ssize_t end = 12;

	if (n < 17)
		return 0;
	while (end < n && b[end])
		end += b[end] + 1;
	end += 5; /* the last 0, type and class */
	if (end > n || (size_t)end + sizeof(record) + 4 > size)
		return 0;
	b[2] = 0x84;
	b[3] = 0;
	memset(b + 6, 0, 6);
	if (b[end - 3] != 1)
		return end;
	b[7] = 1;
	memcpy(b + end, record, sizeof(record));
	memcpy(b + end + sizeof(record), a, 4);
	return end + (ssize_t)sizeof(record) + 4;
}

static void one_datagram(int fd, const char *name, const struct in_addr *dns)
{
	unsigned char buf[600];
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	ssize_t n = recvfrom(fd, buf, sizeof(buf), 0, (struct sockaddr *)&from,
			     &len);

	if (n < 0)
		return;
	n = dns ? dns_answer(buf, n, sizeof(buf), dns)
		: answer_text((char *)buf, sizeof(buf), name, &from);
	if (n > 0)
		(void)!sendto(fd, buf, (size_t)n, 0, (struct sockaddr *)&from,
			      len);
}

static void one_connection(int fd, const char *name)
{
	const struct timeval limit = {.tv_sec = 10};
	char buf[200];
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	const int c = accept(fd, (struct sockaddr *)&from, &len);

	if (c < 0)
		return;
	/* Read before, for unread bytes would make a reset of the close. */
	(void)setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)!read(c, buf, sizeof(buf));
	(void)!write(c, buf,
		     (size_t)answer_text(buf, sizeof(buf), name, &from));
	(void)close(c);
}

static void serve(const char *name, char **ports, int n,
		  const struct in_addr *dns)
{
	struct pollfd p[SOCKETS_MAX];
	int used = 0;

	for (int i = 0; i < n && used + 2 <= SOCKETS_MAX; i++) {
		int port = 0;

		for (const char *c = ports[i]; *c; c++)
			port = port * 10 + (*c - '0');
		p[used].fd = open_port(SOCK_STREAM, port);
		p[used++].events = POLLIN;
		p[used].fd = open_port(SOCK_DGRAM, port);
		p[used++].events = POLLIN;
	}
	/* Whoever started us waits for this. */
	(void)!write(STDOUT_FILENO, "ready\n", 6);
	for (;;) {
		if (poll(p, (nfds_t)used, -1) < 0)
			die("poll");
		for (int i = 0; i < used; i++) {
			if (!p[i].revents)
				continue;
			if (i % 2)
				one_datagram(p[i].fd, name, dns);
			else
				one_connection(p[i].fd, name);
		}
	}
}

static int ask(const char *protocol, const char *host, const char *port,
	       int seconds)
{
	const int type = !strcmp(protocol, "udp") ? SOCK_DGRAM : SOCK_STREAM;
	const struct addrinfo want = {.ai_socktype = type};
	const struct timeval limit = {.tv_sec = seconds};
	struct addrinfo *found;
	char buf[600];
	ssize_t n;
	int fd;

	if (getaddrinfo(host, port, &want, &found) != 0) {
		fprintf(stderr, "%s: no such host\n", host);
		return 1;
	}
	fd = socket(found->ai_family, type, 0);
	if (fd < 0)
		die("socket");
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, found->ai_addr, found->ai_addrlen) < 0)
		die("connect");
	/*
	 * Who asks speaks first: Debian 12's pasta ends no handshake of a
	 * connection from outside before.
	 */
	if (send(fd, "hello", 5, 0) < 0)
		die("send");
	n = read(fd, buf, sizeof(buf));
	if (n <= 0)
		die("read");
	return write(STDOUT_FILENO, buf, (size_t)n) == n ? 0 : 1;
}

/* A default router for half an hour, and no prefix. */
static int announce(const char *link)
{
	static const unsigned char ra[16] = {134, 0, 0, 0, 64, 0, 0x07, 0x08};
	const int index = (int)if_nametoindex(link), far = 255;
	const struct sockaddr_in6 all = {
		.sin6_family = AF_INET6,
		.sin6_addr.s6_addr = {0xff, 2, [15] = 1},
		.sin6_scope_id = (uint32_t)index};
	const int fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);

	if (fd < 0 || !index)
		die("socket");
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &far,
			 sizeof(far));
	(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index,
			 sizeof(index));
	if (sendto(fd, ra, sizeof(ra), 0, (const struct sockaddr *)&all,
		   sizeof(all)) < 0)
		die("sendto");
	return 0;
}

int main(int argc, char **argv)
{
	struct in_addr a;
	char *dns[] = {"53"};

	if (argc >= 4 && !strcmp(argv[1], "serve"))
		serve(argv[2], argv + 3, argc - 3, NULL);
	if (argc == 5 && !strcmp(argv[1], "ask"))
		return ask(argv[2], argv[3], argv[4], ASK_SECONDS);
	if (argc == 5 && !strcmp(argv[1], "try"))
		return ask(argv[2], argv[3], argv[4], TRY_SECONDS);
	if (argc == 3 && !strcmp(argv[1], "answer") &&
	    inet_pton(AF_INET, argv[2], &a) == 1)
		serve("dns", dns, 1, &a);
	if (argc == 3 && !strcmp(argv[1], "announce"))
		return announce(argv[2]);
	fprintf(stderr, "netpeer: wrong arguments\n");
	return 2;
}
