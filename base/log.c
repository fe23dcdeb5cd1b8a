#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "term.h"

static enum log_level level_now = LOG_WARN;
static int fd_now = STDERR_FILENO;

void log_set_level(enum log_level level)
{
	level_now = level;
}

void log_set_fd(int fd)
{
	fd_now = fd;
}

bool log_on(enum log_level level)
{
	return level <= level_now;
}

/* One write per line, so that lines of several processes do not mix. */
static void say(enum log_level level, const char *tag, const char *fmt,
		va_list ap)
{
	char line[1024];
	char safe[TERM_LINE_SIZE(sizeof(line))];

	if (!log_on(level))
		return;
	(void)vsnprintf(line, sizeof(line), fmt, ap);
	(void)dprintf(fd_now, "prism: %s%s\n", tag,
		      term_line(line, safe, sizeof(safe)));
}

#define SAY(level, tag)                   \
	do {                              \
		va_list ap;               \
                                          \
		va_start(ap, fmt);        \
		say(level, tag, fmt, ap); \
		va_end(ap);               \
	} while (0)

void log_warn(const char *fmt, ...)
{
	SAY(LOG_WARN, "warning: ");
}

void log_note(const char *fmt, ...)
{
	SAY(LOG_WARN, "note: ");
}

void log_info(const char *fmt, ...)
{
	SAY(LOG_INFO, "");
}

void log_debug(const char *fmt, ...)
{
	SAY(LOG_DEBUG, "");
}
