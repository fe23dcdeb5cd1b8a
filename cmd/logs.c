/*
 * logs - what a container wrote
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/own.h"
#include "cmd/ctr.h"
#include "runtime/attach.h"
#include "runtime/logread.h"

struct logs_opts {
	bool details;
	bool follow;
	bool timestamps;
	const char *since;
	const char *until;
	const char *tail;
};

#define F(field) offsetof(struct logs_opts, field)

static const struct opt logs_options[] = {
	{0, "details", OPT_BOOL, F(details), NULL,
	 "Before each line what --log-opt labels, env and tag say"},
	{'f', "follow", OPT_BOOL, F(follow), NULL,
	 "Go on until the container ends"},
	{0, "since", OPT_STR, F(since), "TIME",
	 "From then on: 2024-05-01T10:11:12, seconds, or 10m ago"},
	{'n', "tail", OPT_STR, F(tail), "N|all", "The last N lines"},
	{'t', "timestamps", OPT_BOOL, F(timestamps), NULL,
	 "When each line was written"},
	{0, "until", OPT_STR, F(until), "TIME", "Up to then"},
	{0},
};

/* A negative or odd number is "all", as with Docker. */
static int parse_tail(const char *s, int64_t *ret, struct err *e)
{
	uint64_t n;

	*ret = -1;
	if (!s || !*s || *s == '-' || !strcmp(s, "all"))
		return 0;
	if (!str_to_u64(s, INT64_MAX, &n))
		return err_set(e, ERR_USAGE, "--tail '%s': not a number", s);
	*ret = (int64_t)n;
	return 0;
}

static int parse_when(const char *flag, const char *s, int64_t *ret,
		      struct err *e)
{
	*ret = 0;
	if (!s || clock_parse_when(s, clock_now(), ret))
		return 0;
	return err_set(e, ERR_USAGE,
		       "--%s '%s': neither a time (2024-05-01T10:11:12Z), nor "
		       "seconds since 1970, nor a duration (10m)",
		       flag, s);
}

static int parse_query(const struct logs_opts *o, struct log_query *ret,
		       struct err *e)
{
	if (parse_tail(o->tail, &ret->tail, e) < 0 ||
	    parse_when("since", o->since, &ret->since_ns, e) < 0 ||
	    parse_when("until", o->until, &ret->until_ns, e) < 0)
		return -1;
	return 0;
}

/* "a=b,c=d ", each as in a URL. A damaged one is none. */
static void print_attrs(const struct log_record *r, FILE *out)
{
	autobuf struct buf b = buf_make(6 * LOGFILE_ATTRS_MAX);
	autojson json_t *attrs = NULL;
	struct err ignored = {0};
	const char *key;
	json_t *value;

	if (r->attrs)
		attrs = json_parse(r->attrs, r->attrs_len, "attrs", &ignored);
	/* They were written in the order of their names. */
	json_object_foreach(attrs, key, value)
	{
		const char *const text = json_string_value(value);

		if (b.len)
			buf_addc(&b, ',');
		buf_add_query(&b, key, strlen(key));
		buf_addc(&b, '=');
		if (text)
			buf_add_query(&b, text, strlen(text));
	}
	buf_addc(&b, ' ');
	(void)fwrite(b.p, 1, b.len, out);
}

/*
 * Through stdio's buffers: one write per line would cost a log of a million
 * lines a second. They are flushed before anybody waits.
 */
static bool print_record(const struct logs_opts *o, const struct log_record *r)
{
	FILE *const out = r->stream == LOG_STREAM_ERR ? stderr : stdout;
	FILE *const other = r->stream == LOG_STREAM_ERR ? stdout : stderr;

	/* Their order on one terminal is that of the log. */
	(void)fflush(other);
	if (o->timestamps) {
		char time[CLOCK_TEXT_MAX];

		(void)fputs(clock_text(r->time_ns, true, time), out);
		(void)fputc(' ', out);
	}
	if (o->details)
		print_attrs(r, out);
	return fwrite(r->text, 1, r->len, out) == r->len;
}

