#include "cmd/filter.h"

#include <fnmatch.h>
#include <regex.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"

static int check_key(const char *key, const char *const *known, struct err *e)
{
	autofree char *list = xstrdup("");

	for (size_t i = 0; known[i]; i++) {
		char *longer;

		if (!strcmp(known[i], key))
			return 0;
		longer = xasprintf("%s%s%s", list, i ? ", " : "", known[i]);
		free(list);
		list = longer;
	}
	(void)err_set(e, ERR_USAGE, "--filter: '%s' is no filter here", key);
	return err_hint(e, "there are: %s", list);
}

/* label!=x: the key is "label!". */
int filter_parse(const struct strv *args, const char *const *known,
		 struct filter *ret, struct err *e)
{
	for (size_t i = 0; i < args->n; i++) {
		const char *const s = args->v[i];
		const char *const eq = strchr(s, '=');
		autofree char *key = NULL;

		if (!eq || eq == s)
			return err_set(e, ERR_USAGE,
				       "--filter '%s': KEY=VALUE is wanted", s);
		key = xstrndup(s, (size_t)(eq - s));
		if (check_key(key, known, e))
			return -1;
		strv_add(&ret->key, key);
		strv_add(&ret->value, eq + 1);
	}
	return 0;
}

void filter_free(struct filter *f)
{
	strv_free(&f->key);
	strv_free(&f->value);
}

const char *filter_get(const struct filter *f, const char *key, size_t i)
{
	for (size_t k = 0; k < f->key.n; k++)
		if (!strcmp(f->key.v[k], key) && i-- == 0)
			return f->value.v[k];
	return NULL;
}

bool filter_has(const struct filter *f, const char *key)
{
	return filter_get(f, key, 0) != NULL;
}

static bool any(const struct filter *f, const char *key, const char *text,
		bool (*fits)(const char *value, const char *text))
{
	const char *value;

	for (size_t i = 0; (value = filter_get(f, key, i)) != NULL; i++)
		if (fits(value, text))
			return true;
	return !filter_has(f, key);
}

static bool same(const char *value, const char *text)
{
	return !strcmp(value, text);
}

static bool begins(const char *value, const char *text)
{
	return str_starts(text, value);
}

static bool globs(const char *value, const char *text)
{
	return fnmatch(value, text, 0) == 0;
}

/* What is no regular expression is meant as it stands. */
static bool found(const char *value, const char *text)
{
	regex_t re;
	bool ret;

	if (regcomp(&re, value, REG_EXTENDED | REG_NOSUB))
		return strstr(text, value) != NULL;
	ret = regexec(&re, text, 0, NULL, 0) == 0;
	regfree(&re);
	return ret;
}

bool filter_is(const struct filter *f, const char *key, const char *value)
{
	return any(f, key, value, same);
}

bool filter_begins(const struct filter *f, const char *key, const char *text)
{
	return any(f, key, text, begins);
}

bool filter_matches(const struct filter *f, const char *key, const char *text)
{
	return any(f, key, text, found);
}

bool filter_globs(const struct filter *f, const char *key, const char *text)
{
	return any(f, key, text, globs);
}

static bool has_label(const json_t *labels, const char *want)
{
	const char *const eq = strchr(want, '=');
	autofree char *key =
		eq ? xstrndup(want, (size_t)(eq - want)) : xstrdup(want);
	const char *const value =
		json_string_value(json_object_get(labels, key));

	return value && (!eq || !strcmp(value, eq + 1));
}

bool filter_labels(const struct filter *f, const json_t *labels)
{
	const char *want;

	for (size_t i = 0; (want = filter_get(f, "label", i)) != NULL; i++)
		if (!has_label(labels, want))
			return false;
	for (size_t i = 0; (want = filter_get(f, "label!", i)) != NULL; i++)
		if (has_label(labels, want))
			return false;
	return true;
}

int filter_bool(const struct filter *f, const char *key, bool def, bool *ret,
		struct err *e)
{
	static const char *const yes[] = {"true", "1", "True", "TRUE", "t"};
	static const char *const no[] = {"false", "0", "False", "FALSE", "f"};
	const char *const v = filter_get(f, key, 0);

	*ret = def;
	for (size_t i = 0; v && i < ARRAY_LEN(yes); i++) {
		*ret = !strcmp(v, yes[i]);
		if (*ret || !strcmp(v, no[i]))
			return 0;
	}
	return v ? err_set(e, ERR_USAGE,
			   "--filter %s=%s: neither true nor false", key, v)
		 : 0;
}

int filter_time(const struct filter *f, const char *key, int64_t *ret,
		struct err *e)
{
	const char *const v = filter_get(f, key, 0);
	int64_t ns = 0;

	*ret = 0;
	if (!v)
		return 0;
	if (!clock_parse_when(v, clock_now(), &ns))
		return err_set(e, ERR_USAGE, "--filter %s=%s: no time", key, v);
	*ret = ns / CLOCK_SECOND;
	return 0;
}
