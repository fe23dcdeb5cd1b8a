/*
 * info - what is to be known of a container beside what a start needs
 *
 * A struct run_spec says how to start it; this says what it was made from and
 * what `inspect`, `ps` and the monitor's duties (log, restart, health) ask
 * for. Both stand in spec.json; to add a field, add it here (or to spec.h) and
 * to the table in spec_file.c, one line.
 *
 * Zero is "not given" for every field. It owns its strings.
 */
#ifndef RUNTIME_INFO_H
#define RUNTIME_INFO_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct container_info {
	char *image;        /* as the user wrote it; NULL with --rootfs */
	char *image_id;     /* digest of the config */
	char *manifest;     /* digest of the manifest */
	char *platform;     /* "linux/amd64" */
	int64_t created_ns; /* since 1970 */

	int n_entrypoint;     /* how many of spec.args: the others are Cmd */
	struct strv volumes;  /* targets that the image declares */
	struct strv log_opts; /* K=V, as typed */
	struct strv networks; /* as typed */
	char *cidfile;        /* as typed */
	char *hostname;       /* as typed; spec.hostname may be the host's */
	struct strv attached; /* stdin, stdout, stderr of a foreground one */
};

void info_free(struct container_info *i);
#define autoinfo __attribute__((cleanup(info_free)))

#endif
