#include "units.h"

#include <ctype.h>
#include <string.h>

#include "str.h"

#define NANO 1000000000

/* 123.45 as a whole part and a fraction in units of 1e-9. */
struct decimal {
	uint64_t whole;
	uint64_t nano;
};

/* The number at the start of s; returns its length, 0 if there is none. */
static size_t take_decimal(const char *s, struct decimal *ret)
{
	const size_t n = strspn(s, "0123456789");
	const char *const frac = s[n] == '.' ? s + n + 1 : NULL;
	const size_t m = frac ? strspn(frac, "0123456789") : 0;
	uint64_t unit = NANO;

	*ret = (struct decimal){0};
	if (n + m == 0 || (n && !str_to_u64n(s, n, INT64_MAX, &ret->whole)))
		return 0;
	for (size_t i = 0; i < m && unit > 1; i++) {
		unit /= 10;
		ret->nano += (uint64_t)(frac[i] - '0') * unit;
	}
	return n + (frac ? 1 + m : 0);
}

/* d * factor, or false when it does not fit. */
static bool scale(const struct decimal *d, uint64_t factor, int64_t *ret)
{
	uint64_t sum;

	if (__builtin_mul_overflow(d->whole, factor, &sum))
		return false;
	/* A factor is at most 2^50: split it, or the product would not fit. */
	sum += d->nano * (factor / NANO) + d->nano * (factor % NANO) / NANO;
	if (sum > INT64_MAX)
		return false;
	*ret = (int64_t)sum;
	return true;
}

bool units_bytes(const char *s, int64_t *ret)
{
	static const char letters[] = "bkmgtp";
	struct decimal d;
	size_t n = take_decimal(s, &d);
	const char *unit = NULL;
	unsigned int shift = 0;

	if (n == 0 || s[n - 1] == '.')
		return false;
	n += s[n] == ' ';
	if (s[n]) {
		unit = strchr(letters, tolower((unsigned char)s[n]));
		if (!unit)
			return false;
		shift = 10 * (unsigned int)(unit - letters);
		n++;
		if (shift && tolower((unsigned char)s[n]) == 'i')
			n++;
		if (shift && tolower((unsigned char)s[n]) == 'b')
			n++;
	}
	return !s[n] && scale(&d, UINT64_C(1) << shift, ret);
}

bool units_duration_ns(const char *s, int64_t *ret)
{
	static const struct {
		const char *word;
		uint64_t ns;
	} words[] = {
		{"ns", 1},
		{"us", 1000},
		{"\xc2\xb5s", 1000},
		{"ms", 1000000},
		{"s", NANO},
		{"m", UINT64_C(60) * NANO},
		{"h", UINT64_C(3600) * NANO},
	};
	int64_t sum = 0;

	if (!strcmp(s, "0")) {
		*ret = 0;
		return true;
	}
	while (*s) {
		struct decimal d;
		const size_t n = take_decimal(s, &d);
		const size_t k = strcspn(s + n, "0123456789.");
		int64_t part = -1;

		for (size_t i = 0; n && i < sizeof(words) / sizeof(*words); i++)
			if (strlen(words[i].word) == k &&
			    !memcmp(words[i].word, s + n, k) &&
			    !scale(&d, words[i].ns, &part))
				return false;
		if (part < 0 || __builtin_add_overflow(sum, part, &sum))
			return false;
		s += n + k;
		if (!*s) {
			*ret = sum;
			return true;
		}
	}
	return false;
}

bool units_nano(const char *s, int64_t *ret)
{
	struct decimal d;
	const size_t n = take_decimal(s, &d);

	return n > 0 && !s[n] && scale(&d, NANO, ret);
}

bool units_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	const bool minus = *s == '-';
	const char *const digits = s + (*s == '-' || *s == '+');
	uint64_t u;
	int64_t v;

	if (!str_to_u64(digits, INT64_MAX, &u))
		return false;
	v = minus ? -(int64_t)u : (int64_t)u;
	if (v < min || v > max)
		return false;
	*ret = v;
	return true;
}
