#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/format_impl.h"
#include "cmd/format_scan.h"

/* ---- kinds --------------------------------------------------------------- */

enum format_kind format_kind_of(const struct value *v)
{
	if (!v->v)
		return KIND_ANY;
	switch (json_typeof(v->v)) {
	case JSON_OBJECT:
		return kind_is_map(v->kind) ? v->kind : KIND_STRUCT;
	case JSON_ARRAY:
		return KIND_LIST;
	case JSON_STRING:
		return KIND_STRING;
	case JSON_INTEGER:
	case JSON_REAL:
		return KIND_NUMBER;
	case JSON_TRUE:
	case JSON_FALSE:
		return KIND_BOOL;
	case JSON_NULL:
		break;
	}
	return v->kind == KIND_ANY ? KIND_POINTER : v->kind;
}

const char *format_type_name(const struct value *v)
{
	switch (format_kind_of(v)) {
	case KIND_STRING:
		return "string";
	case KIND_NUMBER:
		return json_is_real(v->v) ? "float64" : "int";
	case KIND_BOOL:
		return "bool";
	case KIND_LIST:
		return "list";
	case KIND_STRUCT:
		return "struct";
	case KIND_MAP_STRING:
	case KIND_MAP_LIST:
	case KIND_MAP_POINTER:
	case KIND_MAP_STRUCT:
		return "map";
	case KIND_ANY:
	case KIND_POINTER:
		break;
	}
	return "nil";
}

bool format_truth(const struct value *v)
{
	if (!v->v)
		return false;
	switch (json_typeof(v->v)) {
	case JSON_OBJECT:
		return !kind_is_map(v->kind) || json_object_size(v->v) > 0;
	case JSON_ARRAY:
		return json_array_size(v->v) > 0;
	case JSON_STRING:
		return json_string_length(v->v) > 0;
	case JSON_INTEGER:
		return json_integer_value(v->v) != 0;
	case JSON_REAL:
		return json_real_value(v->v) != 0;
	case JSON_TRUE:
		return true;
	case JSON_FALSE:
	case JSON_NULL:
		break;
	}
	return false;
}

const char *format_text(const struct value *v, size_t *ret_len)
{
	if (!json_is_string(v->v))
		return NULL;
	*ret_len = json_string_length(v->v);
	return json_string_value(v->v);
}

/* ---- members ------------------------------------------------------------- */

/* What an absent member of a struct is: the zero value of its type. */
static const json_t *zero_of(enum format_kind k)
{
	static json_t *const nothing = NULL;

	/* null prints as its kind says; a string has to be one. */
	return k == KIND_ANY ? nothing : json_null();
}

struct value format_member(const struct value *of, const char *name,
			   bool *ret_known)
{
	const json_t *const v = json_object_get(of->v, name);
	struct value ret = {.v = v, .key = name};
	bool optional = false;

	if (kind_is_map(of->kind)) {
		ret.kind = format_kind_element(of->kind);
		ret.key = of->key;
		*ret_known = true;
		return ret;
	}
	ret.kind = format_kind_find(of->key, name, &optional);
	*ret_known = v || optional;
	if (!v && optional)
		ret.v = zero_of(ret.kind);
	return ret;
}

