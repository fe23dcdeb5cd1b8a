#include "logread.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/own.h"
#include "runtime/loggz.h"

#define CHUNK          KIB(64)
#define LINE_MAX_BYTES MIB(1) /* ours end at 100 KiB; longer is no record */

struct log_reader {
	int dir_fd;
	struct log_query query;
	int fd; /* of the file that is being read, -1: none */
	int gz; /* the packed file that fd is the content of; -1: it is plain */
	int watch;
	bool watched; /* inotify was asked for */
	off_t at;     /* where the next read begins */
	bool full;    /* a younger one follows: nothing is added any more */
	char *buf;
	size_t len; /* bytes in buf */
	size_t pos; /* of the next line in buf */
	size_t cap;
	bool skip; /* in a line that is too long */
};

/* ---- the files -------------------------------------------------------------- */

/* A file of the log, open: both are the caller's. */
struct opened {
	int fd; /* -1: there is none */
	int gz; /* as in log_reader */
};

static int open_form(const struct log_reader *r, uint32_t i, const char *suffix)
{
	char name[LOGFILE_NAME_MAX];

	return openat(r->dir_fd, logfile_name(i, suffix, name),
		      O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

/* Plain first: while it is being packed, or if that was cut, there are both. */
static struct opened open_nth(const struct log_reader *r, uint32_t i)
{
	struct opened o = {.fd = open_form(r, i, ""), .gz = -1};
	struct err ignored = {0};

	if (o.fd >= 0)
		return o;
	o.gz = open_form(r, i, LOGGZ_SUFFIX);
	if (o.gz >= 0 && loggz_unpack(r->dir_fd, o.gz, &o.fd, &ignored) < 0)
		own_close(&o.gz);
	return o;
}

static bool same_inode(const struct log_reader *r, uint32_t i,
		       const char *suffix, const struct stat *want)
{
	char name[LOGFILE_NAME_MAX];
	struct stat st;

	return fstatat(r->dir_fd, logfile_name(i, suffix, name), &st,
		       AT_SYMLINK_NOFOLLOW) == 0 &&
	       st.st_ino == want->st_ino && st.st_dev == want->st_dev;
}

/*
 * Is number i our file, as it is or packed meanwhile? A number of an inode that
 * we hold open is given to no other file, so a packed one that names it is
 * ours, or older than it: the youngest that fits counts.
 */
static bool is_ours(const struct log_reader *r, uint32_t i)
{
	autoclose int gz = -1;
	struct stat st;

	if (fstat(r->gz >= 0 ? r->gz : r->fd, &st) < 0)
		return false;
	if (same_inode(r, i, r->gz >= 0 ? LOGGZ_SUFFIX : "", &st))
		return true;
	if (r->gz >= 0)
		return false;
	gz = open_form(r, i, LOGGZ_SUFFIX);
	return gz >= 0 && loggz_origin(gz) == st.st_ino;
}

static bool is_there(const struct log_reader *r, uint32_t i)
{
	char name[LOGFILE_NAME_MAX];

	return faccessat(r->dir_fd, logfile_name(i, "", name), F_OK,
			 AT_SYMLINK_NOFOLLOW) == 0 ||
	       faccessat(r->dir_fd, logfile_name(i, LOGGZ_SUFFIX, name), F_OK,
			 AT_SYMLINK_NOFOLLOW) == 0;
}

/*
 * How many there are: the youngest has number 0, the oldest n - 1. While they
 * are renamed one number is free.
 */
static uint32_t count_files(const struct log_reader *r)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < LOGFILE_FILES_MAX && i <= n + 1; i++)
		if (is_there(r, i))
			n = i + 1;
	return n;
}

static void begin(struct log_reader *r, struct opened o, off_t at)
{
	own_close(&r->fd);
	own_close(&r->gz);
	r->fd = o.fd;
	r->gz = o.gz;
	r->at = at;
	r->full = false;
	r->len = 0;
	r->pos = 0;
	r->skip = false;
}

/*
 * Which number our file has by now; -1: it is gone. Numbers only grow, so that
 * it is met on the way up also when it is renamed meanwhile; how many there
 * were before says nothing.
 */
