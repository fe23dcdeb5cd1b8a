/*
 * How it works.
 *
 *   monitor                           pasta or slirp4netns
 *   -------                           --------------------
 *   FIFO, start                   ->  stdin: the network namespace, stdout:
 *                                     the user namespace, stderr: a memfd
 *   (init builds its root)            joins, makes the tap device and sockets
 *   wait                          <-  writes to the FIFO
 *   slirp4netns: ports            <-> answers on its socket
 *
 * What it says on stderr is read only when it ends too early. The memfd is
 * sealed against growing: one that talks for a year gets errors, and a pipe
 * that nobody reads would stop it.
 */
#include "user_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/trace.h"
#include "base/vclone.h"
#include "runtime/net/net.h"
#include "runtime/signals.h"

/* It takes some 30 ms; a machine that is busy may need a hundred times that. */
#define READY_MS 20000

#define SAID_MAX 4096

/* ---- the child ------------------------------------------------------------------- */

struct birth {
	const struct user_net_conf *conf;
	char **argv;
	pid_t parent;
	int said;
	int ready; /* for writing */
};

/* Fds of the parent's may have any number, that of another's place included. */
static int place(const int *from, int n)
{
	int high[4];

	for (int i = 0; i < n; i++) {
		high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 16);
		if (high[i] < 0)
			return -1;
	}
	for (int i = 0; i < n; i++)
		if (dup2(high[i], i) < 0)
			return -1;
	return own_close_range((unsigned int)n, ~0U, 0);
}

static _Noreturn void be_program(void *arg)
{
	const struct birth *const b = arg;
	const int fds[] = {b->conf->netns, b->conf->userns, b->said, b->ready};
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* Debian 12's pasta ends where SIGPIPE is ignored already. */
	signals_reset_ignored();
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != b->parent)
		_exit(125);
	/* A ^C of the terminal is for the container alone. */
	(void)setsid();
	if (fchdir(b->conf->dir_fd) < 0 || place(fds, ARRAY_LEN(fds)) < 0)
		_exit(125);
	(void)execvp(b->argv[0], b->argv);
	(void)dprintf(STDERR_FILENO, "execve: %s\n", strerror(errno));
	_exit(127);
}

/* ---- the parent ------------------------------------------------------------------ */

