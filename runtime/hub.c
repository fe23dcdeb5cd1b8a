#include "hub.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "runtime/ownfd.h"
#include "runtime/tty.h"

#define SOURCE_MAX   65536
#define STRAIGHT_MAX (1U << 20)

/* One piece of what the program wrote, and who has how much of it. */
struct source {
	int fd; /* -1: at its end, or there is none */
	size_t len;
	size_t own_at;
	size_t left; /* bytes that may still be read */
	char buf[SOURCE_MAX];
};

struct input {
	int fd;     /* the write end, or the master (not ours to close) */
	int theirs; /* the read end, to see what remains in it; -1: none */
	size_t at, len;
	bool eof_wanted;
	bool line_start;
	char buf[ATTACH_DATA_MAX];
};

struct client {
	int fd; /* -1: gone */
	unsigned int wish;
	size_t at[LOG_STREAMS];
};

enum slot_kind {
	SLOT_LISTEN,
	SLOT_CLIENT,
	SLOT_OWN_IN,
	SLOT_IN,
	SLOT_OWN,
	SLOT_SOURCE,
	SLOT_KINDS
};

struct slot {
	enum slot_kind kind;
	int i;
};

struct hub {
	struct hub_conf conf;
	int listen_fd;
	int own_in;
	bool own_in_is_file;
	int own_in_why; /* errno of the failed read */
	struct ownfd own[LOG_STREAMS];
	bool tty;
	bool ended;
	int64_t moved_ns; /* when the last byte moved, once ended */
	struct client clients[HUB_CLIENTS_MAX];
	int n_clients;
	struct slot slots[HUB_FDS_MAX];
	struct input in;
	struct source sources[LOG_STREAMS];
};

static const unsigned int wants[LOG_STREAMS] = {ATTACH_WANT_OUT,
						ATTACH_WANT_ERR};

/* ---- making ------------------------------------------------------------------ */

/* Neither a stream nor a terminal. Reading a directory fails later. */
static bool is_file(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 &&
	       (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ||
		S_ISDIR(st.st_mode));
}

struct hub *hub_make(const struct hub_conf *c)
{
	struct hub *const h = xcalloc(1, sizeof(*h));

	h->conf = *c;
	h->listen_fd = -1;
	h->own_in = c->own_in;
	h->own_in_is_file = is_file(c->own_in);
	ownfd_init(&h->own[LOG_STREAM_OUT], c->own_out);
	ownfd_init(&h->own[LOG_STREAM_ERR], c->own_err);
	h->in.fd = -1;
	h->in.theirs = -1;
	for (int s = 0; s < LOG_STREAMS; s++)
		h->sources[s].fd = -1;
	return h;
}

static void close_ends(struct hub *h)
{
	if (h->tty)
		h->in.fd = -1;
	own_close(&h->in.fd);
	own_close(&h->in.theirs);
	for (int s = 0; s < LOG_STREAMS; s++) {
		own_close(&h->sources[s].fd);
		h->sources[s].len = 0;
		h->sources[s].left = SIZE_MAX;
	}
}

void hub_shut(struct hub *h)
{
	close_ends(h);
	if (h->listen_fd >= 0)
		(void)unlinkat(h->conf.dir_fd, ATTACH_NAME, 0);
	own_close(&h->listen_fd);
	log_writer_close(h->conf.log);
	h->conf.log = NULL;
}

void hub_free(struct hub *h)
{
	if (!h)
		return;
	hub_shut(h);
	for (int i = 0; i < h->n_clients; i++)
		own_close(&h->clients[i].fd);
	free(h);
}

int hub_listen(struct hub *h, struct err *e)
{
	h->listen_fd = attach_listen(h->conf.dir_fd, e);
	return h->listen_fd < 0 ? -1 : 0;
}

static int set_nonblock(int fd, struct err *e)
{
	const int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, "fcntl", "O_NONBLOCK on stdio");
	return 0;
}

void hub_add_client(struct hub *h, int fd)
{
	struct err ignored = {0};
	struct client *c;

	if (h->n_clients == HUB_CLIENTS_MAX || set_nonblock(fd, &ignored) < 0) {
		(void)close(fd);
		return;
	}
	c = &h->clients[h->n_clients++];
	*c = (struct client){.fd = fd};
	/* What is under way began before it came. */
	for (int s = 0; s < LOG_STREAMS; s++)
		c->at[s] = h->sources[s].len;
}

