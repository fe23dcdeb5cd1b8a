#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "base/units.h"

/* The longest record: each byte as \u00XX, and what stands around them. */
#define RECORD_MAX (6 * LOGFILE_LINE_MAX + 128)
#define OUT_MAX    (RECORD_MAX + KIB(32))

static const char *const drivers[] = {
	[LOGFILE_JSON] = "json-file",
	[LOGFILE_NONE] = "none",
};

const char *logfile_driver_name(enum logfile_driver d)
{
	return drivers[d];
}

/* ---- what the user says ---------------------------------------------------- */

static int parse_driver(const char *s, enum logfile_driver *ret, struct err *e)
{
	/* Podman's word for the same; "local" is Docker's, with another form. */
	if (!strcmp(s, "k8s-file") || !strcmp(s, "local"))
		s = drivers[LOGFILE_JSON];
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (!strcmp(s, drivers[i])) {
			*ret = (enum logfile_driver)i;
			return 0;
		}
	(void)err_set(e, ERR_UNSUPPORTED, "--log-driver %s: not in prism", s);
	return err_hint(e, "there are json-file (the default) and none; "
			   "'prism logs -f' can feed any other program");
}

/* As Docker reads sizes; "-1" is none. */
static bool parse_size(const char *s, uint64_t *ret)
{
	int64_t n = 0;

	if (strcmp(s, "-1") != 0 && !units_bytes(s, &n))
		return false;
	*ret = (uint64_t)n;
	return true;
}

static int parse_opt(const char *kv, struct log_conf *c, struct err *e)
{
	const size_t n = strcspn(kv, "=");
	const char *const value = kv[n] ? kv + n + 1 : "";
	autofree char *key = xstrndup(kv, n);
	ERR_IN(e, "--log-opt %s", kv);

	if (!strcmp(key, "max-size")) {
		if (parse_size(value, &c->max_size_bytes))
			return 0;
		return err_set(e, ERR_USAGE, "'%s' is no size (10m, 1g)",
			       value);
	}
	if (!strcmp(key, "max-file")) {
		if (str_to_u32(value, LOGFILE_FILES_MAX, &c->max_files) &&
		    c->max_files > 0)
			return 0;
		return err_set(e, ERR_USAGE,
			       "'%s' is no number of files from 1 to %d", value,
			       LOGFILE_FILES_MAX);
	}
	/* The log is written by a process of its own: it never blocks. */
	if (!strcmp(key, "mode") &&
	    (!strcmp(value, "blocking") || !strcmp(value, "non-blocking")))
		return 0;
	if (!strcmp(key, "max-buffer-size") ||
	    (!strcmp(key, "compress") && !strcmp(value, "false")))
		return 0;
	(void)err_set(e, ERR_UNSUPPORTED, "not in prism");
	return err_hint(e, "there are max-size and max-file");
}

int log_conf_parse(const char *driver, const char *const *opts, size_t n_opts,
		   struct log_conf *ret, struct err *e)
{
	struct log_conf c = {.driver = LOGFILE_JSON};

	if (driver && parse_driver(driver, &c.driver, e) < 0)
		return -1;
	for (size_t i = 0; i < n_opts; i++)
		if (parse_opt(opts[i], &c, e) < 0)
			return -1;
	if (c.max_files > 1 && c.max_size_bytes == 0)
		return err_set(e, ERR_USAGE,
			       "--log-opt max-file needs max-size: a file "
			       "without a limit is never full");
	*ret = c;
	return 0;
}

/* ---- the files ------------------------------------------------------------- */

struct line {
	size_t len;
	char text[LOGFILE_LINE_MAX];
};

struct log_writer {
	int dir_fd;
	int fd; /* -1: driver none, or there is none for now */
	struct log_conf conf;
	uint64_t size; /* of the file, what waits in out included */
	struct line lines[LOG_STREAMS];
	char time[CLOCK_TEXT_MAX]; /* of the piece that is being written */
	size_t out_len;
	char out[OUT_MAX];
};

static int open_log(int dir_fd, const char *name, int flags)
{
	return openat(dir_fd, name,
		      O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | flags, 0640);
}

/* Begins on a line of its own, also behind a torn one. */
static int open_current(struct log_writer *w)
{
	struct stat st;
	char last = '\n';

	w->fd = open_log(w->dir_fd, LOGFILE_NAME, 0);
	if (w->fd < 0 || fstat(w->fd, &st) < 0)
		return -1;
	w->size = (uint64_t)st.st_size;
	if (w->size > 0 && pread(w->fd, &last, 1, st.st_size - 1) == 1 &&
	    last != '\n' && write(w->fd, "\n", 1) == 1)
		w->size++;
	return 0;
}

/* What was written of a record only in part is cut off again. */
static void cut_torn(struct log_writer *w, size_t written)
{
	size_t torn = written;
	struct stat st;

	while (torn > 0 && w->out[torn - 1] != '\n')
		torn--;
	torn = written - torn;
	if (torn && fstat(w->fd, &st) == 0 && st.st_size >= (off_t)torn)
		(void)!ftruncate(w->fd, st.st_size - (off_t)torn);
}

