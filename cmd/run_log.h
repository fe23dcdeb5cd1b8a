/*
 * run_log - the attributes that --log-opt labels, env and tag give each record
 *
 * As Docker's json-file has them: the values of the labels and variables that
 * are named or fit an expression, and the tag, a Go template. They are made
 * with the container; a new name of it changes them no more.
 */
#ifndef CMD_RUN_LOG_H
#define CMD_RUN_LOG_H

#include "base/err.h"
#include "runtime/info.h"
#include "runtime/spec.h"

/* Sets s->log.attrs; name: the reserved one, NULL: none. */
int run_log_attrs(const struct container_info *i, const char *id,
		  const char *name, struct run_spec *s, struct err *e);

#endif
