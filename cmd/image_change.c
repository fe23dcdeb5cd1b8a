#include "cmd/image_change.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/signame.h"
#include "base/units.h"

struct change {
	json_t *config;
	bool cmd_set; /* by an instruction of this list */
};

/* ---- words ------------------------------------------------------------------ */

/*
 * The next word of a line: blanks separate, quotes hold together, a backslash
 * takes the next character as it is. NULL at the end; "" is a word.
 */
static char *next_word(const char **p, struct err *e)
{
	autobuf struct buf b = buf_make(KIB(64));
	char quote = '\0';

	*p += strspn(*p, " \t");
	if (!**p)
		return NULL;
	for (; **p && (quote || !strchr(" \t", **p)); (*p)++) {
		if (**p == '\\' && (*p)[1] && quote != '\'') {
			(*p)++;
			buf_addc(&b, **p);
		} else if (quote ? **p == quote : **p == '"' || **p == '\'') {
			quote = quote ? '\0' : **p;
		} else {
			buf_addc(&b, **p);
		}
	}
	if (quote) {
		(void)err_set(e, ERR_USAGE, "a %c is not closed", quote);
		return NULL;
	}
	return xstrdup(buf_str(&b));
}

static int words_of(const char *text, struct strv *ret, struct err *e)
{
	for (;;) {
		char *const w = next_word(&text, e);

		if (!w)
			return err_is(e) ? -1 : 0;
		strv_take(ret, w);
	}
}

/* A JSON array of strings, or NULL: it is none. */
static json_t *json_words(const char *text)
{
	struct err ignored = {0};
	json_t *const doc = text[0] == '[' ? json_parse(text, strlen(text),
							"list", &ignored)
					   : NULL;
	size_t i;
	json_t *v;

	if (!doc || !json_is_array(doc)) {
		json_decref(doc);
		return NULL;
	}
	json_array_foreach(doc, i, v)
	{
		if (!json_is_string(v)) {
			json_decref(doc);
			return NULL;
		}
	}
	return doc;
}

/* The object at key, made if there is none. */
static json_t *object_at(json_t *config, const char *key)
{
	json_t *o = json_object_get(config, key);

	if (!json_is_object(o)) {
		o = json_object();
		(void)json_object_set_new(config, key, o);
	}
	return o;
}

static int set_text(json_t *o, const char *key, const char *value,
		    struct err *e)
{
	if (json_object_set_new(o, key, json_string(value)))
		return err_set(e, ERR_USAGE, "'%s' is not UTF-8", value);
	return 0;
}

/* ---- instructions ------------------------------------------------------------ */

static int change_command(struct change *c, const char *key, const char *text,
			  struct err *e)
{
	json_t *words = json_words(text);

	if (!words)
		words = json_pack("[s, s, s]", "/bin/sh", "-c", text);
	if (!words)
		return err_set(e, ERR_USAGE, "it is not UTF-8");
	return json_object_set_new(c->config, key, words) ? -1 : 0;
}

static int change_cmd(struct change *c, const char *text, struct err *e)
{
	c->cmd_set = true;
	return change_command(c, "Cmd", text, e);
}

/* As in a Dockerfile: arguments of another entrypoint make no sense. */
static int change_entrypoint(struct change *c, const char *text, struct err *e)
{
	if (!c->cmd_set)
		(void)json_object_del(c->config, "Cmd");
	return change_command(c, "Entrypoint", text, e);
}

/* K=V K=V..., or the old form K V. */
static int each_pair(struct change *c, const char *text,
		     int (*fn)(struct change *c, const char *k, const char *v,
			       struct err *e),
		     struct err *e)
{
	autostrv struct strv words = {0};
	const size_t k = strcspn(text, " \t");

	if (!memchr(text, '=', k)) {
		autofree char *key = xstrndup(text, k);
		const char *const value = text + k + strspn(text + k, " \t");

		if (!*value)
			return err_set(e, ERR_USAGE, "two words are needed");
		return fn(c, key, value, e);
	}
	if (words_of(text, &words, e))
		return -1;
	for (size_t i = 0; i < words.n; i++) {
		char *const eq = strchr(words.v[i], '=');

		if (!eq || eq == words.v[i])
			return err_set(e, ERR_USAGE, "'%s' is not NAME=VALUE",
				       words.v[i]);
		*eq = '\0';
		if (fn(c, words.v[i], eq + 1, e))
			return -1;
	}
	return 0;
}