int hub_connect(struct hub *h, const struct hub_ends *ends, struct err *e)
{
	close_ends(h);
	h->tty = ends->master >= 0;
	h->ended = false;
	h->sources[LOG_STREAM_OUT].fd = h->tty ? ends->master : ends->out;
	h->sources[LOG_STREAM_ERR].fd = h->tty ? -1 : ends->err;
	h->in.fd = h->tty ? ends->master : ends->in;
	h->in.theirs = ends->in_theirs;
	/*
	 * While we hold the read end we do not notice that the program closed
	 * it.
	 */
	if (!h->own_in_is_file)
		own_close(&h->in.theirs);
	h->in.len = 0;
	h->in.eof_wanted = false;
	h->in.line_start = true;
	for (int s = 0; s < LOG_STREAMS; s++)
		if (h->sources[s].fd >= 0 &&
		    set_nonblock(h->sources[s].fd, e) < 0)
			return -1;
	return h->in.fd >= 0 ? set_nonblock(h->in.fd, e) : 0;
}

/* ---- to the program ------------------------------------------------------------ */

static void moved(struct hub *h)
{
	if (h->ended)
		h->moved_ns = clock_monotonic();
}

static void input_close(struct hub *h)
{
	if (h->tty)
		h->in.fd = -1;
	own_close(&h->in.fd);
	h->in.len = 0;
	h->in.eof_wanted = false;
}

static void input_write(struct hub *h)
{
	struct input *const in = &h->in;
	ssize_t n;

	if (in->fd < 0)
		return;
	if (in->len == 0 && in->eof_wanted) {
		if (!h->tty) {
			input_close(h);
			return;
		}
		in->eof_wanted = false;
		in->at = 0;
		in->len = tty_eof_text(in->fd, in->line_start, in->buf);
	}
	if (in->len == 0)
		return;
	n = write(in->fd, in->buf + in->at, in->len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0) {
		/* Nobody will read it. */
		input_close(h);
		return;
	}
	if (n > 0) {
		const char last = in->buf[in->at + (size_t)n - 1];

		in->line_start = last == '\n' || last == '\r';
	}
	in->at += (size_t)n;
	in->len -= (size_t)n;
}

static bool input_is_free(const struct hub *h)
{
	return h->in.len == 0 && !h->in.eof_wanted;
}

static void input_put(struct hub *h, size_t n)
{
	h->in.at = 0;
	h->in.len = h->in.fd < 0 ? 0 : n;
	input_write(h);
}

