/*
 * table - text with tabs laid out in columns (Go's text/tabwriter, as Docker
 * uses it: cells of a least width, 3 spaces between them)
 *
 * A cell is what ends with a tab; what stands behind the last tab of a line is
 * no cell. A column is a run of lines that have a cell at that place, and is as
 * wide as its widest cell. Widths are counted in characters of UTF-8.
 */
#ifndef CMD_TABLE_H
#define CMD_TABLE_H

#include "base/buf.h"

/* What most of Docker's tables have. */
#define TABLE_CELL_MIN 10

/* Append to out what text looks like in columns. */
void table_layout(const char *text, size_t len, size_t cell_min,
		  struct buf *out);

#endif
