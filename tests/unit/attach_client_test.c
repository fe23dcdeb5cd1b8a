/* The client of a monitor: the test is the monitor, the client a child. */
#include "runtime/attach_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "runtime/attach.h"

#define MUCH 1000000

struct verdict {
	int rc;
	enum attach_end end;
	int code;
};

struct rig {
	pid_t pid;
	int sock;   /* the monitor's side */
	int io[3];  /* our ends of the client's stdio */
	int report; /* its verdict */
};

static void pipe_to(int *ours, int *theirs, bool we_write)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	*ours = p[we_write];
	*theirs = p[!we_write];
}

static _Noreturn void be_client(struct attach_client c, const int *io,
				int report)
{
	struct verdict v = {.end = ATTACH_LOST};
	struct err e = {0};

	for (int i = 0; i < 3; i++)
		(void)dup2(io[i], i);
	v.rc = attach_client_hello(&c, &e);
	if (v.rc == 0)
		v.rc = attach_client_run(&c, &v.end, &v.code, &e);
	(void)!write(report, &v, sizeof(v));
	_exit(0);
}

/* The message that comes next; its length. */
static ssize_t next(const struct rig *r, enum attach_type *type, char *buf)
{
	struct pollfd p = {.fd = r->sock, .events = POLLIN};

	assert_int_equal(poll(&p, 1, 60000), 1);
	return attach_recv(r->sock, type, buf, 0);
}

/* A client that said HELLO and was answered. */
static struct rig start(const struct attach_client *like, char what)
{
	struct attach_client c = *like;
	struct rig r;
	struct err e = {0};
	enum attach_type type;
	char buf[ATTACH_DATA_MAX];
	int theirs[3];
	int their_report;
	int pair[2];

	assert_int_equal(attach_pair(pair, &e), 0);
	for (int i = 0; i < 3; i++)
		pipe_to(&r.io[i], &theirs[i], i == 0);
	pipe_to(&r.report, &their_report, false);
	c.sock = pair[0];
	c.dir_fd = -1;
	r.sock = pair[1];
	r.pid = fork();
	assert_true(r.pid >= 0);
	if (r.pid == 0) {
		/* Or the end of the others would not be seen. */
		for (int i = 0; i < 3; i++)
			(void)close(r.io[i]);
		(void)close(r.sock);
		be_client(c, theirs, their_report);
	}
	(void)close(pair[0]);
	(void)close(their_report);
	for (int i = 0; i < 3; i++)
		(void)close(theirs[i]);
	assert_int_equal(next(&r, &type, buf), 1);
	assert_int_equal(type, ATTACH_HELLO);
	assert_int_equal(buf[0], (c.want_in ? ATTACH_WANT_IN : 0) |
					 (c.want_out ? ATTACH_WANT_OUT : 0) |
					 (c.want_err ? ATTACH_WANT_ERR : 0));
	assert_int_equal(attach_send(r.sock, ATTACH_HELLO, &what, 1, 0), 0);
	return r;
}

static struct verdict finish(struct rig *r)
{
	struct verdict v = {.rc = -2};
	int status;

	assert_int_equal(read(r->report, &v, sizeof(v)), sizeof(v));
	assert_int_equal(waitpid(r->pid, &status, 0), r->pid);
	assert_int_equal(status, 0);
	own_close(&r->sock);
	own_close(&r->report);
	for (int i = 0; i < 3; i++)
		own_close(&r->io[i]);
	return v;
}

static void say_exit(const struct rig *r, int32_t code)
{
	assert_int_equal(
		attach_send(r->sock, ATTACH_EXIT, &code, sizeof(code), 0), 0);
}

static void expect(int fd, const char *text)
{
	char buf[64] = "";
	size_t n = 0;

	while (n < strlen(text)) {
		const ssize_t k = read(fd, buf + n, sizeof(buf) - 1 - n);

		assert_true(k > 0);
		n += (size_t)k;
	}
	assert_string_equal(buf, text);
}

/* Once it shows something it takes signals. */
static void wait_for_loop(const struct rig *r)
{
	assert_int_equal(attach_send(r->sock, ATTACH_OUT, "up", 2, 0), 0);
	expect(r->io[1], "up");
}

static const struct attach_client wants_all = {
	.want_in = true, .want_out = true, .want_err = true, .sig_proxy = true};

static void output_and_code(void **state)
{
	struct rig r = start(&wants_all, 0);
	struct verdict v;

	(void)state;
	assert_int_equal(attach_send(r.sock, ATTACH_OUT, "out", 3, 0), 0);
	assert_int_equal(attach_send(r.sock, ATTACH_ERR, "err", 3, 0), 0);
	assert_int_equal(attach_send(r.sock, ATTACH_OUT, "put", 3, 0), 0);
	say_exit(&r, 300);
	expect(r.io[1], "output");
	expect(r.io[2], "err");
	v = finish(&r);
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.end, ATTACH_EXITED);
	assert_int_equal(v.code, 300);
}

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 31 + i / 251);
}

