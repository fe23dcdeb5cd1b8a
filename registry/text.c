#include "text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/own.h"

static char printable(char c)
{
	return c >= ' ' && c < 0x7f ? c : '?';
}

void text_make_printable(char *s)
{
	for (; *s; s++)
		*s = printable(*s);
}

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

const char *text_clean(const char *p, size_t n, char *buf, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < n && at + 1 < size; i++) {
		if (!is_space(p[i]))
			buf[at++] = printable(p[i]);
		else if (at > 0 && buf[at - 1] != ' ')
			buf[at++] = ' ';
	}
	while (at > 0 && buf[at - 1] == ' ')
		at--;
	buf[at] = '\0';
	return buf;
}

static const char *member(const json_t *o, const char *key)
{
	const json_t *const v = json_object_get(o, key);

	/* RFC 6749 lets a token server call its codes "error". */
	return json_is_string(v) ? json_string_value(v) : NULL;
}

/* {"errors":[{"code":"DENIED","message":"..."}]} and its relatives. */
static bool from_json(const json_t *doc, char *buf)
{
	static const char *const words[] = {"details", "message",
					    "error_description", "error"};
	const json_t *const first =
		json_array_get(json_object_get(doc, "errors"), 0);
	const char *const code = member(first, "code");
	const char *text = member(first, "message");

	for (size_t i = 0; !text && i < ARRAY_LEN(words); i++)
		text = member(doc, words[i]);
	if (!text && !code)
		return false;

	autofree char *both =
		xasprintf("%s%s%s", code ? code : "", code && text ? ": " : "",
			  text ? text : "");
	(void)text_clean(both, strlen(both), buf, TEXT_ERROR_MAX);
	return true;
}

const char *text_of_error(const char *p, size_t n, const char *content_type,
			  char buf[TEXT_ERROR_MAX])
{
	struct err ignored = {0};
	const bool json = n > 0 && (*p == '{' || *p == '[');

	*buf = '\0';
	if (json) {
		autojson json_t *doc = json_parse(p, n, "error", &ignored);

		if (doc && from_json(doc, buf))
			return buf;
	}
	if (!strncasecmp(content_type, "text/html", 9) || (n > 0 && *p == '<'))
		(void)snprintf(buf, TEXT_ERROR_MAX, "a web page");
	else if (!json)
		(void)text_clean(p, n, buf, 120);
	return buf;
}
