/*
 * Layers: whiteouts, opaque directories, implied parents, symlinked parents.
 */
#include "untarfix.h"

static void a_whiteout_is_a_device(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	f.o.squash = true;
	TM(&b, .name = "d/", .type = '5', .mtime = 77);
	TM(&b, .name = "d/.wh.gone");
	TM(&b, .name = ".wh.top");
	TM(&b, .name = "d/.wh.gone"); /* the same again */
	tm_end(&b);
	fix_ok(&f, &b);
	assert_true(is_whiteout(&f, "d/gone"));
	assert_true(is_whiteout(&f, "top"));
	assert_false(is_there(&f, "d/.wh.gone"));
	/* made at the end, yet before the times */
	assert_mtime(&f, "d", 77, 0);
	assert_int_equal(summary_of(&f).whiteouts, 2);
	assert_int_equal(record_of(&f, "d/gone").r.type, 'w');
	assert_int_equal(summary_of(&f).implied, 0);
}

/* Whited out and made again, in every order: hides all that is below. */
static void whiteout_and_again_is_opaque(void **state)
{
	static const char *const orders[][3] = {
		{".wh.d", "d/", "d/x"}, {".wh.d", "d/x", NULL},
		{"d/", ".wh.d", "d/x"}, {"d/", "d/x", ".wh.d"},
		{"d/x", ".wh.d", NULL}, {"d/x", "d/", ".wh.d"},
	};

	(void)state;
	NEED_ROOT();
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		for (int user = 0; user < 2; user++) {
			NEW_FIX(f);
			NEW_TAR(b);

			f.o.userxattr = user;
			for (int k = 0; k < 3 && orders[i][k]; k++)
				TM(&b, .name = orders[i][k],
				   .type = !strcmp(orders[i][k], "d/") ? '5'
								       : '0');
			tm_end(&b);
			fix_ok(&f, &b);
			assert_true(is_opaque(&f, "d"));
			assert_true(is_there(&f, "d/x"));
			assert_int_equal(record_of(&f, "d").r.flags,
					 LIST_OPAQUE);
			assert_int_equal(summary_of(&f).whiteouts, 0);
			assert_int_equal(summary_of(&f).implied, 0);
		}
	}
}

/* A file hides what is below by itself. */
static void whiteout_of_an_own_file_is_nothing(void **state)
{
	for (int first = 0; first < 2; first++) {
		NEW_FIX(f);
		NEW_TAR(b);

		(void)state;
		f.o.squash = true;
		if (first)
			TM(&b, .name = ".wh.f");
		TM(&b, .name = "f", .data = "here");
		TM(&b, .name = "l", .type = '2', .link = "gone");
		TM(&b, .name = ".wh.l");
		if (!first)
			TM(&b, .name = ".wh.f");
		tm_end(&b);
		fix_ok(&f, &b);
		assert_content(&f, "f", "here");
		assert_link(&f, "l", "gone");
		assert_int_equal(summary_of(&f).whiteouts, 0);
	}
}

static void opaque_marker_in_any_place(void **state)
{
	static const char *const orders[][4] = {
		{"d/", "d/.wh..wh..opq", "d/x", "d/.wh.y"},
		{"d/", "d/x", "d/.wh.y", "d/.wh..wh..opq"},
		{"d/.wh.y", "d/.wh..wh..opq", "d/x", "d/"},
	};

	(void)state;
	NEED_ROOT();
	for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
		NEW_FIX(f);
		NEW_TAR(b);

		for (int k = 0; k < 4; k++)
			TM(&b, .name = orders[i][k],
			   .type = !strcmp(orders[i][k], "d/") ? '5' : '0');
		tm_end(&b);
		fix_ok(&f, &b);
		assert_true(is_opaque(&f, "d"));
		assert_true(is_there(&f, "d/x"));
		/* a whiteout there would be listed */
		assert_false(is_there(&f, "d/y"));
		assert_int_equal(summary_of(&f).whiteouts, 0);
	}
}

