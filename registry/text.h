/*
 * text - words from the other side, made fit for a terminal and a log
 */
#ifndef REGISTRY_TEXT_H
#define REGISTRY_TEXT_H

#include <stddef.h>

/* Everything but printable ASCII becomes '?'. */
void text_make_printable(char *s);

/* At most size - 1 bytes of p as printable text, line breaks as spaces. */
const char *text_clean(const char *p, size_t n, char *buf, size_t size);

/*
 * What an error body says: the code and message of a registry's JSON, the
 * details of a token server's, the first words of plain text, "a web page"
 * for HTML. Empty when it says nothing. Returns buf.
 */
#define TEXT_ERROR_MAX 240
const char *text_of_error(const char *p, size_t n, const char *content_type,
			  char buf[TEXT_ERROR_MAX]);

#endif