/* All that is there: 0 at the end, 1 when nothing more is wanted, -1. */
static int print_all(const struct logs_opts *o, struct log_reader *r,
		     struct err *e)
{
	for (;;) {
		struct log_record rec;
		const int rc = log_reader_next(r, &rec, e);

		if (rc == 1 && print_record(o, &rec))
			continue;
		if (fflush(stdout) != 0 || fflush(stderr) != 0 || rc == 1)
			return errno == EPIPE ? 1
					      : err_sys(e, "write", "the log");
		return rc == 2 ? 1 : rc;
	}
}

/* The end of the monitor is the end of this connection. */
static int watch_monitor(const struct container *c)
{
	struct err ignored = {0};
	const char nothing = 0;
	int fd = attach_connect(c->dir_fd, &ignored);

	if (fd >= 0 && attach_send(fd, ATTACH_HELLO, &nothing, 1, 0) < 0)
		own_close(&fd);
	return fd;
}

/* True when the monitor is gone; its messages say nothing to us. */
static bool monitor_is_gone(int fd)
{
	char buf[ATTACH_DATA_MAX];
	enum attach_type type;

	while (attach_recv(fd, &type, buf, MSG_DONTWAIT) >= 0)
		;
	return errno != EAGAIN;
}

/* One that begins or ends is held, and nobody answers: that is soon over. */
static int wait_ms(int monitor, int64_t until_ns)
{
	if (monitor < 0)
		return 20;
	return until_ns ? 500 : -1;
}

static int follow(const struct logs_opts *o, const struct container *c,
		  struct log_reader *r, int64_t until_ns, struct err *e)
{
	autoclose int monitor = watch_monitor(c);

	for (;;) {
		/* Asked before: what it wrote last is printed after its end. */
		const bool held = lock_is_held(c->lock_fd);
		int rc = print_all(o, r, e);

		if (rc != 0 || !held)
			return rc;
		if (until_ns && clock_now() > until_ns)
			return 0;
		rc = log_reader_wait(r, monitor, wait_ms(monitor, until_ns), e);
		if (rc < 0)
			return -1;
		if (monitor < 0)
			monitor = watch_monitor(c);
		else if (rc > 0 && monitor_is_gone(monitor))
			own_close(&monitor);
	}
}

/* 1: there is no log. */
static int print_logs(const struct logs_opts *o, const struct log_query *q,
		      const struct container *c, struct err *e)
{
	struct log_reader *r = NULL;
	int rc;

	if (log_reader_open(c->dir_fd, q, &r, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		err_clear(e);
		return 1;
	}
	rc = o->follow ? follow(o, c, r, q->until_ns, e) : print_all(o, r, e);
	log_reader_close(r);
	return rc < 0 ? -1 : 0;
}

/* Never started: nothing. --log-driver none: an error, as with Docker. */
static int no_log(const struct container_home *h, const struct container *c,
		  struct err *e)
{
	struct run_spec spec = {0};
	struct container_head head;
	int rc = container_load(h, c, &spec, NULL, e);

	if (rc == 0 && spec.log.driver == LOGFILE_NONE)
		rc = err_set(e, ERR_UNSUPPORTED,
			     "container %.12s keeps no log (--log-driver none)",
			     c->id);
	else if (rc == 0 && !spec.keep && !spec.detached &&
		 head_read(c->lock_fd, &head, e) == 0 && head.run > 0)
		rc = err_set(e, ERR_UNSUPPORTED,
			     "container %.12s keeps no log: it runs in the "
			     "foreground with --rm",
			     c->id);
	spec_free(&spec);
	return rc < 0 || err_is(e) ? -1 : 0;
}

static int logs_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	const struct logs_opts *const o = fields;
	autoctr struct ctr r = {0};
	autocontainer struct container c = CONTAINER_NONE;
	struct log_query q;
	int rc;

	(void)argc;
	/* Following may take days: without the store's lock. */
	if (parse_query(o, &q, e) < 0 || ctr_open_unswept(g, &r, e) < 0 ||
	    container_open(&r.home, argv[0], &c, e) < 0)
		return -1;
	rc = print_logs(o, &q, &c, e);
	return rc == 1 ? no_log(&r.home, &c, e) : rc;
}

const struct command cmd_logs = {
	.name = "logs",
	.operands = "CONTAINER",
	.summary = "Print what a container wrote",
	.opts = logs_options,
	.fields_size = sizeof(struct logs_opts),
	.min_operands = 1,
	.max_operands = 1,
	.run = logs_run,
};
