/* What stands between the markers of a hosts file, and what does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buf.h"
#include "runtime/net/names.h"

static void becomes(const char *text, const char *what, const char *block,
		    const char *want)
{
	autobuf struct buf b = buf_make(4096);

	names_replace(text, what, block, &b);
	assert_string_equal(buf_str(&b), want);
}

static void a_block_comes_and_changes_and_goes(void **state)
{
	(void)state;
	becomes("::1\tlocalhost\n", "network web", "10.0.0.2\tdb\n",
		"::1\tlocalhost\n# prism: network web\n10.0.0.2\tdb\n"
		"# prism: end of network web\n");
	becomes("a\n# prism: network web\nold\n# prism: end of network web\n"
		"b\n",
		"network web", "new\n",
		"a\n# prism: network web\nnew\n# prism: end of network web\n"
		"b\n");
	becomes("a\n# prism: network web\nold\n# prism: end of network web\n"
		"b\n",
		"network web", "", "a\nb\n");
	becomes("a\n", "network web", "", "a\n");
}

static void the_others_are_left_alone(void **state)
{
	(void)state;
	becomes("# prism: network a\nx\n# prism: end of network a\n"
		"# prism: network b\ny\n# prism: end of network b\nmine",
		"network b", "z\n",
		"# prism: network a\nx\n# prism: end of network a\n"
		"# prism: network b\nz\n# prism: end of network b\nmine");
	/* A name that begins like another. */
	becomes("# prism: network ab\nx\n# prism: end of network ab\n",
		"network a", "y\n",
		"# prism: network ab\nx\n# prism: end of network ab\n"
		"# prism: network a\ny\n# prism: end of network a\n");
}

/* A program wrote it anew, or cut it: nothing of its own gets lost. */
static void half_a_block_is_text(void **state)
{
	(void)state;
	becomes("# prism: network a\nmine", "network a", "y\n",
		"# prism: network a\nmine\n"
		"# prism: network a\ny\n# prism: end of network a\n");
	becomes("", "network a", "y\n",
		"# prism: network a\ny\n# prism: end of network a\n");
}

static void left_networks_are_dropped(void **state)
{
	struct net_end end = {.network = (char[]){"a"}};
	const struct net_state st = {.ends = &end, .n_ends = 1};
	autobuf struct buf b = buf_make(4096);

	(void)state;
	names_drop_others(
		"1\n# prism: network a\nx\n# prism: end of network a\n"
		"# prism: network ab\ny\n"
		"# prism: end of network ab\n"
		"# prism: this container\nme\n"
		"# prism: end of this container\n"
		"# prism: network half\nmine",
		&st, &b);
	assert_string_equal(buf_str(&b), "1\n# prism: network a\nx\n"
					 "# prism: end of network a\n"
					 "# prism: this container\nme\n"
					 "# prism: end of this container\n"
					 "# prism: network half\nmine");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_comes_and_changes_and_goes),
		cmocka_unit_test(the_others_are_left_alone),
		cmocka_unit_test(half_a_block_is_text),
		cmocka_unit_test(left_networks_are_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
