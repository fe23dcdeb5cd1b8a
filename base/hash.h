/*
 * hash - compute digests (libcrypto); only prism-image links this module
 *
 * Life: hash_begin -> hash_add ... -> hash_end (which frees), or hash_drop.
 */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "digest.h"
#include <stddef.h>

struct hash;

struct hash *hash_begin(enum digest_alg alg); /* never NULL */
void hash_add(struct hash *h, const void *p, size_t n);
/* The same bytes into both, for less than twice the price where it can be. */
void hash_add_both(struct hash *a, struct hash *b, const void *p, size_t n);
void hash_end(struct hash *h, struct digest *ret);
void hash_drop(struct hash *h); /* NULL is fine */
/* Start again from nothing with the same algorithm. */
void hash_reset(struct hash *h);

/* Digest of one piece of memory. */
void hash_bytes(enum digest_alg alg, const void *p, size_t n,
		struct digest *ret);

#endif
