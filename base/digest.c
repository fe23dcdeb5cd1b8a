#include "digest.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	size_t hex_len;
} algs[DIGEST_ALGS] = {
	[DIGEST_NONE] = {"none", 0},
	[DIGEST_SHA256] = {"sha256", 64},
	[DIGEST_SHA512] = {"sha512", 128},
};

const char *digest_alg_name(enum digest_alg alg)
{
	return algs[alg].name;
}

size_t digest_hex_len(enum digest_alg alg)
{
	return algs[alg].hex_len;
}

int digest_parse(const char *s, struct digest *ret, struct err *e)
{
	const char *const colon = strchr(s, ':');
	const size_t n = colon ? (size_t)(colon - s) : 0;
	struct digest d = {0};

	for (int a = DIGEST_SHA256; a < DIGEST_ALGS; a++)
		if (colon && strlen(algs[a].name) == n &&
		    !memcmp(s, algs[a].name, n))
			d.alg = (enum digest_alg)a;
	if (d.alg == DIGEST_NONE)
		return err_set(e, ERR_INVALID,
			       "digest '%.100s': neither sha256 nor sha512", s);
	if (strlen(colon + 1) != algs[d.alg].hex_len)
		return err_set(e, ERR_INVALID,
			       "digest '%.200s': not %zu hex digits", s,
			       algs[d.alg].hex_len);
	if (strspn(colon + 1, "0123456789abcdef") != algs[d.alg].hex_len)
		return err_set(e, ERR_INVALID,
			       "digest '%.200s': not lower-case hex", s);
	memcpy(d.hex, colon + 1, algs[d.alg].hex_len);
	*ret = d;
	return 0;
}

int digest_from_bytes(enum digest_alg alg, const unsigned char *p,
		      struct digest *ret)
{
	static const char hex[] = "0123456789abcdef";

	memset(ret, 0, sizeof(*ret));
	ret->alg = alg;
	for (size_t i = 0; i < algs[alg].hex_len / 2; i++) {
		ret->hex[2 * i] = hex[p[i] >> 4];
		ret->hex[2 * i + 1] = hex[p[i] & 15];
	}
	return 0;
}

bool digest_eq(const struct digest *a, const struct digest *b)
{
	return a->alg == b->alg && strcmp(a->hex, b->hex) == 0;
}

bool digest_is_set(const struct digest *d)
{
	return d->alg != DIGEST_NONE;
}

const char *digest_text(const struct digest *d, char *buf)
{
	(void)snprintf(buf, DIGEST_TEXT_MAX, "%s:%s", algs[d->alg].name,
		       d->hex);
	return buf;
}

const char *digest_path(const struct digest *d, char *buf)
{
	(void)snprintf(buf, DIGEST_TEXT_MAX, "%s/%s", algs[d->alg].name,
		       d->hex);
	return buf;
}

const char *digest_short(const struct digest *d, char *buf)
{
	(void)snprintf(buf, DIGEST_SHORT_MAX, "%.12s", d->hex);
	return buf;
}
