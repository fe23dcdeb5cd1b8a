/*
 * digest - the text of a content digest: "sha256:<64 hex>" (image-spec
 * descriptor.md, "Digests"). Hashing stands in hash.h, so that who only names
 * content does not link libcrypto.
 *
 * A struct digest that went through digest_parse is safe as a file name.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "err.h"
#include <stdbool.h>
#include <stddef.h>

enum digest_alg {
	DIGEST_NONE,
	DIGEST_SHA256,
	DIGEST_SHA512,
	DIGEST_ALGS
};

#define DIGEST_HEX_MAX  128
#define DIGEST_TEXT_MAX 136 /* "sha512:" + 128 + NUL */

struct digest {
	enum digest_alg alg;
	char hex[DIGEST_HEX_MAX + 1]; /* lower case, of the right length */
};

/* "sha256" or "sha512"; also the folder of blobs/. */
const char *digest_alg_name(enum digest_alg alg);
size_t digest_hex_len(enum digest_alg alg);

/* Lower-case hex of exactly the right length, known algorithm, else refused. */
int digest_parse(const char *s, struct digest *ret, struct err *e);
int digest_from_bytes(enum digest_alg alg, const unsigned char *p,
		      struct digest *ret);

bool digest_eq(const struct digest *a, const struct digest *b);
bool digest_is_set(const struct digest *d);

/* "sha256:..." into buf of DIGEST_TEXT_MAX; returns buf. */
const char *digest_text(const struct digest *d, char *buf);

/* "sha256/<hex>", the path below blobs/ and layers/; buf as above. */
const char *digest_path(const struct digest *d, char *buf);

/* The first 12 hex digits, for people. buf of at least 13; returns buf. */
#define DIGEST_SHORT_MAX 13
const char *digest_short(const struct digest *d, char *buf);

/* Temporaries of the enclosing statement, for printf arguments. */
#define DIGEST_TEXT(d)  digest_text((d), (char[DIGEST_TEXT_MAX]){0})
#define DIGEST_PATH(d)  digest_path((d), (char[DIGEST_TEXT_MAX]){0})
#define DIGEST_SHORT(d) digest_short((d), (char[DIGEST_SHORT_MAX]){0})

#endif