static int64_t find_current(const struct log_reader *r)
{
	uint32_t none = 0;

	for (uint32_t i = 0; i < LOGFILE_FILES_MAX && none < 2; i++) {
		if (is_ours(r, i))
			return i;
		none = is_there(r, i) ? 0 : none + 1;
	}
	return -1;
}

/* To the next younger file. True if there is one. */
static bool advance(struct log_reader *r)
{
	for (int tries = 0; tries < 10; tries++) {
		const int64_t i = find_current(r);
		const uint32_t n = count_files(r);
		struct opened o;

		if (i == 0 || n == 0)
			return false;
		o = open_nth(r, i > 0 ? (uint32_t)i - 1 : n - 1);
		/* Had they been renamed in between, one could be left out. */
		if (o.fd >= 0 && (i < 0 || is_ours(r, (uint32_t)i))) {
			begin(r, o, 0);
			return true;
		}
		own_close(&o.fd);
		own_close(&o.gz);
	}
	return false;
}

/*
 * At what seemed to be the end. More may have come between the last read and
 * the file's rotation: once it is known to be full it is read to its end again.
 */
static bool go_on(struct log_reader *r)
{
	if (r->full)
		return advance(r);
	r->full = count_files(r) > 0 && find_current(r) != 0;
	return r->full;
}

/* ---- --tail ------------------------------------------------------------------ */

/*
 * Back from the end of fd until *n lines were passed; where the first of them
 * begins. *n is what is still to be found before it.
 */
static off_t back(int fd, int64_t *n)
{
	autofree char *buf = xmalloc(CHUNK);
	struct stat st;
	off_t end;

	if (fstat(fd, &st) < 0)
		return 0;
	end = st.st_size;
	for (off_t at = end; at > 0;) {
		const size_t want = at < (off_t)CHUNK ? (size_t)at : CHUNK;
		const ssize_t got = pread(fd, buf, want, at - (off_t)want);

		if (got != (ssize_t)want)
			return 0;
		at -= (off_t)want;
		for (size_t i = want; i > 0; i--) {
			if (buf[i - 1] != '\n' || at + (off_t)i == end)
				continue;
			if (--*n == 0)
				return at + (off_t)i;
		}
	}
	if (end > 0)
		--*n;
	return 0;
}

static void begin_at_tail(struct log_reader *r, uint32_t files)
{
	int64_t n = r->query.tail;

	for (uint32_t i = 0; i < files; i++) {
		const struct opened o = open_nth(r, i);
		struct stat st;
		off_t at;

		if (o.fd < 0)
			continue;
		if (n == 0) {
			at = fstat(o.fd, &st) == 0 ? st.st_size : 0;
			begin(r, o, at);
			return;
		}
		at = back(o.fd, &n);
		begin(r, o, at);
		if (n == 0)
			return;
	}
}

static ino_t youngest(const struct log_reader *r)
{
	struct stat st;

	return fstatat(r->dir_fd, LOGFILE_NAME, &st, AT_SYMLINK_NOFOLLOW) == 0
		       ? st.st_ino
		       : 0;
}

/* False: there is none. Once more when they were renamed in between. */
static bool begin_first(struct log_reader *r)
{
	for (int tries = 0; tries < 10; tries++) {
		const ino_t before = youngest(r);
		const uint32_t files = count_files(r);

		if (files == 0)
			return false;
		if (r->query.tail >= 0)
			begin_at_tail(r, files);
		else
			begin(r, open_nth(r, files - 1), 0);
		if (before && before == youngest(r) && files == count_files(r))
			break;
	}
	return true;
}

int log_reader_open(int dir_fd, const struct log_query *q,
		    struct log_reader **ret, struct err *e)
{
	struct log_reader *const r = xcalloc(1, sizeof(*r));

	r->dir_fd = dir_fd;
	r->query = *q;
	r->fd = -1;
	r->gz = -1;
	r->watch = -1;
	if (!begin_first(r)) {
		free(r);
		return err_set(e, ERR_NOTFOUND, "there is no log");
	}
	*ret = r;
	return 0;
}

