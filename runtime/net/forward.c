/*
 * How it works.
 *
 * A listener is a reserved socket. A pair is two sockets, ours[0] towards who
 * connected and ours[1] towards the container, and for tcp a pipe of bytes in
 * each direction:
 *
 *   pair.half[0]  read from fd[0], written to fd[1]
 *   pair.half[1]  read from fd[1], written to fd[0]
 *
 * Each turn moves what can be moved in both directions, and then asks epoll for
 * what the next move needs: to read where a buffer is empty, to write where one
 * is not. A half is over when its source has ended and its buffer is empty; its
 * sink is told. Both over, or any error: the pair is gone.
 *
 * Who cannot be accepted, because no fd is free, waits in the kernel's queue:
 * the listeners are asked again when a pair has ended, or after a moment, since
 * what took the fds may not be ours.
 *
 * A fork that holds a socket keeps it in epoll past our close, so each is taken
 * out of it before what its events lead to is freed.
 *
 * For udp fd[0] is the listener's own (borrowed), and peer is whom answers go
 * to: datagrams are not buffered.
 */
#include "forward.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/own.h"
#include "runtime/net/sockname.h"

#define HALF_SIZE    KIB(16)
#define DATAGRAM_MAX KIB(64)
#define EVENTS_MAX   32 /* of one turn */
#define BURST_MAX    32 /* datagrams of one socket in one turn */
#define RETRY_NS     (CLOCK_SECOND / 10) /* after no fd was free */

/* What an epoll event leads to. */
struct source {
	enum {
		LISTENER,
		PAIR,
		RETRY
	} what;
	size_t index; /* of a pair: which fd */
	void *of;
};

struct listener {
	struct source source;
	struct port_map map;
	int fd;
};

struct half {
	unsigned char *p;
	size_t at, end; /* what waits */
	bool ended;     /* nothing more comes */
	bool told;      /* and its sink knows */
};

struct pair {
	struct source source[2];
	struct pair *next;
	struct listener *from;
	int fd[2];
	uint32_t asked[2]; /* of epoll, and not yet answered */
	bool connecting;
	bool dead; /* to be freed at the end of the turn */
	struct half half[2];
	union sockname peer; /* udp */
	socklen_t peer_len;
	int64_t used_ns;
};

struct forward {
	int epoll;
	struct listener *v;
	size_t n;
	bool full; /* listeners of tcp are not asked */
	int retry; /* a timer: ask them again */
	struct source retry_source;
	struct ip v4;
	struct ip v6;
	struct pair *pairs;
	size_t n_pairs;
	unsigned char *datagram;
};

static bool is_tcp(const struct listener *l)
{
	return !strcmp(l->map.protocol, "tcp");
}

/* ---- epoll ---------------------------------------------------------------------- */

static int watch(struct forward *f, int op, int fd, uint32_t events,
		 struct source *s)
{
	struct epoll_event ev = {.events = events, .data.ptr = s};

	return epoll_ctl(f->epoll, op, fd, &ev);
}

/*
 * One event per question (EPOLLONESHOT): a hang-up would else be told again and
 * again while there is nothing to do about it.
 */
static void ask(struct forward *f, struct pair *p, size_t i, uint32_t events)
{
	if (p->asked[i] == events)
		return;
	p->asked[i] = events;
	if (watch(f, EPOLL_CTL_MOD, p->fd[i], events | EPOLLONESHOT,
		  &p->source[i]) < 0)
		p->dead = true;
}

static void unwatch_close(struct forward *f, int *fd)
{
	(void)epoll_ctl(f->epoll, EPOLL_CTL_DEL, *fd, NULL);
	own_close(fd);
}

/* Level triggered: who cannot be served now is not asked. */
static void ask_listeners(struct forward *f, bool full)
{
	if (f->full == full)
		return;
	f->full = full;
	for (size_t i = 0; i < f->n; i++)
		if (is_tcp(&f->v[i]))
			(void)watch(f, EPOLL_CTL_MOD, f->v[i].fd,
				    full ? 0 : EPOLLIN, &f->v[i].source);
}

