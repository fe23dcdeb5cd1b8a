#include "logfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/loggz.h"

/* The longest record: each byte as \u00XX, and what stands around them beside
 * the attributes. */
#define RECORD_MAX (6 * LOGFILE_LINE_MAX + 128)
#define OUT_MAX    (RECORD_MAX + KIB(32))

const char *logfile_name(uint32_t i, const char *suffix,
			 char ret[LOGFILE_NAME_MAX])
{
	if (i == 0)
		(void)snprintf(ret, LOGFILE_NAME_MAX, LOGFILE_NAME "%s",
			       suffix);
	else
		(void)snprintf(ret, LOGFILE_NAME_MAX, LOGFILE_NAME ".%u%s", i,
			       suffix);
	return ret;
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
	char *attrs; /* ,"attrs":{...}; empty if there are none */
	size_t attrs_len;
	struct worker packer; /* of the youngest rotated file */
	uint64_t size;        /* of the file, what waits in out included */
	struct line lines[LOG_STREAMS];
	char time[CLOCK_TEXT_MAX]; /* of the piece that is being written */
	size_t out_len;
	size_t out_max;
	char out[];
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

/* Both forms: a packer that was killed has left a plain one. */
static void shift_names(const struct log_writer *w)
{
	static const char *const forms[] = {"", LOGGZ_SUFFIX};
	char from[LOGFILE_NAME_MAX];
	char to[LOGFILE_NAME_MAX];

	for (size_t k = 0; k < ARRAY_LEN(forms); k++)
		(void)unlinkat(
			w->dir_fd,
			logfile_name(w->conf.max_files - 1, forms[k], to), 0);
	for (uint32_t i = w->conf.max_files - 1; i >= 1; i--)
		for (size_t k = 0; k < ARRAY_LEN(forms); k++)
			/* Most do not exist. */
			(void)renameat(
				w->dir_fd, logfile_name(i - 1, forms[k], from),
				w->dir_fd, logfile_name(i, forms[k], to));
}

static int pack_youngest(void *arg, struct err *e)
{
	const struct log_writer *const w = arg;
	char name[LOGFILE_NAME_MAX];

	return loggz_pack(w->dir_fd, logfile_name(1, "", name), e);
}

static void packer_wait(struct log_writer *w)
{
	struct err e = {0};

	/* What could not be packed stays as it was. */
	if (w->packer.pid && proc_wait(&w->packer, &e) < 0)
		log_warn("ignoring: %s", e.text);
}

/* In a process of its own: the program must not wait for it. */
static void packer_start(struct log_writer *w)
{
	struct err e = {0};

	if (proc_start_alone(&w->packer, "log-packer", pack_youngest, w,
			     &w->dir_fd, 1, &e) < 0)
		log_warn("ignoring: %s", e.text);
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
	packer_wait(w);
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
	if (w->conf.compress && w->conf.max_files > 1)
		packer_start(w);
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
	if (w->out_max - w->out_len < RECORD_MAX + w->attrs_len)
		flush(w);
	before = w->out_len;
	puts_(w, "{\"log\":\"");
	put_text(w, (const unsigned char *)p, n);
	puts_(w, s == LOG_STREAM_OUT ? "\",\"stream\":\"stdout\""
				     : "\",\"stream\":\"stderr\"");
	put(w, w->attrs, w->attrs_len);
	puts_(w, ",\"time\":\"");
	puts_(w, w->time);
	puts_(w, "\"}\n");
	w->size += w->out_len - before;
}

/* ---- the outside ------------------------------------------------------------ */

int log_writer_open(int dir_fd, const struct log_conf *c,
		    struct log_writer **ret, struct err *e)
{
	const size_t attrs_len = c->attrs ? strlen(c->attrs) : 0;
	const size_t out_max = OUT_MAX + attrs_len;
	struct log_writer *const w = xcalloc(1, sizeof(*w) + out_max);

	w->dir_fd = dir_fd;
	w->fd = -1;
	w->packer = (struct worker)WORKER_NONE;
	w->conf = *c;
	w->conf.attrs = NULL; /* the spec may go before us */
	w->attrs =
		attrs_len ? xasprintf(",\"attrs\":%s", c->attrs) : xstrdup("");
	w->attrs_len = strlen(w->attrs);
	w->out_max = out_max;
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
	packer_wait(w);
	own_close(&w->fd);
	free(w->attrs);
	free(w);
}
