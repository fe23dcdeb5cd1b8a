/*
 * term - text that somebody else wrote, made fit for a terminal
 *
 * Names, labels, histories, commands and messages of images, containers and
 * registries may hold bytes that a terminal obeys: they would set its title,
 * wipe what was printed, write into the clipboard, forge a line. What is
 * escaped, and how, in the notation of Go's %q (and of Docker, which uses it):
 *
 *   C0 controls, DEL                      \x1b
 *   bytes that are not UTF-8              \x9b   (a C1 control to an old terminal)
 *   C1 controls, U+0080 to U+009F         \u009b (what modern terminals take them
 *                                         from)
 *   marks that turn the order of text     \u202e (a name reads as another one)
 *   characters of no width                \u200b (two names look like one)
 *   line and paragraph separators         \u2028
 *   tags, U+E0000 to U+E007F              \U000e0041 (text that nobody sees)
 *
 * Not escaped: the joiners U+200C and U+200D, which words of several languages
 * need, and the backslash. The result is to be read; it cannot be turned back.
 *
 * Errors, warnings, notes and traces are always escaped, since a log of a build
 * ends in a terminal too; results only if they go to one (cmd/common_out.h).
 */
#ifndef BASE_TERM_H
#define BASE_TERM_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

enum term_how {
	TERM_LINE,  /* all of the above */
	TERM_LINES, /* newlines and tabs are the text's own */
	TERM_JSON,  /* like TERM_LINES, and JSON stays JSON of the same value */
};

/* Would the terminal get it unchanged? */
bool term_is_plain(const char *p, size_t n, enum term_how how);

void term_escape(const char *p, size_t n, enum term_how how, struct buf *out);

/*
 * The string s as TERM_LINE into to, of size bytes, which has room for one
 * escape at least. What is too long ends before the escape that does not fit.
 * Needs no heap, so that a process may call it that has another's memory.
 * Returns to.
 */
char *term_line(const char *s, char *to, size_t size);

/* Room that term_line needs for a string of n bytes. */
#define TERM_LINE_SIZE(n) (4 * (n) + 1)

#endif
