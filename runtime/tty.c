#include "runtime/tty.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"

/* A pipe that polls writable takes this much without blocking. */
#define WRITE_MAX 4096

int tty_open_pts(int own, struct err *e)
{
	autoclose int fd = path_open(AT_FDCWD, "dev/pts", PATH_NO_LINKS,
				     O_PATH | O_DIRECTORY, 0);
	struct statfs fs;

	if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == DEVPTS_SUPER_MAGIC)
		return take_fd(&fd);
	own = fcntl(own, F_DUPFD_CLOEXEC, 3);
	return own < 0 ? err_set(e, ERR_NOTFOUND,
				 "/dev/pts in the container is not a devpts: "
				 "cannot make a terminal")
		       : own;
}

int tty_open_pair(int pts_fd, int *ret_master, int *ret_slave, struct err *e)
{
	const int flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
	const char *name = pts_fd == AT_FDCWD ? "/dev/pts/ptmx" : "ptmx";
	autoclose int master = openat(pts_fd, name, flags);
	int unlocked = 0;
	int slave;

	if (master < 0)
		return err_sys(e, "openat", "/dev/pts/ptmx");
	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0)
		return err_sys(e, "ioctl", "TIOCSPTLCK on /dev/pts/ptmx");
	/* By the master and not by name: the tree may not be ours to trust. */
	slave = ioctl(master, TIOCGPTPEER, flags);
	if (slave < 0)
		return err_sys(e, "ioctl", "TIOCGPTPEER on /dev/pts/ptmx");
	*ret_master = take_fd(&master);
	*ret_slave = slave;
	return 0;
}

void tty_copy_size(int from, int to)
{
	struct winsize ws;

	if (ioctl(from, TIOCGWINSZ, &ws) == 0)
		(void)ioctl(to, TIOCSWINSZ, &ws);
}

/*
 * In line mode the end-of-file character ends a read only at the start of a
 * line; behind other bytes it just hands them over, and a second one is
 * needed. Programs that edit lines themselves (shells) look for it too.
 */
size_t tty_eof_text(int master, bool line_start, char ret[2])
{
	struct termios t;
	size_t n = 0;

	if (tcgetattr(master, &t) < 0 || t.c_cc[VEOF] == _POSIX_VDISABLE)
		return 0;
	ret[n++] = (char)t.c_cc[VEOF];
	if ((t.c_lflag & ICANON) && !line_start)
		ret[n++] = (char)t.c_cc[VEOF];
	return n;
}

/* ---- the caller's terminal --------------------------------------------- */

int tty_raw_enter(int fd, struct tty_raw *ret, struct err *e)
{
	struct termios raw;

	ret->active = 0;
	ret->fd = fd;
	if (tcgetattr(fd, &ret->saved) < 0) {
		if (errno == ENOTTY)
			return 0;
		return err_sys(e, "tcgetattr", "terminal on fd %d", fd);
	}
	raw = ret->saved;
	cfmakeraw(&raw);
	/* Before the change: a signal in between restores what is there. */
	ret->active = 1;
	if (tcsetattr(fd, TCSADRAIN, &raw) < 0) {
		ret->active = 0;
		return err_sys(e, "tcsetattr", "raw mode on fd %d", fd);
	}
	return 0;
}

void tty_raw_restore(struct tty_raw *t)
{
	const int saved_errno = errno;
	sigset_t ttou;
	sigset_t old;

	if (!t->active)
		return;
	/*
	 * A process in the background would be stopped by this call; with
	 * SIGTTOU blocked the kernel lets it through.
	 */
	(void)sigemptyset(&ttou);
	(void)sigaddset(&ttou, SIGTTOU);
	(void)sigprocmask(SIG_BLOCK, &ttou, &old);
	while (tcsetattr(t->fd, TCSANOW, &t->saved) < 0 && errno == EINTR)
		;
	t->active = 0;
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	errno = saved_errno;
}

/* ---- relay ------------------------------------------------------------- */

enum {
	SLOT_IN,
	SLOT_OUT,
	SLOT_MASTER
};

int tty_relay_init(struct tty_relay *r, int in, int out, int master,
		   struct err *e)
{
	const int flags = fcntl(master, F_GETFL);

	if (flags < 0 || fcntl(master, F_SETFL, flags | O_NONBLOCK) < 0)
		return err_sys(e, "fcntl", "O_NONBLOCK on the pty master");
	memset(r, 0, sizeof(*r));
	r->in = in;
	r->out = out;
	r->master = master;
	r->line_start = true;
	return 0;
}

static void settle(struct tty_relay *r)
{
	r->done = r->hung_up && r->out_len == 0;
}

