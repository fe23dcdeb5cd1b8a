#include "record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/own.h"

/* U+F700 + byte; of those only the upper half is used. */
#define RAW_FIRST 0xf780U
#define RAW_LAST  0xf7ffU

/* ---- strings -------------------------------------------------------------- */

/* One that stands for a raw byte counts as none: it is written as three. */
static size_t utf8_len(const char *p)
{
	uint32_t c = 0;
	const size_t n = str_utf8(p, strnlen(p, 4), &c);

	return c >= RAW_FIRST && c <= RAW_LAST ? 0 : n;
}

/* Plain characters in one go: nearly all there are. */
static size_t plain_len(const char *s)
{
	size_t n = 0;

	while ((unsigned char)s[n] >= 0x20 && (unsigned char)s[n] < 0x80 &&
	       s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

void record_add_text(struct buf *b, const char *s)
{
	buf_addc(b, '"');
	while (*s) {
		const unsigned char ch = (unsigned char)*s;
		size_t n = plain_len(s);

		if (n > 0) {
			buf_add(b, s, n);
			s += n;
			continue;
		}
		n = utf8_len(s);
		if (n > 1)
			buf_add(b, s, n);
		else if (n == 0)
			buf_addf(b, "\\uf7%02x", ch);
		else if (ch < 0x20)
			buf_addf(b, "\\u%04x", ch);
		else
			buf_addf(b, "\\%c", ch);
		s += n > 1 ? n : 1;
	}
	buf_addc(b, '"');
}

char *record_text(const char *s)
{
	char *const out = xmalloc(strlen(s) + 1);
	size_t n = 0;

	while (*s) {
		const unsigned char *const p = (const unsigned char *)s;

		/* U+F780..U+F7FF are ef 9e 80 .. ef 9f bf. */
		if (p[0] == 0xef && (p[1] == 0x9e || p[1] == 0x9f)) {
			out[n++] = (char)((p[1] == 0x9e ? 0x80 : 0xc0) |
					  (p[2] & 0x3f));
			s += 3;
		} else {
			out[n++] = *s++;
		}
	}
	out[n] = '\0';
	return out;
}

/* ---- writing -------------------------------------------------------------- */

static const void *at(const void *from, size_t offset)
{
	return (const char *)from + offset;
}

static void *place(void *to, size_t offset)
{
	return (char *)to + offset;
}

static size_t count_of(const struct record_field *f, const void *from)
{
	return *(const size_t *)at(from, f->count_offset);
}

static const void *elements_of(const struct record_field *f, const void *from)
{
	return f->type == RECORD_INLINE
		       ? at(from, f->offset)
		       : *(const void *const *)at(from, f->offset);
}

static bool is_empty(const struct record_field *f, const void *from)
{
	const void *const p = at(from, f->offset);

	switch (f->type) {
	case RECORD_BOOL:
		return !*(const bool *)p;
	case RECORD_INT:
		return *(const int *)p == 0;
	case RECORD_U16:
		return *(const uint16_t *)p == 0;
	case RECORD_U32:
		return *(const uint32_t *)p == 0;
	case RECORD_I64:
	case RECORD_U64:
		return *(const uint64_t *)p == 0;
	case RECORD_STR:
		return !*(const char *const *)p;
	case RECORD_CHARS:
		return !*(const char *)p;
	case RECORD_STRV:
		return ((const struct strv *)p)->n == 0;
	case RECORD_ARRAY:
	case RECORD_INLINE:
		return count_of(f, from) == 0;
	case RECORD_STRUCT:
	case RECORD_NONE:
		break;
	}
	return false;
}

static void add_strv(struct buf *b, const struct strv *v)
{
	buf_addc(b, '[');
	for (size_t i = 0; i < v->n; i++) {
		if (i)
			buf_addc(b, ',');
		record_add_text(b, v->v[i]);
	}
	buf_addc(b, ']');
}

static void add_structs(struct buf *b, const struct record_field *f,
			const void *from)
{
	const void *const v = elements_of(f, from);

	buf_addc(b, '[');
	for (size_t i = 0; i < count_of(f, from); i++) {
		if (i)
			buf_addc(b, ',');
		record_add(b, f->of, at(v, i * f->size));
	}
	buf_addc(b, ']');
}

static void add_value(struct buf *b, const struct record_field *f,
		      const void *from)
{
	const void *const p = at(from, f->offset);

	switch (f->type) {
	case RECORD_BOOL:
		buf_adds(b, "true");
		break;
	case RECORD_INT:
		buf_addf(b, "%d", *(const int *)p);
		break;
	case RECORD_U16:
		buf_addf(b, "%d", *(const uint16_t *)p);
		break;
	case RECORD_U32:
		buf_addf(b, "%" PRIu32, *(const uint32_t *)p);
		break;
	case RECORD_I64:
	case RECORD_U64:
		/* JSON readers know 64 bits with a sign. */
		buf_addf(b, "%" PRId64, *(const int64_t *)p);
		break;
	case RECORD_STR:
		record_add_text(b, *(const char *const *)p);
		break;
	case RECORD_CHARS:
		record_add_text(b, p);
		break;
	case RECORD_STRV:
		add_strv(b, p);
		break;
	case RECORD_STRUCT:
		record_add(b, f->of, p);
		break;
	case RECORD_ARRAY:
	case RECORD_INLINE:
		add_structs(b, f, from);
		break;
	case RECORD_NONE:
		break;
	}
}

void record_add(struct buf *b, const struct record_field *table,
		const void *from)
{
	bool first = true;

	buf_addc(b, '{');
	for (const struct record_field *f = table; f->key; f++) {
		if (is_empty(f, from))
			continue;
		buf_adds(b, first ? "\"" : ",\"");
		buf_adds(b, f->key);
		buf_adds(b, "\":");
		add_value(b, f, from);
		first = false;
	}
	buf_addc(b, '}');
}

/* ---- reading -------------------------------------------------------------- */

static int read_number(const struct record_field *f, const struct jval *o,
		       void *to, struct err *e)
{
	void *const p = place(to, f->offset);
	int64_t n = 0;

	if (jget_i64_opt(o, f->key, 0, &n, e) < 0)
		return -1;
	if ((f->type == RECORD_INT && (n < INT32_MIN || n > INT32_MAX)) ||
	    (f->type == RECORD_U16 && (n < 0 || n > UINT16_MAX)) ||
	    (f->type == RECORD_U32 && (n < 0 || n > UINT32_MAX)))
		return err_set(e, ERR_INVALID, "%s.%s: out of range", o->path,
			       f->key);
	if (f->type == RECORD_INT)
		*(int *)p = (int)n;
	else if (f->type == RECORD_U16)
		*(uint16_t *)p = (uint16_t)n;
	else if (f->type == RECORD_U32)
		*(uint32_t *)p = (uint32_t)n;
	else
		*(int64_t *)p = n;
	return 0;
}

static int read_str(const struct record_field *f, const struct jval *o,
		    void *to, struct err *e)
{
	autofree char *text = NULL;
	const char *s = NULL;

	if (jget_str_opt(o, f->key, &s, e) < 0)
		return -1;
	if (!s)
		return 0;
	text = record_text(s);
	if (f->type == RECORD_STR) {
		*(char **)place(to, f->offset) = take_ptr(&text);
		return 0;
	}
	if (strlen(text) >= f->size)
		return err_set(e, ERR_TOOBIG, "%s.%s: longer than %zu", o->path,
			       f->key, f->size - 1);
	memcpy(place(to, f->offset), text, strlen(text) + 1);
	return 0;
}

static int read_strv(const struct record_field *f, const struct jval *v,
		     void *to, struct err *e)
{
	struct strv *const a = place(to, f->offset);
	const int64_t n = jlen(v, e);

	for (int64_t i = 0; i < n; i++) {
		const char *s;

		if (jat_str(v, (size_t)i, &s, e) < 0)
			return -1;
		strv_take(a, record_text(s));
	}
	return n < 0 ? -1 : 0;
}

static int read_structs(const struct record_field *f, const struct jval *v,
			void *to, struct err *e)
{
	size_t *const count = place(to, f->count_offset);
	const int64_t n = jlen(v, e);
	void *all = place(to, f->offset);

	if (n < 0)
		return -1;
	if ((uint64_t)n > f->max)
		return err_set(e, ERR_TOOBIG, "%s: more than %zu", v->path,
			       f->max);
	if (f->type == RECORD_ARRAY && n > 0) {
		all = xcalloc((size_t)n, f->size);
		*(void **)place(to, f->offset) = all;
	}
	/* The count first: what was read so far can then be freed. */
	*count = (size_t)n;
	for (int64_t i = 0; i < n; i++) {
		struct jval one;

		if (jat(v, (size_t)i, &one, e) < 0 ||
		    record_read(f->of, &one, place(all, (size_t)i * f->size),
				e) < 0)
			return -1;
	}
	return 0;
}

static int read_value(const struct record_field *f, const struct jval *o,
		      void *to, struct err *e)
{
	struct jval v;

	switch (f->type) {
	case RECORD_BOOL:
		return jget_bool_opt(o, f->key, false, place(to, f->offset), e);
	case RECORD_INT:
	case RECORD_U16:
	case RECORD_U32:
	case RECORD_I64:
	case RECORD_U64:
		return read_number(f, o, to, e);
	case RECORD_STR:
	case RECORD_CHARS:
		return read_str(f, o, to, e);
	case RECORD_STRV:
	case RECORD_STRUCT:
	case RECORD_ARRAY:
	case RECORD_INLINE:
		break;
	case RECORD_NONE:
		return 0;
	}
	if (jget(o, f->key, &v, e) < 0)
		return -1;
	if (!jval_present(&v))
		return 0;
	if (f->type == RECORD_STRV)
		return read_strv(f, &v, to, e);
	if (f->type == RECORD_STRUCT)
		return record_read(f->of, &v, place(to, f->offset), e);
	return read_structs(f, &v, to, e);
}

int record_read(const struct record_field *table, const struct jval *o,
		void *to, struct err *e)
{
	/* Few of all fields are there; what is no object is refused. */
	const bool is_object = json_is_object(o->v);

	for (const struct record_field *f = table; f->key; f++)
		if ((!is_object || jhas(o, f->key)) &&
		    read_value(f, o, to, e) < 0)
			return -1;
	return 0;
}

/* ---- freeing -------------------------------------------------------------- */

static void free_structs(const struct record_field *f, void *from)
{
	void *const all = f->type == RECORD_INLINE
				  ? place(from, f->offset)
				  : *(void **)place(from, f->offset);
	size_t *const n = place(from, f->count_offset);

	for (size_t i = 0; i < *n; i++)
		record_free(f->of, place(all, i * f->size));
	*n = 0;
	if (f->type == RECORD_ARRAY) {
		free(all);
		*(void **)place(from, f->offset) = NULL;
	}
}

void record_free(const struct record_field *table, void *from)
{
	for (const struct record_field *f = table; f->key; f++) {
		switch (f->type) {
		case RECORD_STR:
			free(*(char **)place(from, f->offset));
			*(char **)place(from, f->offset) = NULL;
			break;
		case RECORD_STRV:
			strv_free(place(from, f->offset));
			break;
		case RECORD_STRUCT:
			record_free(f->of, place(from, f->offset));
			break;
		case RECORD_ARRAY:
		case RECORD_INLINE:
			free_structs(f, from);
			break;
		case RECORD_BOOL:
		case RECORD_INT:
		case RECORD_CHARS:
		case RECORD_U16:
		case RECORD_U32:
		case RECORD_I64:
		case RECORD_U64:
		case RECORD_NONE:
			break;
		}
	}
}
