/*
 * format_scan - literals of a template: strings, characters, numbers (private)
 */
#ifndef CMD_FORMAT_SCAN_H
#define CMD_FORMAT_SCAN_H

#include "base/json.h"
#include <stdbool.h>
#include <stddef.h>

/*
 * The literal at p (its first character says which). Returns the number of
 * bytes it takes and the value in *ret (the caller's), or 0 with *ret_why.
 */
size_t format_scan_literal(const char *p, size_t n, json_t **ret,
			   const char **ret_why);
bool format_is_literal(const char *p, size_t n);

/* May c stand in a name? Bytes of UTF-8 may. */
bool format_is_name(char c);
bool format_is_digit(char c);
bool format_is_space(char c);

/* Append code point c as UTF-8. */
struct buf;
void format_add_rune(struct buf *b, uint32_t c);

/*
 * The rune at p: its length, at least 1; *ret 0xfffd for what is no UTF-8.
 */
size_t format_get_rune(const char *p, size_t n, uint32_t *ret);

#endif
