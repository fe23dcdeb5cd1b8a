/*
 * format - the Go templates of --format, over a JSON document
 *
 * The subset of text/template that scripts use, with the functions that the
 * Docker client adds: field paths, variables, if, range, with, break and
 * continue, pipes, parentheses, trimming, comments, and
 *
 *     and or not eq ne lt le gt ge len index slice print printf println
 *     html urlquery json join split lower upper title pad truncate
 *
 * define, template, block, call and js are refused by name. Values print as
 * Go prints them: map[a:b], [x y], {x y}, <no value>, <nil>.
 *
 * The Docker client runs templates over typed structs first; a JSON document
 * has lost those types. What matters of them (which objects are maps, what an
 * absent member is) stands in one table, format_kind.c; an object that the
 * table does not call a map is a struct: it prints as {x y} and asking it for
 * a member that it does not have is an error.
 *
 * Templates come from the command line, but nothing is taken on trust: nesting,
 * steps and output are bounded.
 *
 * Life: format_parse -> format_exec, as often as wanted -> format_free.
 * Errors: ERR_USAGE, one line with line and column.
 */
#ifndef CMD_FORMAT_H
#define CMD_FORMAT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/json.h"
#include "base/limits.h"
#include <stddef.h>

struct format;

struct format *format_parse(const char *p, size_t len, struct err *e);
void format_free(struct format *f); /* NULL is fine */
void own_format(struct format **f);
#define autoformat __attribute__((cleanup(own_format)))

/* Append what the template makes of doc. On an error out holds a part. */
int format_exec(const struct format *f, const json_t *doc, struct buf *out,
		struct err *e);

/* The same for a row of a list, where {{.Label "x"}} asks for a label of labels
 * (an object of strings; may be NULL). */
int format_exec_row(const struct format *f, const json_t *row,
		    const json_t *labels, struct buf *out, struct err *e);

/*
 * The same for the heading of a table: doc maps keys to titles, and the
 * functions that would change a value (json, upper, truncate...) give it back
 * as it is.
 */
int format_exec_heading(const struct format *f, const json_t *doc,
			struct buf *out, struct err *e);

#define FORMAT_OUTPUT_MAX MIB(64) /* of one document */

#endif
