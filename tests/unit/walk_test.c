/*
 * walk: deep, wide and hostile trees, entry by entry
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/ladder.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"
#include "base/walk.h"

#define DEEP 10000

struct place {
	char path[40];
	int fd;
};

static void begin(struct place *p)
{
	(void)snprintf(p->path, sizeof(p->path), "/dev/shm/prism-walk.XXXXXX");
	assert_non_null(mkdtemp(p->path));
	p->fd = open(p->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(p->fd >= 0);
}

static void end(struct place *p)
{
	struct err e = {0};

	(void)close(p->fd);
	if (fs_remove_tree_at(AT_FDCWD, p->path, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(access(p->path, F_OK), -1);
}

static void touch(int dir, const char *name)
{
	const int fd = openat(dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	(void)close(fd);
}

/* name/name/name..., and a file called "end" in the last one. */
static void dig(int dir, const char *name, int depth)
{
	int at = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; i < depth; i++) {
		int down;

		assert_int_equal(mkdirat(at, name, 0755), 0);
		down = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(down >= 0);
		(void)close(at);
		at = down;
	}
	touch(at, "end");
	(void)close(at);
}

static int next(struct walk *w, struct walk_at *at)
{
	struct err e = {0};
	const int event = walk_next(w, at, &e);

	if (event < 0)
		fail_msg("%s", e.text);
	return event;
}

static struct walk *open_walk(int fd, const char *prefix, unsigned int flags)
{
	struct err e = {0};
	struct walk *const w = walk_open(fd, prefix, flags, &e);

	if (!w)
		fail_msg("%s", e.text);
	return w;
}

static int open_fds(void)
{
	autodir DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d))
		n++;
	return n;
}

static size_t heap_bytes(void)
{
#ifdef __SANITIZE_ADDRESS__
	/* It keeps what was freed for a while. */
	return 0;
#endif
	autobuf struct buf b = buf_make(KIB(64));
	struct err e = {0};
	uint64_t kb = 0;
	const char *line;

	assert_int_equal(fs_read_at(AT_FDCWD, "/proc/self/status", &b, &e), 0);
	line = strstr(buf_str(&b), "VmRSS:");
	assert_non_null(line);
	line += strcspn(line, "0123456789");
	assert_true(
		str_to_u64n(line, strspn(line, "0123456789"), UINT64_MAX, &kb));
	return (size_t)kb * 1024;
}

/* The whole walk as text: "+dir -dir file ". */
static void told(int fd, const char *prefix, unsigned int flags,
		 struct buf *out)
{
	struct walk *const w = open_walk(fd, prefix, flags);
	struct walk_at at;

	for (;;) {
		const int event = next(w, &at);

		if (event == WALK_END)
			break;
		buf_addf(out, "%s%s ",
			 event == WALK_DOWN ? "+"
			 : event == WALK_UP ? "-"
					    : "",
			 at.path);
	}
	walk_close(w);
}

/* ---- order and paths ------------------------------------------------------------ */

static void names_are_sorted_and_paths_are_whole(void **state)
{
	autobuf struct buf out = buf_make(KIB(1));
	autobuf struct buf below = buf_make(KIB(1));
	struct place p;

	(void)state;
	begin(&p);
	dig(p.fd, "b", 2);
	touch(p.fd, "c");
	touch(p.fd, "a");
	assert_int_equal(symlinkat("/", p.fd, "d"), 0);
	told(p.fd, "", WALK_SORTED, &out);
	assert_string_equal(buf_str(&out), "a +b +b/b b/b/end -b/b -b c d ");
	told(p.fd, "x/y", WALK_SORTED | WALK_NO_STAT, &below);
	assert_string_equal(buf_str(&below),
			    "x/y/a +x/y/b +x/y/b/b x/y/b/b/end -x/y/b/b "
			    "-x/y/b x/y/c x/y/d ");
	end(&p);
}

