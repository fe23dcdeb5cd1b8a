#include "hash.h"

#include <assert.h>
#include <openssl/evp.h>

#include "own.h"

struct hash {
	EVP_MD_CTX *ctx;
	enum digest_alg alg;
};

void hash_reset(struct hash *h)
{
	const EVP_MD *const md =
		h->alg == DIGEST_SHA512 ? EVP_sha512() : EVP_sha256();
	const int ok = EVP_DigestInit_ex(h->ctx, md, NULL);

	assert(ok == 1);
	(void)ok;
}

struct hash *hash_begin(enum digest_alg alg)
{
	struct hash *const h = xmalloc(sizeof(*h));

	h->alg = alg;
	h->ctx = EVP_MD_CTX_new();
	assert(h->ctx);
	hash_reset(h);
	return h;
}

void hash_add(struct hash *h, const void *p, size_t n)
{
	const int ok = EVP_DigestUpdate(h->ctx, p, n);

	assert(ok == 1);
	(void)ok;
}

void hash_drop(struct hash *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

void hash_end(struct hash *h, struct digest *ret)
{
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int n = 0;
	const int ok = EVP_DigestFinal_ex(h->ctx, raw, &n);

	assert(ok == 1 && n * 2 == digest_hex_len(h->alg));
	(void)ok;
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
