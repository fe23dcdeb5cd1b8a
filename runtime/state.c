#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/proc.h"
#include "runtime/record.h"

/* ---- words ---------------------------------------------------------------- */

static const char *const words[] = {
	[CONTAINER_CREATED] = "created", [CONTAINER_RUNNING] = "running",
	[CONTAINER_PAUSED] = "paused",   [CONTAINER_RESTARTING] = "restarting",
	[CONTAINER_EXITED] = "exited",   [CONTAINER_DEAD] = "dead",
};
_Static_assert(ARRAY_LEN(words) == CONTAINER_STATUSES, "a word for each");

const char *state_word(enum container_status s)
{
	return (size_t)s < ARRAY_LEN(words) ? words[s] : "unknown";
}

bool state_parse_word(const char *word, enum container_status *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (!strcmp(words[i], word)) {
			*ret = (enum container_status)i;
			return true;
		}
	return false;
}

/* ---- the head ------------------------------------------------------------- */

/* Fields are as wide as their largest value, so that one fits over another. */
size_t head_format(const struct container_head *h, char buf[HEAD_MAX])
{
	return (size_t)snprintf(
		buf, HEAD_MAX,
		"{\"pid\":%11d,\"run\":%10" PRIu32
		",\"exit\":%4d,\"kept\":%d,\"started\":%20" PRId64
		",\"boot\":%20" PRId64 ",",
		(int)h->pid, h->run, h->exit_code, h->keep, h->started_ns,
		h->boot_ns);
}

/* The next number behind a colon; p moves on. */
static bool next_number(const char **p, int64_t *ret)
{
	const char *s = strchr(*p, ':');
	uint64_t n = 0;
	bool minus;
	size_t len;

	if (!s)
		return false;
	s++;
	s += strspn(s, " ");
	minus = *s == '-';
	s += minus;
	len = strspn(s, "0123456789");
	if (!str_to_u64n(s, len, INT64_MAX, &n))
		return false;
	*ret = minus ? -(int64_t)n : (int64_t)n;
	*p = s + len;
	return true;
}

int head_read(int spec_fd, struct container_head *ret, struct err *e)
{
	const struct container_head empty = {0};
	char text[HEAD_MAX];
	const size_t want = head_format(&empty, text);
	const ssize_t n = pread(spec_fd, text, want, 0);
	const char *p = text;
	int64_t v[6];

	if (n < 0)
		return err_sys(e, "pread", "spec.json");
	text[n] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		if ((size_t)n != want || !next_number(&p, &v[i]))
			return err_set(e, ERR_INVALID,
				       "spec.json: its head is damaged");
	*ret = (struct container_head){
		.pid = (pid_t)v[0],
		.run = (uint32_t)v[1],
		.exit_code = (int)v[2],
		.keep = v[3] != 0,
		.started_ns = v[4],
		.boot_ns = v[5],
	};
	return 0;
}

int head_write(int spec_fd, const struct container_head *h, struct err *e)
{
	char text[HEAD_MAX];
	const size_t n = head_format(h, text);

	if (pwrite(spec_fd, text, n, 0) != (ssize_t)n)
		return err_sys(e, "pwrite", "spec.json");
	return 0;
}

/* ---- the lock ------------------------------------------------------------- */

/*
 * The monitor locks the whole file, who looks asks for the first byte, and who
 * cleans up after the dead locks one far behind the end.
 */
enum lock_part {
	LOCK_ALL,
	LOCK_FIRST,
	LOCK_DEAD
};

static int lock_call(int fd, int op, short type, enum lock_part part,
		     short *ret_type)
{
	struct flock l = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = part == LOCK_DEAD ? INT32_MAX : 0,
		.l_len = part == LOCK_ALL ? 0 : 1,
	};
	const int rc = fcntl(fd, op, &l);

	if (ret_type)
		*ret_type = l.l_type;
	return rc;
}

int lock_take(int spec_fd, const char *what, struct err *e)
{
	for (;;) {
		short holder = F_UNLCK;

		if (lock_call(spec_fd, F_OFD_SETLK, F_WRLCK, LOCK_ALL, NULL) ==
		    0)
			return 0;
		if (errno != EAGAIN && errno != EACCES)
			return err_sys(e, "fcntl", "F_OFD_SETLK %s", what);
		if (lock_call(spec_fd, F_OFD_GETLK, F_WRLCK, LOCK_FIRST,
			      &holder) < 0)
			return err_sys(e, "fcntl", "F_OFD_GETLK %s", what);
		if (holder == F_WRLCK)
			return err_set(e, ERR_BUSY,
				       "%s: held by another process", what);
		/*
		 * Whoever waited for its end, or cleans up after it, lets go
		 * at once.
		 */
		(void)sched_yield();
	}
}

