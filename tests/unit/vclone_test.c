#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/proc.h"
#include "base/vclone.h"

struct note {
	int value;
	int fd;
	pid_t self;
	char *made;
};

static const struct clone_args plain = {.exit_signal = SIGCHLD};

static int status_of(pid_t pid)
{
	int status = 0;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Deep enough to meet the frames of the parent, were it not below them. */
static void use_stack(unsigned char fill)
{
	volatile unsigned char deep[40000];

	for (size_t i = 0; i < sizeof(deep); i++)
		deep[i] = fill;
	assert_int_equal(deep[sizeof(deep) / 2], fill);
}

static void write_down(void *arg)
{
	struct note *const n = arg;

	use_stack(0xa5);
	n->value = 42;
	n->self = getpid();
	n->made = strdup("by the child");
	errno = ERANGE;
	(void)close(n->fd);
	_exit(7);
}

static void what_the_child_writes_is_there(void **state)
{
	char before[64];
	struct note n = {.fd = dup(0)};
	pid_t pid;

	(void)state;
	memset(before, 'x', sizeof(before));
	pid = vclone(&plain, VCLONE_WAIT, write_down, &n);
	assert_int_equal(status_of(pid), 7 << 8);
	for (size_t i = 0; i < sizeof(before); i++)
		assert_int_equal(before[i], 'x');
	/* Its fds are its own. */
	assert_true(fcntl(n.fd, F_GETFD) >= 0);
	(void)close(n.fd);
	if (!VCLONE_SHARES)
		return;
	assert_int_equal(n.value, 42);
	assert_int_equal(n.self, pid);
	assert_string_equal(n.made, "by the child");
	free(n.made);
}

static void a_copy_when_asked_for(void **state)
{
	struct note n = {.fd = -1};

	(void)state;
	assert_int_equal(status_of(vclone(&plain, VCLONE_FORK, write_down, &n)),
			 7 << 8);
	assert_int_equal(n.value, 0);
	assert_null(n.made);
}

static void execute(void *arg)
{
	char *argv[] = {(char[]){"sh"}, (char[]){"-c"},
			(char[]){"read x; exit 3"}, NULL};

	(void)dup2(*(int *)arg, 0);
	(void)execv("/bin/sh", argv);
	_exit(1);
}

/* The parent goes on when the program runs, not when it has ended. */
static void the_parent_waits_for_execve(void **state)
{
	int p[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	pid = vclone(&plain, VCLONE_WAIT, execute, &p[0]);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0);
	assert_int_equal(write(p[1], "\n", 1), 1);
	assert_int_equal(status_of(pid), 3 << 8);
	(void)close(p[0]);
	(void)close(p[1]);
}

static void an_error_of_the_call(void **state)
{
	const struct clone_args bad = {.flags = CLONE_SIGHAND | CLONE_NEWUSER,
				       .exit_signal = 1000};

	(void)state;
	errno = 0;
	assert_int_equal(vclone(&bad, VCLONE_WAIT, write_down, NULL), -1);
	assert_int_equal(errno, EINVAL);
}

struct going_on {
	int fd;
	int keep[1];
};

static int say_so(void *arg, struct err *e)
{
	const struct going_on *const g = arg;
	char text[] = "done, in session 0";

	(void)e;
	/* Long after the parent's end, whose memory this is. */
	(void)poll(NULL, 0, 50);
	use_stack(1);
	text[sizeof(text) - 2] = (char)('0' + (getsid(0) == getpid()));
	return write(g->fd, text, sizeof(text)) < 0 ? -1 : 0;
}

static void what_is_left_goes_on(void **state)
{
	char text[64] = "";
	int p[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		struct going_on *const g = malloc(sizeof(*g));

		g->fd = g->keep[0] = p[1];
		if (!proc_leave(say_so, g, g->keep, 1) ||
		    proc_leave(say_so, g, g->keep, 1))
			_exit(99);
		_exit(proc_end(5));
	}
	(void)close(p[1]);
	assert_int_equal(status_of(pid), 5 << 8);
	assert_int_equal(read(p[0], text, sizeof(text)), 19);
	assert_string_equal(text, "done, in session 1");
	/* Nobody else holds the other end: all else was closed. */
	assert_int_equal(read(p[0], text, sizeof(text)), 0);
	(void)close(p[0]);
}

/* Whoever reads from its other end hears of the end when the process is gone. */
static void what_is_held_is_closed_by_another(void **state)
{
	char c;
	int p[2];
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	pid = fork();
	if (pid == 0) {
		proc_hold(p[1]);
		_exit(proc_end(5));
	}
	(void)close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), pid);
	(void)close(p[0]);
}

static void nothing_left_is_only_the_code(void **state)
{
	(void)state;
	assert_int_equal(proc_end(3), 3);
}

struct beside {
	int to;   /* a pipe's end, which the thread closes */
	int hold; /* until there is something to read */
	long made;
};

static void work_beside(void *arg)
{
	struct beside *const b = arg;
	char c;

	(void)vclone_raw(SYS_read, b->hold, (long)&c, 1, 0);
	b->made = vclone_raw(SYS_close, 999, 0, 0, 0);
	(void)vclone_raw(SYS_write, b->to, (long)"x", 1, 0);
	(void)vclone_raw(SYS_close, b->to, 0, 0, 0);
}

/* The caller goes on meanwhile, and takes the signals. */
static void a_thread_beside(void **state)
{
	int hold[2];
	int p[2];
	struct beside b = {0};
	sigset_t usr1;
	const struct timespec none = {0};
	char c = 0;

	(void)state;
	assert_int_equal(pipe(hold), 0);
	assert_int_equal(pipe(p), 0);
	b.hold = hold[0];
	b.to = p[1];
	if (!VCLONE_SHARES) {
		assert_int_equal(vclone_beside(work_beside, &b), -1);
		assert_int_equal(errno, ENOSYS);
		return;
	}
	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	assert_int_equal(vclone_beside(work_beside, &b), 0);
	assert_int_equal(sigprocmask(SIG_BLOCK, &usr1, NULL), 0);
	errno = 0;
	assert_int_equal(write(hold[1], "x", 1), 1);
	/* Ours alone: it reads and writes copies of the fds. */
	(void)close(hold[0]);
	assert_int_equal(kill(getpid(), SIGUSR1), 0);
	assert_int_equal(read(p[0], &c, 1), 1);
	assert_int_equal(c, 'x');
	assert_int_equal(b.made, -EBADF);
	assert_int_equal(errno, 0);
	assert_int_equal(sigtimedwait(&usr1, NULL, &none), SIGUSR1);
	assert_true(fcntl(p[1], F_GETFD) >= 0);
	(void)close(p[1]);
	assert_int_equal(read(p[0], &c, 1), 0);
	(void)close(p[0]);
	(void)close(hold[1]);
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &usr1, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_child_writes_is_there),
		cmocka_unit_test(a_copy_when_asked_for),
		cmocka_unit_test(the_parent_waits_for_execve),
		cmocka_unit_test(an_error_of_the_call),
		cmocka_unit_test(what_is_left_goes_on),
		cmocka_unit_test(what_is_held_is_closed_by_another),
		cmocka_unit_test(nothing_left_is_only_the_code),
		cmocka_unit_test(a_thread_beside),
	};

	return cmocka_run_group_tests_name("vclone", tests, NULL, NULL);
}
