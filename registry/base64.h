/*
 * base64 - RFC 4648 with the usual alphabet, padded
 */
#ifndef REGISTRY_BASE64_H
#define REGISTRY_BASE64_H

#include <stddef.h>

/* Malloced text. */
char *base64_encode(const char *p, size_t n);

/*
 * Malloced bytes with a NUL behind them; padding may be missing, white space
 * may not be there. NULL for anything else.
 */
char *base64_decode(const char *s, size_t *ret_n);

#endif
