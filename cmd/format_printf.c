/*
 * How it works: each directive is read into a struct verb; emit() writes one
 * value by it, and goes into lists and maps with the same verb, as fmt does.
 * What does not fit is written as fmt writes it: %!d(string=x).
 */
#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/format_impl.h"
#include "cmd/format_scan.h"

struct verb {
	char c;
	bool minus;
	bool plus;
	bool sharp;
	bool space;
	bool zero;
	int width;     /* 0: none */
	int precision; /* -1: none */
};

static size_t runes(const char *p, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; count++) {
		uint32_t c;

		i += format_get_rune(p + i, n - i, &c);
	}
	return count;
}

static void pad(struct buf *b, const struct verb *v, const char *p, size_t n)
{
	const size_t have = runes(p, n);
	size_t fill = (size_t)v->width > have ? (size_t)v->width - have : 0;

	if (v->minus)
		buf_add(b, p, n);
	for (; fill > 0; fill--)
		buf_addc(b, v->zero && !v->minus ? '0' : ' ');
	if (!v->minus)
		buf_add(b, p, n);
}

static void emit(struct buf *b, const struct verb *v, const struct value *arg);

static void bad_verb(struct buf *b, const struct verb *v,
		     const struct value *arg)
{
	buf_addf(b, "%%!%c(", v->c);
	if (!arg->v || json_is_null(arg->v)) {
		buf_adds(b, "<nil>)");
		return;
	}
	buf_addf(b, "%s=", format_type_name(arg));
	format_print(b, arg);
	buf_addc(b, ')');
}

/* strconv.Quote */
static void quote(struct buf *b, const char *p, size_t n)
{
	buf_addc(b, '"');
	for (size_t i = 0; i < n;) {
		uint32_t c;
		const size_t len = format_get_rune(p + i, n - i, &c);

		if (c == '"' || c == '\\')
			buf_addf(b, "\\%c", (char)c);
		else if (c >= '\a' && c <= '\r')
			buf_addf(b, "\\%c", "abtnvfr"[c - '\a']);
		else if (c < ' ' || c == 0x7f)
			buf_addf(b, "\\x%02x", c);
		else if (c == 0xfffd && len == 1)
			buf_addf(b, "\\x%02x", (unsigned char)p[i]);
		else
			buf_add(b, p + i, len);
		i += len;
	}
	buf_addc(b, '"');
}

static void emit_string(struct buf *b, const struct verb *v,
			const struct value *arg)
{
	size_t n = 0;
	const char *const p = format_text(arg, &n);
	autobuf struct buf t = buf_make(4 * n + 16);

	switch (v->c) {
	case 'v':
	case 's':
		for (size_t i = 0, left = (size_t)v->precision;
		     v->precision >= 0 && i <= n; left--) {
			uint32_t c;

			if (left == 0) {
				n = i;
				break;
			}
			if (i == n)
				break;
			i += format_get_rune(p + i, n - i, &c);
		}
		if (v->c == 'v' && v->sharp)
			quote(&t, p, n);
		else
			buf_add(&t, p, n);
		break;
	case 'q':
		quote(&t, p, n);
		break;
	case 'x':
	case 'X':
		for (size_t i = 0; i < n; i++)
			buf_addf(&t, v->c == 'x' ? "%02x" : "%02X",
				 (unsigned char)p[i]);
		break;
	default:
		bad_verb(b, v, arg);
		return;
	}
	pad(b, v, buf_str(&t), t.len);
}

static void digits_of(struct buf *b, uint64_t n, unsigned base, bool upper)
{
	char text[65];
	size_t i = sizeof(text);

	do {
		text[--i] = (upper ? "0123456789ABCDEF"
				   : "0123456789abcdef")[n % base];
		n /= base;
	} while (n > 0);
	buf_add(b, text + i, sizeof(text) - i);
}

/* The base of an integer's verb; 0: it is no such verb. */
static unsigned base_of(char c)
{
	switch (c) {
	case 'v':
	case 'd':
		return 10;
	case 'b':
		return 2;
	case 'o':
	case 'O':
		return 8;
	case 'x':
	case 'X':
		return 16;
	default:
		return 0;
	}
}

static void emit_integer(struct buf *b, const struct verb *v,
			 const struct value *arg)
{
	const int64_t n = json_integer_value(arg->v);
	const uint64_t size = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	const char *const sign = n < 0                    ? "-"
				 : v->plus && v->c != 'v' ? "+"
				 : v->space               ? " "
							  : "";
	const char *const prefix = v->c == 'O'                  ? "0o"
				   : !v->sharp                  ? ""
				   : v->c == 'x' || v->c == 'X' ? "0x"
				   : v->c == 'o'                ? "0"
								: "";
	autobuf struct buf t = buf_make(128);
	autobuf struct buf all = buf_make(FORMAT_WIDTH_MAX + 256);
	struct verb how = *v;

	if (v->c == 'c' || v->c == 'q' || v->c == 'U') {
		if (v->c == 'U')
			buf_addf(&t, "U+%04llX", (unsigned long long)size);
		else
			format_add_rune(&t, (uint32_t)size);
		if (v->c == 'q')
			buf_addf(&all, "'%s'", buf_str(&t));
		how.zero = false;
		pad(b, &how, buf_str(v->c == 'q' ? &all : &t),
		    v->c == 'q' ? all.len : t.len);
		return;
	}
	if (base_of(v->c) == 0) {
		bad_verb(b, v, arg);
		return;
	}
	digits_of(&t, size, base_of(v->c), v->c == 'X');
	buf_adds(&all, sign);
	buf_adds(&all, prefix);
	for (size_t i = all.len + t.len;
	     v->zero && !v->minus && i < (size_t)v->width; i++)
		buf_addc(&all, '0');
	for (size_t i = t.len; v->precision > 0 && i < (size_t)v->precision;
	     i++)
		buf_addc(&all, '0');
	buf_add(&all, buf_str(&t), t.len);
	how.zero = false;
	pad(b, &how, buf_str(&all), all.len);
}

