/*
 * units - sizes, durations and fractions as people write them
 *
 * The words are Docker's: "512m", "1.5GiB", "1h30m", "0.5". All of them take
 * the whole string or refuse it (false, *ret as it was).
 */
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Bytes: digits, a fraction perhaps, one of b k m g t p (of 1024), and behind
 * that "i" or "b"; in any case, with one blank before it or none.
 */
bool units_bytes(const char *s, int64_t *ret);

/* Nanoseconds: "300ms", "1.5h", "1m30s", "0"; ns us ms s m h; not negative. */
bool units_duration_ns(const char *s, int64_t *ret);

/* A decimal fraction in units of 1e-9: "1.5" is 1500000000. */
bool units_nano(const char *s, int64_t *ret);

/* A whole number that may be negative. */
bool units_i64(const char *s, int64_t min, int64_t max, int64_t *ret);

#endif