static void read_own_in(struct hub *h)
{
	const ssize_t n = read(h->own_in, h->in.buf, sizeof(h->in.buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n > 0) {
		input_put(h, (size_t)n);
		return;
	}
	if (n < 0 && h->own_in_is_file)
		h->own_in_why = errno;
	h->own_in = -1;
	h->in.eof_wanted = true;
	input_write(h);
}

/* The next reader of the file gets what the program did not read. */
static void give_back(struct hub *h)
{
	int n = 0;

	if (h->in.theirs < 0)
		return;
	(void)ioctl(h->in.theirs, FIONREAD, &n);
	if (n > 0 || h->in.len > 0)
		(void)lseek(h->conf.own_in, -(off_t)((size_t)n + h->in.len),
			    SEEK_CUR);
	own_close(&h->in.theirs);
}

/* ---- clients ------------------------------------------------------------------- */

static void client_drop(struct client *c)
{
	own_close(&c->fd);
}

static void client_greet(struct hub *h, struct client *c, const char *p,
			 size_t n)
{
	const char what = (char)((h->tty ? ATTACH_HAS_TTY : 0) |
				 (h->in.fd >= 0 ? ATTACH_HAS_STDIN : 0));

	if (n != 1) {
		client_drop(c);
		return;
	}
	c->wish = (unsigned char)*p;
	if (attach_send(c->fd, ATTACH_HELLO, &what, 1, MSG_DONTWAIT) < 0)
		client_drop(c);
}

void hub_resize(struct hub *h, uint16_t rows, uint16_t columns)
{
	const struct winsize ws = {.ws_row = rows, .ws_col = columns};

	if (h->tty && h->in.fd >= 0)
		(void)ioctl(h->in.fd, TIOCSWINSZ, &ws);
}

static void client_message(struct hub *h, struct client *c,
			   enum attach_type type, size_t n,
			   struct hub_wish *ret)
{
	/* It stands in the input buffer, which is free. */
	const char *const p = h->in.buf;
	struct attach_size size;

	switch (type) {
	case ATTACH_HELLO:
		client_greet(h, c, p, n);
		return;
	case ATTACH_IN:
		/*
		 * A client wrote to the pipe, so its content is not only the
		 * file's.
		 */
		own_close(&h->in.theirs);
		if ((c->wish & ATTACH_WANT_IN) && !h->ended)
			input_put(h, n);
		return;
	case ATTACH_IN_EOF:
		if ((c->wish & ATTACH_WANT_IN) && h->conf.stdin_once) {
			h->in.eof_wanted = h->in.fd >= 0;
			input_write(h);
		}
		return;
	case ATTACH_SIZE:
		if (n == sizeof(size)) {
			memcpy(&size, p, sizeof(size));
			hub_resize(h, size.rows, size.columns);
		}
		return;
	case ATTACH_SIGNAL:
		if (n == 1 && *p > 0 && *p < 64)
			ret->signals |= UINT64_C(1) << *p;
		return;
	case ATTACH_OUT:
	case ATTACH_ERR:
	case ATTACH_EXIT:
		break;
	}
	client_drop(c);
}

static void client_read(struct hub *h, struct client *c, struct hub_wish *ret)
{
	enum attach_type type;
	ssize_t n;

	if (!input_is_free(h))
		return;
	n = attach_recv(c->fd, &type, h->in.buf, MSG_DONTWAIT);
	if (n < 0) {
		if (errno != EAGAIN)
			client_drop(c);
		return;
	}
	client_message(h, c, type, (size_t)n, ret);
}

/* What of the piece the client lacks, as far as it takes it. */
static void client_write(struct hub *h, struct client *c, int s)
{
	const struct source *const src = &h->sources[s];

	while (c->fd >= 0 && c->at[s] < src->len) {
		size_t n = src->len - c->at[s];

		if (n > ATTACH_DATA_MAX)
			n = ATTACH_DATA_MAX;
		if (!(c->wish & wants[s])) {
			c->at[s] = src->len;
			return;
		}
		if (attach_send(c->fd,
				s == LOG_STREAM_OUT ? ATTACH_OUT : ATTACH_ERR,
				src->buf + c->at[s], n, MSG_DONTWAIT) < 0) {
			if (errno != EAGAIN && errno != ENOBUFS)
				client_drop(c);
			return;
		}
		c->at[s] += n;
		moved(h);
	}
}

static void accept_clients(struct hub *h, struct hub_wish *ret)
{
	for (;;) {
		const int fd = attach_accept(h->listen_fd);

		if (fd < 0)
			return;
		ret->poked = true;
		hub_add_client(h, fd);
	}
}

static void forget_dead_clients(struct hub *h)
{
	int n = 0;

	for (int i = 0; i < h->n_clients; i++)
		if (h->clients[i].fd >= 0)
			h->clients[n++] = h->clients[i];
	h->n_clients = n;
}

/* ---- from the program ---------------------------------------------------------- */

static void source_close(struct hub *h, int s)
{
	struct source *const src = &h->sources[s];

	if (h->tty)
		h->in.fd = -1;
	own_close(&src->fd);
	if (h->conf.log)
		log_writer_end(h->conf.log, (enum log_stream)s);
}

/* Is the caller's fd the only reader, now and later? */
static bool is_own_alone(const struct hub *h)
{
	return !h->tty && !h->conf.log && h->listen_fd < 0 && h->n_clients == 0;
}

static void own_write(struct hub *h, int s, bool polled)
{
	struct source *const src = &h->sources[s];
	ssize_t n;

	if (h->own[s].fd < 0 || src->own_at >= src->len)
		return;
	n = ownfd_write(&h->own[s], src->buf + src->own_at,
			src->len - src->own_at, polled);
	if (n > 0) {
		src->own_at += (size_t)n;
		moved(h);
	}
	/* The program gets SIGPIPE, as from a pipe of the caller's. */
	if (n < 0 && is_own_alone(h) && h->own[s].why != EIO)
		source_close(h, s);
}

/* Splice output that has no other reader into the caller's file. */
static bool went_straight(struct hub *h, int s)
{
	struct source *const src = &h->sources[s];
	size_t n = src->left < STRAIGHT_MAX ? src->left : STRAIGHT_MAX;

	if (!is_own_alone(h))
		return false;
	n = ownfd_splice(&h->own[s], src->fd, n);
	if (n == 0)
		return false;
	if (src->left != SIZE_MAX)
		src->left -= n;
	moved(h);
	return true;
}

/* True when everybody has the piece: then there is room for the next one. */
static bool source_is_free(const struct hub *h, int s)
{
	const struct source *const src = &h->sources[s];

	if (h->own[s].fd >= 0 && src->own_at < src->len)
		return false;
	for (int i = 0; i < h->n_clients; i++)
		if (h->clients[i].fd >= 0 && h->clients[i].at[s] < src->len)
			return false;
	return true;
}

static void spread(struct hub *h, int s)
{
	struct source *const src = &h->sources[s];

	src->own_at = 0;
	if (h->conf.log)
		log_writer_add(h->conf.log, (enum log_stream)s, src->buf,
			       src->len);
	own_write(h, s, false);
	for (int i = 0; i < h->n_clients; i++) {
		h->clients[i].at[s] = 0;
		client_write(h, &h->clients[i], s);
	}
}

static void source_read(struct hub *h, int s)
{
	struct source *const src = &h->sources[s];
	ssize_t n;

	if (src->fd < 0 || !source_is_free(h, s) || went_straight(h, s))
		return;
	n = read(src->fd, src->buf,
		 src->left < sizeof(src->buf) ? src->left : sizeof(src->buf));
	if (n < 0 && errno == EINTR)
		return;
	if (n < 0 && errno == EAGAIN) {
		/* A pty's last bytes may still be on their way. */
		if (h->ended && !h->tty)
			source_close(h, s);
		return;
	}
	/* A master says EIO when its last slave is closed. */
	if (n <= 0) {
		source_close(h, s);
		return;
	}
	src->len = (size_t)n;
	if (src->left != SIZE_MAX)
		src->left -= (size_t)n;
	moved(h);
	spread(h, s);
}

/* ---- the loop ------------------------------------------------------------------ */

struct list {
	struct hub *h;
	struct pollfd *p;
	int n;
};

static void list_add(struct list *l, enum slot_kind kind, int i, int fd,
		     short events)
{
	l->h->slots[l->n] = (struct slot){kind, i};
	l->p[l->n++] = (struct pollfd){.fd = fd, .events = events};
}

static void list_clients(struct list *l)
{
	struct hub *const h = l->h;

	for (int i = 0; i < h->n_clients; i++) {
		const struct client *const c = &h->clients[i];
		short events = 0;

		for (int s = 0; s < LOG_STREAMS; s++)
			if (c->at[s] < h->sources[s].len)
				events |= POLLOUT;
		if (input_is_free(h))
			events |= POLLIN;
		/* With no events asked for poll would still report a hang-up. */
		list_add(l, SLOT_CLIENT, i, events ? c->fd : -1, events);
	}
}

int hub_fds(struct hub *h, struct pollfd *ret)
{
	struct list l = {.h = h, .p = ret};

	forget_dead_clients(h);
	if (h->listen_fd >= 0 && h->n_clients < HUB_CLIENTS_MAX)
		list_add(&l, SLOT_LISTEN, 0, h->listen_fd, POLLIN);
	list_clients(&l);
	if (h->own_in >= 0 && input_is_free(h) && h->in.fd >= 0)
		list_add(&l, SLOT_OWN_IN, 0, h->own_in, POLLIN);
	if (h->in.fd >= 0 && !input_is_free(h))
		list_add(&l, SLOT_IN, 0, h->in.fd, POLLOUT);
	for (int s = 0; s < LOG_STREAMS; s++) {
		const struct source *const src = &h->sources[s];

		if (h->own[s].fd >= 0 && src->own_at < src->len)
			list_add(&l, SLOT_OWN, s, h->own[s].fd, POLLOUT);
		if (src->fd >= 0 && source_is_free(h, s))
			list_add(&l, SLOT_SOURCE, s, src->fd, POLLIN);
	}
	return l.n;
}

static void handle_one(struct hub *h, const struct slot *slot,
		       struct hub_wish *ret)
{
	switch (slot->kind) {
	case SLOT_LISTEN:
		accept_clients(h, ret);
		return;
	case SLOT_CLIENT:
		for (int s = 0; s < LOG_STREAMS; s++)
			client_write(h, &h->clients[slot->i], s);
		if (h->clients[slot->i].fd >= 0)
			client_read(h, &h->clients[slot->i], ret);
		return;
	case SLOT_OWN_IN:
		if (input_is_free(h))
			read_own_in(h);
		return;
	case SLOT_IN:
		input_write(h);
		return;
	case SLOT_OWN:
		own_write(h, slot->i, true);
		return;
	case SLOT_SOURCE:
		source_read(h, slot->i);
		return;
	case SLOT_KINDS:
		return;
	}
}

void hub_handle(struct hub *h, const struct pollfd *fds, int n,
		struct hub_wish *ret)
{
	*ret = (struct hub_wish){0};
	/* Clients stand before sources: who greets in time gets the output. */
	for (int i = 0; i < n; i++)
		if (fds[i].fd >= 0 && fds[i].revents)
			handle_one(h, &h->slots[i], ret);
}

/* ---- the end ------------------------------------------------------------------- */

/* The pipe holds the program's last byte; other processes may write more. */
static void limit_source(struct source *src)
{
	int n = 0;

	if (src->fd >= 0 && ioctl(src->fd, FIONREAD, &n) == 0)
		src->left = (size_t)n;
}

void hub_ended(struct hub *h)
{
	h->ended = true;
	h->moved_ns = clock_monotonic();
	give_back(h);
	h->in.len = 0;
	h->in.eof_wanted = false;
	if (h->tty)
		return;
	own_close(&h->in.fd);
	for (int s = 0; s < LOG_STREAMS; s++)
		limit_source(&h->sources[s]);
}

int hub_lost(const struct hub *h, struct err *e)
{
	if (ownfd_lost(&h->own[LOG_STREAM_OUT], "stdout", e) < 0 ||
	    ownfd_lost(&h->own[LOG_STREAM_ERR], "stderr", e) < 0)
		return -1;
	return h->own_in_why ? err_sysno(e, h->own_in_why, "read", "stdin") : 0;
}

static void drop_waiting_clients(struct hub *h)
{
	for (int i = 0; i < h->n_clients; i++)
		for (int s = 0; s < LOG_STREAMS; s++)
			if (h->clients[i].at[s] < h->sources[s].len)
				client_drop(&h->clients[i]);
}

bool hub_done(struct hub *h)
{
	const bool late = hub_timeout_ms(h) == 0;
	bool done = true;

	if (late)
		drop_waiting_clients(h);
	for (int s = 0; s < LOG_STREAMS; s++) {
		source_read(h, s);
		/* Somebody outside holds the terminal. */
		if (late && h->tty && h->sources[s].fd >= 0 &&
		    source_is_free(h, s))
			source_close(h, s);
		done = done && h->sources[s].fd < 0 && source_is_free(h, s);
	}
	return done;
}

int hub_timeout_ms(const struct hub *h)
{
	int64_t ms;

	if (!h->ended)
		return -1;
	ms = HUB_PATIENCE_MS -
	     (clock_monotonic() - h->moved_ns) / (CLOCK_SECOND / 1000);
	return ms > 0 ? (int)ms : 0;
}

void hub_give_up(struct hub *h)
{
	for (int s = 0; s < LOG_STREAMS; s++)
		source_close(h, s);
	close_ends(h);
}

/* Its socket may be full of what it has not read yet. */
static void send_exit(const struct client *c, int32_t code)
{
	struct pollfd p = {.fd = c->fd, .events = POLLOUT};

	if (attach_send(c->fd, ATTACH_EXIT, &code, sizeof(code),
			MSG_DONTWAIT) == 0 ||
	    errno != EAGAIN || poll(&p, 1, HUB_PATIENCE_MS) <= 0)
		return;
	(void)attach_send(c->fd, ATTACH_EXIT, &code, sizeof(code),
			  MSG_DONTWAIT);
}

void hub_tell_exit(struct hub *h, int code)
{
	for (int i = 0; i < h->n_clients; i++) {
		if (h->clients[i].fd < 0)
			continue;
		send_exit(&h->clients[i], code);
		/* Watchers stay until the monitor goes. */
		if (h->clients[i].wish)
			client_drop(&h->clients[i]);
	}
	forget_dead_clients(h);
}
