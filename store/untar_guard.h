/*
 * untar_guard - looks at each tar header before libarchive does
 *
 * libarchive is lenient: unknown types become regular files, damaged headers
 * are skipped, broken PAX records ignored, and where the standard is unclear
 * it guesses. A layer has one meaning or none: the guard follows the headers
 * in the stream by itself and refuses everything where two readers could
 * disagree about what an entry is or where it ends.
 *
 * Refused: bad checksums; types other than 0, NUL, 1-7, x, g, L, K, S; sizes
 * that are negative, malformed or above 2^63-1; PAX records that are cut,
 * without '=' or newline, or with NUL in a name; links, devices and
 * directories with data; more than 16 extension headers for one entry; an
 * extension header without an entry.
 *
 * Life: {0} -> guard_add for all bytes in order -> guard_end -> guard_free.
 */
#ifndef STORE_UNTAR_GUARD_H
#define STORE_UNTAR_GUARD_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum guard_state {
	GUARD_HEADER, /* collects the 512 bytes of a header */
	GUARD_SKIP,   /* passes over data and padding */
	GUARD_PAX,    /* collects the records of an x or g header */
	GUARD_SPARSE, /* collects a continuation of an old GNU sparse map */
	GUARD_END,    /* the end marker was seen; the rest is not a tar */
};

struct tar_guard {
	enum guard_state state;
	unsigned char block[512];
	size_t have; /* of block */
	uint64_t skip;
	uint64_t data; /* of the entry whose sparse map is being read */
	char *pax;
	size_t pax_len;
	size_t pax_have;
	bool pax_global;
	bool has_pax_size;
	uint64_t pax_size;
	unsigned int extensions; /* headers in front of the next entry */
};

int guard_add(struct tar_guard *g, const void *p, size_t n, struct err *e);

/* No more bytes: is this a place where a tar may end? */
int guard_end(const struct tar_guard *g, struct err *e);

void guard_free(struct tar_guard *g);

#endif
