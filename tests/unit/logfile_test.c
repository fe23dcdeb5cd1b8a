/* What is written to a log, how it is rotated, and what is read from it. */
#include "runtime/logfile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "runtime/logread.h"

struct place {
	char path[64];
	int fd;
};

static int make_place(void **state)
{
	struct place *const p = xcalloc(1, sizeof(*p));

	(void)snprintf(p->path, sizeof(p->path), "/tmp/prism-logfile.XXXXXX");
	if (!mkdtemp(p->path))
		return -1;
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = p;
	return p->fd < 0 ? -1 : 0;
}

static int remove_place(void **state)
{
	struct place *const p = *state;
	struct err e = {0};

	own_close(&p->fd);
	(void)fs_remove_tree_at(AT_FDCWD, p->path, &e);
	free(p);
	return err_is(&e) ? -1 : 0;
}

static struct log_writer *open_writer(int dir, struct log_conf c)
{
	struct log_writer *w = NULL;
	struct err e = {0};

	if (log_writer_open(dir, &c, &w, &e) < 0)
		fail_msg("%s", e.text);
	return w;
}

static void say(struct log_writer *w, const char *text)
{
	log_writer_add(w, LOG_STREAM_OUT, text, strlen(text));
}

/* The log without its times. */
static char *raw_log(int dir)
{
	autobuf struct buf b = buf_make(MIB(8));
	autobuf struct buf out = buf_make(MIB(8));
	struct err e = {0};

	if (fs_read_at(dir, "log", &b, &e) < 0)
		fail_msg("%s", e.text);
	for (const char *p = buf_str(&b); *p;) {
		const char *const time = strstr(p, ",\"time\":\"");
		const char *const end = strchr(p, '\n');

		assert_non_null(end);
		assert_non_null(time);
		assert_true(time < end);
		buf_add(&out, p, (size_t)(time - p));
		buf_addc(&out, '\n');
		p = end + 1;
	}
	return buf_take(&out);
}

static struct log_reader *open_reader(int dir, struct log_query q)
{
	struct log_reader *r = NULL;
	struct err e = {0};

	if (log_reader_open(dir, &q, &r, &e) < 0)
		fail_msg("%s", e.text);
	return r;
}

/* All texts that are there now, one behind the other. */
static char *read_texts(struct log_reader *r)
{
	autobuf struct buf b = buf_make(MIB(64));
	struct log_record rec;
	struct err e = {0};
	int rc;

	for (;;) {
		rc = log_reader_next(r, &rec, &e);
		if (rc != 1)
			break;
		buf_add(&b, rec.text, rec.len);
	}
	if (rc < 0)
		fail_msg("%s", e.text);
	return buf_take(&b);
}

static void expect_texts(int dir, struct log_query q, const char *want)
{
	struct log_reader *const r = open_reader(dir, q);
	autofree char *got = read_texts(r);

	assert_string_equal(got, want);
	log_reader_close(r);
}

static const struct log_query everything = {.tail = -1};
static const struct log_conf json = {.driver = LOGFILE_JSON};

/* ---- writing -------------------------------------------------------------- */

static void records_are_docker_s(void **state)
{
	const struct place *const p = *state;
	struct log_writer *const w = open_writer(p->fd, json);
	autofree char *got = NULL;

	say(w, "one\ntw");
	log_writer_add(w, LOG_STREAM_ERR, "e\n", 2);
	say(w, "o\n\n");
	say(w, "\t\"\\<&>\r\x1b \xc3\xa4 \xff\xc3 \xe2\x80\xa8 "
	       "\xed\xa0\x80 \xf0\x9f\x98\x80\n");
	log_writer_add(w, LOG_STREAM_OUT, "nul\0!\n", 6);
	say(w, "no newline");
	log_writer_end(w, LOG_STREAM_OUT);
	log_writer_end(w, LOG_STREAM_ERR);
	log_writer_close(w);
	got = raw_log(p->fd);
	assert_string_equal(
		got,
		"{\"log\":\"one\\n\",\"stream\":\"stdout\"\n"
		"{\"log\":\"e\\n\",\"stream\":\"stderr\"\n"
		"{\"log\":\"two\\n\",\"stream\":\"stdout\"\n"
		"{\"log\":\"\\n\",\"stream\":\"stdout\"\n"
		"{\"log\":\"\\u0009\\\"\\\\\\u003c\\u0026\\u003e\\r\\u001b "
		"\xc3\xa4 \\ufffd\\ufffd \\u2028 \\ufffd\\ufffd\\ufffd "
		"\xf0\x9f\x98\x80\\n\",\"stream\":\"stdout\"\n"
		"{\"log\":\"nul\\u0000!\\n\",\"stream\":\"stdout\"\n"
		"{\"log\":\"no newline\",\"stream\":\"stdout\"\n");
}

