/*
 * tarin - unpack a tar stream into an existing directory (cp)
 *
 * Unlike untar, which makes a layer, tarin replaces existing entries, as
 * Docker's cp does: a file or link is removed and made anew, a directory stays
 * and gets the attributes of the entry. A directory never replaces a file, nor
 * a file a directory. The entry of the directory itself ("./") changes nothing.
 *
 * Where entries go: with `root_fd` every path is resolved inside that root,
 * symlinks included (openat2 RESOLVE_IN_ROOT, no magic links), so a container
 * that swaps links meanwhile only affects itself. Without it no symlink is
 * followed at all. The last component is never followed.
 *
 * gzip, bzip2, xz and zstd are unpacked on the way.
 *
 * Errors: ERR_INVALID if the stream is no tar; ERR_EXISTS if a file would
 * replace a directory or a directory a file; errors of the disk.
 */
#ifndef STORE_TARIN_H
#define STORE_TARIN_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct tarin_opts {
	int root_fd;      /* of the container; -1: none */
	int dir_fd;       /* without root_fd: the directory */
	const char *path; /* with root_fd: where in it */
	bool no_owner;    /* everything belongs to the caller */
	bool all_of;      /* everything belongs to uid:gid */
	uint32_t uid;
	uint32_t gid;
};

int tarin(int tar_fd, const struct tarin_opts *o, struct err *e);

#endif
