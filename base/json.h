/*
 * json - JSON from outside, read strictly; getters that name the path
 *
 * json_parse refuses duplicate keys, trailing bytes, invalid UTF-8, more depth
 * than JSON_DEPTH_MAX. Getters take the parent value and a key; a wrong type is
 * ERR_INVALID with the whole path ("config.rootfs.diff_ids[3]: not a string").
 * The path is kept in a struct jval, a small value that is passed by copy and
 * borrows from the document.
 *
 * Life: autojson json_t *doc = json_parse(...); struct jval v = jval_root(doc,
 * "config"); getters; strings are borrowed from doc.
 *
 * Documents are written with jansson's own calls (json_pack, json_dumps).
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "err.h"
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void own_json(json_t **doc);
#define autojson __attribute__((cleanup(own_json)))

/*
 * For a command that reads many documents and then ends, called before the
 * first: what is freed is kept for the next one. musl gives pages back as soon
 * as they are empty, and takes new ones for the next document, which costs more
 * than all the reading. What json_dumps returns cannot be passed to free then.
 */
void json_keep_memory(void);

/* what names the document in errors ("manifest of alpine:3.20"). */
json_t *json_parse(const char *p, size_t len, const char *what, struct err *e);

struct jval {
	const json_t *v; /* NULL: absent (or null) */
	char path[160];
};

struct jval jval_root(const json_t *doc, const char *name);
bool jval_present(const struct jval *v);

/* Is there such a member? Cheaper than to ask for its value. */
bool jhas(const struct jval *o, const char *key);

/* The member key of an object; absent and null give v == NULL. */
int jget(const struct jval *o, const char *key, struct jval *ret,
	 struct err *e);
/* Element i of an array (caller stays below jlen). */
int jat(const struct jval *a, size_t i, struct jval *ret, struct err *e);
/* Number of elements of an array member's value; absent is 0. */
int64_t jlen(const struct jval *a, struct err *e);

/* Required string / optional string (*ret NULL when absent). */
int jget_str(const struct jval *o, const char *key, const char **ret,
	     struct err *e);
int jget_str_opt(const struct jval *o, const char *key, const char **ret,
		 struct err *e);
int jat_str(const struct jval *a, size_t i, const char **ret, struct err *e);
int jget_i64(const struct jval *o, const char *key, int64_t *ret,
	     struct err *e);
int jget_i64_opt(const struct jval *o, const char *key, int64_t def,
		 int64_t *ret, struct err *e);
int jget_bool_opt(const struct jval *o, const char *key, bool def, bool *ret,
		  struct err *e);

#endif
