#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cmd/table.h"

static void lays_out(const char *text, const char *want)
{
	autobuf struct buf b = buf_make(10000);

	table_layout(text, strlen(text), TABLE_CELL_MIN, &b);
	assert_string_equal(buf_str(&b), want);
}

static void columns_are_as_wide_as_their_widest_cell(void **state)
{
	(void)state;
	lays_out("REPOSITORY\tTAG\tIMAGE ID\nbb\t1\t3a5bf80faca0\n",
		 "REPOSITORY   TAG       IMAGE ID\n"
		 "bb           1         3a5bf80faca0\n");
	lays_out("A\tB\nlonger than ten\tx\n",
		 "A                 B\nlonger than ten   x\n");
}

static void what_no_tab_ends_is_no_cell(void **state)
{
	(void)state;
	lays_out("no tabs at all\n", "no tabs at all\n");
	lays_out("a\tvery long last text\nb\tx\n",
		 "a         very long last text\nb         x\n");
	lays_out("a\t\n", "a         \n");
	lays_out("a\tb", "a         b");
	lays_out("", "");
	lays_out("\n\n", "\n\n");
}

/* tabwriter: a line without the cell ends the column. */
static void a_column_is_a_run_of_lines(void **state)
{
	(void)state;
	lays_out("aaaaaaaaaaaaaaa\tx\nnone\nb\ty\n",
		 "aaaaaaaaaaaaaaa   x\nnone\nb         y\n");
}

static void characters_count_and_not_bytes(void **state)
{
	(void)state;
	lays_out("\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\tx\nab\ty\n",
		 "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9   x\n"
		 "ab         y\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(columns_are_as_wide_as_their_widest_cell),
		cmocka_unit_test(what_no_tab_ends_is_no_cell),
		cmocka_unit_test(a_column_is_a_run_of_lines),
		cmocka_unit_test(characters_count_and_not_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
