/*
 * tarmake - tars written byte by byte, also such as no tool would write
 *
 * For unit tests; every function is static inline.
 */
#ifndef TESTS_UNIT_TARMAKE_H
#define TESTS_UNIT_TARMAKE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

struct ent {
	const char *name;
	char type;         /* 0: '0' */
	unsigned int mode; /* 0: 0755 for directories, else 0644 */
	unsigned int uid;
	unsigned int gid;
	long long mtime; /* 0: 1000000000 */
	const char *link;
	const char *data;
	unsigned int major;
	unsigned int minor;
	const char
		*size; /* raw size field of 12 bytes instead of the true one */
	const char *raw_mtime;
	int gnu; /* old GNU magic instead of ustar */
	int bad_checksum;
};

static inline void tm_pad(struct buf *b)
{
	while (b->len % 512)
		buf_addc(b, 0);
}

static inline void tm_octal(unsigned char *p, size_t n, unsigned long long v)
{
	for (size_t i = n - 1; i-- > 0; v >>= 3)
		p[i] = (unsigned char)('0' + (v & 7));
}

static inline void tm_sum(unsigned char *h)
{
	unsigned int sum = 0;

	memset(h + 148, ' ', 8);
	for (int i = 0; i < 512; i++)
		sum += h[i];
	tm_octal(h + 148, 7, sum);
	h[154] = 0;
}

static inline void tm_text(unsigned char *p, size_t max, const char *s)
{
	const size_t n = strlen(s);

	memcpy(p, s, n < max ? n : max);
}

/* The header alone; size is what it says. */
static inline void tm_header(unsigned char h[512], const struct ent *t,
			     unsigned long long size)
{
	const char type = t->type ? t->type : '0';

	memset(h, 0, 512);
	tm_text(h, 100, t->name);
	tm_octal(h + 100, 8,
		 t->mode       ? t->mode & 07777
		 : type == '5' ? 0755
			       : 0644);
	tm_octal(h + 108, 8, t->uid);
	tm_octal(h + 116, 8, t->gid);
	tm_octal(h + 124, 12, size);
	if (t->size)
		memcpy(h + 124, t->size, 12);
	tm_octal(h + 136, 12,
		 (unsigned long long)(t->mtime ? t->mtime : 1000000000));
	if (t->raw_mtime)
		memcpy(h + 136, t->raw_mtime, 12);
	h[156] = (unsigned char)type;
	if (t->link)
		tm_text(h + 157, 100, t->link);
	memcpy(h + 257, t->gnu ? "ustar  \0" : "ustar\00000", 8);
	tm_octal(h + 329, 8, t->major);
	tm_octal(h + 337, 8, t->minor);
	tm_sum(h);
	if (t->bad_checksum)
		h[0] ^= 1;
}

#define MODE_ZERO 010000 /* mode 0000, which 0 does not mean */

static inline void tm_add_n(struct buf *b, const struct ent *t, const void *p,
			    size_t n)
{
	unsigned char h[512];

	tm_header(h, t, n);
	buf_add(b, h, sizeof(h));
	buf_add(b, p, n);
	tm_pad(b);
}

static inline void tm_add(struct buf *b, const struct ent *t)
{
	tm_add_n(b, t, t->data ? t->data : "", t->data ? strlen(t->data) : 0);
}

#define TM(b, ...) tm_add((b), &(const struct ent){__VA_ARGS__})

/* One PAX record; the value may hold any bytes. */
static inline void tm_record(struct buf *b, const char *key, const void *value,
			     size_t n)
{
	const size_t rest = 1 + strlen(key) + 1 + n + 1;
	size_t len = rest + 1;
	char digits[24];

	while (len !=
	       rest + (size_t)snprintf(digits, sizeof(digits), "%zu", len))
		len = rest + strlen(digits);
	buf_addf(b, "%zu %s=", len, key);
	buf_add(b, value, n);
	buf_addc(b, '\n');
}

/* An 'x' (or 'g') header with these bytes as its records. */
static inline void tm_pax_raw(struct buf *b, char type, const void *p, size_t n)
{
	tm_add_n(b, &(const struct ent){.name = "PaxHeader/x", .type = type}, p,
		 n);
}

static inline void tm_pax(struct buf *b, const char *key, const void *value,
			  size_t n)
{
	struct buf r = buf_make(1 << 21);

	tm_record(&r, key, value, n);
	tm_pax_raw(b, 'x', r.p, r.len);
	buf_free(&r);
}

static inline void tm_pax_str(struct buf *b, const char *key, const char *value)
{
	tm_pax(b, key, value, strlen(value));
}

static inline void tm_end(struct buf *b)
{
	static const char zeros[1024];

	buf_add(b, zeros, sizeof(zeros));
}

#endif