void tty_relay_fds(const struct tty_relay *r, struct pollfd *ret)
{
	short events = 0;

	ret[SLOT_IN] = (struct pollfd){.fd = -1, .events = POLLIN};
	ret[SLOT_OUT] = (struct pollfd){.fd = -1, .events = POLLOUT};
	ret[SLOT_MASTER] = (struct pollfd){.fd = -1};
	if (r->in_len == 0 && !r->eof_wanted && !r->hung_up)
		ret[SLOT_IN].fd = r->in;
	if (r->out_len)
		ret[SLOT_OUT].fd = r->out;
	if (r->hung_up)
		return;
	if (r->out_len == 0)
		events |= POLLIN;
	if (r->in_len || r->eof_wanted)
		events |= POLLOUT;
	/* With no events asked for poll would still report a hang-up. */
	if (events)
		ret[SLOT_MASTER].fd = r->master;
	ret[SLOT_MASTER].events = events;
}

static void read_in(struct tty_relay *r)
{
	const ssize_t n = read(r->in, r->in_buf, sizeof(r->in_buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		r->in = -1;
		r->eof_wanted = true;
		return;
	}
	r->in_at = 0;
	r->in_len = (size_t)n;
}

static void queue_eof(struct tty_relay *r)
{
	r->eof_wanted = false;
	r->in_at = 0;
	r->in_len = tty_eof_text(r->master, r->line_start, r->in_buf);
}

static void write_master(struct tty_relay *r)
{
	ssize_t n;

	if (r->in_len == 0 && r->eof_wanted)
		queue_eof(r);
	if (r->in_len == 0)
		return;
	n = write(r->master, r->in_buf + r->in_at, r->in_len);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		/* Nobody will read it; the reading side sees the hang-up. */
		r->in = -1;
		r->in_len = 0;
		r->eof_wanted = false;
		return;
	}
	if (n > 0) {
		const char last = r->in_buf[r->in_at + (size_t)n - 1];

		r->line_start = last == '\n' || last == '\r';
	}
	r->in_at += (size_t)n;
	r->in_len -= (size_t)n;
}

static int read_master(struct tty_relay *r, struct err *e)
{
	const ssize_t n = read(r->master, r->out_buf, sizeof(r->out_buf));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	/* EIO: the last slave is closed and everything has been read. */
	if (n == 0 || (n < 0 && errno == EIO)) {
		r->hung_up = true;
		return 0;
	}
	if (n < 0)
		return err_sys(e, "read", "pty master");
	r->out_at = 0;
	r->out_len = r->out < 0 ? 0 : (size_t)n;
	return 0;
}

static void write_out(struct tty_relay *r)
{
	const size_t len = r->out_len < WRITE_MAX ? r->out_len : WRITE_MAX;
	const ssize_t n = write(r->out, r->out_buf + r->out_at, len);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n < 0) {
		r->out = -1;
		r->out_len = 0;
		return;
	}
	r->out_at += (size_t)n;
	r->out_len -= (size_t)n;
}

int tty_relay_handle(struct tty_relay *r, const struct pollfd *fds,
		     struct err *e)
{
	const short master = fds[SLOT_MASTER].revents;
	const short wanted = fds[SLOT_MASTER].events;

	if (fds[SLOT_OUT].fd >= 0 && fds[SLOT_OUT].revents)
		write_out(r);
	if (fds[SLOT_IN].fd >= 0 && fds[SLOT_IN].revents)
		read_in(r);
	if (fds[SLOT_MASTER].fd >= 0 && master) {
		if ((wanted & POLLOUT) && (master & (POLLOUT | POLLERR)))
			write_master(r);
		if ((wanted & POLLIN) && (master & ~POLLOUT) &&
		    read_master(r, e) < 0)
			return -1;
		/* Hung up, and only waited for to take input. */
		if (!(wanted & POLLIN) && (master & POLLHUP)) {
			r->in = -1;
			r->in_len = 0;
			r->eof_wanted = false;
		}
	}
	settle(r);
	return 0;
}

int tty_relay_drain(struct tty_relay *r, int timeout_ms, struct err *e)
{
	r->in = -1;
	r->in_len = 0;
	r->eof_wanted = false;
	settle(r);
	while (!r->done) {
		struct pollfd fds[TTY_RELAY_FDS];
		int n;

		tty_relay_fds(r, fds);
		n = poll(fds, TTY_RELAY_FDS, timeout_ms);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "poll", "pty master");
		if (n == 0)
			return 0;
		if (tty_relay_handle(r, fds, e) < 0)
			return -1;
	}
	return 0;
}
