/*
 * decomp - a compressed layer, read as plain bytes
 *
 * Compression is told by the magic number, never by the media type: the digest
 * names the bytes, not their label. gzip (several members, zero padding behind
 * the last; CRC32 and ISIZE checked), zstd (several frames, skippable frames,
 * checksums), and plain tar. xz, bzip2 and lz4 are refused by name. Trailing
 * garbage and a missing trailer are refused.
 *
 * All plain bytes are hashed on their way, also those behind the end marker of
 * the tar: decomp_finish() drains what is left and gives the diff id. What the
 * caller hashes for itself it does through decomp_hash_also(), so that a file's
 * content meets both hashes at once.
 *
 * Memory is bounded: two fixed buffers, and a zstd window of at most 128 MiB
 * (what a frame asks for and zstd itself accepts by default).
 *
 * decomp_fork() moves reading and decompressing into a process of their own,
 * joined by a small ring of shared memory, so that one layer keeps two cores
 * busy. Everything else stays the same for the caller.
 *
 * Life: decomp_open -> [decomp_fork] -> decomp_next ... -> decomp_finish ->
 * decomp_free.
 * Errors: ERR_INVALID for bytes that are not what they promise,
 * ERR_UNSUPPORTED for xz and the like; errors of the source as they are.
 */
#ifndef STORE_DECOMP_H
#define STORE_DECOMP_H

#include "base/digest.h"
#include "base/err.h"
#include <stddef.h>
#include <stdint.h>

enum decomp_kind {
	DECOMP_PLAIN,
	DECOMP_GZIP,
	DECOMP_ZSTD,
};

/*
 * The compressed bytes: up to n bytes into p; the count, 0 at the end, or -1
 * with e set. After decomp_fork it runs in the other process, on a copy of ctx:
 * what it counts or hashes there is not seen by the caller.
 */
typedef int64_t (*decomp_read_fn)(void *ctx, void *p, size_t n, struct err *e);

struct decomp;
struct hash;

/* Reads nothing yet. diff_alg is the algorithm of the diff id. */
struct decomp *decomp_open(decomp_read_fn read, void *ctx,
			   enum digest_alg diff_alg);

/* A ready decomp_read_fn: ctx is the address of an int, the fd to read. */
int64_t decomp_read_fd(void *ctx, void *p, size_t n, struct err *e);

/*
 * From here on the work is done by a child: it keeps only source_fd (the fd
 * that the read function uses) and its ends of the ring, drops all
 * capabilities and may not open, connect or execute anything. Before the first
 * decomp_next only; after it the caller should not read source_fd.
 */
int decomp_fork(struct decomp *d, int source_fd, struct err *e);

/*
 * The next piece of plain bytes: its length, 0 at the end, or -1. *ret_p is
 * borrowed until the next call.
 */
int64_t decomp_next(struct decomp *d, const void **ret_p, struct err *e);

/*
 * The n bytes at p, of the piece that decomp_next gave last, go into h. Bytes
 * that lie elsewhere, or before others that came here, are as well.
 */
void decomp_hash_also(struct decomp *d, struct hash *h, const void *p,
		      size_t n);

/* Read all that is left; the digest and the number of all plain bytes. */
int decomp_finish(struct decomp *d, struct digest *ret_diff_id,
		  uint64_t *ret_size, struct err *e);

/* Known after the first decomp_next. */
enum decomp_kind decomp_get_kind(const struct decomp *d);

void decomp_free(struct decomp *d); /* NULL is fine; a child is killed */
void own_decomp(struct decomp **d);
#define autodecomp __attribute__((cleanup(own_decomp)))

#endif
