/*
 * term - make text that someone else wrote safe for a terminal
 *
 * Names, labels, histories, commands and messages from images, containers and
 * registries may contain bytes that a terminal obeys: they can set its title,
 * erase output, write to the clipboard or forge a line. The following are
 * escaped, in the notation of Go's %q, which Docker uses too:
 *
 *   C0 controls, DEL                      \x1b
 *   bytes that are not UTF-8              \x9b   (older terminals take 0x80
 *                                         to 0x9f as C1 controls)
 *   C1 controls, U+0080 to U+009F         \u009b (modern terminals obey them)
 *   bidirectional marks                   \u202e (they reorder a name)
 *   zero-width characters                 \u200b (two names look the same)
 *   line and paragraph separators         \u2028
 *   tags, U+E0000 to U+E007F              \U000e0041 (invisible text)
 *
 * The joiners U+200C and U+200D are not escaped, because several languages need
 * them; nor is the backslash. So escaped text is for reading and cannot be
 * unescaped.
 *
 * Errors, warnings, notes and traces are always escaped, since a build log ends
 * up in a terminal too. Results are escaped only if they go to a terminal
 * (cmd/common_out.h).
 */
#ifndef BASE_TERM_H
#define BASE_TERM_H

#include <stdbool.h>
#include <stddef.h>

struct buf;

enum term_how {
	TERM_LINE,  /* escape all of the above */
	TERM_LINES, /* keep newlines and tabs */
	TERM_JSON,  /* as TERM_LINES; JSON text keeps its value */
};

/* Would term_escape leave the text unchanged? */
bool term_is_plain(const char *p, size_t n, enum term_how how);

/* Append the escaped text to out. */
void term_escape(const char *p, size_t n, enum term_how how, struct buf *out);

/*
 * Write s, escaped as TERM_LINE, into `to`, which holds `size` bytes and has
 * room for at least one escape. Text that is too long is cut, never inside an
 * escape. Uses no heap, so a process that shares its parent's memory may call
 * it. Returns `to`.
 */
char *term_line(const char *s, char *to, size_t size);

/* The size that term_line needs for a string of n bytes. */
#define TERM_LINE_SIZE(n) (4 * (n) + 1)

#endif
