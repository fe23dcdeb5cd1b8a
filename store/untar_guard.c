#include "untar_guard.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"

#define BLOCK          512
#define EXTENSIONS_MAX 16
#define PAX_MAX        MIB(1) /* libarchive's own limit for such bodies */

/* Where the fields of a header lie (POSIX.1-1988 ustar, old GNU). */
enum {
	AT_SIZE = 124,
	LEN_SIZE = 12,
	AT_CHECKSUM = 148,
	LEN_CHECKSUM = 8,
	AT_TYPE = 156,
	AT_MAGIC = 257,
	AT_GNU_SPARSE = 386,
	LEN_GNU_SPARSE = 97, /* four entries and the "more follows" flag */
	AT_GNU_MORE = 482,
	AT_SPARSE_MORE = 504, /* in a continuation block */
};

void guard_free(struct tar_guard *g)
{
	free(g->pax);
	g->pax = NULL;
}

static int refuse(struct err *e, const char *what)
{
	return err_set(e, ERR_INVALID, "tar: %s", what);
}

/* ---- numbers ------------------------------------------------------------- */

/* Blanks, octal digits, then blanks or NULs only; all empty is 0. */
static bool octal(const unsigned char *p, size_t n, uint64_t *ret)
{
	size_t i = 0;
	uint64_t v = 0;

	while (i < n && (p[i] == ' ' || p[i] == 0))
		i++;
	for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v << 3 | (uint64_t)(p[i] - '0');
	for (; i < n; i++)
		if (p[i] != ' ' && p[i] != 0)
			return false;
	*ret = v;
	return true;
}

/* Octal, or GNU base-256: 0x80, then big-endian bytes. */
static bool size_field(const unsigned char *p, uint64_t *ret)
{
	uint64_t v = 0;

	if (!(p[0] & 0x80))
		return octal(p, LEN_SIZE, ret);
	if (p[0] != 0x80)
		return false; /* negative, or beyond 2^87 */
	for (size_t i = 1; i < LEN_SIZE; i++) {
		if (v >> 55)
			return false;
		v = v << 8 | p[i];
	}
	*ret = v;
	return true;
}

static bool checksum_is_right(const unsigned char *h)
{
	uint64_t want;
	uint32_t sum = 0;
	int32_t old = 0; /* summed as signed chars by some old writers */

	if (!octal(h + AT_CHECKSUM, LEN_CHECKSUM, &want))
		return false;
	for (size_t i = 0; i < BLOCK; i++) {
		const bool in =
			i >= AT_CHECKSUM && i < AT_CHECKSUM + LEN_CHECKSUM;
		const unsigned char c = in ? ' ' : h[i];

		sum += c;
		old += (signed char)c;
	}
	return want == sum || (int64_t)want == old;
}