static void long_lines_are_split_at_16_kib(void **state)
{
	const struct place *const p = *state;
	struct log_writer *const w = open_writer(p->fd, json);
	struct log_reader *r = NULL;
	autofree char *text = xmalloc(40000);
	struct log_record rec;
	struct err e = {0};
	static const size_t want[] = {16384, 16384, 40000 - 2 * 16384, 16384,
				      1};

	memset(text, 'x', 40000);
	text[39999] = '\n';
	/* In pieces of which none ends where a record ends. */
	for (size_t i = 0; i < 40000; i += 1000)
		log_writer_add(w, LOG_STREAM_OUT, text + i, 1000);
	/* And one that is exactly full before its newline comes. */
	log_writer_add(w, LOG_STREAM_OUT, text, 16384);
	say(w, "\n");
	log_writer_close(w);
	r = open_reader(p->fd, everything);
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		assert_int_equal(log_reader_next(r, &rec, &e), 1);
		assert_int_equal(rec.len, want[i]);
		assert_int_equal(rec.text[rec.len - 1] == '\n',
				 i == 2 || i == 4);
	}
	assert_int_equal(log_reader_next(r, &rec, &e), 0);
	log_reader_close(r);
}

static void bytes_of_any_kind_stay_readable(void **state)
{
	const struct place *const p = *state;
	struct log_writer *const w = open_writer(p->fd, json);
	struct log_reader *r = NULL;
	unsigned char raw[8192];
	autofree char *text = NULL;
	uint32_t seed = 7;

	for (int round = 0; round < 50; round++) {
		for (size_t i = 0; i < sizeof(raw); i++) {
			seed = seed * 1664525U + 1013904223U;
			raw[i] = (unsigned char)(seed >> 24);
		}
		log_writer_add(w, LOG_STREAM_OUT, raw, sizeof(raw));
	}
	say(w, "\nthe end\n");
	log_writer_close(w);
	r = open_reader(p->fd, everything);
	text = read_texts(r);
	log_reader_close(r);
	expect_texts(p->fd, (struct log_query){.tail = 1}, "the end\n");
}

static size_t count_logs(int dir)
{
	static const char *const names[] = {"log", "log.1", "log.2", "log.3",
					    "log.4"};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		n += faccessat(dir, names[i], F_OK, 0) == 0;
	return n;
}

static void full_files_are_rotated(void **state)
{
	const struct place *const p = *state;
	const struct log_conf c = {.max_size_bytes = 1000, .max_files = 3};
	struct log_writer *const w = open_writer(p->fd, c);
	autofree char *got = NULL;
	struct log_reader *r;
	struct stat st;

	for (int i = 0; i < 100; i++) {
		char line[32];

		(void)snprintf(line, sizeof(line), "line %d\n", i);
		say(w, line);
	}
	log_writer_close(w);
	assert_int_equal(count_logs(p->fd), 3);
	assert_int_equal(fstatat(p->fd, "log.2", &st, 0), 0);
	/* At the first record that would begin behind the limit. */
	assert_in_range(st.st_size, 1000, 1100);
	r = open_reader(p->fd, everything);
	got = read_texts(r);
	log_reader_close(r);
	assert_true(strncmp(got, "line ", 5) == 0);
	assert_null(strstr(got, "line 1\n"));
	assert_non_null(strstr(got, "line 98\nline 99\n"));
	expect_texts(p->fd, (struct log_query){.tail = 2},
		     "line 98\nline 99\n");
}

static void one_file_begins_again(void **state)
{
	const struct place *const p = *state;
	const struct log_conf c = {.max_size_bytes = 500, .max_files = 1};
	struct log_writer *const w = open_writer(p->fd, c);

	for (int i = 0; i < 1000; i++)
		say(w, "0123456789\n");
	say(w, "last\n");
	log_writer_close(w);
	assert_int_equal(count_logs(p->fd), 1);
	expect_texts(p->fd, (struct log_query){.tail = 1}, "last\n");
}

static void a_restart_appends(void **state)
{
	const struct place *const p = *state;
	struct log_writer *w = open_writer(p->fd, json);
	int fd;

	say(w, "first\n");
	log_writer_close(w);
	/* Torn by a kill -9 in the middle of a write. */
	fd = openat(p->fd, "log", O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write(fd, "{\"log\":\"to", 10), 10);
	(void)close(fd);
	w = open_writer(p->fd, json);
	say(w, "second\n");
	log_writer_close(w);
	expect_texts(p->fd, everything, "first\nsecond\n");
}

