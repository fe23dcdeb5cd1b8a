#include "json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "limits.h"
#include "own.h"

void own_json(json_t **doc)
{
	const int saved = errno;

	json_decref(*doc);
	*doc = NULL;
	errno = saved;
}

/* ---- memory ------------------------------------------------------------------ */

/*
 * Pieces of one size are kept in a list when they are free; new ones are cut
 * off a block. In front of each stands its size in units, 0: malloc's own.
 */
#define PIECE_UNIT  16
#define PIECES      64
#define BLOCK_BYTES KIB(64)

struct piece {
	size_t units;
	struct piece *next; /* while it is free: here its bytes begin */
};

/* Of the process, as jansson's choice of an allocator is. */
static struct {
	struct piece *free[PIECES];
	char *block;
	size_t left;
} kept;

static struct piece *cut(size_t units)
{
	const size_t n = units * PIECE_UNIT;
	struct piece *p;

	if (n > kept.left) {
		kept.block = xmalloc(BLOCK_BYTES);
		kept.left = BLOCK_BYTES;
	}
	p = (struct piece *)(void *)kept.block;
	kept.block += n;
	kept.left -= n;
	p->units = units;
	return p;
}

static void *kept_alloc(size_t n)
{
	const size_t whole = n + offsetof(struct piece, next);
	const size_t units = (whole + PIECE_UNIT - 1) / PIECE_UNIT;
	struct piece *p;

	if (n > BLOCK_BYTES || units >= PIECES) {
		p = malloc(whole);
		if (!p)
			return NULL;
		p->units = 0;
	} else if (kept.free[units]) {
		p = kept.free[units];
		kept.free[units] = p->next;
	} else {
		p = cut(units);
	}
	return &p->next;
}

static void kept_free(void *bytes)
{
	struct piece *p;

	if (!bytes)
		return;
	p = (struct piece *)(void *)((char *)bytes -
				     offsetof(struct piece, next));
	if (p->units == 0) {
		free(p);
		return;
	}
	p->next = kept.free[p->units];
	kept.free[p->units] = p;
}

void json_keep_memory(void)
{
	json_set_alloc_funcs(kept_alloc, kept_free);
}

/* ---- reading ----------------------------------------------------------------- */

/*
 * Jansson recurses per level and allows 2048; count brackets outside strings
 * before it is let loose. Text that is no JSON may count anything: the parser
 * refuses it afterwards.
 */
static bool depth_is_fine(const char *p, size_t len)
{
	size_t depth = 0;
	bool in_string = false;

	for (size_t i = 0; i < len; i++) {
		if (in_string) {
			if (p[i] == '\\')
				i++;
			else if (p[i] == '"')
				in_string = false;
			continue;
		}
		if (p[i] == '"')
			in_string = true;
		else if ((p[i] == '{' || p[i] == '[') &&
			 ++depth > JSON_DEPTH_MAX)
			return false;
		else if ((p[i] == '}' || p[i] == ']') && depth > 0)
			depth--;
	}
	return true;
}

/*
 * Jansson seeds its hash by opening /dev/urandom: three system calls of a
 * container start. The kernel has left random bytes in our auxiliary vector
 * already. They are also the stack protector's, so mix before use. Only the
 * first call of a process has an effect.
 */
static void seed_hash(void)
{
	uint64_t r[2] = {0};
	const unsigned long at = getauxval(AT_RANDOM);

	if (!at)
		return;
	memcpy(r, (const void *)at, sizeof(r));
	r[0] = (r[0] ^ (r[1] >> 29)) * 0x9e3779b97f4a7c15u;
	json_object_seed((size_t)(r[0] >> 32) | 1);
}

/* What jansson quotes from the document must not reach a terminal raw. */
static void make_printable(char *s)
{
	for (; *s; s++) {
		if ((unsigned char)*s < ' ' || (unsigned char)*s >= 0x7f)
			*s = '?';
	}
}

json_t *json_parse(const char *p, size_t len, const char *what, struct err *e)
{
	json_error_t why;
	json_t *doc;

	if (!depth_is_fine(p, len)) {
		err_set(e, ERR_TOOBIG, "%s: JSON nested deeper than %d levels",
			what, JSON_DEPTH_MAX);
		return NULL;
	}
	seed_hash();
	doc = json_loadb(p, len, JSON_REJECT_DUPLICATES, &why);
	if (!doc) {
		make_printable(why.text);
		err_set(e, ERR_INVALID, "%s: not valid JSON: line %d: %s", what,
			why.line, why.text);
	}
	return doc;
}

