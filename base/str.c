#include "str.h"

#include <string.h>
#include <sys/random.h>

#include "own.h"

bool str_to_u64n(const char *s, size_t n, uint64_t max, uint64_t *ret)
{
	uint64_t v = 0;

	if (n == 0)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint64_t d;

		if (s[i] < '0' || s[i] > '9')
			return false;
		d = (uint64_t)(s[i] - '0');
		if (v > (UINT64_MAX - d) / 10)
			return false;
		v = v * 10 + d;
	}
	if (v > max)
		return false;
	*ret = v;
	return true;
}

bool str_to_u64(const char *s, uint64_t max, uint64_t *ret)
{
	return str_to_u64n(s, strlen(s), max, ret);
}

bool str_to_u32(const char *s, uint32_t max, uint32_t *ret)
{
	uint64_t v;

	if (!str_to_u64(s, max, &v))
		return false;
	*ret = (uint32_t)v;
	return true;
}

const char *str_after(const char *s, const char *prefix)
{
	const size_t n = strlen(prefix);

	return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

bool str_to_bool(const char *s, bool *ret)
{
	static const char *const words[][2] = {
		{"1", "0"},        {"t", "f"},        {"T", "F"},
		{"true", "false"}, {"True", "False"}, {"TRUE", "FALSE"},
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		const bool yes = !strcmp(s, words[i][0]);

		if (!yes && strcmp(s, words[i][1]) != 0)
			continue;
		*ret = yes;
		return true;
	}
	return false;
}

bool str_starts(const char *s, const char *prefix)
{
	return str_after(s, prefix) != NULL;
}

bool str_ends(const char *s, const char *suffix)
{
	const size_t n = strlen(s);
	const size_t k = strlen(suffix);

	return n >= k && memcmp(s + n - k, suffix, k) == 0;
}

void strv_take(struct strv *a, char *s)
{
	/* Room grows by powers of two: n + 1 slots are in use. */
	if (a->n == 0 || ((a->n + 1) & a->n) == 0)
		a->v = xrealloc(a->v, (a->n + 1) * 2 * sizeof(*a->v));
	a->v[a->n++] = s;
	a->v[a->n] = NULL;
}

void strv_add(struct strv *a, const char *s)
{
	strv_take(a, xstrdup(s));
}

void strv_free(struct strv *a)
{
	for (size_t i = 0; i < a->n; i++)
		free(a->v[i]);
	free(a->v);
	*a = (struct strv){0};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void strv_sort(struct strv *a)
{
	if (a->n > 0)
		qsort(a->v, a->n, sizeof(*a->v), by_name);
}

static size_t key_len(const char *kv)
{
	return strcspn(kv, "=");
}

static size_t env_find(const struct strv *a, const char *key, size_t n)
{
	for (size_t i = 0; i < a->n; i++)
		if (key_len(a->v[i]) == n && memcmp(a->v[i], key, n) == 0)
			return i;
	return a->n;
}

void strv_setenv(struct strv *a, const char *key_value)
{
	const size_t i = env_find(a, key_value, key_len(key_value));

	if (i == a->n) {
		strv_add(a, key_value);
		return;
	}
	free(a->v[i]);
	a->v[i] = xstrdup(key_value);
}

const char *strv_getenv(const struct strv *a, const char *key)
{
	const size_t n = strlen(key);
	const size_t i = env_find(a, key, n);

	return i < a->n && a->v[i][n] == '=' ? a->v[i] + n + 1 : NULL;
}

void strv_unsetenv(struct strv *a, const char *key)
{
	const size_t i = env_find(a, key, strlen(key));

	if (i == a->n)
		return;
	free(a->v[i]);
	memmove(a->v + i, a->v + i + 1, (a->n - i) * sizeof(*a->v));
	a->n--;
}

void str_random_hex(char *ret, size_t n)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char raw[64];

	for (size_t i = 0; i < n; i++) {
		if (i % sizeof(raw) == 0)
			while (getrandom(raw, sizeof(raw), 0) !=
			       (ssize_t)sizeof(raw))
				;
		ret[2 * i] = hex[raw[i % sizeof(raw)] >> 4];
		ret[2 * i + 1] = hex[raw[i % sizeof(raw)] & 15];
	}
	ret[2 * n] = '\0';
}

size_t str_utf8(const char *p, size_t n, uint32_t *ret)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char c = n ? (unsigned char)*p : 0xff;
	const size_t len = c < 0x80             ? 1
			   : (c & 0xe0) == 0xc0 ? 2
			   : (c & 0xf0) == 0xe0 ? 3
			   : (c & 0xf8) == 0xf0 ? 4
						: 0;
	uint32_t v = len == 1 ? c : c & (0x7fU >> len);

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		const unsigned char d = (unsigned char)p[i];

		if ((d & 0xc0) != 0x80)
			return 0;
		v = (v << 6) | (d & 0x3f);
	}
	if (v < least[len] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*ret = v;
	return len;
}
