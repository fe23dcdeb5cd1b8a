/*
 * common_opts - option tables into fields, and help out of the same tables
 */
#ifndef CMD_COMMON_OPTS_H
#define CMD_COMMON_OPTS_H

#include "cmd/cmd.h"
#include <stdio.h>

/* The options of a table one by one, over its end into `more`; NULL last. */
const struct opt *opt_first(const struct opt *table);
const struct opt *opt_next(const struct opt *o);

/*
 * Parse argv (without the command's name) into fields; operands are moved to
 * the front of argv, *ret_n says how many. "--help" sets *ret_help.
 */
int opts_parse(const struct command *c, void *fields, int argc, char **argv,
	       int *ret_n, bool *ret_help, struct err *e);

/* Free the lists in fields. */
void opts_free(const struct command *c, void *fields);

void opts_help(FILE *out, const char *program, const struct command *c);

#endif
