/*
 * tarpack - the packings in which a tar from outside is taken
 */
#ifndef STORE_TARPACK_H
#define STORE_TARPACK_H

#include <archive.h>

#include "base/limits.h"

/* Read a tar from fd: plain, or gzip, bzip2, xz or zstd. ARCHIVE_OK is 0. */
static inline int tarpack_open(struct archive *a, int fd)
{
	return archive_read_support_format_tar(a) ||
	       archive_read_support_filter_gzip(a) ||
	       archive_read_support_filter_bzip2(a) ||
	       archive_read_support_filter_xz(a) ||
	       archive_read_support_filter_zstd(a) ||
	       archive_read_open_fd(a, fd, KIB(64));
}

#endif
