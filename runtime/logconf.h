/*
 * logconf - --log-driver and --log-opt: where a container's output is kept
 *
 * The words and checks are those of Docker's json-file; the driver none takes
 * none, as there. mode and max-buffer-size are without effect:
 * the log is a file, and nobody has to be waited for.
 */
#ifndef RUNTIME_LOGCONF_H
#define RUNTIME_LOGCONF_H

#include "base/err.h"
#include "base/limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGFILE_FILES_MAX 1000
/* Each record carries them, and a reader takes no line above 1 MiB. */
#define LOGFILE_ATTRS_MAX KIB(64)

enum logfile_driver {
	LOGFILE_JSON, /* json-file */
	LOGFILE_NONE,
};

struct log_conf {
	enum logfile_driver driver;
	uint64_t max_size_bytes; /* 0: no limit */
	uint32_t max_files;      /* 0 and 1: one file */
	bool compress;           /* those that are full */
	/* Of each record, a JSON object; NULL: none. What labels, env and tag
	 * come to, which only whoever makes the container knows. */
	char *attrs;
};

/* --log-driver and --log-opt KEY=VALUE...; driver NULL: json-file. attrs is
 * NULL. */
int log_conf_parse(const char *driver, const char *const *opts, size_t n_opts,
		   struct log_conf *ret, struct err *e);

/* "json-file", "none": HostConfig.LogConfig.Type. */
const char *logfile_driver_name(enum logfile_driver d);

#endif
