#include "cmd/common_out.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/own.h"
#include "base/term.h"

static int lost; /* errno of the first write to stdout that failed */

bool out_escapes(void)
{
	return isatty(STDOUT_FILENO);
}

static void write_out(const char *p, size_t n)
{
	if (fwrite(p, 1, n, stdout) < n && !lost)
		lost = errno;
}

/* A failed write drops the buffer, so a later fflush may succeed. */
int out_flush(void)
{
	if (fflush(stdout) != 0 && !lost)
		lost = errno;
	errno = lost;
	return lost ? -1 : 0;
}

/* Most text is plain: then nothing needs to know where it goes. */
static void put(const char *p, size_t n, enum term_how how)
{
	struct buf b;

	if (term_is_plain(p, n, how) || !out_escapes()) {
		write_out(p, n);
		return;
	}
	b = buf_make(SIZE_MAX / 2);
	term_escape(p, n, how, &b);
	write_out(buf_str(&b), b.len);
	buf_free(&b);
}

void out_line(const char *fmt, ...)
{
	autofree char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	put(text, strlen(text), TERM_LINE);
	write_out("\n", 1);
}

void out_vprint(const char *fmt, va_list ap)
{
	autofree char *text = xvasprintf(fmt, ap);

	put(text, strlen(text), TERM_LINES);
}

void out_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	out_vprint(fmt, ap);
	va_end(ap);
}

void out_text(const char *p, size_t n)
{
	put(p, n, TERM_LINES);
}

void out_json_text(const char *p, size_t n)
{
	put(p, n, TERM_JSON);
}

void out_json(const json_t *doc, size_t flags)
{
	autofree char *text = json_dumps(doc, flags);

	if (text)
		put(text, strlen(text), TERM_JSON);
	write_out("\n", 1);
}

void out_clear(void)
{
	(void)fputs("\033[H\033[2J", stdout);
}

void out_error(const char *fmt, ...)
{
	autofree char *text = NULL;
	autobuf struct buf b = buf_make(SIZE_MAX / 2);
	va_list ap;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	term_escape(text, strlen(text), TERM_LINE, &b);
	(void)fprintf(stderr, "%s\n", buf_str(&b));
}
