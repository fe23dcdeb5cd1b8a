/*
 * common_out - how commands write to standard output and standard error
 *
 * All output of a command goes through this module, which make lint enforces.
 * The only exception is the output of a container's program, which is passed on
 * unchanged.
 *
 * Results go unchanged to a pipe or a file, where scripts read them. On a
 * terminal they are escaped (base/term.h). Standard error is for people, so it
 * is always escaped.
 *
 * These functions do not fail: cmd_main reports the first failed write at the
 * end, through out_flush.
 */
#ifndef CMD_COMMON_OUT_H
#define CMD_COMMON_OUT_H

#include "base/json.h"
#include <stdarg.h>
#include <stddef.h>

/*
 * One line of a result, given without its newline; newlines in it are escaped.
 */
void out_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Text that may contain newlines and tabs. */
void out_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void out_vprint(const char *fmt, va_list ap);
void out_text(const char *p, size_t n);

/* JSON text; what is escaped for a terminal is still JSON of the same value. */
void out_json_text(const char *p, size_t n);
/* A document and a newline; flags as for json_dumps. */
void out_json(const json_t *doc, size_t flags);

/*
 * Write what is buffered for standard output. -1 and errno if this, or any
 * earlier write, failed.
 */
int out_flush(void);

/* Is standard output a terminal, so that results are escaped? */
bool out_escapes(void);

/* Clear the terminal before the next output (stats). */
void out_clear(void);

/* One line to standard error, given without its newline. */
void out_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
