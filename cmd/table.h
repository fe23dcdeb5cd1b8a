/*
 * table - text with tabs laid out in columns (Go's text/tabwriter, as Docker
 * uses it: cells at least 10 wide, 3 spaces between them)
 *
 * A cell is what ends with a tab; what stands behind the last tab of a line is
 * no cell. A column is a run of lines that have a cell at that place, and is as
 * wide as its widest cell. Widths are counted in characters of UTF-8.
 */
#ifndef CMD_TABLE_H
#define CMD_TABLE_H

#include "base/buf.h"

/* Append to out what text looks like in columns. */
void table_layout(const char *text, size_t len, struct buf *out);

#endif