struct value format_element(const struct value *of, size_t i)
{
	return (struct value){.v = json_array_get(of->v, i), .key = of->key};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The caller only reads; jansson's iterators want a pointer to change. */
static json_t *unconst(const json_t *v)
{
	json_t *ret;

	memcpy(&ret, &v, sizeof(ret));
	return ret;
}

const char **format_keys(const struct value *v, size_t *ret_n)
{
	json_t *const o = unconst(v->v);
	const size_t size = json_object_size(o);
	const char **keys;
	size_t n = 0;

	*ret_n = 0;
	if (size == 0)
		return NULL;
	keys = xcalloc(size, sizeof(*keys));
	for (void *i = json_object_iter(o); i; i = json_object_iter_next(o, i))
		keys[n++] = json_object_iter_key(i);
	/* A map goes by its keys, a struct by the order of its members. */
	if (kind_is_map(v->kind))
		qsort(keys, n, sizeof(*keys), by_name);
	*ret_n = n;
	return keys;
}

/* ---- printing ------------------------------------------------------------ */

/* Go's %v of a float: as few digits as give the same number again. */
static void print_real(struct buf *b, double d)
{
	char text[64];
	int digits = 0;
	int64_t exp = 0;
	const char *at;
	uint64_t n = 0;

	do
		(void)snprintf(text, sizeof(text), "%.*e", digits, d);
	while (strtod(text, NULL) != d && ++digits < 17);
	at = strchr(text, 'e');
	if (at && str_to_u64(at + 2, 400, &n))
		exp = at[1] == '-' ? -(int64_t)n : (int64_t)n;
	if (exp < -4 || exp >= 21)
		buf_adds(b, text);
	else
		buf_addf(b, "%.*f", digits > exp ? digits - (int)exp : 0, d);
}

static void print_null(struct buf *b, enum format_kind k)
{
	switch (k) {
	case KIND_LIST:
		buf_adds(b, "[]");
		return;
	case KIND_STRING:
		return;
	case KIND_NUMBER:
		buf_addc(b, '0');
		return;
	case KIND_BOOL:
		buf_adds(b, "false");
		return;
	case KIND_STRUCT:
		buf_adds(b, "{}");
		return;
	case KIND_MAP_STRING:
	case KIND_MAP_LIST:
	case KIND_MAP_POINTER:
	case KIND_MAP_STRUCT:
		buf_adds(b, "map[]");
		return;
	case KIND_ANY:
	case KIND_POINTER:
		buf_adds(b, "<nil>");
		return;
	}
}

static void print_inner(struct buf *b, const struct value *v);

static void print_list(struct buf *b, const struct value *v)
{
	buf_addc(b, '[');
	for (size_t i = 0; i < json_array_size(v->v) && !b->over; i++) {
		const struct value element = format_element(v, i);

		if (i > 0)
			buf_addc(b, ' ');
		print_inner(b, &element);
	}
	buf_addc(b, ']');
}

static void print_object(struct buf *b, const struct value *v)
{
	const bool map = kind_is_map(v->kind);
	size_t n = 0;
	const char **const keys = format_keys(v, &n);

	buf_adds(b, map ? "map[" : "{");
	for (size_t i = 0; i < n && !b->over; i++) {
		bool ignored;
		const struct value member = format_member(v, keys[i], &ignored);

		if (i > 0)
			buf_addc(b, ' ');
		if (map)
			buf_addf(b, "%s:", keys[i]);
		print_inner(b, &member);
	}
	buf_addc(b, map ? ']' : '}');
	free(keys);
}

static void print_inner(struct buf *b, const struct value *v)
{
	if (!v->v) {
		buf_adds(b, "<nil>");
		return;
	}
	switch (json_typeof(v->v)) {
	case JSON_OBJECT:
		print_object(b, v);
		return;
	case JSON_ARRAY:
		print_list(b, v);
		return;
	case JSON_STRING:
		buf_add(b, json_string_value(v->v), json_string_length(v->v));
		return;
	case JSON_INTEGER:
		buf_addf(b, "%lld", (long long)json_integer_value(v->v));
		return;
	case JSON_REAL:
		print_real(b, json_real_value(v->v));
		return;
	case JSON_TRUE:
		buf_adds(b, "true");
		return;
	case JSON_FALSE:
		buf_adds(b, "false");
		return;
	case JSON_NULL:
		print_null(b, v->kind);
		return;
	}
}

void format_print(struct buf *b, const struct value *v)
{
	if (v->v)
		print_inner(b, v);
	else
		buf_adds(b, "<no value>");
}

/* As Go does with bytes that are no UTF-8. */
static json_t *clean_text(const json_t *v)
{
	const char *const p = json_string_value(v);
	const size_t n = json_string_length(v);
	autobuf struct buf b = buf_make(3 * n + 1);

	for (size_t i = 0; i < n;) {
		uint32_t c = 0;

		i += format_get_rune(p + i, n - i, &c);
		format_add_rune(&b, c);
	}
	return json_stringn(buf_str(&b), b.len);
}

static int add_to_buf(const char *p, size_t n, void *ctx)
{
	buf_add(ctx, p, n);
	return 0;
}

void format_json(struct buf *b, const struct value *v)
{
	const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY |
			     (kind_is_map(v->kind) ? JSON_SORT_KEYS : 0);
	const size_t before = b->len;
	autojson json_t *clean = NULL;

	if (!v->v) {
		buf_adds(b, "null");
		return;
	}
	if (json_dump_callback(v->v, add_to_buf, b, flags) == 0)
		return;
	b->len = before;
	clean = json_is_string(v->v) ? clean_text(v->v) : json_null();
	(void)json_dump_callback(clean, add_to_buf, b, flags);
}
