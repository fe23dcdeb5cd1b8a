/*
 * str - small string helpers, and numbers read strictly
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whole string, decimal digits only, at most max. False leaves *ret alone.
 */
bool str_to_u64(const char *s, uint64_t max, uint64_t *ret);
bool str_to_u64n(const char *s, size_t n, uint64_t max, uint64_t *ret);
bool str_to_u32(const char *s, uint32_t max, uint32_t *ret);

/* The words of Go's ParseBool: 1, t, T, true, True, TRUE, and 0, f... */
bool str_to_bool(const char *s, bool *ret);

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
static inline bool str_empty(const char *s)
{
	return !s || !*s;
}

/* The rest of s behind prefix, or NULL. */
const char *str_after(const char *s, const char *prefix);

/*
 * A NULL-terminated array of owned strings.
 */
struct strv {
	char **v; /* NULL or NULL-terminated */
	size_t n;
};
void strv_add(struct strv *a, const char *s); /* copies */
void strv_take(struct strv *a, char *s);      /* takes over */
void strv_free(struct strv *a);
void strv_sort(struct strv *a);
/* Set "KEY=VALUE": replaces an entry of the same KEY, else appends. */
void strv_setenv(struct strv *a, const char *key_value);
/* The value behind "KEY=", or NULL. Borrowed. */
const char *strv_getenv(const struct strv *a, const char *key);
void strv_unsetenv(struct strv *a, const char *key);

#define autostrv __attribute__((cleanup(strv_free)))

/* n random bytes as 2n lower-case hex digits and a NUL. */
/*
 * The well-formed UTF-8 sequence at p (RFC 3629), of n bytes at most: its
 * length and the character, or 0.
 */
size_t str_utf8(const char *p, size_t n, uint32_t *ret);

void str_random_hex(char *ret, size_t n);

#endif