int lock_take_dead(int spec_fd, const char *what, struct err *e)
{
	if (lock_call(spec_fd, F_OFD_SETLK, F_WRLCK, LOCK_DEAD, NULL) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return err_sys(e, "fcntl", "F_OFD_SETLK %s", what);
	return err_set(e, ERR_BUSY, "%s: held by another process", what);
}

void lock_drop(int spec_fd)
{
	(void)lock_call(spec_fd, F_OFD_SETLK, F_UNLCK, LOCK_ALL, NULL);
}

bool lock_is_held(int spec_fd)
{
	short holder = F_UNLCK;

	return lock_call(spec_fd, F_OFD_GETLK, F_RDLCK, LOCK_FIRST, &holder) ==
		       0 &&
	       holder == F_WRLCK;
}

int lock_wait(int spec_fd, const char *what, struct err *e)
{
	if (lock_call(spec_fd, F_OFD_SETLKW, F_RDLCK, LOCK_FIRST, NULL) < 0)
		return err_sys(e, "fcntl", "F_OFD_SETLKW %s", what);
	lock_drop(spec_fd);
	return 0;
}

/* ---- a start under way ---------------------------------------------------- */

#define SETTLE_MS 1000
#define LOOK_MS   50 /* a monitor that is killed writes nothing */

static int64_t now_ms(void)
{
	return clock_monotonic() / (CLOCK_SECOND / 1000);
}

int head_settle(int spec_fd, struct container_head *head, struct err *e)
{
	const int64_t end = now_ms() + SETTLE_MS;
	autoclose int watch = -1;
	char path[40];

	if (head->pid >= 0)
		return 0;
	watch = inotify_init1(IN_CLOEXEC);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", spec_fd);
	/* Without one it is looked at now and then. */
	if (watch >= 0)
		(void)inotify_add_watch(watch, path, IN_MODIFY | IN_ONESHOT);
	for (;;) {
		struct pollfd p = {.fd = watch, .events = POLLIN};

		if (head_read(spec_fd, head, e) < 0)
			return -1;
		if (head->pid >= 0 || !lock_is_held(spec_fd) || now_ms() >= end)
			return 0;
		if (poll(&p, 1, LOOK_MS) > 0)
			own_close(&watch);
	}
}

/* ---- state.json ----------------------------------------------------------- */

static const struct record_field result_fields[] = {
	RECORD(struct health_result, start_ns),
	RECORD(struct health_result, end_ns),
	RECORD(struct health_result, exit_code),
	RECORD(struct health_result, output),
	{0},
};

static const struct record_field state_fields[] = {
	RECORD(struct container_state, run),
	RECORD(struct container_state, exit_code),
	RECORD(struct container_state, started_ns),
	RECORD(struct container_state, finished_ns),
	RECORD(struct container_state, oom_killed),
	RECORD(struct container_state, restart_count),
	RECORD(struct container_state, error),
	RECORD(struct container_state, health),
	RECORD(struct container_state, failing_streak),
	RECORD_LIST(struct container_state, results, n_results, result_fields),
	{0},
};

void state_free(struct container_state *s)
{
	record_free(state_fields, s);
	*s = (struct container_state){0};
}

int state_put(int dir_fd, const struct container_state *s, struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);

	buf_addf(&b, "{\"status\":\"%s\",\"state\":", state_word(s->status));
	record_add(&b, state_fields, s);
	buf_adds(&b, "}\n");
	if (b.over)
		return err_set(e, ERR_TOOBIG,
			       "state.json: larger than %zu bytes", b.max);
	return fs_replace_at(dir_fd, "state.json", buf_str(&b), b.len, 0644,
			     false, e);
}

int state_read_small(int dir_fd, const char *name, struct buf *b, struct err *e)
{
	autoclose int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOTFOUND, "%s: does not exist", name);
	if (fd < 0)
		return err_sys(e, "openat", "%s", name);
	return io_read_file(fd, b, name, e);
}

/* 1: there is one; 0: none; -1. */
static int read_file(int dir_fd, struct container_state *ret, struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);
	autojson json_t *doc = NULL;
	enum container_status status;
	struct jval v, in;
	const char *word;

	if (state_read_small(dir_fd, "state.json", &b, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		err_clear(e);
		return 0;
	}
	doc = json_parse(buf_str(&b), b.len, "state.json", e);
	if (!doc)
		return -1;
	v = jval_root(doc, "state.json");
	if (jget_str(&v, "status", &word, e) < 0 || jget(&v, "state", &in, e))
		return -1;
	if (!state_parse_word(word, &status))
		return err_set(e, ERR_INVALID, "state.json: status '%s'", word);
	if (record_read(state_fields, &in, ret, e) < 0)
		return -1;
	ret->status = status;
	return 1;
}

