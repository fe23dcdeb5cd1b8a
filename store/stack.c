#include "stack.h"

#include <string.h>

#include "base/str.h"

#define LINE_MAX_LEN 160 /* "layer sha512:" and 128 digits */

static int bad(const char *what, struct err *e)
{
	return err_set(e, ERR_INVALID, "the image's stack file is damaged: %s",
		       what);
}

/* The next line, without its newline, as a string in buf. */
static int next_line(const char **p, const char *end, char *buf, struct err *e)
{
	const char *const nl = memchr(*p, '\n', (size_t)(end - *p));
	const size_t len = nl ? (size_t)(nl - *p) : 0;

	if (!nl || len >= LINE_MAX_LEN || memchr(*p, 0, len))
		return bad("a line is missing, or too long", e);
	memcpy(buf, *p, len);
	buf[len] = '\0';
	*p = nl + 1;
	return 0;
}

static int parse_item(const char *line, struct stack_item *ret, struct err *e)
{
	const char *const own = str_after(line, "own ");
	const char *const layer = str_after(line, "layer ");

	*ret = (struct stack_item){.own = ""};
	if (layer)
		return digest_parse(layer, &ret->layer, e);
	if (!own || !*own || *own == '.' || strchr(own, '/') ||
	    strlen(own) >= STACK_NAME_MAX)
		return bad("an item is neither a layer nor its own", e);
	memcpy(ret->own, own, strlen(own) + 1);
	return 0;
}

int stack_parse(const char *text, size_t len, struct stack_item *ret,
		size_t max, size_t *ret_n, struct err *e)
{
	const char *const end = text + len;
	char line[LINE_MAX_LEN];
	size_t n = 0;

	if (next_line(&text, end, line, e) < 0)
		return -1;
	if (strcmp(line, "prism-stack 1") != 0)
		return bad("it has another version", e);
	for (;;) {
		if (next_line(&text, end, line, e) < 0)
			return -1;
		if (!strcmp(line, "end"))
			break;
		if (n == max)
			return err_set(e, ERR_TOOBIG,
				       "the image has more than %zu lower "
				       "directories",
				       max);
		if (parse_item(line, &ret[n++], e) < 0)
			return -1;
	}
	if (text != end)
		return bad("it goes on behind its end", e);
	*ret_n = n;
	return 0;
}