/* Also not in directories deeper inside an opaque one. */
static void no_whiteouts_below_an_opaque_directory(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	NEED_ROOT();
	TM(&b, .name = "a/b/c/.wh.x");
	TM(&b, .name = "a/b/c/f", .data = "x");
	TM(&b, .name = "a/.wh..wh..opq");
	TM(&b, .name = "z/.wh.x");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_true(is_opaque(&f, "a"));
	assert_false(is_opaque(&f, "a/b"));
	assert_false(is_there(&f, "a/b/c/x"));
	assert_true(is_there(&f, "a/b/c/f"));
	assert_true(is_whiteout(&f, "z/x"));
	/* the opaque one may still inherit its attributes */
	assert_int_equal(record_of(&f, "a").r.flags,
			 LIST_IMPLIED | LIST_OPAQUE);
}

static void whiteouts_inside_a_whiteout(void **state)
{
	for (int order = 0; order < 2; order++) {
		NEW_FIX(f);
		NEW_TAR(b);

		(void)state;
		f.o.squash = true;
		if (order)
			TM(&b, .name = ".wh.a");
		TM(&b, .name = "a/b/.wh.c");
		TM(&b, .name = "a/.wh.d");
		if (!order)
			TM(&b, .name = ".wh.a");
		tm_end(&b);
		fix_ok(&f, &b);
		assert_true(is_whiteout(&f, "a"));
		assert_int_equal(summary_of(&f).whiteouts, 1);
	}
}

static void the_root_can_be_opaque(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	f.o.squash = true;
	TM(&b, .name = ".wh..wh..opq");
	TM(&b, .name = ".wh.x");
	TM(&b, .name = "f", .data = "x");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_true(summary_of(&f).opaque_root);
	assert_false(is_there(&f, "x"));
	assert_true(is_there(&f, "f"));
}

static void aufs_metadata_is_dropped(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	f.o.squash = true;
	TM(&b, .name = ".wh..wh.aufs", .data = "x");
	TM(&b, .name = ".wh..wh.plnk/", .type = '5');
	TM(&b, .name = ".wh..wh.plnk/123.456", .data = "x");
	TM(&b, .name = "d/.wh..wh.orph/", .type = '5');
	TM(&b, .name = "f", .data = "x");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_int_equal(f.stats.entries, 1);
	assert_int_equal(summary_of(&f).entries, 2); /* f and the root */
}

static void bad_whiteouts_are_refused(void **state)
{
	static const char *const names[] = {
		".wh.",    ".wh..",   "d/.wh...",
		"d/.wh./", ".wh.d/f", ".wh.d/.wh.f",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		NEW_FIX(f);
		NEW_TAR(b);

		f.o.squash = true;
		TM(&b, .name = names[i], .data = "x");
		tm_end(&b);
		fix_refused(&f, &b, "whiteout");
	}
}

/* Only a name that begins with .wh. is a whiteout. */
static void other_names_are_names(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	f.o.squash = true;
	TM(&b, .name = "a.wh.b", .data = "1");
	TM(&b, .name = ".whatever", .data = "2");
	TM(&b, .name = ".wh", .data = "3");
	TM(&b, .name = "d.wh./f", .data = "4");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_content(&f, "a.wh.b", "1");
	assert_content(&f, ".whatever", "2");
	assert_content(&f, ".wh", "3");
	assert_content(&f, "d.wh./f", "4");
	assert_int_equal(summary_of(&f).whiteouts, 0);
}