static void none_keeps_nothing(void **state)
{
	const struct place *const p = *state;
	const struct log_conf c = {.driver = LOGFILE_NONE};
	struct log_writer *const w = open_writer(p->fd, c);
	struct log_reader *r = NULL;
	struct err e = {0};

	say(w, "nothing\n");
	log_writer_end(w, LOG_STREAM_OUT);
	log_writer_close(w);
	assert_int_equal(count_logs(p->fd), 0);
	assert_int_equal(log_reader_open(p->fd, &everything, &r, &e), -1);
	assert_int_equal(e.kind, ERR_NOTFOUND);
}

/* RLIMIT_FSIZE stands for a disk that is full in the middle of a record. */
static void a_full_disk_leaves_whole_records(void **state)
{
	const struct place *const p = *state;
	struct log_writer *const w = open_writer(p->fd, json);
	struct rlimit old;
	struct rlimit small;
	struct log_reader *r;
	autofree char *got = NULL;

	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = (struct rlimit){1050, old.rlim_max};
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 100; i++)
		say(w, "full?\n");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
	say(w, "there is room again\n");
	log_writer_close(w);
	r = open_reader(p->fd, everything);
	got = read_texts(r);
	log_reader_close(r);
	assert_true(strlen(got) > 6 * 6);
	for (const char *q = got; *q != 't'; q += 6)
		assert_memory_equal(q, "full?\n", 6);
	assert_string_equal(strchr(got, 't'), "there is room again\n");
}

/* ---- reading -------------------------------------------------------------- */

