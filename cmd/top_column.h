/*
 * top_column - the columns of ps(1) that `top` knows, read from /proc
 *
 * A list of them is made from the options of ps that are in use: -ef, aux, ax,
 * -o LIST (Docker hands them to the ps of the host). Names and heads are those
 * of procps; what it has and we do not is refused by name.
 */
#ifndef CMD_TOP_COLUMN_H
#define CMD_TOP_COLUMN_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Fields of /proc/PID/stat, counted as proc(5) does; 1 and 2 stay empty. */
#define STAT_FIELDS 40

struct process {
	pid_t pid;
	int64_t field[STAT_FIELDS];
	char state;
	char name[64];
	uid_t uid;
	gid_t gid;
	/* Of the machine, the same for all. */
	int64_t now_ns;
	int64_t boot_ns;
	uint64_t memory_kib;
};

struct column {
	const char *name;
	const char *head;
	void (*put)(const struct process *p, struct buf *b);
};

#define COLUMNS_MAX 40

struct columns {
	const struct column *v[COLUMNS_MAX];
	size_t n;
};

/* Words of the command line; none: -ef. ERR_UNSUPPORTED, ERR_USAGE. */
int columns_of_options(const struct strv *words, struct columns *ret,
		       struct err *e);

/* False when it is gone. now_ns, boot_ns and memory_kib are left. */
bool process_read(pid_t pid, struct process *p);

#endif