void log_reader_close(struct log_reader *r)
{
	if (!r)
		return;
	own_close(&r->fd);
	own_close(&r->gz);
	own_close(&r->watch);
	free(r->buf);
	free(r);
}

/* ---- records ----------------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* "\uXXXX" of the basic plane at s (behind the 'u'), as UTF-8. */
static bool put_escape(const char *s, const char *end, char **to)
{
	unsigned int v = 0;

	if (end - s < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		const int d = hex_digit(s[i]);

		if (d < 0)
			return false;
		v = v << 4 | (unsigned int)d;
	}
	if (v < 0x80) {
		*(*to)++ = (char)v;
	} else if (v < 0x800) {
		*(*to)++ = (char)(0xc0 | v >> 6);
		*(*to)++ = (char)(0x80 | (v & 0x3f));
	} else {
		*(*to)++ = (char)(0xe0 | v >> 12);
		*(*to)++ = (char)(0x80 | (v >> 6 & 0x3f));
		*(*to)++ = (char)(0x80 | (v & 0x3f));
	}
	return true;
}

/* One "\x" at *p: its byte or bytes to *to. */
static bool unescape(char **p, const char *end, char **to)
{
	static const char from[] = "\"\\/bfnrt";
	static const char into[] = "\"\\/\b\f\n\r\t";
	const char *at;

	if (++*p >= end)
		return false;
	if (**p == 'u') {
		if (!put_escape(*p + 1, end, to))
			return false;
		*p += 5;
		return true;
	}
	at = **p ? strchr(from, **p) : NULL;
	if (!at)
		return false;
	*(*to)++ = into[at - from];
	++*p;
	return true;
}

struct text {
	char *p;
	size_t len;
};

/* A JSON string at *p, unescaped where it stands; *p behind it. */
static bool take_string(char **p, const char *end, struct text *ret)
{
	char *to;

	if (*p >= end || **p != '"')
		return false;
	ret->p = to = ++*p;
	while (*p < end && **p != '"') {
		if (**p == '\\') {
			if (!unescape(p, end, &to))
				return false;
			continue;
		}
		*to++ = *(*p)++;
	}
	if (*p >= end)
		return false;
	++*p;
	ret->len = (size_t)(to - ret->p);
	return true;
}

static bool is_word(const struct text *t, const char *word)
{
	return t->len == strlen(word) && !memcmp(t->p, word, t->len);
}

static bool set_member(const struct text *key, struct text *value,
		       struct log_record *ret)
{
	if (is_word(key, "log")) {
		ret->text = value->p;
		ret->len = value->len;
		return true;
	}
	if (is_word(key, "stream")) {
		ret->stream = is_word(value, "stderr") ? LOG_STREAM_ERR
						       : LOG_STREAM_OUT;
		return true;
	}
	if (!is_word(key, "time"))
		return false;
	/* Its closing quote makes room for the NUL. */
	value->p[value->len] = '\0';
	return clock_parse(value->p, &ret->time_ns);
}

/* An object at *p, as it stands; *p behind it. */
static bool take_object(char **p, const char *end, struct text *ret)
{
	bool quoted = false;
	int depth = 0;

	for (char *c = *p; c < end; c++) {
		if (quoted && *c == '\\')
			c++;
		else if (*c == '"')
			quoted = !quoted;
		else if (!quoted && *c == '{')
			depth++;
		else if (!quoted && *c == '}' && --depth == 0) {
			*ret = (struct text){*p, (size_t)(c + 1 - *p)};
			*p = c + 1;
			return true;
		} else if (depth == 0)
			return false;
	}
	return false;
}

/* What stands behind a key. */
static bool take_member(char **p, const char *end, const struct text *key,
			struct log_record *ret)
{
	struct text value;

	if (is_word(key, "attrs")) {
		if (!take_object(p, end, &value))
			return false;
		ret->attrs = value.p;
		ret->attrs_len = value.len;
		return true;
	}
	return take_string(p, end, &value) && set_member(key, &value, ret);
}

