#include "proc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "fs.h"
#include "io.h"
#include "limits.h"
#include "own.h"
#include "vclone.h"

const char *proc_status_text(int wait_status, char *buf, size_t n)
{
	if (WIFSIGNALED(wait_status))
		(void)snprintf(buf, n, "killed by signal %d (%s)",
			       WTERMSIG(wait_status),
			       strsignal(WTERMSIG(wait_status)));
	else
		(void)snprintf(buf, n, "exited with status %d",
			       WEXITSTATUS(wait_status));
	return buf;
}

/* What a child does first: live no longer than its parent, alone. */
static void child_begin(pid_t parent)
{
	sigset_t none;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(125);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void close_from_to(unsigned int first, unsigned int last)
{
	if (first <= last)
		(void)own_close_range(first, last, 0);
}

/*
 * Close every fd from 3 on except keep[] and report (-1: none). fds has room
 * for one entry more than keep[].
 */
static void close_but(const int *keep, size_t n_keep, int report, int *fds)
{
	unsigned int next = 3;
	size_t n = 0;

	for (size_t i = 0; i <= n_keep; i++) {
		const int fd = i < n_keep ? keep[i] : report;
		size_t at = n++;

		for (; at > 0 && fds[at - 1] > fd; at--)
			fds[at] = fds[at - 1];
		fds[at] = fd;
	}
	for (size_t i = 0; i < n; i++) {
		if (fds[i] < (int)next)
			continue;
		close_from_to(next, (unsigned int)fds[i] - 1);
		next = (unsigned int)fds[i] + 1;
	}
	close_from_to(next, ~0U);
}

void proc_keep_only(const int *keep, size_t n)
{
	int fds[PROC_KEEP_MAX + 1];

	assert(n <= PROC_KEEP_MAX);
	close_but(keep, n, -1, fds);
}

/* Separate, since the callers of proc_keep_only may have a small stack. */
static void close_all_but(const int *keep, size_t n, int report)
{
	int fds[PROC_ALONE_MAX + 1];

	assert(n <= PROC_ALONE_MAX);
	close_but(keep, n, report, fds);
}

static bool detached;

void proc_detach(const int *keep, size_t n)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	for (int fd = 0; fd < 3; fd++)
		if (null < 0 || dup2(null, fd) < 0)
			_exit(125);
	proc_keep_only(keep, n);
	detached = true;
}

const char *proc_stat(pid_t pid, struct buf *b)
{
	struct err gone = {0};
	char path[40];
	const char *p;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (fs_read_at(AT_FDCWD, path, b, &gone) < 0)
		return NULL;
	p = strrchr(buf_str(b), ')');
	return p && p[1] == ' ' ? p + 2 : NULL;
}

/* "SigCgt:\t0000000000014002" */
static bool has_signal(const char *line, int sig)
{
	const char *const digits = line + strcspn(line, "\t") + 1;
	const size_t n = strspn(digits, "0123456789abcdef");
	const size_t bit = (size_t)sig - 1;
	char c;

	if (bit / 4 >= n)
		return false;
	c = digits[n - 1 - bit / 4];
	return ((c <= '9' ? c - '0' : c - 'a' + 10) >> bit % 4) & 1;
}

int proc_signal(pid_t pid, const char *set, int sig)
{
	autobuf struct buf b = buf_make(KIB(64));
	struct err gone = {0};
	char path[40];
	char field[16];
	const char *line;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	(void)snprintf(field, sizeof(field), "\n%s:\t", set);
	if (fs_read_at(AT_FDCWD, path, &b, &gone) < 0)
		return -1;
	line = strstr(buf_str(&b), field);
	return line && has_signal(line + 1, sig);
}

/* In a worker: the other end of its err_fd. */
static int report_fd = -1;

void proc_worker_keep(const int *keep, size_t n)
{
	assert(report_fd >= 0);
	close_all_but(keep, n, report_fd);
}

struct start {
	worker_fn fn;
	void *arg;
	bool alone;
	const int *keep;
	size_t n_keep;
};

static int start(struct worker *w, const char *name, const struct start *how,
		 struct err *e)
{
	const pid_t parent = getpid();
	autoclose int mine = -1;
	autoclose int theirs = -1;
	int sv[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return err_sys(e, "socketpair", "for worker %s", name);
	mine = sv[0];
	theirs = sv[1];
	pid = fork();
	if (pid < 0)
		return err_sys(e, "fork", "worker %s", name);
	if (pid == 0) {
		struct err child = {0};
		int rc;

		child_begin(parent);
		report_fd = theirs;
		if (how->alone)
			close_all_but(how->keep, how->n_keep, theirs);
		rc = how->fn(how->arg, &child);
		(void)send(theirs, &child, sizeof(child), MSG_NOSIGNAL);
		_exit(rc == 0 && !err_is(&child) ? 0 : 1);
	}
	*w = (struct worker){.pid = pid, .err_fd = take_fd(&mine)};
	(void)snprintf(w->name, sizeof(w->name), "%s", name);
	return 0;
}

int proc_start(struct worker *w, const char *name, worker_fn fn, void *arg,
	       struct err *e)
{
	const struct start how = {.fn = fn, .arg = arg};