static void emit_real(struct buf *b, const struct verb *v,
		      const struct value *arg)
{
	const double d = json_real_value(arg->v);
	const int precision = v->precision < 0     ? 6
			      : v->precision > 100 ? 100
						   : v->precision;
	char text[512] = "";

	switch (v->c) {
	case 'v':
	case 'g':
		if (v->precision < 0) {
			autobuf struct buf t = buf_make(128);

			format_print(&t, arg);
			pad(b, v, buf_str(&t), t.len);
			return;
		}
		(void)snprintf(text, sizeof(text), "%.*g", precision, d);
		break;
	case 'f':
	case 'F':
		(void)snprintf(text, sizeof(text), "%.*f", precision, d);
		break;
	case 'e':
		(void)snprintf(text, sizeof(text), "%.*e", precision, d);
		break;
	default:
		bad_verb(b, v, arg);
		return;
	}
	pad(b, v, text, strlen(text));
}

static void emit_list(struct buf *b, const struct verb *v,
		      const struct value *arg)
{
	buf_addc(b, '[');
	for (size_t i = 0; i < json_array_size(arg->v) && !b->over; i++) {
		const struct value element = format_element(arg, i);

		if (i > 0)
			buf_addc(b, ' ');
		emit(b, v, &element);
	}
	buf_addc(b, ']');
}

static void emit_object(struct buf *b, const struct verb *v,
			const struct value *arg)
{
	const bool map = kind_is_map(arg->kind);
	size_t n = 0;
	const char **const keys = format_keys(arg, &n);

	buf_adds(b, map ? "map[" : "{");
	for (size_t i = 0; i < n && !b->over; i++) {
		bool ignored;
		const struct value member =
			format_member(arg, keys[i], &ignored);

		if (i > 0)
			buf_addc(b, ' ');
		if (map || v->plus || v->sharp)
			buf_addf(b, "%s:", keys[i]);
		emit(b, v, &member);
	}
	buf_addc(b, map ? ']' : '}');
	free(keys);
}

static void emit(struct buf *b, const struct verb *v, const struct value *arg)
{
	autobuf struct buf t = buf_make(64);

	if (v->c == 'T') {
		buf_adds(&t, arg->v ? format_type_name(arg) : "<nil>");
		pad(b, v, buf_str(&t), t.len);
	} else if (json_is_string(arg->v)) {
		emit_string(b, v, arg);
	} else if (json_is_integer(arg->v)) {
		emit_integer(b, v, arg);
	} else if (json_is_real(arg->v)) {
		emit_real(b, v, arg);
	} else if (json_is_array(arg->v)) {
		emit_list(b, v, arg);
	} else if (json_is_object(arg->v)) {
		emit_object(b, v, arg);
	} else if (json_is_boolean(arg->v) && (v->c == 't' || v->c == 'v')) {
		format_print(&t, arg);
		pad(b, v, buf_str(&t), t.len);
	} else if (!json_is_boolean(arg->v) && v->c == 'v') {
		if (arg->v)
			format_print(&t, arg);
		else
			buf_adds(&t, "<nil>");
		pad(b, v, buf_str(&t), t.len);
	} else {
		bad_verb(b, v, arg);
	}
}

/* The digits at fmt[i]; i moves on. */
static int number(const char *fmt, size_t len, size_t *i)
{
	int n = 0;

	for (; *i < len && format_is_digit(fmt[*i]); (*i)++)
		if (n < FORMAT_WIDTH_MAX)
			n = 10 * n + (fmt[*i] - '0');
	return n < FORMAT_WIDTH_MAX ? n : FORMAT_WIDTH_MAX;
}

/* Behind '%'; i moves to behind the verb. */
static struct verb read_verb(const char *fmt, size_t len, size_t *i)
{
	struct verb v = {.precision = -1};

	for (; *i < len; (*i)++) {
		bool *const flag = fmt[*i] == '-'   ? &v.minus
				   : fmt[*i] == '+' ? &v.plus
				   : fmt[*i] == '#' ? &v.sharp
				   : fmt[*i] == ' ' ? &v.space
				   : fmt[*i] == '0' ? &v.zero
						    : NULL;

		if (!flag)
			break;
		*flag = true;
	}
	v.width = number(fmt, len, i);
	if (*i < len && fmt[*i] == '.') {
		(*i)++;
		v.precision = number(fmt, len, i);
	}
	if (*i < len)
		v.c = fmt[(*i)++];
	return v;
}

void format_printf(struct buf *b, const char *fmt, size_t len,
		   const struct value *args, size_t n_args)
{
	size_t used = 0;
	size_t i = 0;

	while (i < len && !b->over) {
		struct verb v;

		if (fmt[i] != '%') {
			buf_addc(b, fmt[i++]);
			continue;
		}
		i++;
		v = read_verb(fmt, len, &i);
		if (v.c == '\0')
			buf_adds(b, "%!(NOVERB)");
		else if (v.c == '%')
			buf_addc(b, '%');
		else if (used < n_args)
			emit(b, &v, &args[used++]);
		else
			buf_addf(b, "%%!%c(MISSING)", v.c);
	}
	if (used >= n_args)
		return;
	buf_adds(b, "%!(EXTRA ");
	for (size_t k = used; k < n_args; k++) {
		if (k > used)
			buf_adds(b, ", ");
		buf_addf(b, "%s=",
			 args[k].v ? format_type_name(&args[k]) : "<nil>");
		format_print(b, &args[k]);
	}
	buf_addc(b, ')');
}
