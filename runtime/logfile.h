/*
 * logfile - what a container wrote, line by line, as Docker's json-file
 *
 *   {"log":"text\n","stream":"stdout","time":"2024-05-01T10:11:12.5Z"}
 *
 * With attributes (log_conf) each has "attrs":{...} before its time.
 *
 * One record per line of output; a line longer than 16 KiB becomes several
 * records, of which only the last has the "\n" (and at the end of the output
 * none, if there was none). Bytes that are no UTF-8 become U+FFFD, as with
 * Docker.
 *
 * Files: containers/<id>/log, and log.1 (younger) ... when max_size is set:
 * a full file is renamed, or with max_files 1 removed, and a new one begun.
 * With compress a worker makes log.1.gz of log.1 then (loggz.h).
 * A file under its name is only appended to, so a reader that holds an old
 * one reads it to its end and goes on with the next.
 *
 * Writing never fails for the caller: when the disk is full records are
 * dropped (a half-written one is cut off again), and tried again with the
 * next piece. A log must not stop a container, nor its end.
 *
 * Life: log_writer_open -> log_writer_add ... -> log_writer_close. Reading is
 * logread.h.
 */
#ifndef RUNTIME_LOGFILE_H
#define RUNTIME_LOGFILE_H

#include "base/err.h"
#include "runtime/logconf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGFILE_NAME     "log"
#define LOGFILE_LINE_MAX 16384
#define LOGFILE_NAME_MAX 32

/* "log", "log.1"...; 0 is the youngest. */
const char *logfile_name(uint32_t i, const char *suffix,
			 char ret[LOGFILE_NAME_MAX]);

enum log_stream {
	LOG_STREAM_OUT,
	LOG_STREAM_ERR,
	LOG_STREAMS
};

struct log_writer;

/* dir_fd (borrowed) is the container's directory; driver none: a writer that
 * drops everything. */
int log_writer_open(int dir_fd, const struct log_conf *c,
		    struct log_writer **ret, struct err *e);
void log_writer_add(struct log_writer *w, enum log_stream s, const void *p,
		    size_t n);
/* The stream ended: what stands there without a newline is a record. */
void log_writer_end(struct log_writer *w, enum log_stream s);
void log_writer_close(struct log_writer *w); /* NULL is fine */

#endif
