/*
 * The plain functions of libcrypto instead of EVP: their state can be reached
 * by sha256_pair, and a pull makes one hash per file, which EVP would look up
 * by name each time.
 */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "hash.h"

#include <openssl/sha.h>

#include "own.h"
#include "sha256_pair.h"

#define BLOCK 64

struct hash {
	enum digest_alg alg;
	union {
		SHA256_CTX sha256;
		SHA512_CTX sha512;
	} u;
};

/* These return 1, always: there is nothing in them that could fail. */
void hash_reset(struct hash *h)
{
	if (h->alg == DIGEST_SHA512)
		(void)SHA512_Init(&h->u.sha512);
	else
		(void)SHA256_Init(&h->u.sha256);
}

struct hash *hash_begin(enum digest_alg alg)
{
	struct hash *const h = xmalloc(sizeof(*h));

	h->alg = alg;
	hash_reset(h);
	return h;
}

void hash_add(struct hash *h, const void *p, size_t n)
{
	if (h->alg == DIGEST_SHA512)
		(void)SHA512_Update(&h->u.sha512, p, n);
	else
		(void)SHA256_Update(&h->u.sha256, p, n);
}

/* No part of a block is waiting in it. */
static bool is_between_blocks(const struct hash *h)
{
	return h->alg == DIGEST_SHA256 && h->u.sha256.num == 0;
}

static void count_blocks(SHA256_CTX *c, size_t n)
{
	const uint64_t bits = ((uint64_t)c->Nh << 32 | c->Nl) + n * BLOCK * 8;

	c->Nh = (SHA_LONG)(bits >> 32);
	c->Nl = (SHA_LONG)bits;
}

void hash_add_both(struct hash *a, struct hash *b, const void *p, size_t n)
{
	const size_t blocks = n / BLOCK;
	size_t done = 0;

	if (is_between_blocks(a) && is_between_blocks(b) &&
	    sha256_pair(a->u.sha256.h, b->u.sha256.h, p, blocks)) {
		count_blocks(&a->u.sha256, blocks);
		count_blocks(&b->u.sha256, blocks);
		done = blocks * BLOCK;
	}
	hash_add(a, (const unsigned char *)p + done, n - done);
	hash_add(b, (const unsigned char *)p + done, n - done);
}

void hash_drop(struct hash *h)
{
	free(h);
}

void hash_end(struct hash *h, struct digest *ret)
{
	unsigned char raw[SHA512_DIGEST_LENGTH];

	if (h->alg == DIGEST_SHA512)
		(void)SHA512_Final(raw, &h->u.sha512);
	else
		(void)SHA256_Final(raw, &h->u.sha256);
	(void)digest_from_bytes(h->alg, raw, ret);
	hash_drop(h);
}

void hash_bytes(enum digest_alg alg, const void *p, size_t n,
		struct digest *ret)
{
	struct hash *const h = hash_begin(alg);

	hash_add(h, p, n);
	hash_end(h, ret);
}