static void write_file(int dir, const char *name, const char *text)
{
	const int fd = openat(dir, name,
			      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	(void)close(fd);
}

#define LINE(text, sec)                                   \
	"{\"log\":\"" text "\\n\",\"stream\":\"stdout\"," \
	"\"time\":\"2024-05-01T10:11:" sec "Z\"}\n"

static void tail_since_until(void **state)
{
	const struct place *const p = *state;
	const int64_t ten = INT64_C(1714558270) * CLOCK_SECOND;

	write_file(p->fd, "log.1", LINE("a", "10") LINE("b", "11.5"));
	write_file(p->fd, "log", LINE("c", "12") "no record\n" LINE("d", "13"));
	expect_texts(p->fd, everything, "a\nb\nc\nd\n");
	expect_texts(p->fd, (struct log_query){.tail = 0}, "");
	expect_texts(p->fd, (struct log_query){.tail = 1}, "d\n");
	expect_texts(p->fd, (struct log_query){.tail = 4}, "b\nc\nd\n");
	expect_texts(p->fd, (struct log_query){.tail = 100}, "a\nb\nc\nd\n");
	expect_texts(p->fd,
		     (struct log_query){.tail = -1,
					.since_ns = ten + 3 * CLOCK_SECOND / 2},
		     "b\nc\nd\n");
	expect_texts(p->fd,
		     (struct log_query){.tail = -1,
					.until_ns = ten + 2 * CLOCK_SECOND},
		     "a\nb\nc\n");
}

static void strange_lines_are_left_out(void **state)
{
	const struct place *const p = *state;

	write_file(p->fd, "log",
		   "\n{}\n{\"log\":\"x\n{\"log\":\"\\ud\",\"time\":1}\n"
		   "{\"log\":\"y\\q\",\"stream\":\"stdout\",\"time\":"
		   "\"2024-05-01T10:11:10Z\"}\n[]\n{\"log\":\n" //
		   LINE("good", "10") "{\"log\":\"half");
	expect_texts(p->fd, everything, "good\n");
}

/* A reader that is slower than the writer misses nothing that is kept. */
static void follow_slowly(const struct place *p, bool compress)
{
	const struct log_conf c = {
		.max_size_bytes = 300, .max_files = 50, .compress = compress};
	struct log_writer *const w = open_writer(p->fd, c);
	struct log_reader *r = NULL;
	int next = 0;
	struct err e = {0};

	say(w, "0\n");
	r = open_reader(p->fd, everything);
	for (int i = 1; i <= 400; i++) {
		char line[16];
		struct log_record rec;

		(void)snprintf(line, sizeof(line), "%d\n", i);
		say(w, line);
		if (i % 37)
			continue;
		while (log_reader_next(r, &rec, &e) == 1) {
			(void)snprintf(line, sizeof(line), "%d\n", next++);
			assert_int_equal(rec.len, strlen(line));
			assert_memory_equal(rec.text, line, rec.len);
		}
		assert_int_equal(next, i + 1);
	}
	log_writer_close(w);
	log_reader_close(r);
}

static void following_over_rotations(void **state)
{
	follow_slowly(*state, false);
}

static void following_over_packed_ones(void **state)
{
	follow_slowly(*state, true);
}

#define BESIDE_LINES 20000

/* Bursts that fill several files, and never so far ahead that one is lost. */
static void write_beside(const struct place *p, bool compress,
			 const atomic_int *seen)
{
	const struct log_conf c = {
		.max_size_bytes = 1500, .max_files = 60, .compress = compress};
	struct log_writer *const w = open_writer(p->fd, c);
	char burst[400];
	int n = 0;

	for (int i = 0; i < BESIDE_LINES; i++) {
		n += snprintf(burst + n, sizeof(burst) - (size_t)n, "%d\n", i);
		if (i % 50 != 49)
			continue;
		while (i - atomic_load(seen) > 500)
			(void)sched_yield();
		say(w, burst);
		n = 0;
	}
	log_writer_close(w);
}

/* A reader in step with the writer, who rotates between any two of its steps,
 * has each line once. */
static void follow_beside(const struct place *p, bool compress)
{
	atomic_int *const seen =
		mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct log_reader *r = NULL;
	struct err e = {0};
	int status = 0;
	pid_t pid;

	assert_ptr_not_equal(seen, MAP_FAILED);
	write_file(p->fd, "log", "");
	r = open_reader(p->fd, everything);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		write_beside(p, compress, seen);
		_exit(0);
	}
	while (*seen < BESIDE_LINES) {
		struct log_record rec;
		char line[16];
		const int rc = log_reader_next(r, &rec, &e);

		if (rc < 0)
			fail_msg("%s", e.text);
		if (rc == 0)
			continue;
		(void)snprintf(line, sizeof(line), "%d\n", *seen);
		if (rec.len != strlen(line) ||
		    memcmp(rec.text, line, rec.len) != 0) {
			(void)kill(pid, SIGKILL);
			fail_msg("line %.*s instead of %s", (int)rec.len,
				 rec.text, line);
		}
		atomic_fetch_add(seen, 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	log_reader_close(r);
	(void)munmap(seen, sizeof(*seen));
}

static void following_beside_the_writer(void **state)
{
	follow_beside(*state, false);
}

static void following_beside_the_packer(void **state)
{
	follow_beside(*state, true);
}

/* The one that was full last is packed when the writer is closed. */
static void full_files_are_packed(void **state)
{
	const struct place *const p = *state;
	const struct log_conf c = {
		.max_size_bytes = 1000, .max_files = 4, .compress = true};
	struct log_writer *const w = open_writer(p->fd, c);
	autofree char *got = NULL;
	struct log_reader *r;
	struct stat st;
	int fd;

	for (int i = 0; i < 200; i++) {
		char line[32];

		(void)snprintf(line, sizeof(line), "line %d\n", i);
		say(w, line);
	}
	log_writer_close(w);
	for (int i = 1; i < 4; i++) {
		char name[LOGFILE_NAME_MAX];

		assert_int_equal(
			faccessat(p->fd, logfile_name(i, "", name), F_OK, 0),
			-1);
		assert_int_equal(
			fstatat(p->fd, logfile_name(i, ".gz", name), &st, 0),
			0);
		assert_in_range(st.st_size, 50, 500);
	}
	assert_int_equal(faccessat(p->fd, "log.4.gz", F_OK, 0), -1);
	r = open_reader(p->fd, everything);
	got = read_texts(r);
	log_reader_close(r);
	assert_null(strstr(got, "line 100\n"));
	assert_non_null(strstr(got, "line 170\nline 171\nline 172\n"));
	assert_non_null(strstr(got, "line 198\nline 199\n"));
	expect_texts(p->fd, (struct log_query){.tail = 2},
		     "line 198\nline 199\n");
	/* A packer that was killed: the plain one is there too, or alone. */
	fd = openat(p->fd, "log.2", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_true(dprintf(fd, LINE("plain", "12")) > 0);
	(void)close(fd);
	r = open_reader(p->fd, everything);
	free(got);
	got = read_texts(r);
	log_reader_close(r);
	assert_non_null(strstr(got, "plain"));
}

static void attributes_stand_in_each_record(void **state)
{
	const struct place *const p = *state;
	char attrs[] = "{\"a\":\"b }\\\" {\",\"c\":\"\"}";
	const struct log_conf c = {.attrs = attrs};
	struct log_writer *const w = open_writer(p->fd, c);
	struct log_reader *r = NULL;
	struct log_record rec;
	autofree char *raw = NULL;
	autofree char *want = NULL;
	struct err e = {0};

	say(w, "text\n");
	log_writer_close(w);
	raw = raw_log(p->fd);
	want = xasprintf("{\"log\":\"text\\n\",\"stream\":\"stdout\","
			 "\"attrs\":%s\n",
			 attrs);
	assert_string_equal(raw, want);
	r = open_reader(p->fd, everything);
	assert_int_equal(log_reader_next(r, &rec, &e), 1);
	assert_int_equal(rec.len, 5);
	assert_int_equal(rec.attrs_len, strlen(attrs));
	assert_memory_equal(rec.attrs, attrs, rec.attrs_len);
	log_reader_close(r);
}

static void waiting_ends_when_there_is_more(void **state)
{
	const struct place *const p = *state;
	struct log_writer *const w = open_writer(p->fd, json);
	struct log_reader *r = NULL;
	struct log_record rec;
	struct err e = {0};
	int pair[2];

	r = open_reader(p->fd, everything);
	assert_int_equal(log_reader_next(r, &rec, &e), 0);
	assert_int_equal(log_reader_wait(r, -1, 0, &e), 0);
	say(w, "more\n");
	assert_int_equal(log_reader_wait(r, -1, 10000, &e), 0);
	assert_int_equal(log_reader_next(r, &rec, &e), 1);
	assert_int_equal(pipe2(pair, O_CLOEXEC), 0);
	(void)close(pair[1]);
	assert_int_equal(log_reader_wait(r, pair[0], 10000, &e), 1);
	(void)close(pair[0]);
	log_writer_close(w);
	log_reader_close(r);
}

/* ---- options -------------------------------------------------------------- */

static void options_of_docker(void **state)
{
	static const char *const good[] = {
		"max-size=10m",       "max-file=3",    "mode=non-blocking",
		"max-buffer-size=4m", "compress=true", "tag={{.ID}}",
		"labels=a,b",         "env-regex=^A",
	};
	/* Docker refuses each of them too. */
	static const char *const bad[] = {
		"max-size=x",    "max-size=10q",       "max-size=",
		"max-file=0",    "max-file=-1",        "compress=true",
		"mode=whatever", "max-buffer-size=1m", "compress=yes",
		"max-size=0",    "max-sise=1m",
	};
	struct log_conf c;
	struct err e = {0};

	(void)state;
	assert_int_equal(log_conf_parse(NULL, NULL, 0, &c, &e), 0);
	assert_int_equal(c.driver, LOGFILE_JSON);
	assert_int_equal(c.max_size_bytes, 0);
	assert_int_equal(
		log_conf_parse("json-file", good, ARRAY_LEN(good), &c, &e), 0);
	assert_int_equal(c.max_size_bytes, 10 << 20);
	assert_int_equal(c.max_files, 3);
	assert_true(c.compress);
	assert_int_equal(log_conf_parse("none", NULL, 0, &c, &e), 0);
	assert_int_equal(c.driver, LOGFILE_NONE);
	assert_int_equal(log_conf_parse("none", good, 1, &c, &e), -1);
	err_clear(&e);
	assert_int_equal(log_conf_parse("syslog", NULL, 0, &c, &e), -1);
	assert_int_equal(e.kind, ERR_UNSUPPORTED);
	err_clear(&e);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (log_conf_parse(NULL, bad + i, 1, &c, &e) == 0)
			fail_msg("taken: %s", bad[i]);
		err_clear(&e);
	}
}

#define IN_PLACE(test) \
	cmocka_unit_test_setup_teardown(test, make_place, remove_place)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_PLACE(records_are_docker_s),
		IN_PLACE(long_lines_are_split_at_16_kib),
		IN_PLACE(bytes_of_any_kind_stay_readable),
		IN_PLACE(full_files_are_rotated),
		IN_PLACE(one_file_begins_again),
		IN_PLACE(a_restart_appends),
		IN_PLACE(none_keeps_nothing),
		IN_PLACE(a_full_disk_leaves_whole_records),
		IN_PLACE(tail_since_until),
		IN_PLACE(strange_lines_are_left_out),
		IN_PLACE(following_over_rotations),
		IN_PLACE(following_over_packed_ones),
		IN_PLACE(following_beside_the_writer),
		IN_PLACE(following_beside_the_packer),
		IN_PLACE(full_files_are_packed),
		IN_PLACE(attributes_stand_in_each_record),
		IN_PLACE(waiting_ends_when_there_is_more),
		cmocka_unit_test(options_of_docker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
