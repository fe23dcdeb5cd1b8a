/*
 * sha256_pair - the same blocks into two SHA-256 states at once
 *
 * A file's content inside a tar is hashed twice: for the archive and for
 * itself. What the blocks are expanded to is the same for both, and two chains
 * of rounds side by side keep a core's SHA unit busy that one leaves half idle:
 * the second hash costs next to nothing.
 *
 * Only on x86-64 with the SHA instructions; elsewhere the caller goes on
 * without.
 */
#ifndef BASE_SHA256_PAIR_H
#define BASE_SHA256_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * a and b are chaining values (FIPS 180-4, H0 to H7), p is n blocks of 64
 * bytes. false: this machine cannot, and nothing was done.
 */
bool sha256_pair(uint32_t a[8], uint32_t b[8], const void *p, size_t n);

#endif