/* Append to a path, cut at the end: cheaper than snprintf, done per getter. */
static size_t path_add(struct jval *v, size_t at, const char *s)
{
	while (*s && at < sizeof(v->path) - 1)
		v->path[at++] = *s++;
	v->path[at] = '\0';
	return at;
}

struct jval jval_root(const json_t *doc, const char *name)
{
	struct jval v = {.v = json_is_null(doc) ? NULL : doc};

	(void)path_add(&v, 0, name);
	return v;
}

bool jval_present(const struct jval *v)
{
	return v->v != NULL;
}

static int wrong_type(const struct jval *v, const char *want, struct err *e)
{
	return err_set(e, ERR_INVALID, "%s: not %s", v->path, want);
}

bool jhas(const struct jval *o, const char *key)
{
	return json_object_get(o->v, key) != NULL;
}

int jget(const struct jval *o, const char *key, struct jval *ret, struct err *e)
{
	const json_t *v = NULL;
	size_t at;

	if (o->v && !json_is_object(o->v))
		return wrong_type(o, "an object", e);
	if (o->v)
		v = json_object_get(o->v, key);

	at = path_add(ret, 0, o->path);
	at = path_add(ret, at, ".");
	(void)path_add(ret, at, key);
	make_printable(ret->path);
	ret->v = json_is_null(v) ? NULL : v;
	return 0;
}

int jat(const struct jval *a, size_t i, struct jval *ret, struct err *e)
{
	const json_t *v;
	char digits[24];
	size_t d = sizeof(digits) - 1;
	size_t at;

	if (!json_is_array(a->v))
		return wrong_type(a, "an array", e);
	v = json_array_get(a->v, i);

	digits[d] = '\0';
	digits[--d] = ']';
	do {
		digits[--d] = (char)('0' + i % 10);
		i /= 10;
	} while (i);
	digits[--d] = '[';
	at = path_add(ret, 0, a->path);
	(void)path_add(ret, at, digits + d);
	ret->v = json_is_null(v) ? NULL : v;
	return 0;
}

int64_t jlen(const struct jval *a, struct err *e)
{
	if (!a->v)
		return 0;
	if (!json_is_array(a->v))
		return wrong_type(a, "an array", e);
	return (int64_t)json_array_size(a->v);
}

static int missing(const struct jval *v, struct err *e)
{
	return err_set(e, ERR_INVALID, "%s: missing", v->path);
}

static int str_of(const struct jval *v, const char **ret, struct err *e)
{
	if (!json_is_string(v->v))
		return wrong_type(v, "a string", e);
	*ret = json_string_value(v->v);
	return 0;
}

int jget_str_opt(const struct jval *o, const char *key, const char **ret,
		 struct err *e)
{
	struct jval v;

	if (jget(o, key, &v, e) < 0)
		return -1;
	if (!v.v) {
		*ret = NULL;
		return 0;
	}
	return str_of(&v, ret, e);
}

int jget_str(const struct jval *o, const char *key, const char **ret,
	     struct err *e)
{
	struct jval v;

	if (jget(o, key, &v, e) < 0)
		return -1;
	if (!v.v)
		return missing(&v, e);
	return str_of(&v, ret, e);
}

int jat_str(const struct jval *a, size_t i, const char **ret, struct err *e)
{
	struct jval v;

	if (jat(a, i, &v, e) < 0)
		return -1;
	return str_of(&v, ret, e);
}

int jget_i64(const struct jval *o, const char *key, int64_t *ret, struct err *e)
{
	struct jval v;

	if (jget(o, key, &v, e) < 0)
		return -1;
	if (!v.v)
		return missing(&v, e);
	if (!json_is_integer(v.v))
		return wrong_type(&v, "an integer", e);
	*ret = json_integer_value(v.v);
	return 0;
}

int jget_i64_opt(const struct jval *o, const char *key, int64_t def,
		 int64_t *ret, struct err *e)
{
	struct jval v;

	if (jget(o, key, &v, e) < 0)
		return -1;
	if (!v.v) {
		*ret = def;
		return 0;
	}
	if (!json_is_integer(v.v))
		return wrong_type(&v, "an integer", e);
	*ret = json_integer_value(v.v);
	return 0;
}

int jget_bool_opt(const struct jval *o, const char *key, bool def, bool *ret,
		  struct err *e)
{
	struct jval v;

	if (jget(o, key, &v, e) < 0)
		return -1;
	if (!v.v) {
		*ret = def;
		return 0;
	}
	if (!json_is_boolean(v.v))
		return wrong_type(&v, "true or false", e);
	*ret = json_is_true(v.v);
	return 0;
}