static int set_env(struct change *c, const char *k, const char *v,
		   struct err *e)
{
	json_t *list = json_object_get(c->config, "Env");
	autofree char *kv = xasprintf("%s=%s", k, v);
	const size_t n = strlen(k) + 1;
	json_t *const text = json_string(kv);
	size_t i;
	json_t *one;

	if (!text)
		return err_set(e, ERR_USAGE, "'%s' is not UTF-8", kv);
	if (!json_is_array(list)) {
		list = json_array();
		(void)json_object_set_new(c->config, "Env", list);
	}
	json_array_foreach(list, i, one)
	{
		if (json_is_string(one) &&
		    !strncmp(json_string_value(one), kv, n))
			return json_array_set_new(list, i, text);
	}
	return json_array_append_new(list, text);
}

static int change_env(struct change *c, const char *text, struct err *e)
{
	return each_pair(c, text, set_env, e);
}

static int set_label(struct change *c, const char *k, const char *v,
		     struct err *e)
{
	return set_text(object_at(c->config, "Labels"), k, v, e);
}

static int change_label(struct change *c, const char *text, struct err *e)
{
	return each_pair(c, text, set_label, e);
}

static int add_port(json_t *ports, const char *word, struct err *e)
{
	const size_t n = strcspn(word, "/");
	const char *const proto = word[n] ? word + n + 1 : "tcp";
	const char *const dash = memchr(word, '-', n);
	const size_t first_len = dash ? (size_t)(dash - word) : n;
	uint64_t first = 0;
	uint64_t last = 0;

	if (!str_to_u64n(word, first_len, 65535, &first) || first == 0)
		return err_set(e, ERR_USAGE, "invalid port '%s'", word);
	last = first;
	if (dash && (!str_to_u64n(dash + 1, n - first_len - 1, 65535, &last) ||
		     last < first))
		return err_set(e, ERR_USAGE, "invalid ports '%s'", word);
	if (strcmp(proto, "tcp") != 0 && strcmp(proto, "udp") != 0 &&
	    strcmp(proto, "sctp") != 0)
		return err_set(e, ERR_USAGE, "invalid protocol in '%s'", word);
	for (; first <= last; first++) {
		autofree char *key =
			xasprintf("%u/%s", (unsigned int)first, proto);

		(void)json_object_set_new(ports, key, json_object());
	}
	return 0;
}

static int change_expose(struct change *c, const char *text, struct err *e)
{
	autostrv struct strv words = {0};

	if (words_of(text, &words, e))
		return -1;
	for (size_t i = 0; i < words.n; i++)
		if (add_port(object_at(c->config, "ExposedPorts"), words.v[i],
			     e))
			return -1;
	return 0;
}

static int change_volume(struct change *c, const char *text, struct err *e)
{
	autojson json_t *list = json_words(text);
	autostrv struct strv words = {0};
	size_t i;
	json_t *v;

	if (!list && words_of(text, &words, e))
		return -1;
	json_array_foreach(list, i, v)
	{
		strv_add(&words, json_string_value(v));
	}
	for (i = 0; i < words.n; i++) {
		if (!words.v[i][0])
			return err_set(e, ERR_USAGE, "an empty path");
		if (json_object_set_new(object_at(c->config, "Volumes"),
					words.v[i], json_object()))
			return err_set(e, ERR_USAGE, "'%s' is not UTF-8",
				       words.v[i]);
	}
	return 0;
}

/* A relative one goes on from the one that is there. */
static int change_workdir(struct change *c, const char *text, struct err *e)
{
	const char *const old =
		json_string_value(json_object_get(c->config, "WorkingDir"));
	const size_t n = old ? strlen(old) : 0;
	autofree char *joined =
		text[0] == '/'
			? xstrdup(text)
			: xasprintf("%s%s%s", n ? old : "/",
				    n && old[n - 1] != '/' ? "/" : "", text);

	return set_text(c->config, "WorkingDir", joined, e);
}

static int change_user(struct change *c, const char *text, struct err *e)
{
	return set_text(c->config, "User", text, e);
}

static int change_stopsignal(struct change *c, const char *text, struct err *e)
{
	int sig;

	if (!signame_parse(text, &sig))
		return err_set(e, ERR_USAGE, "Invalid signal: %s", text);
	return set_text(c->config, "StopSignal", text, e);
}

