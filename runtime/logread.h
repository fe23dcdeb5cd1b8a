/*
 * logread - the log of a container, read while it may be written and rotated
 *
 * A reader begins with the oldest file and ends with the youngest; when the
 * file that it reads is no longer the youngest it goes on with the next one;
 * one that is packed (loggz.h) is unpacked when its turn comes. A
 * line that is no record (torn by a crash or a full disk) is left out.
 *
 * Life: log_reader_open -> log_reader_next ... (-> log_reader_wait ->
 * log_reader_next ...) -> log_reader_close.
 */
#ifndef RUNTIME_LOGREAD_H
#define RUNTIME_LOGREAD_H

#include "base/err.h"
#include "runtime/logfile.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_query {
	int64_t tail;     /* the last n records; -1: all */
	int64_t since_ns; /* 0: from the beginning */
	int64_t until_ns; /* 0: to the end */
};

struct log_record {
	enum log_stream stream;
	int64_t time_ns;
	const char *text; /* with its newline; may hold NULs */
	size_t len;
	const char *attrs; /* a JSON object; NULL: none */
	size_t attrs_len;
};

struct log_reader;

/* dir_fd is borrowed. ERR_NOTFOUND when there is no log. */
int log_reader_open(int dir_fd, const struct log_query *q,
		    struct log_reader **ret, struct err *e);

/*
 * The next record: 1, valid until the next call; 0: no more for now; 2: what
 * follows is later than until_ns; -1.
 */
int log_reader_next(struct log_reader *r, struct log_record *ret,
		    struct err *e);

/*
 * Wait until there may be more, for timeout_ms at most (-1: for ever), or until
 * other_fd (-1: none) can be read or is hung up: then 1, else 0.
 */
int log_reader_wait(struct log_reader *r, int other_fd, int timeout_ms,
		    struct err *e);

void log_reader_close(struct log_reader *r); /* NULL is fine */

#endif