/* ---- pairs ---------------------------------------------------------------------- */

/* A close that the other side takes for an error. */
static void reset(int fd)
{
	const struct linger now = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

static void free_pair(struct forward *f, struct pair *p)
{
	if (is_tcp(p->from))
		unwatch_close(f, &p->fd[0]);
	unwatch_close(f, &p->fd[1]);
	free(p->half[0].p);
	free(p->half[1].p);
	free(p);
	f->n_pairs--;
}

static void sweep(struct forward *f)
{
	struct pair **at = &f->pairs;

	while (*at) {
		struct pair *const p = *at;

		if (p->dead) {
			*at = p->next;
			free_pair(f, p);
		} else {
			at = &p->next;
		}
	}
}

/* A socket that is on its way to the container, or -1. */
static int dial(const struct forward *f, const struct listener *l)
{
	const bool six =
		ip_is(&f->v6) && (l->map.ip.len == 16 || !ip_is(&f->v4));
	const struct ip *const to = six ? &f->v6 : &f->v4;
	union sockname a;
	autoclose int fd = -1;

	if (!ip_is(to))
		return -1;
	fd = socket(six ? AF_INET6 : AF_INET,
		    (is_tcp(l) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC |
			    SOCK_NONBLOCK,
		    0);
	if (fd < 0)
		return -1;
	if (connect(fd, &a.any, sockname_make(&a, to, l->map.port)) < 0 &&
	    errno != EINPROGRESS)
		return -1;
	return take_fd(&fd);
}

static struct pair *add_pair(struct forward *f, struct listener *l, int from,
			     int to)
{
	struct pair *const p = xcalloc(1, sizeof(*p));

	for (size_t i = 0; i < 2; i++)
		p->source[i] =
			(struct source){.what = PAIR, .index = i, .of = p};
	p->from = l;
	p->fd[0] = from;
	p->fd[1] = to;
	p->next = f->pairs;
	f->pairs = p;
	f->n_pairs++;
	return p;
}

/* ---- tcp ------------------------------------------------------------------------ */

static void fill(struct pair *p, size_t i)
{
	struct half *const h = &p->half[i];
	ssize_t n;

	if (h->ended || h->end)
		return;
	if (!h->p)
		h->p = xmalloc(HALF_SIZE);
	n = recv(p->fd[i], h->p, HALF_SIZE, 0);
	if (n > 0)
		h->end = (size_t)n;
	else if (n == 0)
		h->ended = true;
	else if (errno != EAGAIN && errno != EINTR)
		p->dead = true;
}

static void drain(struct pair *p, size_t i)
{
	struct half *const h = &p->half[i];
	const int to = p->fd[1 - i];
	ssize_t n;

	if (h->end) {
		n = send(to, h->p + h->at, h->end - h->at, MSG_NOSIGNAL);
		if (n > 0)
			h->at += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			p->dead = true;
		if (h->at == h->end)
			h->at = h->end = 0;
	}
	if (h->ended && !h->end && !h->told) {
		(void)shutdown(to, SHUT_WR);
		h->told = true;
	}
}

static uint32_t wish(const struct pair *p, size_t i)
{
	const struct half *const in = &p->half[i];
	const struct half *const out = &p->half[1 - i];
	uint32_t events = 0;

	if (!in->ended && !in->end)
		events |= EPOLLIN;
	if (out->end)
		events |= EPOLLOUT;
	return events;
}

/* Is it connected? An error of the container's is one for who connected. */
static void finish_connect(struct pair *p)
{
	int why = 0;
	socklen_t n = sizeof(why);

	p->connecting = false;
	if (getsockopt(p->fd[1], SOL_SOCKET, SO_ERROR, &why, &n) < 0 || why)
		p->dead = true;
}

static void move(struct forward *f, struct pair *p, size_t i, uint32_t events)
{
	p->asked[i] = 0;
	if (p->connecting && i == 1)
		finish_connect(p);
	else if (p->connecting && (events & (EPOLLERR | EPOLLHUP)))
		p->dead = true;
	for (size_t k = 0; k < 2 && !p->dead && !p->connecting; k++) {
		fill(p, k);
		drain(p, k);
	}
	for (size_t k = 0; k < 2 && !p->dead && !p->connecting; k++)
		ask(f, p, k, wish(p, k));
	if (p->dead) {
		reset(p->fd[0]);
		reset(p->fd[1]);
	}
	p->dead = p->dead || (p->half[0].told && p->half[1].told);
}

static void retry_later(struct forward *f)
{
	const struct itimerspec once = {.it_value.tv_nsec = RETRY_NS};

	if (timerfd_settime(f->retry, 0, &once, NULL) == 0)
		ask_listeners(f, true);
}

static void retry_now(struct forward *f)
{
	uint64_t times;

	(void)!read(f->retry, &times, sizeof(times));
	if (f->n_pairs < FORWARD_MAX)
		ask_listeners(f, false);
}

static void take_connection(struct forward *f, struct listener *l)
{
	autoclose int from =
		accept4(l->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	autoclose int to = -1;
	struct pair *p;

	if (from < 0) {
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS)
			retry_later(f);
		return;
	}
	to = dial(f, l);
	if (to < 0) {
		reset(from);
		return;
	}
	p = add_pair(f, l, take_fd(&from), take_fd(&to));
	p->connecting = true;
	p->asked[1] = EPOLLOUT;
	if (watch(f, EPOLL_CTL_ADD, p->fd[0], EPOLLONESHOT, &p->source[0]) <
		    0 ||
	    watch(f, EPOLL_CTL_ADD, p->fd[1], EPOLLOUT | EPOLLONESHOT,
		  &p->source[1]) < 0)
		p->dead = true;
}

/* ---- udp ------------------------------------------------------------------------ */

static struct pair *pair_of(struct forward *f, const struct listener *l,
			    const union sockname *peer, socklen_t len)
{
	struct pair *p;

	for (p = f->pairs; p; p = p->next)
		if (p->from == l && !p->dead && p->peer_len == len &&
		    memcmp(&p->peer, peer, len) == 0)
			return p;
	return NULL;
}

/* Those that nobody uses make room. */
static void retire_idle(struct forward *f, int64_t now)
{
	for (struct pair *p = f->pairs; p; p = p->next)
		if (!is_tcp(p->from) &&
		    now - p->used_ns > FORWARD_UDP_IDLE_S * CLOCK_SECOND)
			p->dead = true;
	sweep(f);
}

static struct pair *new_udp(struct forward *f, struct listener *l,
			    const union sockname *peer, socklen_t len)
{
	autoclose int to = -1;
	struct pair *p;

	if (f->n_pairs >= FORWARD_MAX)
		return NULL;
	to = dial(f, l);
	if (to < 0)
		return NULL;
	p = add_pair(f, l, l->fd, take_fd(&to));
	memcpy(&p->peer, peer, len);
	p->peer_len = len;
	if (watch(f, EPOLL_CTL_ADD, p->fd[1], EPOLLIN, &p->source[1]) < 0)
		p->dead = true;
	return p;
}

static void take_datagrams(struct forward *f, struct listener *l)
{
	const int64_t now = clock_monotonic();

	for (int i = 0; i < BURST_MAX; i++) {
		union sockname peer;
		socklen_t len = sizeof(peer);
		const ssize_t n = recvfrom(l->fd, f->datagram, DATAGRAM_MAX, 0,
					   &peer.any, &len);
		struct pair *p;

		if (n < 0)
			return;
		p = pair_of(f, l, &peer, len);
		if (!p)
			p = new_udp(f, l, &peer, len);
		if (!p)
			continue;
		p->used_ns = now;
		(void)send(p->fd[1], f->datagram, (size_t)n, 0);
	}
}

static void answer_datagrams(struct forward *f, struct pair *p)
{
	p->used_ns = clock_monotonic();
	for (int i = 0; i < BURST_MAX; i++) {
		const ssize_t n = recv(p->fd[1], f->datagram, DATAGRAM_MAX, 0);

		/* Refused: nobody listens there now; it may come back. */
		if (n < 0 && errno == ECONNREFUSED)
			continue;
		if (n < 0)
			return;
		(void)sendto(p->fd[0], f->datagram, (size_t)n, 0, &p->peer.any,
			     p->peer_len);
	}
}

/* ---- the face ------------------------------------------------------------------- */

static void one_event(struct forward *f, const struct epoll_event *ev)
{
	const struct source *const s = ev->data.ptr;
	struct pair *const p = s->of;

	if (s->what == RETRY) {
		retry_now(f);
		return;
	}
	if (s->what == LISTENER) {
		struct listener *const l = s->of;

		if (!is_tcp(l))
			take_datagrams(f, l);
		else if (f->n_pairs < FORWARD_MAX)
			take_connection(f, l);
		return;
	}
	if (p->dead)
		return;
	if (is_tcp(p->from))
		move(f, p, s->index, ev->events);
	else
		answer_datagrams(f, p);
}

void forward_turn(struct forward *f)
{
	struct epoll_event ev[EVENTS_MAX];
	const size_t before = f->n_pairs;
	const int n = epoll_wait(f->epoll, ev, EVENTS_MAX, 0);

	for (int i = 0; i < n; i++)
		one_event(f, &ev[i]);
	sweep(f);
	if (f->n_pairs >= FORWARD_MAX)
		retire_idle(f, clock_monotonic());
	if (f->n_pairs >= FORWARD_MAX)
		ask_listeners(f, true);
	else if (f->n_pairs < before)
		ask_listeners(f, false);
}

int forward_fd(const struct forward *f)
{
	return f ? f->epoll : -1;
}

void forward_to(struct forward *f, const struct ip *v4, const struct ip *v6)
{
	if (!f)
		return;
	f->v4 = *v4;
	f->v6 = *v6;
	/* What they were connected to is gone. */
	for (struct pair *p = f->pairs; p; p = p->next)
		p->dead = true;
	sweep(f);
	ask_listeners(f, false);
}

static int add_listener(struct forward *f, const struct port_map *map, int *fd,
			struct err *e)
{
	struct listener *const l = &f->v[f->n];

	l->map = *map;
	l->fd = take_fd(fd);
	l->source = (struct source){.what = LISTENER, .of = l};
	f->n++;
	if (!is_tcp(l) && !f->datagram)
		f->datagram = xmalloc(DATAGRAM_MAX);
	if (watch(f, EPOLL_CTL_ADD, l->fd, EPOLLIN, &l->source) < 0)
		return err_sys(e, "epoll_ctl", "a published port");
	return 0;
}

static int open_epoll(struct forward *f, struct err *e)
{
	f->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (f->epoll < 0)
		return err_sys(e, "epoll_create1", "for published ports");
	f->retry = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (f->retry < 0)
		return err_sys(e, "timerfd_create", "for published ports");
	f->retry_source.what = RETRY;
	if (watch(f, EPOLL_CTL_ADD, f->retry, EPOLLIN, &f->retry_source) < 0)
		return err_sys(e, "epoll_ctl", "a timer");
	return 0;
}

int forward_make(struct ports *p, struct forward **ret, struct err *e)
{
	struct forward *f;

	*ret = NULL;
	if (p->n == 0)
		return 0;
	f = xcalloc(1, sizeof(*f));
	f->v = xcalloc(p->n, sizeof(*f->v));
	f->epoll = f->retry = -1;
	if (open_epoll(f, e) < 0) {
		forward_free(f);
		return -1;
	}
	for (size_t i = 0; i < p->n; i++)
		if (p->fds[i] >= 0 &&
		    add_listener(f, &p->v[i], &p->fds[i], e) < 0) {
			forward_free(f);
			return -1;
		}
	*ret = f;
	return 0;
}

void forward_free(struct forward *f)
{
	if (!f)
		return;
	for (struct pair *p = f->pairs; p; p = p->next)
		p->dead = true;
	sweep(f);
	for (size_t i = 0; i < f->n; i++)
		own_close(&f->v[i].fd);
	own_close(&f->retry);
	own_close(&f->epoll);
	free(f->v);
	free(f->datagram);
	free(f);
}