static void a_directory_can_be_left_out_or_given(void **state)
{
	struct place p;
	struct walk *w;
	struct walk_at at;

	(void)state;
	begin(&p);
	dig(p.fd, "a", 1);
	dig(p.fd, "b", 1);
	w = open_walk(p.fd, "", WALK_SORTED);
	assert_int_equal(next(w, &at), WALK_DOWN);
	walk_skip(w);
	assert_int_equal(next(w, &at), WALK_DOWN);
	assert_string_equal(at.name, "b");
	walk_into(w, openat(at.dir, at.name, O_RDONLY | O_CLOEXEC));
	assert_int_equal(next(w, &at), WALK_ENTRY);
	assert_string_equal(at.path, "b/end");
	assert_int_equal(at.depth, 2);
	assert_int_equal(next(w, &at), WALK_UP);
	assert_int_equal(at.depth, 1);
	assert_true(at.fd >= 0);
	assert_int_equal(next(w, &at), WALK_END);
	walk_close(w);
	end(&p);
}

/* ---- deep and wide --------------------------------------------------------------- */

static void check_deep(const struct place *p, unsigned int flags)
{
	struct walk *const w = open_walk(p->fd, "", flags);
	const int before = open_fds();
	struct walk_at at;
	int downs = 0, ups = 0, ends = 0, most = 0;

	for (;;) {
		const int event = next(w, &at);
		const int now = downs % 97 == 0 ? open_fds() : 0;

		most = now > most ? now : most;
		downs += event == WALK_DOWN;
		ups += event == WALK_UP;
		ends += event == WALK_ENTRY;
		if (event == WALK_ENTRY)
			assert_int_equal(at.path_len, 2 * DEEP + 3);
		if (event == WALK_END)
			break;
	}
	assert_int_equal(downs, DEEP);
	assert_int_equal(ups, DEEP);
	assert_int_equal(ends, 1);
	assert_in_range(most, 1, before + LADDER_OPEN);
	walk_close(w);
}

static void a_deep_tree_costs_few_fds_and_little_memory(void **state)
{
	struct place p;
	size_t before;

	(void)state;
	begin(&p);
	dig(p.fd, "d", DEEP);
	before = heap_bytes();
	check_deep(&p, 0);
	check_deep(&p, WALK_SORTED | WALK_NO_STAT);
	assert_in_range(heap_bytes(), 0, before + MIB(3));
	end(&p);
	assert_in_range(heap_bytes(), 0, before + MIB(3));
}

static void check_wide(const struct place *p, unsigned int flags, int want)
{
	struct walk *const w = open_walk(p->fd, "", flags);
	char *const seen = xcalloc((size_t)want, 1);
	struct walk_at at;
	int n = 0;

	for (;;) {
		const int event = next(w, &at);
		uint64_t i = 0;

		if (event == WALK_END)
			break;
		if (event != WALK_ENTRY || !strcmp(at.name, "end"))
			continue;
		assert_true(str_to_u64(at.name, (uint64_t)want - 1, &i));
		assert_int_equal(seen[i], 0);
		seen[i] = 1;
		n++;
	}
	assert_int_equal(n, want);
	free(seen);
	walk_close(w);
}

/* Deep directories among the entries: the position is found again. */
static void a_wide_directory_is_read_on_after_a_deep_one(void **state)
{
	struct place p;
	char name[16];

	(void)state;
	begin(&p);
	for (int i = 0; i < 20000; i++) {
		(void)snprintf(name, sizeof(name), "%d", i);
		touch(p.fd, name);
		if (i % 1000 == 500) {
			(void)snprintf(name, sizeof(name), "%dd", i);
			dig(p.fd, name, LADDER_OPEN + 3);
		}
	}
	check_wide(&p, 0, 20000);
	check_wide(&p, WALK_SORTED, 20000);
	end(&p);
}