static void flush(struct log_writer *w)
{
	size_t at = 0;

	while (at < w->out_len) {
		const ssize_t n = write(w->fd, w->out + at, w->out_len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += (size_t)n;
	}
	if (at < w->out_len) {
		cut_torn(w, at);
		w->size -= w->out_len - at;
	}
	w->out_len = 0;
}

static void shift_names(const struct log_writer *w)
{
	char from[32];
	char to[32];

	for (uint32_t i = w->conf.max_files - 1; i >= 1; i--) {
		if (i > 1)
			(void)snprintf(from, sizeof(from), LOGFILE_NAME ".%u",
				       i - 1);
		else
			(void)snprintf(from, sizeof(from), LOGFILE_NAME);
		(void)snprintf(to, sizeof(to), LOGFILE_NAME ".%u", i);
		/* Most do not exist yet. */
		(void)renameat(w->dir_fd, from, w->dir_fd, to);
	}
}

/*
 * The new file first, and its rename over the old one is the step. When the
 * disk is too full for one, the old one is used on, or begun again.
 */
static void rotate(struct log_writer *w)
{
	static const char fresh[] = LOGFILE_NAME ".new";
	int fd;

	flush(w);
	fd = open_log(w->dir_fd, fresh, O_TRUNC);
	if (fd < 0) {
		if (w->conf.max_files < 2 && ftruncate(w->fd, 0) == 0)
			w->size = 0;
		return;
	}
	if (w->conf.max_files > 1)
		shift_names(w);
	(void)renameat(w->dir_fd, fresh, w->dir_fd, LOGFILE_NAME);
	(void)close(w->fd);
	w->fd = fd;
	w->size = 0;
}

/* ---- records ---------------------------------------------------------------- */

static void put(struct log_writer *w, const void *p, size_t n)
{
	memcpy(w->out + w->out_len, p, n);
	w->out_len += n;
}

static void puts_(struct log_writer *w, const char *s)
{
	put(w, s, strlen(s));
}

/* Bytes that stand for themselves; the rest is looked at one by one. */
static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x80 && c != '"' && c != '\\' && c != '<' &&
	       c != '>' && c != '&';
}

static void put_ascii(struct log_writer *w, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	const char u[] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

	switch (c) {
	case '\\':
		put(w, "\\\\", 2);
		return;
	case '"':
		put(w, "\\\"", 2);
		return;
	case '\n':
		put(w, "\\n", 2);
		return;
	case '\r':
		put(w, "\\r", 2);
		return;
	default:
		put(w, u, sizeof(u));
	}
}

/* One character that is not plain; returns how many bytes it had. */
static size_t put_other(struct log_writer *w, const unsigned char *s, size_t n)
{
	uint32_t c = 0;
	size_t len;

	if (s[0] < 0x80) {
		put_ascii(w, s[0]);
		return 1;
	}
	len = str_utf8((const char *)s, n, &c);
	if (len == 0) {
		puts_(w, "\\ufffd");
		return 1;
	}
	/* Line separators of JavaScript: U+2028 and U+2029. */
	if (c == 0x2028 || c == 0x2029)
		puts_(w, c == 0x2028 ? "\\u2028" : "\\u2029");
	else
		put(w, s, len);
	return len;
}

static void put_text(struct log_writer *w, const unsigned char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		size_t k = i;

		while (k < n && is_plain(s[k]))
			k++;
		put(w, s + i, k - i);
		i = k;
		if (i < n)
			i += put_other(w, s + i, n - i);
	}
}

static void put_record(struct log_writer *w, enum log_stream s, const char *p,
		       size_t n)
{
	size_t before;

	if (w->conf.max_size_bytes && w->size >= w->conf.max_size_bytes)
		rotate(w);
	if (sizeof(w->out) - w->out_len < RECORD_MAX)
		flush(w);
	before = w->out_len;
	puts_(w, "{\"log\":\"");
	put_text(w, (const unsigned char *)p, n);
	puts_(w, s == LOG_STREAM_OUT ? "\",\"stream\":\"stdout\",\"time\":\""
				     : "\",\"stream\":\"stderr\",\"time\":\"");
	puts_(w, w->time);
	puts_(w, "\"}\n");
	w->size += w->out_len - before;
}

/* ---- the outside ------------------------------------------------------------ */

int log_writer_open(int dir_fd, const struct log_conf *c,
		    struct log_writer **ret, struct err *e)
{
	struct log_writer *const w = xcalloc(1, sizeof(*w));

	w->dir_fd = dir_fd;
	w->fd = -1;
	w->conf = *c;
	if (c->driver == LOGFILE_JSON && open_current(w) < 0) {
		(void)err_sys(e, "openat", "the log of the container");
		log_writer_close(w);
		return -1;
	}
	*ret = w;
	return 0;
}

/* Up to its newline, or to the end of the piece; returns the bytes taken. */
static size_t take_line(struct log_writer *w, enum log_stream s, const char *p,
			size_t n)
{
	struct line *const l = &w->lines[s];
	const size_t room = sizeof(l->text) - l->len;
	const size_t most = n < room ? n : room;
	const char *const end = memchr(p, '\n', most);
	const size_t k = end ? (size_t)(end - p) + 1 : most;
	const bool whole = end || k == room;

	if (whole && l->len == 0) {
		put_record(w, s, p, k);
		return k;
	}
	memcpy(l->text + l->len, p, k);
	l->len += k;
	if (whole) {
		put_record(w, s, l->text, l->len);
		l->len = 0;
	}
	return k;
}

void log_writer_add(struct log_writer *w, enum log_stream s, const void *p,
		    size_t n)
{
	const char *const text = p;

	if (w->fd < 0)
		return;
	(void)clock_text(clock_now(), false, w->time);
	for (size_t i = 0; i < n;)
		i += take_line(w, s, text + i, n - i);
	flush(w);
}

void log_writer_end(struct log_writer *w, enum log_stream s)
{
	struct line *const l = &w->lines[s];

	if (w->fd < 0 || l->len == 0)
		return;
	(void)clock_text(clock_now(), false, w->time);
	put_record(w, s, l->text, l->len);
	l->len = 0;
	flush(w);
}

void log_writer_close(struct log_writer *w)
{
	if (!w)
		return;
	own_close(&w->fd);
	free(w);
}
