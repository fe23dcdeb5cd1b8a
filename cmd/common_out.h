/*
 * common_out - how commands write to standard output and standard error
 *
 * Everything that a command prints goes through here (make lint sees to it),
 * but for what a program in a container wrote, which goes through as it is.
 *
 * Results are written as they are to a pipe or a file, where scripts read
 * them. To a terminal they go escaped (base/term.h). Standard error is for
 * people and always escaped.
 *
 * What could not be written, cmd_main says at the end.
 */
#ifndef CMD_COMMON_OUT_H
#define CMD_COMMON_OUT_H

#include "base/json.h"
#include <stdarg.h>
#include <stddef.h>

/* One line of a result, without its newline: there is no other in it. */
void out_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Text in which newlines and tabs are our own. */
void out_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void out_vprint(const char *fmt, va_list ap);
void out_text(const char *p, size_t n);

/* A JSON text: to a terminal it stays JSON of the same value. */
void out_json_text(const char *p, size_t n);
/* A document and a newline; flags are jansson's. */
void out_json(const json_t *doc, size_t flags);

/* Is standard output a terminal, and does text need to be escaped for it? */
bool out_escapes(void);

/* The terminal, before it is written to again (stats). */
void out_clear(void);

/* One line to standard error, without its newline. */
void out_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
