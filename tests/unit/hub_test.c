/* Bytes between a program, a log, the caller and clients. */
#include "runtime/hub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "runtime/logread.h"
#include "runtime/tty.h"

struct rig {
	char path[64];
	int dir;
	struct hub *h;
	int in;  /* what the program reads */
	int out; /* what the program writes to */
	int err;
};

/* ---- the rig ---------------------------------------------------------------- */

static void must(int rc, const struct err *e)
{
	if (rc < 0)
		fail_msg("%s", e->text);
}

static void make_pipe(int *rd, int *wr)
{
	int p[2];

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	*rd = p[0];
	*wr = p[1];
}

static void rig_make(struct rig *r, struct hub_conf c)
{
	struct hub_ends ends = HUB_ENDS_NONE;
	const struct log_conf json = {.driver = LOGFILE_JSON};
	struct err e = {0};

	(void)snprintf(r->path, sizeof(r->path), "/tmp/prism-hub.XXXXXX");
	assert_non_null(mkdtemp(r->path));
	r->dir = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	must(log_writer_open(r->dir, &json, &c.log, &e), &e);
	c.dir_fd = r->dir;
	r->h = hub_make(&c);
	make_pipe(&r->in, &ends.in);
	make_pipe(&ends.out, &r->out);
	make_pipe(&ends.err, &r->err);
	must(hub_connect(r->h, &ends, &e), &e);
}

static void rig_free(struct rig *r)
{
	struct err e = {0};

	hub_free(r->h);
	own_close(&r->in);
	own_close(&r->out);
	own_close(&r->err);
	own_close(&r->dir);
	must(fs_remove_tree_at(AT_FDCWD, r->path, &e), &e);
}

static struct hub_wish turn(struct hub *h, int timeout_ms)
{
	struct pollfd p[HUB_FDS_MAX];
	struct hub_wish wish;
	const int n = hub_fds(h, p);

	assert_true(n <= HUB_FDS_MAX);
	assert_true(poll(p, (nfds_t)n, timeout_ms) >= 0);
	hub_handle(h, p, n, &wish);
	return wish;
}

static void turns(struct hub *h, int n)
{
	for (int i = 0; i < n; i++)
		(void)turn(h, 0);
}

static void until_done(struct hub *h)
{
	hub_ended(h);
	while (!hub_done(h))
		(void)turn(h, hub_timeout_ms(h));
}

/* A client that has said what it wants, and was answered. */
static int join(struct rig *r, unsigned char wish)
{
	int pair[2];
	char buf[ATTACH_DATA_MAX];
	enum attach_type type;
	struct err e = {0};

	must(attach_pair(pair, &e), &e);
	hub_add_client(r->h, pair[1]);
	assert_int_equal(attach_send(pair[0], ATTACH_HELLO, &wish, 1, 0), 0);
	turns(r->h, 1);
	assert_int_equal(attach_recv(pair[0], &type, buf, 0), 1);
	assert_int_equal(type, ATTACH_HELLO);
	return pair[0];
}

