/*
 * record - a struct as JSON text and back, by one table of its fields
 *
 * What a container must remember stands in plain structs. A table with one
 * line for each field is both the writer and the reader, so that a new field
 * is one new line:
 *
 *         static const struct record_field fields[] = {
 *                 RECORD(struct run_spec, cwd),
 *                 RECORD(struct run_spec, tty),
 *                 RECORD_LIST(struct run_spec, mounts, n_mounts, mount_fields),
 *                 {0},
 *         };
 *
 * The type comes from the field itself: bool, int, uint16_t, uint32_t (and
 * enums), int64_t, uint64_t, char *, struct strv; the others have a macro of
 * their own. A field that is zero, NULL or empty
 * is not written, and one that is absent is left as it is: zero must mean "not
 * given".
 *
 * Writing is by hand into a buf, because a start must not pay for a JSON
 * library; reading goes through base/json. Strings may hold any bytes: what is
 * no UTF-8 is written as U+F780..U+F7FF, a byte each, and comes back as it was.
 */
#ifndef RUNTIME_RECORD_H
#define RUNTIME_RECORD_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum record_type {
	RECORD_NONE,
	RECORD_BOOL,
	RECORD_INT,
	RECORD_U16,
	RECORD_U32,
	RECORD_I64,
	RECORD_U64,
	RECORD_STR,
	RECORD_CHARS, /* a string in an array of char of this size */
	RECORD_STRV,
	RECORD_STRUCT, /* a struct inside, with a table of its own */
	RECORD_ARRAY,  /* a malloced array of structs and its count */
	RECORD_INLINE, /* an array inside, at most max long */
};

struct record_field {
	const char *key; /* ends the table when NULL */
	enum record_type type;
	size_t offset;
	const struct record_field *of; /* of the structs inside */
	size_t size;                   /* of one of them */
	size_t count_offset;           /* of the size_t that counts them */
	size_t max;
};

#define RECORD_TYPE_(p) \
	_Generic((p), bool *                                               \
		 : RECORD_BOOL, int *                                      \
		 : RECORD_INT, uint16_t *                                  \
		 : RECORD_U16, uint32_t *                                  \
		 : RECORD_U32, int64_t *                                   \
		 : RECORD_I64, uint64_t *                                  \
		 : RECORD_U64, char **                                     \
		 : RECORD_STR, struct strv *                               \
		 : RECORD_STRV)

/* A plain field. */
#define RECORD(s, f)                                           \
	{                                                      \
		.key = #f, .type = RECORD_TYPE_(&((s *)0)->f), \
		.offset = offsetof(s, f)                       \
	}
/* An array of char that holds a string. */
#define RECORD_TEXT(s, f)                                                  \
	{                                                                  \
		.key = #f, .type = RECORD_CHARS, .offset = offsetof(s, f), \
		.size = sizeof(((s *)0)->f)                                \
	}
/* A struct inside, described by `table`. */
#define RECORD_IN(s, f, table)                                              \
	{                                                                   \
		.key = #f, .type = RECORD_STRUCT, .offset = offsetof(s, f), \
		.of = (table)                                               \
	}
/* A malloced array f of structs; the size_t n counts them. */
#define RECORD_LIST(s, f, n, table)                                        \
	{                                                                  \
		.key = #f, .type = RECORD_ARRAY, .offset = offsetof(s, f), \
		.of = (table), .size = sizeof(*((s *)0)->f),               \
		.count_offset = offsetof(s, n), .max = 10000               \
	}
/* An array f of structs inside the struct; the size_t n counts them. */
#define RECORD_FIXED(s, f, n, table)                                        \
	{                                                                   \
		.key = #f, .type = RECORD_INLINE, .offset = offsetof(s, f), \
		.of = (table), .size = sizeof(((s *)0)->f[0]),              \
		.count_offset = offsetof(s, n),                             \
		.max = sizeof(((s *)0)->f) / sizeof(((s *)0)->f[0])         \
	}

/* "text" with quotes. */
void record_add_text(struct buf *b, const char *s);

/* {"key":value,...} */
void record_add(struct buf *b, const struct record_field *table,
		const void *from);

/*
 * Fill a zeroed struct from an object of a parsed document (struct jval of
 * base/json.h). Strings and arrays are malloced and belong to it, also when
 * -1 is returned.
 */
struct jval;
int record_read(const struct record_field *table, const struct jval *o,
		void *to, struct err *e);

/* The same for one text value. */
char *record_text(const char *s);

/* Free what the fields own, and make them zero. */
void record_free(const struct record_field *table, void *from);

#endif