static bool is_end(enum container_status s)
{
	return s == CONTAINER_CREATED || s == CONTAINER_EXITED ||
	       s == CONTAINER_DEAD;
}

/* The table of the header. */
static void judge(struct container_state *s, const struct container_head *h,
		  bool has_file, bool alive)
{
	const bool starting = alive && h->pid < 0;
	const bool fresh = has_file && s->run == h->run;

	if (starting && has_file && s->run + 1 == h->run &&
	    (is_end(s->status) || s->status == CONTAINER_RESTARTING)) {
		s->run = h->run;
		s->alive = true;
		return;
	}
	if (!fresh) {
		/* What an earlier run said is kept for the counters only. */
		const int restarts = has_file ? s->restart_count : 0;

		state_free(s);
		s->restart_count = restarts;
		s->status = h->run == 0 || starting ? CONTAINER_CREATED
			    : alive                 ? CONTAINER_RUNNING
						    : CONTAINER_EXITED;
		s->run = h->run;
		if (s->status == CONTAINER_EXITED)
			s->exit_code = h->exit_code < 0 ? 137 : h->exit_code;
	} else if (!alive && !is_end(s->status)) {
		s->status = CONTAINER_EXITED;
		s->exit_code = h->exit_code < 0 ? 137 : h->exit_code;
	}
	s->started_ns = h->started_ns;
	s->alive = alive;
	s->pid = alive && (s->status == CONTAINER_RUNNING ||
			   s->status == CONTAINER_PAUSED)
			 ? h->pid
			 : 0;
}

/* "3" is whole, "3+" is half. */
static enum pause_mark mark_of_run(int dir_fd, uint32_t run)
{
	char text[16];
	const ssize_t n = readlinkat(dir_fd, "paused", text, sizeof(text));
	const bool half = n > 1 && text[n - 1] == '+';
	uint64_t of;

	if (n <= 0 || !str_to_u64n(text, (size_t)n - half, UINT32_MAX, &of) ||
	    of != run)
		return PAUSE_NONE;
	return half ? PAUSE_HALF : PAUSE_WHOLE;
}

enum pause_mark state_pause_mark(int dir_fd, int spec_fd)
{
	struct container_head h = {0};
	struct err ignored = {0};

	return head_read(spec_fd, &h, &ignored) < 0
		       ? PAUSE_NONE
		       : mark_of_run(dir_fd, h.run);
}

/* Stopped by a signal. */
static bool stands_still(pid_t pid)
{
	autobuf struct buf b = buf_make(KIB(4));
	const char *const p = proc_stat(pid, &b);

	return p && *p == 'T';
}

/* Of one that was cut short init tells, which is stopped first. */
static bool is_paused(int dir_fd, const struct container_head *h)
{
	const enum pause_mark m = mark_of_run(dir_fd, h->run);

	return m == PAUSE_WHOLE || (m == PAUSE_HALF && stands_still(h->pid));
}

static int look(int dir_fd, int spec_fd, struct container_state *ret,
		struct err *e)
{
	struct container_head h = {0};
	/*
	 * The lock before the files: one that ends between the two is found
	 * ended, not alive with nothing said of its end.
	 */
	bool alive = lock_is_held(spec_fd);
	int rc;

	if (head_read(spec_fd, &h, e) < 0)
		return -1;
	if (alive && h.pid < 0) {
		if (head_settle(spec_fd, &h, e) < 0)
			return -1;
		/* It may have ended meanwhile. */
		alive = lock_is_held(spec_fd);
		if (head_read(spec_fd, &h, e) < 0)
			return -1;
	}
	rc = read_file(dir_fd, ret, e);
	if (rc < 0)
		return -1;
	judge(ret, &h, rc == 1, alive);
	if (ret->status == CONTAINER_RUNNING && is_paused(dir_fd, &h))
		ret->status = CONTAINER_PAUSED;
	return 0;
}

int state_get(int dir_fd, int spec_fd, struct container_state *ret,
	      struct err *e)
{
	struct container_state s = {0};
	int rc;

	do {
		state_free(&s);
		rc = look(dir_fd, spec_fd, &s, e);
		/* One that was started in between looks as if it had died. */
	} while (rc == 0 && !s.alive && lock_is_held(spec_fd));
	if (rc == 0)
		*ret = s;
	else
		state_free(&s);
	return rc;
}
