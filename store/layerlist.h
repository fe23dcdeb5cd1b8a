/*
 * layerlist - what is in an unpacked layer, as text: layers/.../list
 *
 * Written while the layer is unpacked, so that checking and repairing it later
 * needs no tarball. One record per line, fields separated by one blank:
 *
 *   prism-list 1
 *   TYPE FLAGS MODE UID GID SIZE SEC.NSEC SHA256 XATTRS PATH [TARGET]
 *   end ENTRIES IMPLIED WHITEOUTS REPLACED OPAQUE_ROOT ROOT_IMPLIED ...
 *
 *   TYPE   f file, d directory, l symlink, h hardlink, p fifo, c/b device,
 *          w whiteout, x removed again (with everything below it)
 *   FLAGS  - or letters: i implied (a parent without an entry of its own),
 *          o opaque, q on disk its owner is 0:0 (squashed), s device skipped:
 *          not on disk
 *   MODE   octal, permission bits only; UID GID as the tar has them
 *   SHA256 of a file's content, or - (not a file, or mostly one huge hole)
 *   XATTRS sha256 over the xattrs on disk (see untar_xattr.h), or -
 *   PATH   relative to the layer's root, "." is the root itself
 *   TARGET of a symlink (its bytes), of a hardlink (a path), of a device
 *          (MAJOR:MINOR)
 *
 * PATH and TARGET are bytes: \xHH stands for blanks, controls, '\', and all
 * above 0x7e. Records come in the order of the tar. A record for a path that
 * was there before replaces it (if it is no directory: with everything below);
 * REPLACED in the last line counts those, so 0 means that each line is final.
 *
 * The last line has a fixed maximum length, so that the summary of a layer is
 * one read at the end of the file.
 *
 * The reader needs no hashing; prism may link it.
 *
 * Life: list_writer_open -> list_add ... -> list_end -> list_writer_free.
 *       list_open -> list_next ... -> list_close.
 */
#ifndef STORE_LAYERLIST_H
#define STORE_LAYERLIST_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIST_HEX 64

enum list_flag {
	LIST_IMPLIED = 1,
	LIST_OPAQUE = 2,
	LIST_SQUASHED = 4,
	LIST_SKIPPED = 8,
};

struct list_rec {
	char type;          /* one of "fdlhpcbwx" */
	unsigned int flags; /* enum list_flag */
	uint32_t mode;      /* permission bits */
	uint32_t uid;
	uint32_t gid;
	uint64_t size;
	int64_t mtime_s;
	uint32_t mtime_ns;
	char sha256[LIST_HEX + 1]; /* or empty */
	char xattrs[LIST_HEX + 1]; /* or empty */
	const char *path;          /* unescaped, NUL-terminated, never empty */
	const char *target;        /* or NULL */
	uint32_t major;            /* of devices; target is NULL then */
	uint32_t minor;
};

/* The last line: enough to know whether an image needs a skeleton. */
struct list_summary {
	uint64_t entries;
	uint64_t implied;   /* directories that are implied in the end */
	uint64_t whiteouts; /* in the end */
	uint64_t replaced;
	bool opaque_root;
	bool root_implied;
	uint32_t root_mode;
	uint32_t root_uid;
	uint32_t root_gid;
	bool root_xattrs;
};

struct list_writer;
struct list_writer *list_writer_open(int fd); /* borrows fd */
int list_add(struct list_writer *w, const struct list_rec *r, struct err *e);
/* Write the last line and flush. entries is counted by the writer. */
int list_end(struct list_writer *w, struct list_summary *s, struct err *e);
void list_writer_free(struct list_writer *w);

struct list_reader;
/* fd: the list, read with pread from its beginning; borrowed. */
int list_open(int fd, struct list_reader **ret, struct err *e);
/*
 * 1 and the next record (its strings are borrowed until the next call), 0
 * after the last one. A list without its last line is ERR_INVALID.
 */
int list_next(struct list_reader *r, struct list_rec *ret, struct err *e);
/* Records of these types only ("dw"); others are passed over cheaply. */
void list_only(struct list_reader *r, const char *types);
void list_close(struct list_reader *r);

/* One pread at the end of the file. */
int list_summary_read(int fd, struct list_summary *ret, struct err *e);

#endif
