#include "term.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "buf.h"
#include "own.h"
#include "str.h"

#define ESCAPE_MAX 16 /* two UTF-16 units, as in JSON */

/* Ranges of invisible or reordering characters, in ascending order. */
static const struct {
	uint32_t first;
	uint32_t last;
} hidden[] = {
	{0x7f, 0x9f},       /* DEL, C1 */
	{0x61c, 0x61c},     /* Arabic letter mark: bidirectional */
	{0x180e, 0x180e},   /* Mongolian vowel separator: zero width */
	{0x200b, 0x200b},   /* zero width space */
	{0x200e, 0x200f},   /* bidirectional marks */
	{0x2028, 0x202e},   /* separators; embeddings and overrides */
	{0x2060, 0x206f},   /* word joiner, invisible signs, isolates */
	{0xfeff, 0xfeff},   /* zero width no-break space */
	{0xfff9, 0xfffb},   /* annotations */
	{0xe0000, 0xe007f}, /* tags */
};

static bool is_hidden(uint32_t c)
{
	for (size_t i = 0; i < ARRAY_LEN(hidden) && c >= hidden[i].first; i++)
		if (c <= hidden[i].last)
			return true;
	return false;
}

static void put_json(uint32_t c, char text[ESCAPE_MAX])
{
	if (c < 0x10000)
		(void)snprintf(text, ESCAPE_MAX, "\\u%04x", c);
	else
		(void)snprintf(text, ESCAPE_MAX, "\\u%04x\\u%04x",
			       0xd800 + ((c - 0x10000) >> 10),
			       0xdc00 + ((c - 0x10000) & 0x3ff));
}

/*
 * Decode the character or invalid byte at p: returns its length in bytes; text
 * gets its escaped form, or "" if it needs none.
 */
static size_t next(const char *p, size_t n, enum term_how how,
		   char text[ESCAPE_MAX])
{
	const unsigned char byte = (unsigned char)*p;
	uint32_t c = 0;
	size_t len;

	text[0] = '\0';
	if (byte >= 0x20 && byte < 0x7f)
		return 1;
	if (how != TERM_LINE && (byte == '\n' || byte == '\t'))
		return 1;
	len = str_utf8(p, n, &c);
	if (how == TERM_JSON && len == 0)
		put_json(0xfffd, text);
	else if (how == TERM_JSON && (c < 0x20 || is_hidden(c)))
		put_json(c, text);
	else if (len == 0 || c < 0x80)
		(void)snprintf(text, ESCAPE_MAX, "\\x%02x", byte);
	else if (is_hidden(c))
		(void)snprintf(text, ESCAPE_MAX,
			       c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
	return len ? len : 1;
}

bool term_is_plain(const char *p, size_t n, enum term_how how)
{
	char text[ESCAPE_MAX];

	while (n > 0) {
		const size_t len = next(p, n, how, text);

		if (text[0])
			return false;
		p += len;
		n -= len;
	}
	return true;
}

void term_escape(const char *p, size_t n, enum term_how how, struct buf *out)
{
	char text[ESCAPE_MAX];

	while (n > 0) {
		const size_t len = next(p, n, how, text);

		if (text[0])
			buf_adds(out, text);
		else
			buf_add(out, p, len);
		p += len;
		n -= len;
	}
}

char *term_line(const char *s, char *to, size_t size)
{
	size_t n = strlen(s);
	size_t at = 0;
	char text[ESCAPE_MAX];

	while (n > 0) {
		const size_t len = next(s, n, TERM_LINE, text);
		const size_t add = text[0] ? strlen(text) : len;

		if (at + add >= size)
			break;
		memcpy(to + at, text[0] ? text : s, add);
		at += add;
		s += len;
		n -= len;
	}
	to[at] = '\0';
	return to;
}