/* More names on the way down than are kept. */
static void sorted_names_are_read_again(void **state)
{
	struct place p;
	struct walk *w;
	struct walk_at at;
	char name[220];
	autofree char *last = xstrdup("");
	int at_fd, n = 0;

	(void)state;
	begin(&p);
	at_fd = openat(p.fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int d = 0; d < 2 * LADDER_OPEN; d++) {
		int down;

		for (int i = 0; i < 300; i++) {
			(void)snprintf(name, sizeof(name), "%03d%0200d", i, 0);
			touch(at_fd, name);
		}
		assert_int_equal(mkdirat(at_fd, "150", 0755), 0);
		down = openat(at_fd, "150", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		(void)close(at_fd);
		at_fd = down;
	}
	(void)close(at_fd);
	w = open_walk(p.fd, "", WALK_SORTED);
	for (;;) {
		const int event = next(w, &at);

		if (event == WALK_END)
			break;
		n++;
		if (event == WALK_ENTRY) {
			/* Each once: the paths only grow. */
			if (at.depth == 1)
				assert_true(strcmp(at.path, last) > 0);
			free(last);
			last = xstrdup(at.path);
		}
	}
	walk_close(w);
	assert_int_equal(n, 2 * LADDER_OPEN * (300 + 2));
	end(&p);
}

/* ---- the companion ---------------------------------------------------------------- */

static void a_companion_goes_along_as_far_as_it_is_there(void **state)
{
	struct place p, other;
	struct walk *w;
	struct walk_at at;
	struct err e = {0};
	size_t with = 0;

	(void)state;
	begin(&p);
	begin(&other);
	dig(p.fd, "d", 300);
	dig(other.fd, "d", 200);
	w = open_walk(p.fd, "", 0);
	assert_int_equal(walk_with(w, other.fd, &e), 0);
	for (;;) {
		const int event = next(w, &at);

		if (event == WALK_END)
			break;
		/* Of the root and the 200 below. */
		if (at.depth <= 201)
			assert_true(at.other >= 0);
		else
			assert_int_equal(at.other, -1);
		if (event == WALK_UP) {
			assert_int_equal(at.other_fd >= 0, at.depth <= 200);
			with += at.other_fd >= 0;
		}
	}
	assert_int_equal(with, 200);
	walk_close(w);
	end(&other);
	end(&p);
}

static void a_link_is_no_companion(void **state)
{
	struct place p, other;
	struct walk *w;
	struct walk_at at;
	struct err e = {0};

	(void)state;
	begin(&p);
	begin(&other);
	dig(p.fd, "d", 1);
	assert_int_equal(symlinkat("/", other.fd, "d"), 0);
	w = open_walk(p.fd, "", 0);
	assert_int_equal(walk_with(w, other.fd, &e), 0);
	assert_int_equal(next(w, &at), WALK_DOWN);
	assert_int_equal(next(w, &at), WALK_ENTRY);
	assert_int_equal(at.other, -1);
	walk_close(w);
	end(&other);
	end(&p);
}

/* ---- others change it -------------------------------------------------------------- */

static void what_is_moved_away_ends_the_walk(void **state)
{
	struct place p;
	struct walk *w;
	struct walk_at at;
	struct err e = {0};
	int event;

	(void)state;
	begin(&p);
	dig(p.fd, "d", 100);
	assert_int_equal(mkdirat(p.fd, "out", 0755), 0);
	w = open_walk(p.fd, "", 0);
	do {
		event = next(w, &at);
	} while (event != WALK_ENTRY && (event != WALK_UP || at.depth < 3));
	if (event == WALK_ENTRY) {
		/* Behind 100 levels: the root's rung is closed by now. */
		assert_int_equal(renameat(p.fd, "d/d/d", p.fd, "out/d"), 0);
		do {
			event = walk_next(w, &at, &e);
		} while (event == WALK_UP);
		assert_int_equal(event, -1);
		assert_int_equal(e.sys, ESTALE);
	}
	walk_close(w);
	end(&p);
}

static void what_becomes_a_link_is_not_followed(void **state)
{
	struct place p;
	struct walk *w;
	struct walk_at at;

	(void)state;
	begin(&p);
	dig(p.fd, "d", 1);
	w = open_walk(p.fd, "", WALK_SORTED);
	assert_int_equal(next(w, &at), WALK_DOWN);
	assert_int_equal(renameat(p.fd, "d", p.fd, "e"), 0);
	assert_int_equal(symlinkat("/etc", p.fd, "d"), 0);
	/* Its names were read before "e" was there. */
	assert_int_equal(next(w, &at), WALK_END);
	walk_close(w);
	end(&p);
}

static void a_vanished_directory_is_passed_over(void **state)
{
	struct place p;
	struct walk *w;
	struct walk_at at;

	(void)state;
	begin(&p);
	assert_int_equal(mkdirat(p.fd, "a", 0755), 0);
	touch(p.fd, "b");
	w = open_walk(p.fd, "", WALK_SORTED);
	assert_int_equal(next(w, &at), WALK_DOWN);
	assert_int_equal(unlinkat(p.fd, "a", AT_REMOVEDIR), 0);
	assert_int_equal(next(w, &at), WALK_ENTRY);
	assert_string_equal(at.path, "b");
	walk_close(w);
	end(&p);
}

/* ---- modes, removal ------------------------------------------------------------------ */

static void become_nobody(void)
{
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
}

static void become_again(void)
{
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
}

static void closed_directories_are_removed_or_counted_as_denied(void **state)
{
	struct place p;
	struct walk *w;
	struct walk_at at;
	struct err e = {0};

	(void)state;
	begin(&p);
	assert_int_equal(fchmod(p.fd, 0777), 0);
	become_nobody();
	dig(p.fd, "d", 3);
	assert_int_equal(fchmodat(p.fd, "d/d/d", 0, 0), 0);
	assert_int_equal(fchmodat(p.fd, "d/d", 0500, 0), 0);
	w = open_walk(p.fd, "", WALK_DENIED_OK);
	while (next(w, &at) != WALK_END)
		;
	assert_true(walk_denied(w));
	walk_close(w);
	assert_int_equal(fchmodat(p.fd, "d", 0, 0), 0);
	w = open_walk(p.fd, "", 0);
	assert_int_equal(next(w, &at), WALK_DOWN);
	assert_int_equal(walk_next(w, &at, &e), -1);
	assert_int_equal(e.sys, EACCES);
	walk_close(w);
	err_clear(&e);
	assert_int_equal(fs_remove_tree_at(p.fd, "d", &e), 0);
	become_again();
	assert_int_equal(faccessat(p.fd, "d", F_OK, 0), -1);
	end(&p);
}

static void removal_does_not_follow(void **state)
{
	struct place p;
	struct err e = {0};
	struct stat st;

	(void)state;
	begin(&p);
	dig(p.fd, "canary", 2);
	dig(p.fd, "d", 2);
	assert_int_equal(symlinkat("../../canary", p.fd, "d/d/l"), 0);
	assert_int_equal(symlinkat("canary", p.fd, "l"), 0);
	assert_int_equal(fs_remove_tree_at(p.fd, "d", &e), 0);
	assert_int_equal(fs_remove_tree_at(p.fd, "l", &e), 0);
	assert_int_equal(fs_remove_tree_at(p.fd, "absent", &e), 0);
	assert_int_equal(fstatat(p.fd, "canary/canary/end", &st, 0), 0);
	end(&p);
}

/* A tree that is moved during its removal: nothing outside is removed. */
static void removal_survives_moves(void **state)
{
	struct place p;
	struct err e = {0};
	struct stat st;
	pid_t pid;

	(void)state;
	begin(&p);
	dig(p.fd, "canary", 3);
	dig(p.fd, "t", 2000);
	assert_int_equal(mkdirat(p.fd, "t/x", 0755), 0);
	pid = fork();
	assert_true(pid >= 0);
	while (pid == 0) {
		(void)renameat(p.fd, "t/t/t", p.fd, "t/x/t");
		if (renameat(p.fd, "t/x/t", p.fd, "t/t/t") < 0 &&
		    faccessat(p.fd, "t", F_OK, 0) < 0)
			_exit(0);
	}
	/* The races may end in an error, but never outside the tree. */
	for (int i = 0; i < 100 && fs_remove_tree_at(p.fd, "t", &e) < 0; i++)
		err_clear(&e);
	own_kill(&pid);
	assert_int_equal(fs_remove_tree_at(p.fd, "t", &e), 0);
	assert_int_equal(fstatat(p.fd, "canary/canary/canary/end", &st, 0), 0);
	end(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_sorted_and_paths_are_whole),
		cmocka_unit_test(a_directory_can_be_left_out_or_given),
		cmocka_unit_test(a_deep_tree_costs_few_fds_and_little_memory),
		cmocka_unit_test(a_wide_directory_is_read_on_after_a_deep_one),
		cmocka_unit_test(sorted_names_are_read_again),
		cmocka_unit_test(a_companion_goes_along_as_far_as_it_is_there),
		cmocka_unit_test(a_link_is_no_companion),
		cmocka_unit_test(what_is_moved_away_ends_the_walk),
		cmocka_unit_test(what_becomes_a_link_is_not_followed),
		cmocka_unit_test(a_vanished_directory_is_passed_over),
		cmocka_unit_test(
			closed_directories_are_removed_or_counted_as_denied),
		cmocka_unit_test(removal_does_not_follow),
		cmocka_unit_test(removal_survives_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