	return start(w, name, &how, e);
}

int proc_start_alone(struct worker *w, const char *name, worker_fn fn,
		     void *arg, const int *keep, size_t n_keep, struct err *e)
{
	const struct start how = {
		.fn = fn,
		.arg = arg,
		.alone = true,
		.keep = keep,
		.n_keep = n_keep,
	};

	return start(w, name, &how, e);
}

/* ---- what goes on --------------------------------------------------------- */

static struct start left;
static int held = -1;

void proc_hold(int fd)
{
	held = fd;
}

/* Until this parent of ours has closed all that it had. */
static void outlast(pid_t parent)
{
	struct pollfd p = {.events = POLLIN};

	p.fd = (int)syscall(SYS_pidfd_open, parent, 0);
	/* Where it is dead already, that was somebody else perhaps. */
	while (p.fd >= 0 && getppid() == parent && poll(&p, 1, -1) < 0)
		;
}

struct going {
	pid_t parent;
	int fd; /* held */
};

static _Noreturn void go_on(void *arg)
{
	const struct going *const g = arg;
	struct err nobody_reads = {0};
	int keep[PROC_KEEP_MAX] = {g->fd};
	int rc = 0;

	assert(left.n_keep < ARRAY_LEN(keep));
	for (size_t i = 0; i < left.n_keep; i++)
		keep[1 + i] = left.keep[i];
	proc_detach(keep, 1 + left.n_keep);
	if (left.fn)
		rc = left.fn(left.arg, &nobody_reads);
	if (g->fd >= 0)
		outlast(g->parent);
	_exit(rc == 0 ? 0 : 1);
}

bool proc_leave(worker_fn fn, void *arg, const int *keep, size_t n_keep)
{
	if (left.fn)
		return false;
	left = (struct start){
		.fn = fn, .arg = arg, .keep = keep, .n_keep = n_keep};
	return true;
}

int proc_end(int code)
{
	const struct clone_args args = {.exit_signal = SIGCHLD};
	/* The child's too, whose memory is ours. */
	static struct going g;
	struct err ignored = {0};
	sigset_t all;

	g.fd = detached ? -1 : held;
	if (!left.fn && g.fd < 0)
		return code;
	g.parent = getpid();
	(void)fflush(NULL);
	/*
	 * For good: until it has a session of its own the end of ours sends it
	 * a SIGHUP. If it cannot be made, its work is done here.
	 */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	if (vclone(&args, VCLONE_END, go_on, &g) < 0 && left.fn)
		(void)left.fn(left.arg, &ignored);
	if (VCLONE_SHARES)
		_exit(code);
	return code;
}

void proc_quit(int code)
{
	if (VCLONE_SHARES && fflush(NULL) == 0)
		_exit(proc_end(code));
}

static int reap(struct worker *w, int *ret_status)
{
	pid_t pid;

	do {
		pid = waitpid(w->pid, ret_status, 0);
	} while (pid < 0 && errno == EINTR);
	w->pid = 0;
	return pid < 0 ? -1 : 0;
}

int proc_wait(struct worker *w, struct err *e)
{
	autoclose int fd = take_fd(&w->err_fd);
	struct err child = {0};
	ssize_t n;
	int status = 0;

	do {
		n = recv(fd, &child, sizeof(child), 0);
	} while (n < 0 && errno == EINTR);
	if (reap(w, &status) < 0)
		return err_sys(e, "waitpid", "worker %s", w->name);
	if (n == (ssize_t)sizeof(child) && err_is(&child)) {
		*e = child;
		return -1;
	}
	if (n != (ssize_t)sizeof(child) || status != 0)
		return err_set(e, ERR_GONE, "worker %s: %s", w->name,
			       proc_status_text(status, (char[80]){0}, 80));
	return 0;
}

void proc_kill(struct worker *w)
{
	own_kill(&w->pid);
	own_close(&w->err_fd);
}

static void exec_quietly(const char *const argv[], int out)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null >= 0)
		(void)dup2(null, STDIN_FILENO);
	(void)dup2(out, STDOUT_FILENO);
	(void)dup2(out, STDERR_FILENO);
	(void)execvp(argv[0], (char *const *)(const void *)argv);
	(void)dprintf(STDERR_FILENO, "%s: %s", argv[0], strerror(errno));
	_exit(127);
}

static void one_line(char *s)
{
	size_t n = strlen(s);

	while (n > 0 && s[n - 1] == '\n')
		s[--n] = '\0';
	for (; *s; s++)
		if ((unsigned char)*s < 0x20)
			*s = ' ';
}

int proc_run(const char *const argv[], struct err *e)
{
	autoclose int out = -1;
	char said[4096] = "";
	struct worker w = WORKER_NONE;
	struct err ignored = {0};
	int status = 0;
	int p[2];
	int64_t n;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2", "for %s", argv[0]);
	out = p[0];
	w.pid = fork();
	if (w.pid == 0)
		exec_quietly(argv, p[1]);
	(void)close(p[1]);
	if (w.pid < 0)
		return err_sys(e, "fork", "%s", argv[0]);
	n = io_read_full(out, said, sizeof(said) - 1, argv[0], &ignored);
	/* Whatever more it says is not ours to keep; a full pipe blocks it. */
	own_close(&out);
	said[n > 0 ? n : 0] = '\0';
	if (reap(&w, &status) < 0)
		return err_sys(e, "waitpid", "%s", argv[0]);
	if (status == 0)
		return 0;
	one_line(said);
	return err_set(e, ERR_SYS, "%s: %s%s%s", argv[0],
		       proc_status_text(status, (char[80]){0}, 80),
		       said[0] ? ": " : "", said);
}
