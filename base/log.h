/*
 * log - what is worth saying while things go on; the only state is the level,
 * and where it goes
 *
 * Results go to stdout by cmd/. Everything else is one line to stderr:
 * warnings and notes always (unless --quiet), info with --verbose, debug
 * with --debug. Every line is escaped for terminals (term.h). Errors are
 * struct err; only cmd/ prints them.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_QUIET,
	LOG_WARN,
	LOG_INFO,
	LOG_DEBUG,
};

void log_set_level(enum log_level level);
bool log_on(enum log_level level);
/* Instead of stderr. */
void log_set_fd(int fd);

void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
