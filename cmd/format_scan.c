#include "cmd/format_scan.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"

bool format_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool format_is_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       format_is_digit(c) || (unsigned char)c >= 0x80;
}

bool format_is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool format_is_literal(const char *p, size_t n)
{
	if (n > 1 && (*p == '-' || *p == '+'))
		return format_is_digit(p[1]);
	return n > 0 &&
	       (*p == '"' || *p == '`' || *p == '\'' || format_is_digit(*p));
}

void format_add_rune(struct buf *b, uint32_t c)
{
	if (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		c = 0xfffd;
	if (c < 0x80) {
		buf_addc(b, (char)c);
		return;
	}
	if (c < 0x800) {
		buf_addc(b, (char)(0xc0 | (c >> 6)));
	} else if (c < 0x10000) {
		buf_addc(b, (char)(0xe0 | (c >> 12)));
		buf_addc(b, (char)(0x80 | ((c >> 6) & 0x3f)));
	} else {
		buf_addc(b, (char)(0xf0 | (c >> 18)));
		buf_addc(b, (char)(0x80 | ((c >> 12) & 0x3f)));
		buf_addc(b, (char)(0x80 | ((c >> 6) & 0x3f)));
	}
	buf_addc(b, (char)(0x80 | (c & 0x3f)));
}

size_t format_get_rune(const char *p, size_t n, uint32_t *ret)
{
	const size_t len = str_utf8(p, n, ret);

	if (len == 0)
		*ret = 0xfffd;
	return len ? len : 1;
}

static int digit_of(char c)
{
	if (format_is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 99;
}

/* n digits of this base; false if they are not there. */
static bool digits(const char *p, size_t have, size_t n, int base,
		   uint32_t *ret)
{
	uint32_t v = 0;

	if (n > have)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (digit_of(p[i]) >= base)
			return false;
		v = v * (uint32_t)base + (uint32_t)digit_of(p[i]);
	}
	*ret = v;
	return true;
}

/*
 * What stands behind a backslash at p[0..n): its length, or 0. *ret_byte: it
 * is a byte (\x, octal), not a code point.
 */
static size_t escape(const char *p, size_t n, uint32_t *ret, bool *ret_byte)
{
	static const char from[] = "abfnrtv\\'\"";
	static const char to[] = "\a\b\f\n\r\t\v\\'\"";
	const char *at;
	size_t len;

	*ret_byte = false;
	if (n == 0)
		return 0;
	at = *p ? strchr(from, *p) : NULL;
	if (at) {
		*ret = (uint32_t)(unsigned char)to[at - from];
		return 1;
	}
	len = *p == 'x' ? 2 : *p == 'u' ? 4 : *p == 'U' ? 8 : 0;
	if (len) {
		*ret_byte = *p == 'x';
		return digits(p + 1, n - 1, len, 16, ret) ? len + 1 : 0;
	}
	*ret_byte = true;
	return digits(p, n, 3, 8, ret) && *ret < 256 ? 3 : 0;
}

static size_t scan_quoted(const char *p, size_t n, json_t **ret,
			  const char **why)
{
	autobuf struct buf b = buf_make(n + 1);
	size_t i = 1;

	*why = "unterminated quoted string";
	while (i < n && p[i] != '"') {
		uint32_t c = 0;
		bool byte = false;
		size_t len;

		if (p[i] == '\n')
			return 0;
		if (p[i] != '\\') {
			buf_addc(&b, p[i++]);
			continue;
		}
		len = escape(p + i + 1, n - i - 1, &c, &byte);
		if (len == 0) {
			*why = "invalid escape in a quoted string";
			return 0;
		}
		if (byte)
			buf_addc(&b, (char)c);
		else
			format_add_rune(&b, c);
		i += len + 1;
	}
	if (i >= n)
		return 0;
	*ret = json_stringn_nocheck(buf_str(&b), b.len);
	return i + 1;
}

static size_t scan_raw(const char *p, size_t n, json_t **ret, const char **why)
{
	const char *const end = memchr(p + 1, '`', n - 1);

	*why = "unterminated raw quoted string";
	if (!end)
		return 0;
	*ret = json_stringn_nocheck(p + 1, (size_t)(end - p) - 1);
	return (size_t)(end - p) + 1;
}

/* 'x' is a number. */
static size_t scan_char(const char *p, size_t n, json_t **ret, const char **why)
{
	uint32_t c = 0;
	bool byte;
	size_t len;

	*why = "malformed character constant";
	if (n < 3 || p[1] == '\'' || p[1] == '\n')
		return 0;
	len = p[1] == '\\' ? escape(p + 2, n - 2, &c, &byte)
			   : format_get_rune(p + 1, n - 1, &c);
	if (len == 0)
		return 0;
	len += p[1] == '\\' ? 2 : 1;
	if (len >= n || p[len] != '\'')
		return 0;
	*ret = json_integer((json_int_t)c);
	return len + 1;
}

/* Go's prefixes: 0x, 0o, 0b, and 0 alone for octal. */
static int base_of(const char *s, size_t n, size_t *ret_skip)
{
	*ret_skip = 0;
	if (n < 2 || s[0] != '0')
		return 10;
	*ret_skip = 2;
	switch (s[1]) {
	case 'x':
	case 'X':
		return 16;
	case 'o':
	case 'O':
		return 8;
	case 'b':
	case 'B':
		return 2;
	default:
		*ret_skip = 1;
		return 8;
	}
}

static bool whole_number(const char *s, size_t n, int64_t *ret)
{
	const bool minus = n > 0 && *s == '-';
	size_t skip;
	uint64_t v = 0;
	int base;

	if (n > 0 && (*s == '-' || *s == '+')) {
		s++;
		n--;
	}
	base = base_of(s, n, &skip);
	if (n <= skip)
		return false;
	for (size_t i = skip; i < n; i++) {
		const int d = digit_of(s[i]);

		if (s[i] == '_' && i > 0)
			continue;
		if (d >= base || v > (INT64_MAX - (uint64_t)d) / (uint64_t)base)
			return false;
		v = v * (uint64_t)base + (uint64_t)d;
	}
	*ret = minus ? -(int64_t)v : (int64_t)v;
	return true;
}

static size_t scan_number(const char *p, size_t n, json_t **ret,
			  const char **why)
{
	char text[64];
	char *end;
	size_t len = 1;
	int64_t v = 0;
	double d;

	while (len < n &&
	       (format_is_name(p[len]) || p[len] == '.' ||
		((p[len] == '-' || p[len] == '+') &&
		 (p[len - 1] == 'e' || p[len - 1] == 'E') && p[1] != 'x')))
		len++;
	*why = "bad number";
	if (whole_number(p, len, &v)) {
		*ret = json_integer(v);
		return len;
	}
	if (len >= sizeof(text))
		return 0;
	memcpy(text, p, len);
	text[len] = '\0';
	d = strtod(text, &end);
	if (*end || d < -DBL_MAX || d > DBL_MAX)
		return 0;
	/* 1e3 is a whole number where one is wanted, and prints as one. */
	if (d > -1e15 && d < 1e15 && (double)(int64_t)d == d)
		*ret = json_integer((int64_t)d);
	else
		*ret = json_real(d);
	return len;
}

size_t format_scan_literal(const char *p, size_t n, json_t **ret,
			   const char **ret_why)
{
	switch (*p) {
	case '"':
		return scan_quoted(p, n, ret, ret_why);
	case '`':
		return scan_raw(p, n, ret, ret_why);
	case '\'':
		return scan_char(p, n, ret, ret_why);
	default:
		return scan_number(p, n, ret, ret_why);
	}
}
