#include "stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/proc.h"
#include "runtime/attach.h"
#include "runtime/freeze.h"

static int send_to(int pidfd, int sig)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

int stop_signal(const struct container *c, int sig, struct err *e)
{
	autoclose int fd = container_init_pidfd(c, NULL, e);

	if (fd < 0)
		return -1;
	/* One that ends meanwhile got what was wanted. */
	if (send_to(fd, sig) < 0 && errno != ESRCH)
		return err_sys(e, "pidfd_send_signal", "%d", sig);
	return 0;
}

/* ---- who hears ------------------------------------------------------------ */

static int read_proc(pid_t pid, const char *name, struct buf *b)
{
	char path[80];
	struct err ignored = {0};

	(void)snprintf(path, sizeof(path), "/proc/%d/%.60s", (int)pid, name);
	return fs_read_at(AT_FDCWD, path, b, &ignored);
}

/* PID 1 is prism's: the program is its first child. */
static pid_t program_of(pid_t init)
{
	autobuf struct buf b = buf_make(MIB(1));
	char name[64];
	uint64_t pid;

	(void)snprintf(name, sizeof(name), "task/%d/children", (int)init);
	if (read_proc(init, name, &b) < 0 ||
	    !str_to_u64n(buf_str(&b), strcspn(buf_str(&b), " "), INT32_MAX,
			 &pid))
		return 0;
	return (pid_t)pid;
}

bool stop_is_deaf(pid_t init, bool no_init, int sig)
{
	const pid_t pid = no_init ? init : program_of(init);

	if (sig == SIGKILL || sig == SIGSTOP || pid == 0)
		return false;
	return no_init ? proc_signal(pid, "SigCgt", sig) == 0
		       : proc_signal(pid, "SigIgn", sig) == 1;
}

/* ---- the end of many ------------------------------------------------------ */

static void begin(struct stop_job *j)
{
	pid_t init = 0;

	j->pidfd = -1;
	if (!lock_is_held(j->c->lock_fd) ||
	    container_mark_stopping(j->c, true, &j->err) < 0)
		return;
	crash_point("stop-marked");
	j->pidfd = container_init_pidfd(j->c, &init, &j->err);
	if (j->pidfd < 0) {
		/* Between two runs, or right before its end. */
		err_clear(&j->err);
		attach_poke(j->c->dir_fd);
		return;
	}
	j->deaf = j->timeout_ms != 0 && stop_is_deaf(init, j->no_init, j->sig);
	if (j->deaf)
		j->timeout_ms = 0;
	j->deadline_ns = j->timeout_ms < 0
				 ? INT64_MAX
				 : clock_monotonic() + j->timeout_ms * 1000000;
	(void)send_to(j->pidfd, j->timeout_ms ? j->sig : SIGKILL);
	crash_point("stop-signalled");
	/* Of one that is paused nothing else would come. */
	(void)freeze_thaw(j->c, &j->err);
	err_clear(&j->err);
}

/* The next deadline in ms for poll; those that are over are killed. */
static int next_deadline(struct stop_job *v, size_t n)
{
	const int64_t now = clock_monotonic();
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < n; i++) {
		if (v[i].pidfd < 0 || v[i].deadline_ns == INT64_MAX)
			continue;
		if (v[i].deadline_ns <= now) {
			(void)send_to(v[i].pidfd, SIGKILL);
			v[i].deadline_ns = INT64_MAX;
		} else if (v[i].deadline_ns < first) {
			first = v[i].deadline_ns;
		}
	}
	if (first == INT64_MAX)
		return -1;
	first = (first - now) / 1000000 + 1;
	return first > INT32_MAX ? INT32_MAX : (int)first;
}

static size_t fill_poll(const struct stop_job *v, size_t n, struct pollfd *p)
{
	size_t left = 0;

	for (size_t i = 0; i < n; i++) {
		/* poll(2) passes over those below zero. */
		p[i] = (struct pollfd){.fd = v[i].pidfd, .events = POLLIN};
		left += v[i].pidfd >= 0;
	}
	return left;
}

void stop_all(struct stop_job *v, size_t n)
{
	autofree struct pollfd *p = xcalloc(n, sizeof(*p));

	for (size_t i = 0; i < n; i++)
		begin(&v[i]);
	while (fill_poll(v, n, p) > 0) {
		if (poll(p, n, next_deadline(v, n)) <= 0)
			continue;
		for (size_t i = 0; i < n; i++)
			if (p[i].revents)
				own_close(&v[i].pidfd);
	}
	for (size_t i = 0; i < n; i++)
		if (!err_is(&v[i].err))
			(void)container_wait_unlocked(v[i].c, &v[i].err);
}
