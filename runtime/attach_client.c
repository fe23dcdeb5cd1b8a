#include "attach_client.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/own.h"
#include "runtime/attach.h"
#include "runtime/ownfd.h"
#include "runtime/signals.h"
#include "runtime/tty.h"

enum {
	AT_SOCK,
	AT_SIGNALS,
	AT_IN,
	AT_OUT,
	AT_COUNT
};

struct side {
	const struct attach_client *c;
	struct detach_keys keys;
	int signals;
	bool tty; /* the container has one */
	struct tty_raw raw;

	int in;      /* -1: nothing more to read */
	bool in_eof; /* to be told */
	int in_why;  /* errno of the read that failed */
	size_t in_len;
	unsigned char in_buf[ATTACH_DATA_MAX];

	struct ownfd out[2];
	struct ownfd *to; /* of the message in out_buf */
	size_t out_at, out_len;
	char out_buf[ATTACH_DATA_MAX];

	bool over;
	enum attach_end end;
	int code;
};

static void end(struct side *s, enum attach_end how, int code)
{
	if (s->over)
		return;
	s->over = true;
	s->end = how;
	s->code = code;
}

int attach_client_hello(const struct attach_client *c, struct err *e)
{
	const char wish = (char)((c->want_in ? ATTACH_WANT_IN : 0) |
				 (c->want_out ? ATTACH_WANT_OUT : 0) |
				 (c->want_err ? ATTACH_WANT_ERR : 0));

	if (attach_send(c->sock, ATTACH_HELLO, &wish, 1, 0) < 0)
		return err_sys(e, "sendmsg", "to the monitor");
	return 0;
}

/* ---- the terminal --------------------------------------------------------------- */

static void send_size(struct side *s)
{
	struct attach_size size;
	struct winsize ws;

	if (!s->tty || (ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) < 0 &&
			ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) < 0))
		return;
	size = (struct attach_size){ws.ws_row, ws.ws_col};
	(void)attach_send(s->c->sock, ATTACH_SIZE, &size, sizeof(size),
			  MSG_DONTWAIT);
}

/* A size that is another one makes it draw; then the real one. */
static void make_redraw(struct side *s)
{
	struct attach_size size;
	struct winsize ws;

	if (!s->tty || ioctl(STDIN_FILENO, TIOCGWINSZ, &ws) < 0)
		return;
	size = (struct attach_size){(uint16_t)(ws.ws_row + 1), ws.ws_col};
	(void)attach_send(s->c->sock, ATTACH_SIZE, &size, sizeof(size),
			  MSG_DONTWAIT);
}

static int enter_raw(struct side *s, struct err *e)
{
	return s->tty && s->in >= 0 ? tty_raw_enter(s->in, &s->raw, e) : 0;
}

/* ^Z from outside: the shell gets its terminal back, until fg. */
static void stop_self(struct side *s)
{
	struct err ignored = {0};
	const bool was_raw = s->raw.active;

	tty_raw_restore(&s->raw);
	(void)kill(getpid(), SIGSTOP);
	if (was_raw)
		(void)enter_raw(s, &ignored);
	send_size(s);
}

static void to_program(const struct side *s, int sig)
{
	const char byte = (char)sig;

	if (s->c->dir_fd >= 0)
		attach_signal(s->c->dir_fd, sig);
	else
		(void)attach_send(s->c->sock, ATTACH_SIGNAL, &byte, 1,
				  MSG_DONTWAIT);
}

/* ---- signals --------------------------------------------------------------------- */

static void one_signal(struct side *s, int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGPIPE:
	case SIGURG:
	case SIGTTIN:
	case SIGTTOU:
		return;
	case SIGWINCH:
		send_size(s);
		return;
	case SIGTSTP:
		if (s->c->sig_proxy && !s->raw.active)
			to_program(s, sig);
		stop_self(s);
		return;
	case SIGCONT:
		if (s->c->sig_proxy && !s->raw.active)
			to_program(s, sig);
		return;
	default:
		if (s->c->sig_proxy)
			to_program(s, sig);
		else
			end(s, ATTACH_DETACHED, 128 + sig);
	}
}

static void take_signals(struct side *s)
{
	struct signalfd_siginfo si;

	while (read(s->signals, &si, sizeof(si)) == (ssize_t)sizeof(si))
		one_signal(s, (int)si.ssi_signo);
}

/* ---- to the monitor --------------------------------------------------------------- */

static void send_in(struct side *s)
{
	if (s->in_len && attach_send(s->c->sock, ATTACH_IN, s->in_buf,
				     s->in_len, MSG_DONTWAIT) < 0)
		return;
	s->in_len = 0;
	if (s->in_eof &&
	    attach_send(s->c->sock, ATTACH_IN_EOF, NULL, 0, MSG_DONTWAIT) == 0)
		s->in_eof = false;
}

/* A terminal that hung up is an end, and no error. */
static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && !S_ISCHR(st.st_mode);
}

static void read_in(struct side *s)
{
	unsigned char raw[ATTACH_DATA_MAX - DETACH_KEYS_MAX];
	const ssize_t n = read(s->in, raw, sizeof(raw));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		const int why = n < 0 ? errno : 0;

		if (is_file(s->in))
			s->in_why = why;
		s->in = -1;
		s->in_eof = true;
		send_in(s);
		return;
	}
	if (detach_keys_feed(&s->keys, raw, (size_t)n, s->in_buf, &s->in_len))
		end(s, ATTACH_DETACHED, 0);
	send_in(s);
}

