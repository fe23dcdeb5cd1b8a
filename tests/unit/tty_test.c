/* A real pty, both ways, and what happens at the ends. */
#include "runtime/tty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"

#define MUCH        (10U << 20)
#define PATIENCE_MS 60000

static struct tty_relay relay;

struct pty {
	int master;
	int slave;
};

static struct pty open_pty(bool raw)
{
	struct err e = {0};
	struct pty p = {-1, -1};
	struct termios t;

	if (tty_open_pair(AT_FDCWD, &p.master, &p.slave, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(isatty(p.slave));
	assert_int_equal(fcntl(p.master, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(p.slave, F_GETFD), FD_CLOEXEC);
	if (raw) {
		assert_int_equal(tcgetattr(p.slave, &t), 0);
		cfmakeraw(&t);
		assert_int_equal(tcsetattr(p.slave, TCSANOW, &t), 0);
	}
	return p;
}

/* Byte i of the test data: no period that fits a buffer. */
static unsigned char byte_at(uint32_t i)
{
	i = (i ^ i >> 15) * 0x2c1b3c6dU;
	return (unsigned char)(i ^ i >> 13);
}

static int write_much(int fd, uint32_t len)
{
	unsigned char buf[5000];
	uint32_t at = 0;

	while (at < len) {
		size_t n = 0;
		ssize_t done;

		for (; n < sizeof(buf) && at + n < len; n++)
			buf[n] = byte_at(at + (uint32_t)n);
		done = write(fd, buf, n);
		if (done <= 0)
			return 1;
		at += (uint32_t)done;
	}
	return 0;
}

/* 0: exactly len right bytes, then the end if to_end. */
static int read_much(int fd, uint32_t len, bool to_end)
{
	unsigned char buf[7000];
	uint32_t at = 0;

	while (at < len) {
		const ssize_t n = read(fd, buf, sizeof(buf));

		if (n <= 0 || (uint32_t)n > len - at)
			return 2;
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] != byte_at(at + (uint32_t)i))
				return 3;
		}
		at += (uint32_t)n;
	}
	return to_end && read(fd, buf, 1) != 0 ? 4 : 0;
}

/* Turn the loop until it is done or pid (if > 0) has ended; its status. */
static int turn(pid_t pid)
{
	for (int i = 0; !relay.done; i++) {
		struct pollfd fds[TTY_RELAY_FDS];
		struct err e = {0};
		int status = 0;
		int n;

		if (pid > 0 && waitpid(pid, &status, WNOHANG) == pid)
			return status;
		tty_relay_fds(&relay, fds);
		n = poll(fds, TTY_RELAY_FDS, pid > 0 ? 20 : PATIENCE_MS);
		if (n == 0 && (pid <= 0 || i > 2000000))
			fail_msg("nothing moves");
		if (tty_relay_handle(&relay, fds, &e) < 0)
			fail_msg("%s", e.text);
	}
	return -1;
}

static int status_of(pid_t pid)
{
	int status = 0;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void begin(int in, int out, int master)
{
	struct err e = {0};

	assert_int_equal(tty_relay_init(&relay, in, out, master, &e), 0);
}

static void drain(int timeout_ms)
{
	struct err e = {0};

	if (tty_relay_drain(&relay, timeout_ms, &e) < 0)
		fail_msg("%s", e.text);
}

static void much_output_arrives(void **state)
{
	struct pty p = open_pty(true);
	int out[2];
	pid_t writer;
	pid_t reader;

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	reader = fork();
	if (reader == 0) {
		(void)close(p.slave);
		(void)close(out[1]);
		_exit(read_much(out[0], MUCH, true));
	}
	writer = fork();
	if (writer == 0) {
		(void)close(p.master);
		_exit(write_much(p.slave, MUCH));
	}
	(void)close(p.slave);
	(void)close(out[0]);
	begin(-1, out[1], p.master);
	(void)turn(-1);
	assert_true(relay.done);
	(void)close(out[1]);
	assert_int_equal(status_of(writer), 0);
	assert_int_equal(status_of(reader), 0);
	(void)close(p.master);
}

static void much_input_arrives(void **state)
{
	struct pty p = open_pty(true);
	int in[2];
	pid_t writer;
	pid_t reader;
	int status;

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	writer = fork();
	if (writer == 0) {
		(void)close(in[0]);
		_exit(write_much(in[1], MUCH));
	}
	reader = fork();
	if (reader == 0) {
		(void)close(p.master);
		_exit(read_much(p.slave, MUCH, false));
	}
	(void)close(p.slave);
	(void)close(in[1]);
	begin(in[0], -1, p.master);
	status = turn(reader);
	if (status == -1)
		assert_int_equal(status_of(reader), 0);
	else
		assert_int_equal(status, 0);
	assert_int_equal(status_of(writer), 0);
	(void)close(in[0]);
	(void)close(p.master);
}

/* The program is gone before anybody looked at what it wrote. */
static void last_words_are_kept(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		struct pty p = open_pty(true);
		int out[2];
		pid_t writer;

		assert_int_equal(pipe2(out, O_CLOEXEC), 0);
		writer = fork();
		if (writer == 0)
			_exit(write_much(p.slave, 3000));
		(void)close(p.slave);
		begin(-1, out[1], p.master);
		assert_int_equal(status_of(writer), 0);
		drain(PATIENCE_MS);
		assert_true(relay.done);
		(void)close(out[1]);
		assert_int_equal(read_much(out[0], 3000, true), 0);
		(void)close(out[0]);
		(void)close(p.master);
	}
}

