/*
 * How it works: the width of the cell at (line, column) is that of its run:
 * the lines above and below it, without a gap, that have a cell there. Runs are
 * found once, top to bottom, and remembered in each of their cells.
 */
#include "cmd/table.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"

#define CELL_PAD 3

struct cell {
	const char *p;
	size_t len;
	size_t width; /* of the column */
};

struct line {
	struct cell *cell;
	size_t n; /* cells that end with a tab */
	struct cell rest;
};

struct table {
	struct line *line;
	size_t n;
	size_t cell_min;
	bool ends; /* with a newline */
};

/* Continuation bytes take no place. */
static size_t width_of(const struct table *t, const struct cell *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->len; i++)
		n += ((unsigned char)c->p[i] & 0xc0) != 0x80;
	n = n ? n + CELL_PAD : 0;
	return n < t->cell_min ? t->cell_min : n;
}

static void read_line(struct line *l, const char *p, size_t len)
{
	const char *const end = p + len;
	const char *tab;

	*l = (struct line){0};
	for (; (tab = memchr(p, '\t', (size_t)(end - p))) != NULL;
	     p = tab + 1) {
		l->cell = xrealloc(l->cell, (l->n + 1) * sizeof(*l->cell));
		l->cell[l->n++] =
			(struct cell){.p = p, .len = (size_t)(tab - p)};
	}
	l->rest = (struct cell){.p = p, .len = (size_t)(end - p)};
}

static void read_lines(struct table *t, const char *p, size_t len)
{
	while (len > 0) {
		const char *const nl = memchr(p, '\n', len);
		const size_t n = nl ? (size_t)(nl - p) : len;

		/* Room grows by powers of two. */
		if ((t->n & (t->n + 1)) == 0)
			t->line = xrealloc(t->line,
					   (t->n + 1) * 2 * sizeof(*t->line));
		read_line(&t->line[t->n++], p, n);
		t->ends = nl != NULL;
		p += n + (nl ? 1 : 0);
		len -= n + (nl ? 1 : 0);
	}
}

/* The run of column c that begins at line i; every line of it learns. */
static void set_width(struct table *t, size_t i, size_t c)
{
	size_t end = i;
	size_t width = 0;

	for (; end < t->n && c < t->line[end].n; end++)
		if (width_of(t, &t->line[end].cell[c]) > width)
			width = width_of(t, &t->line[end].cell[c]);
	for (size_t k = i; k < end; k++)
		t->line[k].cell[c].width = width;
}

static void put_line(const struct line *l, struct buf *out)
{
	for (size_t c = 0; c < l->n; c++) {
		size_t n = 0;

		buf_add(out, l->cell[c].p, l->cell[c].len);
		for (size_t i = 0; i < l->cell[c].len; i++)
			n += ((unsigned char)l->cell[c].p[i] & 0xc0) != 0x80;
		for (; n < l->cell[c].width; n++)
			buf_addc(out, ' ');
	}
	buf_add(out, l->rest.p, l->rest.len);
}

void table_layout(const char *text, size_t len, size_t cell_min,
		  struct buf *out)
{
	struct table t = {.cell_min = cell_min};

	read_lines(&t, text, len);
	for (size_t i = 0; i < t.n; i++)
		for (size_t c = 0; c < t.line[i].n; c++)
			if (!t.line[i].cell[c].width)
				set_width(&t, i, c);
	for (size_t i = 0; i < t.n; i++) {
		put_line(&t.line[i], out);
		if (i + 1 < t.n || t.ends)
			buf_addc(out, '\n');
		free(t.line[i].cell);
	}
	free(t.line);
}
