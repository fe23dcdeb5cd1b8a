/*
 * Copy a small tree, made from the input bytes, into a volume. The copy must be
 * equal, and files beside the volume must be unchanged, wherever the links of
 * the tree lead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "base/walk.h"
#include "runtime/copyup.h"
#include "tests/fuzz/fuzz.h"

#define DEPTH_MAX 40
#define OPS_MAX   200

struct maker {
	const uint8_t *p;
	size_t n;
	int dir[DEPTH_MAX];
	size_t depth;
	int made; /* entries that cannot be made are no fault */
};

static uint8_t byte(struct maker *m)
{
	if (m->n == 0)
		return 0;
	m->n--;
	return *m->p++;
}

static const char *name_of(uint8_t x)
{
	static const char *const names[] = {
		"a", "b",      "c",   "d",   "l",    ".prism-copy-up",
		"e", "\n\033", "..x", "a b", "\xff", "long-long-long",
	};

	return names[x % ARRAY_LEN(names)];
}

static const char *target_of(uint8_t x)
{
	static const char *const targets[] = {
		"a",     "../canary", "../../canary/file",
		"/",     "/dev/null", "..",
		"l",     "a/b/c",     "/proc/self/fd/3",
		"../to",
	};

	return targets[x % ARRAY_LEN(targets)];
}

static int make_file(int dir, const char *name, uint8_t size)
{
	static const char text[256] = "content";
	autoclose int fd = openat(
		dir, name, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0644);

	if (fd < 0 || write(fd, text, size) != size)
		return -1;
	if (size % 5 == 0)
		(void)fsetxattr(fd, "user.x", text, size, 0);
	return size % 3 == 0 ? ftruncate(fd, 4096 * (off_t)size) : 0;
}

static void go_down(struct maker *m, int dir, const char *name)
{
	const int fd =
		m->depth < DEPTH_MAX
			? openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
			: -1;

	if (fd >= 0)
		m->dir[m->depth++] = fd;
}

static void make_one(struct maker *m)
{
	const int dir = m->dir[m->depth - 1];
	const uint8_t what = byte(m);
	const uint8_t arg = byte(m);
	const char *const name = name_of(what >> 4);

	switch (what & 7) {
	case 0:
		m->made += mkdirat(dir, name, 0700 | arg);
		go_down(m, dir, name);
		break;
	case 1:
		m->made += make_file(dir, name, arg);
		break;
	case 2:
		m->made += symlinkat(target_of(arg), dir, name);
		break;
	case 3:
		m->made += linkat(dir, name_of(arg), dir, name, 0);
		break;
	case 4:
		m->made += linkat(dir, name_of(arg), m->dir[0], name, 0);
		break;
	case 5:
		m->made += mkfifoat(dir, name, 0600 | arg);
		break;
	case 6:
		m->made += fchmodat(dir, name_of(arg), 04700 | arg,
				    AT_SYMLINK_NOFOLLOW);
		break;
	default:
		if (m->depth > 1)
			(void)close(m->dir[--m->depth]);
		break;
	}
}

static void make_tree(int dir, const uint8_t *data, size_t size)
{
	struct maker m = {.p = data, .n = size, .depth = 1};

	m.dir[0] = openat(dir, ".", O_RDONLY | O_DIRECTORY);
	MUST(m.dir[0] >= 0);
	for (int i = 0; m.n > 0 && i < OPS_MAX; i++)
		make_one(&m);
	while (m.depth > 0)
		(void)close(m.dir[--m.depth]);
}

/* ---- judging ------------------------------------------------------------------ */

static void same_content(const struct walk_at *at)
{
	autoclose int a = openat(at->dir, at->name, O_RDONLY | O_NOFOLLOW);
	autoclose int b = openat(at->other, at->name, O_RDONLY | O_NOFOLLOW);
	char x[512];
	char y[512];
	ssize_t n;

	MUST(a >= 0 && b >= 0);
	n = read(a, x, sizeof(x));
	MUST(n >= 0 && read(b, y, sizeof(y)) == n);
	MUST(memcmp(x, y, (size_t)n) == 0);
}