/* --interval=30s and its like, up to the word that is none. */
static int health_option(json_t *check, const char *word, struct err *e)
{
	static const struct {
		const char *flag;
		const char *key;
	} times[] = {
		{"--interval=", "Interval"},
		{"--timeout=", "Timeout"},
		{"--start-period=", "StartPeriod"},
		{"--start-interval=", "StartInterval"},
	};
	const char *const retries = str_after(word, "--retries=");
	int64_t n;

	if (retries && !units_i64(retries, 1, 1000000, &n))
		return err_set(e, ERR_USAGE, "'%s': not a number of 1 or more",
			       word);
	if (retries)
		return json_object_set_new(check, "Retries", json_integer(n));
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		const char *const text = str_after(word, times[i].flag);

		if (!text)
			continue;
		if (!units_duration_ns(text, &n) ||
		    (n > 0 && n < CLOCK_SECOND / 1000))
			return err_set(e, ERR_USAGE,
				       "'%s': not a duration of 1ms or more",
				       word);
		return n ? json_object_set_new(check, times[i].key,
					       json_integer(n))
			 : 0;
	}
	return err_set(e, ERR_USAGE, "unknown flag: %s", word);
}

static int health_test(json_t *check, const char *text, struct err *e)
{
	const size_t n = strcspn(text, " \t");
	const char *const rest = text + n + strspn(text + n, " \t");
	json_t *test;

	if (n == 4 && !strncasecmp(text, "NONE", n)) {
		if (*rest)
			return err_set(e, ERR_USAGE, "NONE takes no arguments");
		test = json_pack("[s]", "NONE");
	} else if (n == 3 && !strncasecmp(text, "CMD", n)) {
		if (!*rest)
			return err_set(e, ERR_USAGE, "CMD needs a command");
		test = json_words(rest);
		if (test)
			(void)json_array_insert_new(test, 0,
						    json_string("CMD"));
		else
			test = json_pack("[s, s]", "CMD-SHELL", rest);
	} else {
		return err_set(e, ERR_USAGE, "'%.*s' is neither CMD nor NONE",
			       (int)n, text);
	}
	if (!test)
		return err_set(e, ERR_USAGE, "it is not UTF-8");
	return json_object_set_new(check, "Test", test);
}

static int change_healthcheck(struct change *c, const char *text, struct err *e)
{
	autojson json_t *check = json_object();

	while (str_starts(text, "--")) {
		const size_t n = strcspn(text, " \t");
		autofree char *word = xstrndup(text, n);

		if (health_option(check, word, e))
			return -1;
		text += n + strspn(text + n, " \t");
	}
	if (health_test(check, text, e))
		return -1;
	return json_object_set(c->config, "Healthcheck", check);
}

static int change_onbuild(struct change *c, const char *text, struct err *e)
{
	json_t *list = json_object_get(c->config, "OnBuild");

	if (!json_is_array(list)) {
		list = json_array();
		(void)json_object_set_new(c->config, "OnBuild", list);
	}
	if (json_array_append_new(list, json_string(text)))
		return err_set(e, ERR_USAGE, "it is not UTF-8");
	return 0;
}

static int change_one(struct change *c, const char *line, struct err *e)
{
	static const struct {
		const char *word;
		int (*fn)(struct change *c, const char *text, struct err *e);
	} known[] = {
		{"CMD", change_cmd},
		{"ENTRYPOINT", change_entrypoint},
		{"ENV", change_env},
		{"EXPOSE", change_expose},
		{"HEALTHCHECK", change_healthcheck},
		{"LABEL", change_label},
		{"ONBUILD", change_onbuild},
		{"STOPSIGNAL", change_stopsignal},
		{"USER", change_user},
		{"VOLUME", change_volume},
		{"WORKDIR", change_workdir},
	};
	size_t n;
	ERR_IN(e, "--change '%s'", line);

	line += strspn(line, " \t");
	n = strcspn(line, " \t=");
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		const char *text = line + n;

		if (strlen(known[i].word) != n ||
		    strncasecmp(line, known[i].word, n) != 0)
			continue;
		/* podman's CMD=... is understood too. */
		text += strspn(text, " \t");
		if (line[n] == '=')
			text = line + n + 1;
		if (!*text)
			return err_set(e, ERR_USAGE, "it says nothing");
		return known[i].fn(c, text, e);
	}
	(void)err_set(e, ERR_USAGE, "not an instruction that changes a config");
	return err_hint(e, "there are CMD, ENTRYPOINT, ENV, EXPOSE, "
			   "HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, "
			   "VOLUME, WORKDIR");
}

int change_config(json_t *config, const struct strv *changes, struct err *e)
{
	struct change c = {.config = config};

	for (size_t i = 0; i < changes->n; i++)
		if (change_one(&c, changes->v[i], e))
			return -1;
	return 0;
}