/* ---- from the monitor -------------------------------------------------------------- */

static void write_out(struct side *s, bool polled)
{
	ssize_t n;

	if (!s->to)
		return;
	n = ownfd_write(s->to, s->out_buf + s->out_at, s->out_len - s->out_at,
			polled);
	if (n < 0) {
		/* Nobody reads us: as if SIGPIPE had ended us. */
		s->to = NULL;
		end(s, ATTACH_DETACHED, 128 + SIGPIPE);
		return;
	}
	s->out_at += (size_t)n;
	if (s->out_at == s->out_len)
		s->to = NULL;
}

static void message(struct side *s, enum attach_type type, size_t n)
{
	int32_t code = 0;

	switch (type) {
	case ATTACH_OUT:
	case ATTACH_ERR:
		s->to = &s->out[type == ATTACH_ERR];
		s->out_at = 0;
		s->out_len = n;
		write_out(s, false);
		return;
	case ATTACH_EXIT:
		if (n == sizeof(code))
			memcpy(&code, s->out_buf, sizeof(code));
		end(s, ATTACH_EXITED, code);
		return;
	case ATTACH_HELLO:
	case ATTACH_IN:
	case ATTACH_IN_EOF:
	case ATTACH_SIZE:
	case ATTACH_SIGNAL:
		return;
	}
}

static void read_sock(struct side *s)
{
	enum attach_type type;
	const ssize_t n =
		attach_recv(s->c->sock, &type, s->out_buf, MSG_DONTWAIT);

	if (n >= 0)
		message(s, type, (size_t)n);
	else if (errno != EAGAIN)
		end(s, ATTACH_LOST, 0);
}

/* The answer to HELLO says whether there is a terminal. */
static int take_hello(struct side *s, struct err *e)
{
	enum attach_type type = ATTACH_EXIT;
	const ssize_t n = attach_recv(s->c->sock, &type, s->out_buf, 0);

	if (n != 1 || type != ATTACH_HELLO)
		return err_set(e, ERR_GONE,
			       "the monitor of the container did not answer");
	s->tty = s->out_buf[0] & ATTACH_HAS_TTY;
	if (!(s->out_buf[0] & ATTACH_HAS_STDIN))
		s->in = -1;
	/* In a stream of bytes they are bytes. */
	if (!s->tty)
		s->keys.n = 0;
	return 0;
}

/* ---- the loop ------------------------------------------------------------------------ */

static int turn(struct side *s, struct err *e)
{
	const bool sending = s->in_len || s->in_eof;
	struct pollfd p[AT_COUNT] = {
		[AT_SOCK] = {.fd = s->c->sock},
		[AT_SIGNALS] = {.fd = s->signals, .events = POLLIN},
		[AT_IN] = {.fd = sending ? -1 : s->in, .events = POLLIN},
		[AT_OUT] = {.fd = s->to ? s->to->fd : -1, .events = POLLOUT},
	};

	p[AT_SOCK].events =
		(short)((s->to ? 0 : POLLIN) | (sending ? POLLOUT : 0));
	if (!p[AT_SOCK].events)
		p[AT_SOCK].fd = -1;
	if (poll(p, AT_COUNT, -1) < 0)
		return errno == EINTR ? 0 : err_sys(e, "poll", "attached");
	if (p[AT_SIGNALS].revents)
		take_signals(s);
	if (p[AT_OUT].revents)
		write_out(s, true);
	if (p[AT_SOCK].revents & POLLOUT)
		send_in(s);
	if ((p[AT_SOCK].revents & ~POLLOUT) && !s->to)
		read_sock(s);
	if (p[AT_IN].revents && !s->over)
		read_in(s);
	return 0;
}

static int loop(struct side *s, struct err *e)
{
	if (take_hello(s, e) < 0 || enter_raw(s, e) < 0)
		return -1;
	if (s->c->redraw)
		make_redraw(s);
	send_size(s);
	while (!s->over)
		if (turn(s, e) < 0)
			return -1;
	return 0;
}

int attach_client_run(const struct attach_client *c, enum attach_end *ret,
		      int *ret_code, struct err *e)
{
	autofree struct side *s = xcalloc(1, sizeof(*s));
	sigset_t all;
	sigset_t old;
	int rc = -1;

	s->c = c;
	s->keys = c->keys;
	s->in = c->want_in ? STDIN_FILENO : -1;
	ownfd_init(&s->out[0], STDOUT_FILENO);
	ownfd_init(&s->out[1], STDERR_FILENO);
	if (signals_block(&all, &old, e) < 0)
		return -1;
	s->signals = signals_open(&all, e);
	if (s->signals >= 0)
		rc = loop(s, e);
	if (rc == 0 && (ownfd_lost(&s->out[0], "stdout", e) < 0 ||
			ownfd_lost(&s->out[1], "stderr", e) < 0))
		rc = -1;
	if (rc == 0 && s->in_why)
		rc = err_sysno(e, s->in_why, "read", "stdin");
	tty_raw_restore(&s->raw);
	own_close(&s->signals);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	*ret = s->end;
	*ret_code = s->code;
	return rc;
}

int attach_client_follow(const struct attach_client *c, int *ret_code,
			 struct err *e)
{
	enum attach_end end = ATTACH_LOST;

	if (attach_client_run(c, &end, ret_code, e) < 0)
		return -1;
	if (end != ATTACH_LOST)
		return 0;
	return err_set(e, ERR_GONE,
		       "the monitor of the container was killed, and the "
		       "container with it");
}