static bool all_zero(const unsigned char *p, size_t n)
{
	return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* ---- PAX ----------------------------------------------------------------- */

struct pax_record {
	const char *key;
	size_t key_len;
	const char *value;
	size_t value_len;
};

/* "27 mtime=1350244992.023960\n" at p; its length, or 0. */
static size_t pax_record(const char *p, size_t n, struct pax_record *ret)
{
	const char *const blank = memchr(p, ' ', n < 10 ? n : 10);
	const char *equals;
	uint64_t len;

	if (!blank || !str_to_u64n(p, (size_t)(blank - p), n, &len) ||
	    len < (size_t)(blank - p) + 3 || p[len - 1] != '\n')
		return 0;
	ret->key = blank + 1;
	equals = memchr(ret->key, '=', len - (size_t)(ret->key - p));
	if (!equals || equals == ret->key)
		return 0;
	ret->key_len = (size_t)(equals - ret->key);
	ret->value = equals + 1;
	ret->value_len = len - 1 - (size_t)(ret->value - p);
	return len;
}

static bool key_is(const struct pax_record *r, const char *key)
{
	return strlen(key) == r->key_len &&
	       memcmp(key, r->key, r->key_len) == 0;
}

static bool is_text(const struct pax_record *r)
{
	return key_is(r, "path") || key_is(r, "linkpath") ||
	       key_is(r, "uname") || key_is(r, "gname") ||
	       key_is(r, "GNU.sparse.name");
}

static int check_record(struct tar_guard *g, const struct pax_record *r,
			struct err *e)
{
	if (memchr(r->key, 0, r->key_len))
		return refuse(e, "a PAX key has a NUL");
	if (is_text(r) && memchr(r->value, 0, r->value_len))
		return refuse(e, "a PAX name has a NUL");
	if (g->pax_global || !key_is(r, "size"))
		return 0;
	if (!str_to_u64n(r->value, r->value_len, INT64_MAX, &g->pax_size))
		return refuse(e, "a PAX size is not a number below 2^63");
	g->has_pax_size = true;
	return 0;
}

static int check_pax(struct tar_guard *g, struct err *e)
{
	const char *p = g->pax;
	size_t n = g->pax_len;

	while (n > 0) {
		struct pax_record r;
		const size_t len = pax_record(p, n, &r);

		if (len == 0)
			return refuse(e, "a PAX record is broken");
		if (check_record(g, &r, e) < 0)
			return -1;
		p += len;
		n -= len;
	}
	return 0;
}

/* ---- headers ------------------------------------------------------------- */

static uint64_t padded(uint64_t n)
{
	return (n + BLOCK - 1) & ~(uint64_t)(BLOCK - 1);
}

static void skip(struct tar_guard *g, uint64_t n)
{
	g->skip = n;
	g->state = n > 0 ? GUARD_SKIP : GUARD_HEADER;
}

static int on_extension(struct tar_guard *g, uint64_t size, struct err *e)
{
	const unsigned char type = g->block[AT_TYPE];

	if (++g->extensions > EXTENSIONS_MAX)
		return refuse(e, "too many extension headers in a row");
	if (size > PAX_MAX)
		return refuse(e, "an extension header is too large");
	if (type == 'L' || type == 'K') {
		skip(g, padded(size));
		return 0;
	}
	g->pax_global = type == 'g';
	if (type == 'x')
		g->has_pax_size = false; /* the last x counts */
	if (size == 0) {
		g->state = GUARD_HEADER;
		return 0;
	}
	g->pax = xrealloc(g->pax, size);
	g->pax_len = size;
	g->pax_have = 0;
	g->state = GUARD_PAX;
	return 0;
}

static bool is_gnu(const unsigned char *h)
{
	return memcmp(h + AT_MAGIC, "ustar  ", 8) == 0;
}

/* Data follows; where it ends must be beyond doubt. */
static int on_file(struct tar_guard *g, uint64_t size, struct err *e)
{
	const unsigned char *const h = g->block;
	const bool sparse = h[AT_TYPE] == 'S';

	if (g->has_pax_size)
		size = g->pax_size;
	if (size > INT64_MAX - BLOCK)
		return refuse(e, "a size is out of range");
	/* libarchive reads a sparse map from any GNU header that has one. */
	if (is_gnu(h) && !sparse &&
	    !all_zero(h + AT_GNU_SPARSE, LEN_GNU_SPARSE))
		return refuse(e, "a sparse map in a file that is not sparse");
	if (sparse && (!is_gnu(h) || g->has_pax_size))
		return refuse(e, "a sparse file in a format that has none");
	if (sparse && h[AT_GNU_MORE] && h[AT_GNU_SPARSE] == 0)
		return refuse(e, "an empty sparse map goes on");
	g->data = padded(size);
	if (sparse && h[AT_GNU_MORE])
		g->state = GUARD_SPARSE;
	else
		skip(g, g->data);
	return 0;
}

static int on_entry(struct tar_guard *g, uint64_t size, struct err *e)
{
	const unsigned char type = g->block[AT_TYPE];

	switch (type) {
	case 0:
	case '0':
	case '7':
	case 'S':
		if (on_file(g, size, e) < 0)
			return -1;
		break;
	case '1':
	case '2':
	case '3':
	case '4':
	case '5':
	case '6':
		/*
		 * Everybody ignores the header's size for 2 to 6. For a
		 * hardlink readers differ, and with a PAX size for all.
		 */
		if ((type == '1' && size) || (g->has_pax_size && g->pax_size))
			return refuse(e,
				      "data in an entry that cannot have any");
		g->state = GUARD_HEADER;
		break;
	default:
		return err_set(e, ERR_INVALID,
			       "tar: an entry of unknown type 0x%02x", type);
	}
	g->extensions = 0;
	g->has_pax_size = false;
	return 0;
}

static int on_header(struct tar_guard *g, struct err *e)
{
	const unsigned char *const h = g->block;
	uint64_t size;

	if (h[0] == 0 && all_zero(h, BLOCK)) {
		if (g->extensions > 0)
			return refuse(e, "it ends behind an extension header");
		g->state = GUARD_END;
		return 0;
	}
	if (!checksum_is_right(h))
		return refuse(e, "a header is damaged (wrong checksum), or "
				 "this is not a tar archive");
	if (!size_field(h + AT_SIZE, &size))
		return refuse(e, "a size is negative or not a number");
	switch (h[AT_TYPE]) {
	case 'x':
	case 'g':
	case 'L':
	case 'K':
		return on_extension(g, size, e);
	default:
		return on_entry(g, size, e);
	}
}

/* ---- the stream ---------------------------------------------------------- */

/* Collect a 512-byte block; true when it is whole. */
static bool collect(struct tar_guard *g, const unsigned char **p, size_t *n)
{
	const size_t want = BLOCK - g->have;
	const size_t take = *n < want ? *n : want;

	memcpy(g->block + g->have, *p, take);
	g->have += take;
	*p += take;
	*n -= take;
	if (g->have < BLOCK)
		return false;
	g->have = 0;
	return true;
}

static int add_pax(struct tar_guard *g, const unsigned char **p, size_t *n,
		   struct err *e)
{
	const size_t want = g->pax_len - g->pax_have;
	const size_t take = *n < want ? *n : want;

	memcpy(g->pax + g->pax_have, *p, take);
	g->pax_have += take;
	*p += take;
	*n -= take;
	if (g->pax_have < g->pax_len)
		return 0;
	skip(g, padded(g->pax_len) - g->pax_len);
	return check_pax(g, e);
}

static int step(struct tar_guard *g, const unsigned char **p, size_t *n,
		struct err *e)
{
	switch (g->state) {
	case GUARD_HEADER:
		return collect(g, p, n) ? on_header(g, e) : 0;
	case GUARD_SPARSE:
		if (collect(g, p, n) && g->block[AT_SPARSE_MORE] == 0)
			skip(g, g->data);
		return 0;
	case GUARD_PAX:
		return add_pax(g, p, n, e);
	case GUARD_SKIP: {
		const uint64_t take = *n < g->skip ? *n : g->skip;

		*p += take;
		*n -= take;
		skip(g, g->skip - take);
		return 0;
	}
	case GUARD_END:
		*n = 0;
		return 0;
	}
	return 0;
}

int guard_add(struct tar_guard *g, const void *p, size_t n, struct err *e)
{
	const unsigned char *at = p;

	while (n > 0)
		if (step(g, &at, &n, e) < 0)
			return -1;
	return 0;
}

int guard_end(const struct tar_guard *g, struct err *e)
{
	if (g->state == GUARD_END)
		return 0;
	if (g->state == GUARD_HEADER && g->have == 0 && g->extensions == 0)
		return 0;
	return refuse(e, "it ends in the middle of an entry");
}