static int make_said(struct err *e)
{
	autoclose int fd =
		memfd_create("said", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return err_sys(e, "memfd_create", "for messages");
	if (ftruncate(fd, SAID_MAX) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return err_sys(e, "ftruncate", "for messages");
	return take_fd(&fd);
}

/* Both ends; ret_write is for the child. */
static int make_ready(int dir_fd, int *ret_write, struct err *e)
{
	autoclose int fd = -1;

	/* Of a monitor that was killed. */
	(void)unlinkat(dir_fd, USER_NET_READY, 0);
	if (mkfifoat(dir_fd, USER_NET_READY, 0600) < 0)
		return err_sys(e, "mkfifo", USER_NET_READY);
	fd = openat(dir_fd, USER_NET_READY, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open", USER_NET_READY);
	*ret_write = openat(dir_fd, USER_NET_READY, O_WRONLY | O_CLOEXEC);
	if (*ret_write < 0)
		return err_sys(e, "open", USER_NET_READY);
	return take_fd(&fd);
}

static void remove_names(int dir_fd)
{
	(void)unlinkat(dir_fd, USER_NET_READY, 0);
	(void)unlinkat(dir_fd, USER_NET_API, 0);
}

int user_net_start(const struct user_net_conf *c, struct user_net *ret,
		   struct err *e)
{
	struct user_net u = USER_NET_NONE;
	autostrv struct strv argv = {0};
	autoclose int said = -1;
	autoclose int ready = -1;
	autoclose int theirs = -1;
	struct clone_args args = {
		.flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND,
		.pidfd = (uintptr_t)&u.pidfd,
		.exit_signal = SIGCHLD,
	};
	struct birth b = {.conf = c, .parent = getpid()};
	STEP(e, "network", "start %s", c->how);

	if (user_net_args(c, &argv, e) < 0)
		return -1;
	said = make_said(e);
	if (said < 0)
		return -1;
	ready = make_ready(c->dir_fd, &theirs, e);
	if (ready < 0)
		return -1;
	b.argv = argv.v;
	b.said = said;
	b.ready = theirs;
	u.pid = vclone(&args, VCLONE_WAIT, be_program, &b);
	if (u.pid < 0) {
		remove_names(c->dir_fd);
		return err_sys(e, "clone3", "%s", argv.v[0]);
	}
	u.said = take_fd(&said);
	u.ready = take_fd(&ready);
	*ret = u;
	return 0;
}

pid_t user_net_leave(struct user_net *u)
{
	own_close(&u->pidfd);
	own_close(&u->said);
	own_close(&u->ready);
	return take_pid(&u->pid);
}

void user_net_end(struct user_net *u)
{
	own_kill(&u->pid);
	(void)user_net_leave(u);
}

void user_net_end_pid(pid_t pid)
{
	siginfo_t si = {0};

	/* Nobody's number while we have not reaped it. */
	if (pid > 0 &&
	    waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == 0)
		own_kill(&pid);
}

/* ---- ports of slirp4netns -------------------------------------------------------- */

static int api_connect(int dir_fd, struct err *e)
{
	autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	if (fd < 0)
		return err_sys(e, "socket", "AF_UNIX");
	/* The path of a store may be longer than 108. */
	(void)snprintf(a.sun_path, sizeof(a.sun_path),
		       "/proc/self/fd/%d/" USER_NET_API, dir_fd);
	if (connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return err_sys(e, "connect", USER_NET_API);
	return take_fd(&fd);
}

/* {"return": ...} or {"error": {"desc": "..."}} */
static int api_answer(const struct buf *b, struct err *e)
{
	autojson json_t *doc = json_parse(b->p, b->len, "slirp4netns", e);
	struct jval root, error;
	const char *why = NULL;

	if (!doc)
		return -1;
	root = jval_root(doc, "slirp4netns");
	if (jget(&root, "error", &error, e) < 0)
		return -1;
	if (!jval_present(&error))
		return 0;
	if (jget_str_opt(&error, "desc", &why, e) < 0)
		return -1;
	return err_set(e, ERR_NET, "slirp4netns: %s", why ? why : "refused");
}

static int one_port(const struct user_net_conf *c, const struct net_port *p,
		    const char *ip, struct err *e)
{
	autobuf struct buf b = buf_make(KIB(4));
	autoclose int fd = -1;
	ERR_IN(e, "port %s%s%u/%s", ip ? ip : "", ip ? ":" : "", p->host,
	       p->protocol);

	if (ip && strchr(ip, ':'))
		return err_set(e, ERR_UNSUPPORTED,
			       "slirp4netns publishes on IPv4 alone");
	fd = api_connect(c->dir_fd, e);
	if (fd < 0)
		return -1;
	buf_addf(&b,
		 "{\"execute\":\"add_hostfwd\",\"arguments\":{\"proto\":\"%s\","
		 "\"host_addr\":\"%s\",\"host_port\":%u,\"guest_port\":%u}}",
		 p->protocol, ip ? ip : "0.0.0.0", p->host, p->port);
	if (io_write_all(fd, b.p, b.len, USER_NET_API, e) < 0)
		return -1;
	if (shutdown(fd, SHUT_WR) < 0)
		return err_sys(e, "shutdown", USER_NET_API);
	buf_reset(&b);
	if (io_read_all(fd, &b, USER_NET_API, e) < 0)
		return -1;
	return api_answer(&b, e);
}

static int slirp_ports(const struct user_net_conf *c, struct err *e)
{
	for (size_t i = 0; i < c->n_ports; i++) {
		const char *ip;

		if (user_net_port_ip(c, i, &ip) &&
		    one_port(c, &c->ports[i], ip, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- ready ------------------------------------------------------------------------- */

/* Without its help, and what it says of its own logging. */
static void last_words(int said, struct buf *ret)
{
	char text[SAID_MAX + 1] = {0};
	char *line, *next;

	if (pread(said, text, SAID_MAX, 0) < 0)
		return;
	for (line = text; *line; line = next) {
		const size_t n = strcspn(line, "\n");

		next = line + n + (line[n] == '\n');
		if (str_starts(line, "Usage:"))
			return;
		if (!n || str_starts(line, "Failed to send "))
			continue;
		if (ret->len)
			buf_adds(ret, "; ");
		buf_add(ret, line, n);
	}
}

static int died(struct user_net *u, const struct user_net_conf *c,
		struct err *e)
{
	autobuf struct buf words = buf_make(400);
	struct err tun = {0};

	last_words(u->said, &words);
	user_net_end(u);
	(void)err_set(e, ERR_GONE, "%s ended: %s",
		      user_net_is_pasta(c->how) ? "pasta" : "slirp4netns",
		      words.len ? buf_str(&words) : "it said nothing");
	if (user_net_tun(&tun) < 0 && tun.hint[0])
		return err_hint(e, "/dev/net/tun: %s", tun.hint);
	return -1;
}

static int wait_ready(struct user_net *u, const struct user_net_conf *c,
		      struct err *e)
{
	struct pollfd p[] = {{.fd = u->ready, .events = POLLIN},
			     {.fd = u->pidfd, .events = POLLIN}};
	int n;

	do {
		n = poll(p, ARRAY_LEN(p), READY_MS);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "poll", "%s", c->how);
	if (n == 0)
		return err_set(e, ERR_GONE, "%s: not ready after %d s", c->how,
			       READY_MS / 1000);
	return p[0].revents & POLLIN ? 0 : died(u, c, e);
}

int user_net_wait(struct user_net *u, const struct user_net_conf *c,
		  struct err *e)
{
	int rc;
	STEP(e, "network", "wait for %s", c->how);

	rc = wait_ready(u, c, e);
	if (rc == 0 && !user_net_is_pasta(c->how))
		rc = slirp_ports(c, e);
	remove_names(c->dir_fd);
	own_close(&u->ready);
	if (rc < 0)
		user_net_end(u);
	return rc;
}