static void same_entry(const struct walk_at *at, bool marked)
{
	struct stat st;
	char x[64];
	char y[64];
	ssize_t n;

	MUST(fstatat(at->other, at->name, &st, AT_SYMLINK_NOFOLLOW) == 0);
	MUST(st.st_mode == at->st.st_mode && st.st_uid == at->st.st_uid &&
	     st.st_gid == at->st.st_gid);
	if (S_ISDIR(st.st_mode))
		return;
	MUST(st.st_size == at->st.st_size);
	MUST((st.st_nlink > 1) == (at->st.st_nlink > 1) || marked);
	if (S_ISREG(st.st_mode))
		same_content(at);
	if (!S_ISLNK(st.st_mode))
		return;
	n = readlinkat(at->dir, at->name, x, sizeof(x));
	MUST(n > 0 && readlinkat(at->other, at->name, y, sizeof(y)) == n);
	MUST(memcmp(x, y, (size_t)n) == 0);
}

/*
 * The marker of an unfinished copy is not part of an image: it is left out, so
 * a hardlink to it has one name less.
 */
static bool is_marker(const struct walk_at *at)
{
	return at->depth == 1 && !strcmp(at->name, ".prism-copy-up");
}

/* Check that other contains everything in dir. */
static int count(int dir, int other, bool marked)
{
	struct err e = {0};
	autowalk struct walk *w = walk_open(dir, "", 0, &e);
	struct walk_at at = {0};
	int event;
	int n = 0;

	MUST(w && walk_with(w, other, &e) == 0);
	while ((event = walk_next(w, &at, &e)) > 0) {
		if (event == WALK_UP)
			continue;
		if (is_marker(&at)) {
			walk_skip(w);
			continue;
		}
		n++;
		MUST(at.other >= 0);
		same_entry(&at, marked);
	}
	MUST(event == 0);
	return n;
}

static void look_at(int top, struct stat st[3])
{
	MUST(fstatat(top, "canary", &st[0], 0) == 0);
	MUST(fstatat(top, "canary/file", &st[1], 0) == 0);
	MUST(fstatat(top, ".", &st[2], 0) == 0);
}

static void canary_lives(int top, const struct stat before[3])
{
	struct stat now[3];

	look_at(top, now);
	for (int i = 0; i < 3; i++)
		MUST(now[i].st_mode == before[i].st_mode &&
		     now[i].st_uid == before[i].st_uid &&
		     now[i].st_size == before[i].st_size &&
		     now[i].st_nlink == before[i].st_nlink &&
		     now[i].st_mtim.tv_sec == before[i].st_mtim.tv_sec &&
		     now[i].st_mtim.tv_nsec == before[i].st_mtim.tv_nsec);
}

static int open_made(int top, const char *name)
{
	int fd;

	MUST(mkdirat(top, name, 0755) == 0);
	fd = openat(top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(fd >= 0);
	return fd;
}

static void copy_and_judge(int top, const uint8_t *data, size_t size)
{
	autoclose int canary = open_made(top, "canary");
	autoclose int from = open_made(top, "from");
	autoclose int to = open_made(top, "to");
	struct stat before[3];
	struct err e = {0};

	MUST(make_file(canary, "file", 7) == 0);
	make_tree(from, data, size);
	look_at(top, before);
	if (copyup(from, to, &e) < 0) {
		MUST(err_is(&e));
		/* An interrupted copy starts again. */
		err_clear(&e);
		MUST(copyup(from, to, &e) < 0);
	} else {
		const bool marked = faccessat(from, ".prism-copy-up", F_OK,
					      AT_SYMLINK_NOFOLLOW) == 0;

		MUST(count(from, to, marked) == count(to, from, marked));
		MUST(faccessat(to, ".prism-copy-up", F_OK,
			       AT_SYMLINK_NOFOLLOW) < 0);
	}
	canary_lives(top, before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/dev/shm/prism-copyup-fuzz.XXXXXX";
	struct err e = {0};

	(void)umask(022);
	MUST(mkdtemp(path));
	{
		autoclose int top = open(path, O_RDONLY | O_DIRECTORY);

		MUST(top >= 0);
		copy_and_judge(top, data, size);
	}
	MUST(fs_remove_tree_at(AT_FDCWD, path, &e) == 0);
	return 0;
}