static _Noreturn void feed(int fd)
{
	unsigned char buf[5000];

	for (size_t at = 0; at < MUCH; at += sizeof(buf)) {
		for (size_t i = 0; i < sizeof(buf); i++)
			buf[i] = byte_at(at + i);
		for (size_t i = 0; i < sizeof(buf);) {
			const ssize_t n = write(fd, buf + i, sizeof(buf) - i);

			if (n <= 0)
				_exit(1);
			i += (size_t)n;
		}
	}
	_exit(0);
}

static void input_comes_whole_and_its_end(void **state)
{
	struct rig r = start(&wants_all, ATTACH_HAS_STDIN);
	const pid_t feeder = fork();
	enum attach_type type = ATTACH_IN;
	char buf[ATTACH_DATA_MAX];
	size_t at = 0;
	int status;

	(void)state;
	if (feeder == 0)
		feed(r.io[0]);
	own_close(&r.io[0]);
	for (;;) {
		const ssize_t n = next(&r, &type, buf);

		if (type != ATTACH_IN)
			break;
		assert_true(n > 0);
		for (ssize_t i = 0; i < n; i++, at++)
			assert_int_equal((unsigned char)buf[i], byte_at(at));
	}
	assert_int_equal(type, ATTACH_IN_EOF);
	assert_int_equal(at, MUCH);
	assert_int_equal(waitpid(feeder, &status, 0), feeder);
	assert_int_equal(status, 0);
	/* What comes behind the end of the input is shown all the same. */
	assert_int_equal(attach_send(r.sock, ATTACH_OUT, "late", 4, 0), 0);
	say_exit(&r, 0);
	expect(r.io[1], "late");
	assert_int_equal(finish(&r).end, ATTACH_EXITED);
}

static void without_stdin_nothing_is_read(void **state)
{
	struct rig r = start(&wants_all, 0);
	enum attach_type type;
	char buf[ATTACH_DATA_MAX];

	(void)state;
	assert_int_equal(write(r.io[0], "x", 1), 1);
	wait_for_loop(&r);
	assert_int_equal(kill(r.pid, SIGUSR1), 0);
	/* The signal is the first thing that comes. */
	assert_int_equal(next(&r, &type, buf), 1);
	assert_int_equal(type, ATTACH_SIGNAL);
	assert_int_equal(buf[0], SIGUSR1);
	say_exit(&r, 1);
	assert_int_equal(finish(&r).code, 1);
}

static void a_monitor_that_is_gone(void **state)
{
	struct rig r = start(&wants_all, 0);
	struct verdict v;

	(void)state;
	own_close(&r.sock);
	v = finish(&r);
	assert_int_equal(v.rc, 0);
	assert_int_equal(v.end, ATTACH_LOST);
}

static void a_monitor_that_does_not_answer(void **state)
{
	struct attach_client c = wants_all;
	struct err e = {0};
	enum attach_end end = ATTACH_EXITED;
	int pair[2];
	int code = 0;

	(void)state;
	assert_int_equal(attach_pair(pair, &e), 0);
	c.sock = pair[0];
	assert_int_equal(attach_client_hello(&c, &e), 0);
	(void)close(pair[1]);
	assert_int_equal(attach_client_run(&c, &end, &code, &e), -1);
	assert_int_equal(e.kind, ERR_GONE);
	(void)close(pair[0]);
}

static void without_sig_proxy_a_signal_ends_the_client(void **state)
{
	struct attach_client c = wants_all;
	struct rig r;
	struct verdict v;

	(void)state;
	c.sig_proxy = false;
	r = start(&c, 0);
	wait_for_loop(&r);
	assert_int_equal(kill(r.pid, SIGTERM), 0);
	v = finish(&r);
	assert_int_equal(v.end, ATTACH_DETACHED);
	assert_int_equal(v.code, 128 + SIGTERM);
}

/* What is pending from the write ends it, as it ends a cat. */
static void a_closed_stdout_is_a_sigpipe(void **state)
{
	struct rig r = start(&wants_all, 0);
	struct verdict v;
	int status;

	(void)state;
	own_close(&r.io[1]);
	assert_int_equal(attach_send(r.sock, ATTACH_OUT, "x", 1, 0), 0);
	assert_int_equal(read(r.report, &v, sizeof(v)), 0);
	assert_int_equal(waitpid(r.pid, &status, 0), r.pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGPIPE);
	own_close(&r.sock);
	own_close(&r.report);
	own_close(&r.io[0]);
	own_close(&r.io[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_and_code),
		cmocka_unit_test(input_comes_whole_and_its_end),
		cmocka_unit_test(without_stdin_nothing_is_read),
		cmocka_unit_test(a_monitor_that_is_gone),
		cmocka_unit_test(a_monitor_that_does_not_answer),
		cmocka_unit_test(without_sig_proxy_a_signal_ends_the_client),
		cmocka_unit_test(a_closed_stdout_is_a_sigpipe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