static void put(int fd, const char *text)
{
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void expect(int client, enum attach_type want, const char *text)
{
	char buf[ATTACH_DATA_MAX + 1];
	enum attach_type type;
	const ssize_t n = attach_recv(client, &type, buf, MSG_DONTWAIT);

	assert_true(n >= 0);
	buf[n] = '\0';
	assert_int_equal(type, want);
	assert_string_equal(buf, text);
}

static void expect_nothing(int client)
{
	char buf[ATTACH_DATA_MAX];
	enum attach_type type;

	assert_int_equal(attach_recv(client, &type, buf, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void expect_end(int client)
{
	char buf[ATTACH_DATA_MAX];
	enum attach_type type;

	assert_int_equal(attach_recv(client, &type, buf, MSG_DONTWAIT), -1);
	assert_int_equal(errno, 0);
}

static void expect_log(const struct rig *r, const char *want)
{
	const struct log_query q = {.tail = -1};
	autobuf struct buf b = buf_make(MIB(1));
	struct log_reader *reader = NULL;
	struct log_record rec;
	struct err e = {0};

	must(log_reader_open(r->dir, &q, &reader, &e), &e);
	while (log_reader_next(reader, &rec, &e) == 1) {
		buf_addc(&b, rec.stream == LOG_STREAM_OUT ? 'o' : 'e');
		buf_add(&b, rec.text, rec.len);
	}
	log_reader_close(reader);
	assert_string_equal(buf_str(&b), want);
}

static const struct hub_conf nobody = {
	.own_in = -1, .own_out = -1, .own_err = -1};

/* ---- output ------------------------------------------------------------------- */

static void output_goes_to_everybody(void **state)
{
	struct hub_conf c = nobody;
	struct rig r;
	int own_out;
	int own_err;
	int a;
	int b;
	char buf[64];

	(void)state;
	make_pipe(&own_out, &c.own_out);
	make_pipe(&own_err, &c.own_err);
	rig_make(&r, c);
	a = join(&r, ATTACH_WANT_OUT | ATTACH_WANT_ERR);
	b = join(&r, ATTACH_WANT_ERR);
	put(r.out, "out\n");
	turns(r.h, 2);
	put(r.err, "err\n");
	turns(r.h, 2);
	expect(a, ATTACH_OUT, "out\n");
	expect(a, ATTACH_ERR, "err\n");
	expect(b, ATTACH_ERR, "err\n");
	expect_nothing(b);
	assert_int_equal(read(own_out, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "out\n", 4);
	assert_int_equal(read(own_err, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "err\n", 4);
	/* Who comes later sees what comes later. */
	put(r.out, "more\n");
	turns(r.h, 2);
	(void)close(b);
	b = join(&r, ATTACH_WANT_OUT);
	expect_nothing(b);
	expect_log(&r, "oout\neerr\nomore\n");
	(void)close(a);
	(void)close(b);
	(void)close(own_out);
	(void)close(own_err);
	(void)close(c.own_out);
	(void)close(c.own_err);
	rig_free(&r);
}

#define MUCH (8U << 20)

static unsigned char byte_at(uint32_t i)
{
	i = (i ^ i >> 15) * 0x2c1b3c6dU;
	return (unsigned char)(i ^ i >> 13);
}

static _Noreturn void write_much(int fd)
{
	unsigned char buf[5000];

	for (uint32_t at = 0; at < MUCH;) {
		size_t n = 0;
		ssize_t k;

		for (; n < sizeof(buf) && at + n < MUCH; n++)
			buf[n] = byte_at(at + (uint32_t)n);
		k = write(fd, buf, n);
		if (k <= 0)
			_exit(1);
		at += (uint32_t)k;
	}
	_exit(0);
}

/* Reads slowly at first, then everything. */
static _Noreturn void client_reads_much(int fd)
{
	static unsigned char buf[ATTACH_DATA_MAX];
	enum attach_type type = ATTACH_HELLO;
	uint32_t at = 0;

	while (at < MUCH) {
		const ssize_t n = attach_recv(fd, &type, buf, 0);

		if (n < 0 || type != ATTACH_OUT)
			_exit(2);
		for (ssize_t i = 0; i < n; i++)
			if (buf[i] != byte_at(at++))
				_exit(3);
		if (at < MUCH / 16)
			(void)usleep(1000);
	}
	_exit(0);
}

static pid_t spawn(struct rig *r, void (*role)(int), int fd)
{
	const pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	if (r->out != fd)
		(void)close(r->out);
	(void)alarm(60);
	role(fd);
	_exit(9);
}

static void expect_success(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void a_slow_client_gets_every_byte(void **state)
{
	struct rig r;
	pid_t writer;
	pid_t reader;
	int client;

	(void)state;
	rig_make(&r, nobody);
	client = join(&r, ATTACH_WANT_OUT);
	reader = spawn(&r, client_reads_much, client);
	(void)close(client);
	writer = spawn(&r, write_much, r.out);
	own_close(&r.out);
	while (waitpid(writer, NULL, WNOHANG) == 0)
		(void)turn(r.h, 100);
	until_done(r.h);
	hub_tell_exit(r.h, 0);
	expect_success(reader);
	rig_free(&r);
}

static void who_is_gone_holds_up_nobody(void **state)
{
	struct hub_conf c = nobody;
	struct rig r;
	pid_t writer;
	int own_out;
	int client;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	make_pipe(&own_out, &c.own_out);
	rig_make(&r, c);
	client = join(&r, ATTACH_WANT_OUT);
	(void)close(client);
	(void)close(own_out);
	writer = spawn(&r, write_much, r.out);
	own_close(&r.out);
	while (waitpid(writer, NULL, WNOHANG) == 0)
		(void)turn(r.h, 100);
	until_done(r.h);
	(void)close(c.own_out);
	rig_free(&r);
}

/* Nobody reads: the program's pipe fills up, and the hub does not spin. */
static void who_does_not_read_makes_the_program_wait(void **state)
{
	struct hub_conf c = nobody;
	struct rig r;
	int own_out;
	char buf[4096] = "";
	size_t total = 0;

	(void)state;
	make_pipe(&own_out, &c.own_out);
	rig_make(&r, c);
	assert_int_equal(fcntl(r.out, F_SETFL, O_NONBLOCK), 0);
	for (int i = 0; i < 200; i++) {
		if (write(r.out, buf, sizeof(buf)) == (ssize_t)sizeof(buf))
			total += sizeof(buf);
		turns(r.h, 1);
	}
	assert_in_range(total, 65536, 4 * 65536);
	/* The caller's stdout is still blocking: it is shared. */
	assert_int_equal(fcntl(c.own_out, F_GETFL) & O_NONBLOCK, 0);
	{
		struct pollfd p[HUB_FDS_MAX];
		const int n = hub_fds(r.h, p);

		assert_int_equal(poll(p, (nfds_t)n, 50), 0);
	}
	(void)close(own_out);
	(void)close(c.own_out);
	rig_free(&r);
}

/* ---- the end ------------------------------------------------------------------- */

static void all_is_out_before_the_exit_code(void **state)
{
	struct rig r;
	int watcher;
	int client;
	char code[5] = "";

	(void)state;
	rig_make(&r, nobody);
	client = join(&r, ATTACH_WANT_OUT | ATTACH_WANT_ERR);
	watcher = join(&r, 0);
	put(r.out, "last words");
	put(r.err, "and more");
	/* Somebody outside holds r.out and r.err: nobody waits for it. */
	until_done(r.h);
	hub_tell_exit(r.h, 7);
	expect(client, ATTACH_OUT, "last words");
	expect(client, ATTACH_ERR, "and more");
	code[0] = 7;
	expect(client, ATTACH_EXIT, code);
	expect_end(client);
	expect(watcher, ATTACH_EXIT, code);
	expect_nothing(watcher);
	expect_log(&r, "olast wordseand more");
	(void)close(client);
	rig_free(&r);
	expect_end(watcher);
	(void)close(watcher);
}

/* What it said too late to be read must not hide what was said to it. */
static void the_code_reaches_who_was_talking(void **state)
{
	const struct attach_size size = {50, 132};
	struct rig r;
	int client;

	(void)state;
	rig_make(&r, nobody);
	client = join(&r, ATTACH_WANT_OUT);
	assert_int_equal(
		attach_send(client, ATTACH_SIZE, &size, sizeof(size), 0), 0);
	hub_tell_exit(r.h, 7);
	expect(client, ATTACH_EXIT, "\7");
	expect_end(client);
	(void)close(client);
	rig_free(&r);
}

static void a_stuck_client_is_left_at_the_end(void **state)
{
	struct rig r;
	pid_t writer;
	int client;
	const int64_t begin = clock_monotonic();

	(void)state;
	rig_make(&r, nobody);
	client = join(&r, ATTACH_WANT_OUT);
	writer = spawn(&r, write_much, r.out);
	for (int i = 0; i < 300; i++)
		(void)turn(r.h, 1);
	(void)kill(writer, SIGKILL);
	(void)waitpid(writer, NULL, 0);
	own_close(&r.out);
	until_done(r.h);
	assert_in_range((clock_monotonic() - begin) / CLOCK_SECOND, 1, 20);
	(void)close(client);
	rig_free(&r);
}

static void the_next_start_goes_on_with_the_same_log(void **state)
{
	struct hub_ends ends = HUB_ENDS_NONE;
	struct err e = {0};
	struct rig r;

	(void)state;
	rig_make(&r, nobody);
	put(r.out, "one");
	until_done(r.h);
	own_close(&r.out);
	own_close(&r.err);
	make_pipe(&ends.out, &r.out);
	make_pipe(&ends.err, &r.err);
	must(hub_connect(r.h, &ends, &e), &e);
	put(r.out, "two\n");
	turns(r.h, 2);
	until_done(r.h);
	expect_log(&r, "oone"
		       "otwo\n");
	rig_free(&r);
}

/* ---- the caller's files alone ----------------------------------------------------- */

/* No log, no socket, no clients: as of a run that keeps nothing. */
static void plain_make(struct rig *r, struct hub_conf c)
{
	struct hub_ends ends = HUB_ENDS_NONE;
	struct err e = {0};

	*r = (struct rig){.dir = -1, .err = -1};
	c.dir_fd = -1;
	r->h = hub_make(&c);
	make_pipe(&ends.in_theirs, &ends.in);
	r->in = fcntl(ends.in_theirs, F_DUPFD_CLOEXEC, 3);
	make_pipe(&ends.out, &r->out);
	must(hub_connect(r->h, &ends, &e), &e);
}

static void plain_free(struct rig *r)
{
	hub_free(r->h);
	own_close(&r->in);
	own_close(&r->out);
}

/* An unnamed file with the text, its offset at the start. */
static int file_of(const char *text)
{
	const int fd = memfd_create("hub", MFD_CLOEXEC);

	assert_true(fd >= 0);
	put(fd, text);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

static void unread_input_is_given_back(void **state)
{
	struct hub_conf c = nobody;
	struct rig r;
	char buf[4];

	(void)state;
	c.own_in = file_of("one two three");
	plain_make(&r, c);
	turns(r.h, 3);
	assert_int_equal(lseek(c.own_in, 0, SEEK_CUR), 13);
	assert_int_equal(read(r.in, buf, 4), 4);
	until_done(r.h);
	assert_int_equal(lseek(c.own_in, 0, SEEK_CUR), 4);
	(void)close(c.own_in);
	plain_free(&r);
}

static void output_after_the_end_is_not_waited_for(void **state)
{
	struct hub_conf c = nobody;
	struct rig r;
	char buf[16] = "";

	(void)state;
	c.own_out = file_of("");
	plain_make(&r, c);
	put(r.out, "last");
	hub_ended(r.h);
	/* By what it left running. */
	put(r.out, "later");
	while (!hub_done(r.h))
		(void)turn(r.h, hub_timeout_ms(r.h));
	assert_int_equal(pread(c.own_out, buf, sizeof(buf), 0), 4);
	assert_string_equal(buf, "last");
	(void)close(c.own_out);
	plain_free(&r);
}

static void a_file_that_takes_nothing_is_told(void **state)
{
	struct hub_conf c = nobody;
	struct err e = {0};
	struct rig r;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	c.own_out = open("/dev/full", O_WRONLY | O_CLOEXEC);
	plain_make(&r, c);
	put(r.out, "x");
	assert_int_equal(hub_lost(r.h, &e), 0);
	turns(r.h, 3);
	assert_int_equal(hub_lost(r.h, &e), -1);
	assert_string_equal(e.text,
			    "write stdout: ENOSPC (No space left on device)");
	assert_int_equal(write(r.out, "y", 1), -1);
	assert_int_equal(errno, EPIPE);
	(void)close(c.own_out);
	plain_free(&r);
}

/* ---- input --------------------------------------------------------------------- */

static void expect_input(struct rig *r, const char *want)
{
	char buf[64] = "";

	assert_int_equal(read(r->in, buf, sizeof(buf) - 1), strlen(want));
	assert_string_equal(buf, want);
}

static void clients_type(void **state)
{
	struct rig r;
	int a;
	int b;
	int c;
	struct hub_wish wish;

	(void)state;
	rig_make(&r, nobody);
	a = join(&r, ATTACH_WANT_IN);
	b = join(&r, ATTACH_WANT_IN);
	c = join(&r, ATTACH_WANT_OUT);
	assert_int_equal(attach_send(a, ATTACH_IN, "a", 1, 0), 0);
	turns(r.h, 1);
	expect_input(&r, "a");
	assert_int_equal(attach_send(b, ATTACH_IN, "b", 1, 0), 0);
	assert_int_equal(attach_send(c, ATTACH_IN, "c", 1, 0), 0);
	turns(r.h, 1);
	expect_input(&r, "b");
	/* Not the program's end: stdin is kept for the next client. */
	assert_int_equal(attach_send(a, ATTACH_IN_EOF, NULL, 0, 0), 0);
	assert_int_equal(attach_send(b, ATTACH_IN, "!", 1, 0), 0);
	turns(r.h, 2);
	expect_input(&r, "!");
	assert_int_equal(attach_send(a, ATTACH_SIGNAL, "\x0f", 1, 0), 0);
	wish = turn(r.h, 0);
	assert_int_equal(wish.signals, 1U << SIGTERM);
	/* Nonsense ends the one who says it. */
	assert_int_equal(attach_send(a, (enum attach_type)'?', "x", 1, 0), 0);
	turns(r.h, 1);
	expect_end(a);
	(void)close(a);
	(void)close(b);
	(void)close(c);
	rig_free(&r);
}

static void the_end_of_input_arrives(void **state)
{
	struct hub_conf conf = nobody;
	struct rig r;
	int client;
	char buf[8];

	(void)state;
	conf.stdin_once = true;
	rig_make(&r, conf);
	client = join(&r, ATTACH_WANT_IN);
	assert_int_equal(attach_send(client, ATTACH_IN, "x", 1, 0), 0);
	assert_int_equal(attach_send(client, ATTACH_IN_EOF, NULL, 0, 0), 0);
	turns(r.h, 2);
	expect_input(&r, "x");
	assert_int_equal(read(r.in, buf, sizeof(buf)), 0);
	(void)close(client);
	rig_free(&r);
}

static void the_caller_s_input(void **state)
{
	struct hub_conf conf = nobody;
	struct rig r;
	int own;
	char buf[8];

	(void)state;
	make_pipe(&conf.own_in, &own);
	rig_make(&r, conf);
	put(own, "typed");
	turns(r.h, 2);
	expect_input(&r, "typed");
	(void)close(own);
	turns(r.h, 2);
	assert_int_equal(read(r.in, buf, sizeof(buf)), 0);
	(void)close(conf.own_in);
	rig_free(&r);
}

/* A program that does not read: clients wait, nothing spins, nothing blocks. */
static void input_that_nobody_reads_waits(void **state)
{
	struct rig r;
	struct pollfd p[HUB_FDS_MAX];
	char buf[8192] = "";
	int client;
	int sent = 0;

	(void)state;
	rig_make(&r, nobody);
	client = join(&r, ATTACH_WANT_IN);
	for (int i = 0; i < 1000; i++) {
		if (attach_send(client, ATTACH_IN, buf, sizeof(buf),
				MSG_DONTWAIT) == 0)
			sent++;
		turns(r.h, 1);
	}
	assert_in_range(sent, 8, 200);
	assert_int_equal(poll(p, (nfds_t)hub_fds(r.h, p), 50), 0);
	/* Output is not held up by it. */
	put(r.out, "alive\n");
	turns(r.h, 2);
	expect_log(&r, "oalive\n");
	(void)close(client);
	rig_free(&r);
}

/* ---- a terminal ------------------------------------------------------------------ */

static void a_terminal(void **state)
{
	const struct attach_size size = {33, 101};
	struct hub_ends ends = HUB_ENDS_NONE;
	struct winsize ws;
	struct err e = {0};
	struct rig r;
	int slave;
	int client;
	char buf[64];

	(void)state;
	rig_make(&r, nobody);
	must(tty_open_pair(AT_FDCWD, &ends.master, &slave, &e), &e);
	must(hub_connect(r.h, &ends, &e), &e);
	client = join(&r, ATTACH_WANT_IN | ATTACH_WANT_OUT | ATTACH_WANT_ERR);
	assert_int_equal(
		attach_send(client, ATTACH_SIZE, &size, sizeof(size), 0), 0);
	assert_int_equal(attach_send(client, ATTACH_IN, "hi\n", 3, 0), 0);
	turns(r.h, 3);
	assert_int_equal(ioctl(slave, TIOCGWINSZ, &ws), 0);
	assert_int_equal(ws.ws_row, 33);
	assert_int_equal(ws.ws_col, 101);
	assert_int_equal(read(slave, buf, sizeof(buf)), 3);
	turns(r.h, 2);
	expect(client, ATTACH_OUT, "hi\r\n"); /* its echo */
	put(slave, "bye\n");
	(void)close(slave);
	until_done(r.h);
	expect(client, ATTACH_OUT, "bye\r\n");
	expect_log(&r, "ohi\r\nobye\r\n");
	(void)close(client);
	rig_free(&r);
}

/* ---- the socket ------------------------------------------------------------------- */

static void the_socket_is_the_owner_s(void **state)
{
	struct rig r;
	struct stat st;
	struct err e = {0};
	struct hub_wish wish;
	const mode_t old = umask(0);
	unsigned char want = ATTACH_WANT_OUT;
	char buf[ATTACH_DATA_MAX];
	enum attach_type type;
	int fd;

	(void)state;
	rig_make(&r, nobody);
	assert_int_equal(attach_connect(r.dir, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	err_clear(&e);
	must(hub_listen(r.h, &e), &e);
	assert_int_equal(umask(old), 0);
	assert_int_equal(fstatat(r.dir, "attach", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	attach_poke(r.dir);
	wish = turn(r.h, 1000);
	assert_true(wish.poked);
	fd = attach_connect(r.dir, &e);
	must(fd, &e);
	assert_int_equal(attach_send(fd, ATTACH_HELLO, &want, 1, 0), 0);
	turns(r.h, 3);
	assert_int_equal(attach_recv(fd, &type, buf, MSG_DONTWAIT), 1);
	put(r.out, "x");
	turns(r.h, 2);
	expect(fd, ATTACH_OUT, "x");
	(void)close(fd);
	turns(r.h, 2);
	hub_free(r.h);
	r.h = NULL;
	assert_int_equal(attach_connect(r.dir, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(output_goes_to_everybody),
		cmocka_unit_test(a_slow_client_gets_every_byte),
		cmocka_unit_test(who_is_gone_holds_up_nobody),
		cmocka_unit_test(who_does_not_read_makes_the_program_wait),
		cmocka_unit_test(all_is_out_before_the_exit_code),
		cmocka_unit_test(the_code_reaches_who_was_talking),
		cmocka_unit_test(a_stuck_client_is_left_at_the_end),
		cmocka_unit_test(the_next_start_goes_on_with_the_same_log),
		cmocka_unit_test(unread_input_is_given_back),
		cmocka_unit_test(output_after_the_end_is_not_waited_for),
		cmocka_unit_test(a_file_that_takes_nothing_is_told),
		cmocka_unit_test(clients_type),
		cmocka_unit_test(the_end_of_input_arrives),
		cmocka_unit_test(the_caller_s_input),
		cmocka_unit_test(input_that_nobody_reads_waits),
		cmocka_unit_test(a_terminal),
		cmocka_unit_test(the_socket_is_the_owner_s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
