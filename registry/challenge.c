/*
 * How it works: the value is a list, separated by commas, of schemes with
 * parameters: `Bearer realm="...",service="...", Basic realm="x"`. A word
 * followed by '=' is a parameter of the scheme before it, any other word
 * begins a new scheme.
 */
#include "challenge.h"

#include <string.h>
#include <strings.h>

struct cursor {
	const char *p;
	const char *end;
};

struct slice {
	const char *p;
	size_t n;
};

static bool is_token_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static void skip(struct cursor *c, const char *set)
{
	while (c->p < c->end && *c->p && strchr(set, *c->p))
		c->p++;
}

static struct slice take_token(struct cursor *c)
{
	struct slice s = {.p = c->p};

	while (c->p < c->end && is_token_char(*c->p))
		c->p++;
	s.n = (size_t)(c->p - s.p);
	return s;
}

static bool slice_is(struct slice s, const char *word)
{
	return s.n == strlen(word) && !strncasecmp(s.p, word, s.n);
}

/*
 * A quoted string or a token behind '='. False when it does not fit or is
 * not closed. What is not kept (ret NULL) is read over.
 */
static bool take_value(struct cursor *c, char *ret, size_t size)
{
	const bool quoted = c->p < c->end && *c->p == '"';
	size_t n = 0;

	if (quoted)
		c->p++;
	for (; c->p < c->end; c->p++) {
		if (quoted && *c->p == '"')
			break;
		if (!quoted && (*c->p == ',' || *c->p == ' ' || *c->p == '\t'))
			break;
		if (quoted && *c->p == '\\' && c->p + 1 < c->end)
			c->p++;
		if (*c->p < ' ' || *c->p >= 0x7f)
			return false;
		if (ret && n + 1 >= size)
			return false;
		if (ret)
			ret[n++] = *c->p;
	}
	if (ret)
		ret[n] = '\0';
	if (!quoted)
		return true;
	if (c->p == c->end)
		return false;
	c->p++;
	return true;
}

static bool take_param(struct cursor *c, struct slice name,
		       struct challenge *ret)
{
	if (slice_is(name, "realm"))
		return take_value(c, ret->realm, sizeof(ret->realm));
	if (slice_is(name, "service"))
		return take_value(c, ret->service, sizeof(ret->service));
	if (slice_is(name, "error"))
		return take_value(c, ret->error, sizeof(ret->error));
	return take_value(c, NULL, 0);
}

static enum challenge_kind kind_of(struct slice scheme)
{
	if (slice_is(scheme, "bearer"))
		return CHALLENGE_BEARER;
	if (slice_is(scheme, "basic"))
		return CHALLENGE_BASIC;
	return CHALLENGE_NONE;
}

static void keep_better(const struct challenge *next, struct challenge *best)
{
	/* A bearer challenge without realm names nobody to ask. */
	if (next->kind == CHALLENGE_BEARER && !*next->realm)
		return;
	if (next->kind > best->kind)
		*best = *next;
}

void challenge_parse(const char *p, size_t len, struct challenge *best)
{
	struct cursor c = {.p = p, .end = p + len};
	struct challenge now = {0};

	for (;;) {
		skip(&c, ", \t");
		const struct slice word = take_token(&c);
		if (!word.n)
			break;
		skip(&c, " \t");
		if (c.p < c.end && *c.p == '=') {
			c.p++;
			skip(&c, " \t");
			if (!take_param(&c, word, &now))
				return;
			continue;
		}
		keep_better(&now, best);
		now = (struct challenge){.kind = kind_of(word)};
	}
	/* Something else stands there: the last challenge cannot be trusted. */
	if (c.p == c.end)
		keep_better(&now, best);
}