/* One line without its newline, which is changed. */
static bool parse(char *p, size_t n, struct log_record *ret)
{
	const char *const end = p + n;

	*ret = (struct log_record){.text = ""};
	if (n < 2 || *p++ != '{')
		return false;
	for (;;) {
		struct text key;

		if (!take_string(&p, end, &key) || p >= end || *p++ != ':' ||
		    !take_member(&p, end, &key, ret) || p >= end)
			return false;
		if (*p == '}')
			return p + 1 == end && ret->time_ns != 0;
		if (*p++ != ',')
			return false;
	}
}

/* ---- reading ------------------------------------------------------------------ */

/* More bytes of the present file: 1, 0 at its end, -1. */
static int fill(struct log_reader *r, struct err *e)
{
	struct stat st;
	ssize_t n;

	if (r->fd < 0)
		return 0;
	if (r->pos > 0) {
		memmove(r->buf, r->buf + r->pos, r->len - r->pos);
		r->len -= r->pos;
		r->pos = 0;
	}
	if (r->len >= LINE_MAX_BYTES) {
		r->skip = true;
		r->len = 0;
	}
	if (r->cap - r->len < CHUNK) {
		r->cap = r->len + 2 * CHUNK;
		r->buf = xrealloc(r->buf, r->cap);
	}
	do {
		n = pread(r->fd, r->buf + r->len, r->cap - r->len, r->at);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "pread", "the log");
	/* Begun again, because there was no room for a second one. */
	if (n == 0 && fstat(r->fd, &st) == 0 && st.st_size < r->at) {
		r->at = 0;
		r->len = 0;
		return 0;
	}
	r->at += n;
	r->len += (size_t)n;
	return n > 0;
}

/* The next line in the buffer: its start, or NULL. */
static char *next_line(struct log_reader *r, size_t *ret_len)
{
	for (;;) {
		char *const p = r->buf + r->pos;
		char *const end = r->len > r->pos
					  ? memchr(p, '\n', r->len - r->pos)
					  : NULL;

		if (!end)
			return NULL;
		r->pos += (size_t)(end - p) + 1;
		if (!r->skip) {
			*ret_len = (size_t)(end - p);
			return p;
		}
		r->skip = false;
	}
}

/* A line of whichever file is next: 1, 0, -1. */
static int take_line(struct log_reader *r, char **ret, size_t *ret_len,
		     struct err *e)
{
	for (;;) {
		int rc;

		*ret = next_line(r, ret_len);
		if (*ret)
			return 1;
		rc = fill(r, e);
		if (rc < 0 || (rc == 0 && !go_on(r)))
			return rc;
	}
}

int log_reader_next(struct log_reader *r, struct log_record *ret, struct err *e)
{
	for (;;) {
		char *line;
		size_t n;
		const int rc = take_line(r, &line, &n, e);

		if (rc <= 0)
			return rc;
		if (!parse(line, n, ret) || ret->time_ns < r->query.since_ns)
			continue;
		if (r->query.until_ns && ret->time_ns > r->query.until_ns)
			return 2;
		return 1;
	}
}

/* ---- waiting ------------------------------------------------------------------ */

/* True when it was begun just now: then look once more before waiting. */
static bool begin_watch(struct log_reader *r)
{
	char path[40];

	if (r->watched)
		return false;
	r->watched = true;
	r->watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", r->dir_fd);
	if (r->watch >= 0 &&
	    inotify_add_watch(r->watch, path,
			      IN_MODIFY | IN_MOVED_TO | IN_CREATE) < 0)
		own_close(&r->watch);
	return r->watch >= 0;
}

int log_reader_wait(struct log_reader *r, int other_fd, int timeout_ms,
		    struct err *e)
{
	struct pollfd p[2] = {{.events = POLLIN},
			      {.fd = other_fd, .events = POLLIN}};
	char events[4096];

	if (begin_watch(r))
		return 0;
	p[0].fd = r->watch;
	/* The user's instances may be used up: then look now and then. */
	if (r->watch < 0 && (timeout_ms < 0 || timeout_ms > 100))
		timeout_ms = 100;
	if (poll(p, 2, timeout_ms) < 0 && errno != EINTR)
		return err_sys(e, "poll", "the log");
	if (p[0].revents)
		(void)!read(r->watch, events, sizeof(events));
	return other_fd >= 0 && p[1].revents != 0;
}
