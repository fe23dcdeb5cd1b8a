#include "base64.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

static const char alphabet[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_encode(const char *p, size_t n)
{
	char *const ret = xmalloc((n + 2) / 3 * 4 + 1);
	char *to = ret;

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)(unsigned char)p[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t)(unsigned char)p[i + 1] << 8;
		if (i + 2 < n)
			v |= (unsigned char)p[i + 2];
		*to++ = alphabet[v >> 18];
		*to++ = alphabet[v >> 12 & 63];
		*to++ = i + 1 < n ? alphabet[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? alphabet[v & 63] : '=';
	}
	*to = '\0';
	return ret;
}

char *base64_decode(const char *s, size_t *ret_n)
{
	size_t n = strlen(s);
	size_t at = 0;
	uint32_t v = 0;
	unsigned int bits = 0;

	for (int pad = 0; pad < 2 && n > 0 && s[n - 1] == '='; pad++)
		n--;
	if (n % 4 == 1)
		return NULL;
	autofree char *ret = xmalloc(n / 4 * 3 + 4);
	for (size_t i = 0; i < n; i++) {
		const char *const c = strchr(alphabet, s[i]);

		if (!c)
			return NULL;
		v = v << 6 | (uint32_t)(c - alphabet);
		bits += 6;
		if (bits < 8)
			continue;
		bits -= 8;
		ret[at++] = (char)(v >> bits & 0xff);
	}
	ret[at] = '\0';
	*ret_n = at;
	return take_ptr(&ret);
}
