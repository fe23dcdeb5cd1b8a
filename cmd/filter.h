/*
 * filter - --filter KEY=VALUE of list and prune commands
 *
 * Docker's rules: values of one key are alternatives (any may fit), keys must
 * all fit, and label= must fit each time it is given. An unknown key is an
 * error: a filter that is not understood must not let everything pass.
 *
 * Life: zero -> filter_parse -> ask -> filter_free.
 */
#ifndef CMD_FILTER_H
#define CMD_FILTER_H

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include <stdbool.h>
#include <stdint.h>

struct filter {
	struct strv key;   /* side by side */
	struct strv value; /* with key */
};

/* args: each "key=value"; known: the keys of this command, ends with NULL. */
int filter_parse(const struct strv *args, const char *const *known,
		 struct filter *ret, struct err *e);
void filter_free(struct filter *f);
#define autofilter __attribute__((cleanup(filter_free)))

bool filter_has(const struct filter *f, const char *key);

/* Value i of a key, NULL behind the last. */
const char *filter_get(const struct filter *f, const char *key, size_t i);

/* Is it one of the values, or is there no such key? */
bool filter_is(const struct filter *f, const char *key, const char *value);

/* The same, by what a value begins with (ids). */
bool filter_begins(const struct filter *f, const char *key, const char *text);

/* The same with values as regular expressions, found anywhere (names). */
bool filter_matches(const struct filter *f, const char *key, const char *text);

/* The same with values as shell patterns over the whole text. */
bool filter_globs(const struct filter *f, const char *key, const char *text);

/* label=K and label=K=V, and label!=...: each must hold of these labels. */
bool filter_labels(const struct filter *f, const json_t *labels);

/* true, 1, false, 0...; absent: *ret = def. */
int filter_bool(const struct filter *f, const char *key, bool def, bool *ret,
		struct err *e);

/*
 * until=, since=: a time (RFC 3339, seconds since the epoch) or how long ago
 * (10m, 1h30m). Absent: *ret = 0.
 */
int filter_time(const struct filter *f, const char *key, int64_t *ret,
		struct err *e);

#endif