/* Send text, then the end; what the program reads up to its end of file. */
static void check_eof(const char *text, const char *wanted)
{
	struct pty p = open_pty(false);
	int in[2];
	int got[2];
	char buf[100] = "";
	pid_t pid;

	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(got, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		ssize_t n;

		(void)close(p.master);
		(void)close(in[1]);
		while ((n = read(p.slave, buf, sizeof(buf))) > 0)
			(void)!write(got[1], buf, (size_t)n);
		_exit(n == 0 ? 0 : 5);
	}
	(void)close(p.slave);
	(void)close(got[1]);
	assert_int_equal(write(in[1], text, strlen(text)),
			 (ssize_t)strlen(text));
	(void)close(in[1]);
	begin(in[0], -1, p.master);
	(void)turn(-1);
	assert_int_equal(status_of(pid), 0);
	assert_int_equal(read(got[0], buf, sizeof(buf)),
			 (ssize_t)strlen(wanted));
	assert_memory_equal(buf, wanted, strlen(wanted));
	(void)close(got[0]);
	(void)close(in[0]);
	(void)close(p.master);
}

static void end_of_input_reaches_the_program(void **state)
{
	(void)state;
	check_eof("abc\n", "abc\n");
	check_eof("abc", "abc");
	check_eof("a\nb", "a\nb");
	check_eof("cr\r", "cr\n");
}

static void nobody_reads_the_output(void **state)
{
	struct pty p = open_pty(true);
	int out[2];
	pid_t writer;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	(void)close(out[0]);
	writer = fork();
	if (writer == 0) {
		(void)close(p.master);
		_exit(write_much(p.slave, 1U << 20));
	}
	(void)close(p.slave);
	begin(-1, out[1], p.master);
	(void)turn(-1);
	assert_true(relay.done);
	assert_int_equal(status_of(writer), 0);
	(void)close(out[1]);
	(void)close(p.master);
}

static void somebody_holds_the_slave(void **state)
{
	struct pty p = open_pty(true);
	char buf[10];
	int out[2];

	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	begin(-1, out[1], p.master);
	assert_int_equal(write(p.slave, "bye", 3), 3);
	drain(50);
	assert_false(relay.done);
	assert_int_equal(read(out[0], buf, sizeof(buf)), 3);
	assert_memory_equal(buf, "bye", 3);
	(void)close(out[0]);
	(void)close(out[1]);
	(void)close(p.slave);
	(void)close(p.master);
}

static void program_gone_while_input_waits(void **state)
{
	struct pty p = open_pty(true);
	int in[2];

	(void)state;
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(write(in[1], "unread", 6), 6);
	begin(in[0], -1, p.master);
	(void)close(p.slave);
	(void)turn(-1);
	assert_true(relay.done);
	(void)close(in[0]);
	(void)close(in[1]);
	(void)close(p.master);
}

static void mode_comes_back(void **state)
{
	struct pty p = open_pty(false);
	struct tty_raw raw = {0};
	struct err e = {0};
	struct termios before;
	struct termios t;

	(void)state;
	tty_raw_restore(&raw);
	assert_int_equal(tcgetattr(p.slave, &before), 0);
	assert_true(before.c_lflag & ICANON);
	assert_int_equal(tty_raw_enter(p.slave, &raw, &e), 0);
	assert_int_equal(tcgetattr(p.slave, &t), 0);
	assert_false(t.c_lflag & (ICANON | ECHO | ISIG));
	errno = 77;
	tty_raw_restore(&raw);
	assert_int_equal(errno, 77);
	assert_int_equal(tcgetattr(p.slave, &t), 0);
	assert_int_equal(t.c_lflag, before.c_lflag);
	assert_int_equal(t.c_iflag, before.c_iflag);
	assert_int_equal(t.c_oflag, before.c_oflag);

	/* Once only: what somebody set afterwards stays. */
	t.c_lflag &= ~(tcflag_t)ECHO;
	assert_int_equal(tcsetattr(p.slave, TCSANOW, &t), 0);
	tty_raw_restore(&raw);
	assert_int_equal(tcgetattr(p.slave, &t), 0);
	assert_false(t.c_lflag & ECHO);
	(void)close(p.slave);
	(void)close(p.master);
}

static void no_terminal_is_no_error(void **state)
{
	struct tty_raw raw = {0};
	struct err e = {0};
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(tty_raw_enter(fds[0], &raw, &e), 0);
	assert_false(raw.active);
	(void)close(fds[0]);
	(void)close(fds[1]);
	assert_int_equal(tty_raw_enter(-1, &raw, &e), -1);
	assert_int_equal(e.sys, EBADF);
}

static void size_is_copied(void **state)
{
	struct pty a = open_pty(false);
	struct pty b = open_pty(false);
	const struct winsize set = {.ws_row = 43, .ws_col = 132};
	struct winsize got = {0};

	(void)state;
	assert_int_equal(ioctl(a.slave, TIOCSWINSZ, &set), 0);
	tty_copy_size(a.slave, b.master);
	tty_copy_size(-1, b.master);
	assert_int_equal(ioctl(b.slave, TIOCGWINSZ, &got), 0);
	assert_int_equal(got.ws_row, 43);
	assert_int_equal(got.ws_col, 132);
	(void)close(a.slave);
	(void)close(a.master);
	(void)close(b.slave);
	(void)close(b.master);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(much_output_arrives),
		cmocka_unit_test(much_input_arrives),
		cmocka_unit_test(last_words_are_kept),
		cmocka_unit_test(end_of_input_reaches_the_program),
		cmocka_unit_test(nobody_reads_the_output),
		cmocka_unit_test(somebody_holds_the_slave),
		cmocka_unit_test(program_gone_while_input_waits),
		cmocka_unit_test(mode_comes_back),
		cmocka_unit_test(no_terminal_is_no_error),
		cmocka_unit_test(size_is_copied),
	};

	/* The tests end by themselves or not at all. */
	(void)alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