static void implied_parents_are_marked(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	NEED_ROOT();
	TM(&b, .name = "a/b/f", .data = "x");
	TM(&b, .name = "later/f", .data = "x");
	TM(&b, .name = "later/", .type = '5', .mode = 0700, .uid = 3);
	tm_end(&b);
	fix_ok(&f, &b);
	assert_mode(&f, "a/b", 0755);
	assert_owner(&f, "a/b", 0, 0);
	assert_mtime(&f, "a/b", 0, 0);
	assert_int_equal(record_of(&f, "a").r.flags, LIST_IMPLIED);
	assert_int_equal(record_of(&f, "a/b").r.flags, LIST_IMPLIED);
	assert_int_equal(record_of(&f, "later").r.flags, 0);
	assert_mode(&f, "later", 0700);
	assert_owner(&f, "later", 3, 0);
	assert_int_equal(summary_of(&f).implied, 2);
	assert_int_equal(summary_of(&f).replaced, 0);
	assert_true(summary_of(&f).root_implied);
}

/* usrmerge inside one layer: as a chrooted tar would write. */
static void symlinked_parents_are_written_through(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	f.o.squash = true;
	TM(&b, .name = "usr/lib/", .type = '5');
	TM(&b, .name = "lib", .type = '2', .link = "usr/lib");
	TM(&b, .name = "abs", .type = '2', .link = "/usr/lib");
	TM(&b, .name = "usr/up", .type = '2', .link = "../lib/./");
	TM(&b, .name = "lib/1", .data = "1");
	TM(&b, .name = "abs/2", .data = "2");
	TM(&b, .name = "usr/up/3", .data = "3");
	TM(&b, .name = "lib/sub/4", .data = "4");
	TM(&b, .name = "lib/.wh.5");
	/* its target comes from a lower layer */
	TM(&b, .name = "sbin", .type = '2', .link = "usr/sbin");
	TM(&b, .name = "sbin/6", .data = "6");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_link(&f, "lib", "usr/lib");
	assert_content(&f, "usr/lib/1", "1");
	assert_content(&f, "usr/lib/2", "2");
	assert_content(&f, "usr/lib/3", "3");
	assert_content(&f, "usr/lib/sub/4", "4");
	assert_true(is_whiteout(&f, "usr/lib/5"));
	assert_content(&f, "usr/sbin/6", "6");
	/* the list has the true places */
	assert_true(record_of(&f, "usr/lib/1").any);
	assert_false(record_of(&f, "lib/1").any);
	assert_int_equal(record_of(&f, "usr/sbin").r.flags, LIST_IMPLIED);
}

/* A directory replaced by a symlink: what was known of it is forgotten. */
static void a_directory_becomes_a_symlink(void **state)
{
	NEW_FIX(f);
	NEW_TAR(b);

	(void)state;
	f.o.squash = true;
	TM(&b, .name = "a/b/", .type = '5', .mtime = 5);
	TM(&b, .name = "a/b/old", .data = "x");
	TM(&b, .name = "c/", .type = '5', .mtime = 6);
	TM(&b, .name = "a", .type = '2', .link = "c");
	TM(&b, .name = "a/b/new", .data = "x");
	tm_end(&b);
	fix_ok(&f, &b);
	assert_link(&f, "a", "c");
	assert_true(is_there(&f, "c/b/new"));
	assert_false(is_there(&f, "c/b/old"));
	assert_mtime(&f, "c", 6, 0);
	assert_false(record_of(&f, "a/b").any);
	assert_int_equal(record_of(&f, "c/b").r.flags, LIST_IMPLIED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whiteout_is_a_device),
		cmocka_unit_test(whiteout_and_again_is_opaque),
		cmocka_unit_test(whiteout_of_an_own_file_is_nothing),
		cmocka_unit_test(opaque_marker_in_any_place),
		cmocka_unit_test(no_whiteouts_below_an_opaque_directory),
		cmocka_unit_test(whiteouts_inside_a_whiteout),
		cmocka_unit_test(the_root_can_be_opaque),
		cmocka_unit_test(aufs_metadata_is_dropped),
		cmocka_unit_test(bad_whiteouts_are_refused),
		cmocka_unit_test(other_names_are_names),
		cmocka_unit_test(implied_parents_are_marked),
		cmocka_unit_test(symlinked_parents_are_written_through),
		cmocka_unit_test(a_directory_becomes_a_symlink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
