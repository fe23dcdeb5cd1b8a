/*
 * buf - a growing byte buffer that is born with its maximum
 *
 * Appending past the maximum sets `over` and drops the rest, so callers append
 * freely and ask once at the end. `p` is always NUL-terminated (once something
 * was appended or buf_str was called); the NUL is not counted in `len`.
 *
 * Life: autobuf struct buf b = buf_make(MAX); append; use; freed at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *p;
	size_t len;
	size_t cap;
	size_t max;
	bool over;
	bool borrowed; /* p is the caller's */
};

struct buf buf_make(size_t max);
/*
 * The same, in the caller's memory as long as that is enough: for small texts
 * on the start path, where a piece of heap costs two calls and a page.
 */
struct buf buf_on(void *mem, size_t size, size_t max);
void buf_free(struct buf *b);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* As in the query of a URL: a blank is '+', what is not plain is %XX. */
void buf_add_query(struct buf *b, const char *p, size_t n);
void buf_reset(struct buf *b); /* empty, memory kept */

/* Room for n more bytes at the end, or NULL (and over). buf_grew() after. */
void *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);

/* The bytes as a string: never NULL, borrowed. */
const char *buf_str(const struct buf *b);

/* The bytes as a malloced string; the buffer is empty afterwards. */
char *buf_take(struct buf *b);

#define autobuf __attribute__((cleanup(buf_free)))

#endif
