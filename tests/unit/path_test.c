/*
 * Every way of base/path against links, "..", magic links, mounts and objects
 * of an unexpected type. A canary lies beside the root.
 */
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fs.h"
#include "base/own.h"

struct world {
	char base[64];
	int base_fd; /* has canary/, canary/file and root/ */
	int root;
	struct stat canary;
};

static void put(int dirfd, const char *name, const char *text)
{
	const int fd =
		openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(close(fd), 0);
}

static void world_make(struct world *w)
{
	const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	memset(w, 0, sizeof(*w));
	(void)snprintf(w->base, sizeof(w->base), "/tmp/prism-path-XXXXXX");
	assert_non_null(mkdtemp(w->base));
	w->base_fd = open(w->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(w->base_fd >= 0);
	assert_int_equal(mkdirat(w->base_fd, "root", 0755), 0);
	assert_int_equal(mkdirat(w->base_fd, "canary", 0755), 0);
	put(w->base_fd, "canary/file", "untouched");
	w->root = openat(w->base_fd, "root", O_PATH | O_CLOEXEC);
	assert_true(w->root >= 0);
	assert_int_equal(mkdirat(w->root, "dir", 0755), 0);
	assert_int_equal(mkdirat(w->root, "dir/sub", 0755), 0);
	put(w->root, "file", "in the root");
	put(w->root, "dir/file", "in dir");
	assert_int_equal(utimensat(w->base_fd, "canary", old, 0), 0);
	assert_int_equal(fstatat(w->base_fd, "canary", &w->canary, 0), 0);
}

static int files_in(int dirfd, const char *name)
{
	const int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	DIR *const d = fdopendir(fd);
	int n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	(void)closedir(d);
	return n - 2;
}

static void world_drop(struct world *w)
{
	struct stat now;
	struct err e = {0};

	assert_int_equal(fstatat(w->base_fd, "canary", &now, 0), 0);
	assert_int_equal(now.st_mtim.tv_sec, w->canary.st_mtim.tv_sec);
	assert_int_equal(now.st_mode, w->canary.st_mode);
	assert_int_equal(now.st_uid, w->canary.st_uid);
	assert_int_equal(files_in(w->base_fd, "canary"), 1);
	assert_int_equal(fstatat(w->base_fd, "canary/file", &now, 0), 0);
	assert_int_equal(now.st_size, strlen("untouched"));
	assert_int_equal(now.st_mode & 07777, 0600);
	(void)close(w->root);
	(void)close(w->base_fd);
	assert_int_equal(fs_remove_tree_at(AT_FDCWD, w->base, &e), 0);
}

#define NEW_WORLD(w)                                         \
	struct world w __attribute__((cleanup(world_drop))); \
	world_make(&w)

/* Links by every way to the canary, and some that stay inside. */
static void add_links(const struct world *w)
{
	autofree char *out = xasprintf("%s/canary", w->base);
	const struct {
		const char *name;
		const char *to;
	} links[] = {
		{"up", "../canary"},
		{"far_up", "../../../../../../../../../../tmp"},
		{"abs", out},
		{"to_dir", "dir"},
		{"abs_dir", "/dir"},
		{"to_file", "file"},
		{"round", "round"},
		{"broken", "not/there"},
		{"broken_out", "../canary/new"},
		{"broken_abs", "/new/dir"},
		{"dir/back", ".."},
		{"dir/out", "../../canary"},
		{"magic", "/proc/self/fd/0"},
	};

	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		assert_int_equal(symlinkat(links[i].to, w->root, links[i].name),
				 0);
}

static int opened(int root, const char *path, unsigned int way)
{
	const int fd = path_open(root, path, way, O_PATH, 0);

	if (fd < 0)
		return errno;
	(void)close(fd);
	return 0;
}

/* ---- links ----------------------------------------------------------------- */

static void each_way_follows_what_it_says(void **state)
{
	static const struct {
		const char *path;
		int in_root;
		int beneath;
		int no_links;
	} t[] = {
		{"dir", 0, 0, 0},
		{"dir/sub", 0, 0, 0},
		{"", 0, 0, 0},
		{".", 0, 0, 0},
		{"dir/../file", 0, 0, 0},
		{"/dir/sub", 0, EXDEV, EXDEV},
		{"..", 0, EXDEV, EXDEV},
		{"../canary", ENOENT, EXDEV, EXDEV},
		{"dir/../../canary", ENOENT, EXDEV, EXDEV},
		{"up", ENOENT, EXDEV, ELOOP},
		{"far_up", ENOENT, EXDEV, ELOOP},
		{"abs", ENOENT, EXDEV, ELOOP},
		{"to_dir/sub", 0, 0, ELOOP},
		{"abs_dir/sub", 0, EXDEV, ELOOP},
		{"to_file", 0, 0, ELOOP},
		{"round", ELOOP, ELOOP, ELOOP},
		{"broken", ENOENT, ENOENT, ELOOP},
		{"dir/back/dir/back/file", 0, 0, ELOOP},
		{"dir/out", ENOENT, EXDEV, ELOOP},
		{"magic", ENOENT, EXDEV, ELOOP},
		{"not_there", ENOENT, ENOENT, ENOENT},
		{"file/below", ENOTDIR, ENOTDIR, ENOTDIR},
	};
	NEW_WORLD(w);

	(void)state;
	add_links(&w);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const int in_root = opened(w.root, t[i].path, PATH_IN_ROOT);
		const int beneath = opened(w.root, t[i].path, PATH_BENEATH);
		const int none = opened(w.root, t[i].path, PATH_NO_LINKS);

		if (in_root != t[i].in_root || beneath != t[i].beneath ||
		    none != t[i].no_links)
			fail_msg("'%s': %s, %s, %s", t[i].path,
				 errno_name(in_root), errno_name(beneath),
				 errno_name(none));
	}
	/* An invalid way is the strictest one. */
	assert_int_equal(opened(w.root, "to_dir", PATH_WAY), ELOOP);
}

static void magic_links_are_never_followed(void **state)
{
	const int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	static const unsigned int ways[] = {PATH_IN_ROOT, PATH_BENEATH,
					    PATH_NO_LINKS};

	(void)state;
	assert_true(proc >= 0);
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		char path[40];

		(void)snprintf(path, sizeof(path), "%d/fd/%d", (int)getpid(),
			       proc);
		assert_int_equal(opened(proc, path, ways[i]), ELOOP);
		(void)snprintf(path, sizeof(path), "%d/cwd", (int)getpid());
		assert_int_equal(opened(proc, path, ways[i]), ELOOP);
		(void)snprintf(path, sizeof(path), "%d/root/tmp",
			       (int)getpid());
		assert_int_equal(opened(proc, path, ways[i]), ELOOP);
	}
	(void)close(proc);
}

static void the_last_component_is_not_followed(void **state)
{
	const struct timespec t[2] = {{.tv_sec = 5}, {.tv_sec = 5}};
	static const char *const out[] = {"up", "abs", "dir/out"};
	char to[4096];
	struct stat st;
	NEW_WORLD(w);

	(void)state;
	add_links(&w);
	for (size_t i = 0; i < ARRAY_LEN(out); i++) {
		const char *const p = out[i];

		assert_int_equal(path_stat(w.root, p, PATH_IN_ROOT, &st), 0);
		assert_true(S_ISLNK(st.st_mode));
		assert_true(path_readlink(w.root, p, PATH_IN_ROOT, to,
					  sizeof(to)) > 0);
		assert_int_equal(path_readlink(w.root, p, PATH_IN_ROOT, to, 3),
				 -1);
		assert_int_equal(errno, ENAMETOOLONG);
		assert_int_equal(path_utimens(w.root, p, PATH_IN_ROOT, t), 0);
		assert_int_equal(
			path_chown(w.root, p, PATH_IN_ROOT, getuid(), getgid()),
			0);
		assert_int_equal(path_chmod(w.root, p, PATH_IN_ROOT, 0777), -1);
		assert_int_equal(errno, EOPNOTSUPP);
		assert_int_equal(path_mkdir(w.root, p, PATH_IN_ROOT, 0755), -1);
		assert_int_equal(errno, EEXIST);
		assert_int_equal(
			path_mknod(w.root, p, PATH_IN_ROOT, S_IFIFO | 0600, 0),
			-1);
		assert_int_equal(errno, EEXIST);
		assert_int_equal(path_symlink("x", w.root, p, PATH_IN_ROOT),
				 -1);
		assert_int_equal(errno, EEXIST);
		assert_int_equal(
			path_link(w.root, "file", w.root, p, PATH_IN_ROOT), -1);
		assert_int_equal(errno, EEXIST);
		/* A second name of the link itself. */
		assert_int_equal(
			path_link(w.root, p, w.root, "dir/again", PATH_IN_ROOT),
			0);
		assert_int_equal(
			path_stat(w.root, "dir/again", PATH_IN_ROOT, &st), 0);
		assert_true(S_ISLNK(st.st_mode));
		assert_int_equal(path_rename(w.root, p, w.root, "dir/again2",
					     PATH_IN_ROOT, RENAME_NOREPLACE),
				 0);
		assert_int_equal(
			path_unlink(w.root, "dir/again", PATH_IN_ROOT, 0), 0);
		assert_int_equal(
			path_unlink(w.root, "dir/again2", PATH_NO_LINKS, 0), 0);
	}
}

/* No call that creates, changes or removes follows a link that leads out. */
static void nothing_is_changed_through_a_link(void **state)
{
	static const char *const out[] = {"up", "abs", "dir/out", "round",
					  "broken_out"};
	static const unsigned int ways[] = {PATH_IN_ROOT, PATH_BENEATH,
					    PATH_NO_LINKS,
					    PATH_IN_ROOT | PATH_NO_XDEV};
	NEW_WORLD(w);

	(void)state;
	add_links(&w);
	for (size_t i = 0; i < ARRAY_LEN(out) * ARRAY_LEN(ways); i++) {
		const unsigned int way = ways[i % ARRAY_LEN(ways)];
		autofree char *n =
			xasprintf("%s/new", out[i / ARRAY_LEN(ways)]);
		autofree char *f =
			xasprintf("%s/file", out[i / ARRAY_LEN(ways)]);
		const struct timespec t[2] = {{.tv_sec = 5}, {.tv_sec = 5}};
		const char *name;

		assert_int_equal(
			path_open(w.root, n, way, O_CREAT | O_WRONLY, 0600),
			-1);
		assert_int_equal(path_open(w.root, n, way,
					   O_CREAT | O_EXCL | O_WRONLY, 0600),
				 -1);
		assert_int_equal(
			path_open(w.root, f, way, O_WRONLY | O_TRUNC, 0), -1);
		assert_int_equal(path_open_parent(w.root, n, way, &name), -1);
		assert_int_equal(path_mkdir(w.root, n, way, 0755), -1);
		assert_int_equal(path_mknod(w.root, n, way, S_IFIFO, 0), -1);
		assert_int_equal(path_symlink("x", w.root, n, way), -1);
		assert_int_equal(path_link(w.root, "file", w.root, n, way), -1);
		assert_int_equal(path_link(w.root, f, w.root, "dir/new", way),
				 -1);
		assert_int_equal(path_rename(w.root, "file", w.root, n, way, 0),
				 -1);
		assert_int_equal(
			path_rename(w.root, f, w.root, "dir/new", way, 0), -1);
		assert_int_equal(path_unlink(w.root, f, way, 0), -1);
		assert_int_equal(path_chmod(w.root, f, way, 0777), -1);
		assert_int_equal(path_chown(w.root, f, way, 1, 1), -1);
		assert_int_equal(path_utimens(w.root, f, way, t), -1);
		assert_int_equal(
			path_setxattr(w.root, f, way, "user.x", "1", 1), -1);
	}
}

/* ---- names ------------------------------------------------------------------- */

static void what_names_no_entry_is_refused(void **state)
{
	static const char *const bad[] = {"",      ".",      "..", "dir/",
					  "dir/.", "dir/..", "/"};
	struct stat st;
	NEW_WORLD(w);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		errno = 0;
		assert_int_equal(path_mkdir(w.root, bad[i], PATH_IN_ROOT, 0755),
				 -1);
		assert_int_equal(errno, EINVAL);
		errno = 0;
		assert_int_equal(
			path_unlink(w.root, bad[i], PATH_IN_ROOT, AT_REMOVEDIR),
			-1);
		assert_int_equal(errno, EINVAL);
		errno = 0;
		assert_int_equal(path_rename(w.root, bad[i], w.root, "new",
					     PATH_IN_ROOT, 0),
				 -1);
		assert_int_equal(errno, EINVAL);
	}
	/* The root itself. */
	assert_int_equal(path_stat(w.root, "", PATH_NO_LINKS, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(path_chmod(w.root, ".", PATH_NO_LINKS, 0711), 0);
	assert_int_equal(path_stat(w.root, ".", PATH_NO_LINKS, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0711);
	assert_int_equal(path_chmod(w.root, "", PATH_NO_LINKS, 0755), 0);
}

/* An existing entry of any type is EEXIST. */
static void what_exists_is_told_apart_by_a_look(void **state)
{
	struct stat st;
	NEW_WORLD(w);

	(void)state;
	add_links(&w);
	assert_int_equal(path_mkdir(w.root, "up", PATH_NO_LINKS, 0755), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(path_stat(w.root, "up", PATH_NO_LINKS, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(path_mkdir(w.root, "file", PATH_NO_LINKS, 0755), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(path_open(w.root, "dir", PATH_NO_LINKS,
				   O_CREAT | O_EXCL | O_WRONLY, 0600),
			 -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(path_open(w.root, "broken_out", PATH_IN_ROOT,
				   O_CREAT | O_EXCL | O_WRONLY, 0600),
			 -1);
	assert_int_equal(errno, EEXIST);
}

/* ---- types ------------------------------------------------------------------- */

static int type_of(const struct world *w, const char *path, unsigned int way,
		   mode_t type)
{
	const int fd = path_open_type(w->root, path, way, type, O_RDONLY);

	if (fd < 0)
		return errno;
	(void)close(fd);
	return 0;
}

static void only_the_type_that_is_asked_for_is_opened(void **state)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	const int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	NEW_WORLD(w);

	(void)state;
	add_links(&w);
	(void)snprintf(a.sun_path, sizeof(a.sun_path), "%s/root/sock", w.base);
	assert_int_equal(bind(sock, (void *)&a, sizeof(a)), 0);
	(void)close(sock);
	assert_int_equal(
		path_mknod(w.root, "fifo", PATH_NO_LINKS, S_IFIFO | 0600, 0),
		0);
	assert_int_equal(type_of(&w, "file", PATH_NO_LINKS, S_IFREG), 0);
	assert_int_equal(type_of(&w, "dir", PATH_NO_LINKS, S_IFDIR), 0);
	assert_int_equal(type_of(&w, "dir", PATH_NO_LINKS, S_IFREG), EISDIR);
	assert_int_equal(type_of(&w, "file", PATH_NO_LINKS, S_IFDIR), ENOTDIR);
	/* It would wait for a writer. */
	assert_int_equal(type_of(&w, "fifo", PATH_NO_LINKS, S_IFREG), EBADF);
	assert_int_equal(type_of(&w, "sock", PATH_NO_LINKS, S_IFREG), EBADF);
	assert_int_equal(type_of(&w, "to_file", PATH_IN_ROOT, S_IFREG), 0);
	assert_int_equal(type_of(&w, "to_file", PATH_NO_LINKS, S_IFREG), ELOOP);
	assert_int_equal(path_open_type(w.root, "to_file", PATH_IN_ROOT,
					S_IFREG, O_RDONLY | O_NOFOLLOW),
			 -1);
	assert_int_equal(errno, ELOOP);
	if (geteuid() == 0) {
		assert_int_equal(path_mknod(w.root, "null", PATH_NO_LINKS,
					    S_IFCHR | 0600, makedev(1, 3)),
				 0);
		assert_int_equal(type_of(&w, "null", PATH_NO_LINKS, S_IFREG),
				 EBADF);
		assert_int_equal(type_of(&w, "null", PATH_NO_LINKS, S_IFCHR),
				 0);
	}
}

static void a_file_of_the_kernel_is_none_of_the_image(void **state)
{
	const int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)state;
	assert_true(proc >= 0);
	assert_int_equal(path_open_type(proc, "version", PATH_NO_LINKS, S_IFREG,
					O_RDONLY),
			 -1);
	assert_int_equal(errno, EBADF);
	(void)close(proc);
}

/* ---- mkdir -p ------------------------------------------------------------------ */

static int makes(const struct world *w, const char *path, unsigned int way)
{
	const int fd = path_make_dirs(w->root, path, way, 0755);

	if (fd < 0)
		return errno;
	(void)close(fd);
	return 0;
}

static bool is_dir(const struct world *w, const char *path)
{
	struct stat st;

	return path_stat(w->root, path, PATH_NO_LINKS, &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

static void missing_directories_are_made(void **state)
{
	NEW_WORLD(w);

	(void)state;
	add_links(&w);
	assert_int_equal(makes(&w, "a/b/c", PATH_NO_LINKS), 0);
	assert_int_equal(makes(&w, "a/b/c", PATH_NO_LINKS), 0);
	assert_true(is_dir(&w, "a/b/c"));
	assert_int_equal(makes(&w, "/x//y/./z/", PATH_IN_ROOT), 0);
	assert_true(is_dir(&w, "x/y/z"));
	assert_int_equal(makes(&w, "to_dir/n", PATH_IN_ROOT), 0);
	assert_true(is_dir(&w, "dir/n"));
	/* Dangling links: their target is made, inside the root. */
	assert_int_equal(makes(&w, "broken/more", PATH_IN_ROOT), 0);
	assert_true(is_dir(&w, "not/there/more"));
	assert_int_equal(makes(&w, "broken_abs/more", PATH_IN_ROOT), 0);
	assert_true(is_dir(&w, "new/dir/more"));
	assert_int_equal(makes(&w, "broken_out/more", PATH_IN_ROOT), 0);
	assert_true(is_dir(&w, "canary/new/more"));
	assert_int_equal(makes(&w, "abs/x", PATH_IN_ROOT), 0);
	assert_int_equal(makes(&w, "missing/../../../up2/x", PATH_IN_ROOT), 0);
	assert_true(is_dir(&w, "up2/x"));
}

static void no_directory_is_made_outside(void **state)
{
	NEW_WORLD(w);

	(void)state;
	add_links(&w);
	assert_int_equal(makes(&w, "up/x", PATH_BENEATH), EXDEV);
	assert_int_equal(makes(&w, "abs/x", PATH_BENEATH), EXDEV);
	assert_int_equal(makes(&w, "broken_out/x", PATH_BENEATH), EXDEV);
	assert_int_equal(makes(&w, "broken_abs/x", PATH_BENEATH), EXDEV);
	assert_int_equal(makes(&w, "../canary/x", PATH_BENEATH), EXDEV);
	assert_int_equal(makes(&w, "up/x", PATH_NO_LINKS), ELOOP);
	assert_int_equal(makes(&w, "broken/x", PATH_NO_LINKS), ELOOP);
	assert_int_equal(makes(&w, "to_dir/x", PATH_NO_LINKS), ELOOP);
	assert_int_equal(makes(&w, "round/x", PATH_IN_ROOT), ELOOP);
	assert_int_equal(makes(&w, "file/x", PATH_IN_ROOT), ENOTDIR);
}

/* ---- extended attributes ---------------------------------------------------------- */

static void attributes_are_those_of_the_object(void **state)
{
	char v[64];
	char cwd[4096];
	char now[4096];
	NEW_WORLD(w);

	(void)state;
	add_links(&w);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	if (path_setxattr(w.root, "dir/file", PATH_NO_LINKS, "user.a", "1", 1) <
	    0) {
		assert_int_equal(errno, EOPNOTSUPP);
		skip();
	}
	assert_int_equal(path_getxattr(w.root, "dir/file", PATH_NO_LINKS,
				       "user.a", v, sizeof(v)),
			 1);
	assert_int_equal(path_listxattr(w.root, "to_dir/file", PATH_IN_ROOT, v,
					sizeof(v)),
			 sizeof("user.a"));
	assert_int_equal(path_getxattr(w.root, "to_dir/file", PATH_NO_LINKS,
				       "user.a", v, sizeof(v)),
			 -1);
	assert_int_equal(errno, ELOOP);
	/* Not those of a link's target. */
	assert_int_equal(
		path_setxattr(w.root, "file", PATH_NO_LINKS, "user.a", "1", 1),
		0);
	assert_int_equal(path_getxattr(w.root, "to_file", PATH_IN_ROOT,
				       "user.a", v, sizeof(v)),
			 -1);
	assert_int_equal(path_getxattr(w.root, ".", PATH_IN_ROOT, "user.a", v,
				       sizeof(v)),
			 -1);
	assert_int_equal(errno, ENODATA);
	assert_non_null(getcwd(now, sizeof(now)));
	assert_string_equal(cwd, now);
}

/* ---- mounts ------------------------------------------------------------------------ */

/* 0, or the number of the first line that is false. */
static int mount_and_look(const struct world *w)
{
	struct stat st;

	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    chdir(w->base) < 0 ||
	    mount("tmpfs", "root/dir", "tmpfs", 0, NULL) < 0)
		return __LINE__;
	{
		/* The earlier fd belongs to another namespace. */
		const int root = open("root", O_PATH | O_CLOEXEC);

		if (mkdir("root/dir/in", 0755) < 0)
			return __LINE__;
		if (opened(root, "dir/in", PATH_NO_LINKS) != 0)
			return __LINE__;
		if (opened(root, "dir/in", PATH_NO_LINKS | PATH_NO_XDEV) !=
		    EXDEV)
			return __LINE__;
		if (opened(root, "dir", PATH_IN_ROOT | PATH_NO_XDEV) != EXDEV)
			return __LINE__;
		if (path_mkdir(root, "dir/x", PATH_BENEATH | PATH_NO_XDEV,
			       0755) == 0 ||
		    errno != EXDEV)
			return __LINE__;
		if (path_stat(root, "dir/in", PATH_NO_LINKS | PATH_NO_XDEV,
			      &st) == 0)
			return __LINE__;
		if (path_make_dirs(root, "dir/a/b", PATH_IN_ROOT | PATH_NO_XDEV,
				   0755) >= 0 ||
		    errno != EXDEV)
			return __LINE__;
	}
	return 0;
}

static void a_mount_on_the_way_is_told(void **state)
{
	int status;
	pid_t pid;
	NEW_WORLD(w);

	(void)state;
	if (geteuid() != 0) {
		print_message("needs root\n");
		skip();
	}
	pid = fork();
	if (pid == 0)
		_exit(mount_and_look(&w) & 0xff);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* ---- races --------------------------------------------------------------------------- */

/* Swap a directory and a link to the canary in a loop. */
static _Noreturn void exchange(const struct world *w)
{
	for (;;)
		(void)renameat2(w->root, "dir", w->root, "swap",
				RENAME_EXCHANGE);
}

static void one_round(const struct world *w, unsigned int way)
{
	struct stat st;
	int fd;

	if (path_mkdir(w->root, "dir/new", way, 0755) == 0)
		(void)path_unlink(w->root, "dir/new", way, AT_REMOVEDIR);
	fd = path_open(w->root, "dir/created", way, O_WRONLY | O_CREAT, 0600);
	if (fd >= 0)
		(void)close(fd);
	(void)path_unlink(w->root, "dir/created", way, 0);
	(void)path_chmod(w->root, "dir/file", way, 0755);
	(void)path_symlink("x", w->root, "dir/link", way);
	(void)path_unlink(w->root, "dir/link", way, 0);
	fd = path_open_type(w->root, "dir/file", way, S_IFREG, O_RDWR);
	if (fd >= 0) {
		char text[16] = "";

		assert_true(read(fd, text, sizeof(text) - 1) > 0);
		assert_string_equal(text, "in dir");
		(void)close(fd);
	}
	fd = path_make_dirs(w->root, "dir/p/q", way, 0755);
	if (fd >= 0)
		(void)close(fd);
	if (path_stat(w->root, "dir/file", way, &st) == 0)
		assert_int_equal(st.st_size, strlen("in dir"));
	(void)path_rename(w->root, "dir/file", w->root, "dir/file2", way, 0);
	(void)path_rename(w->root, "dir/file2", w->root, "dir/file", way, 0);
}

static void a_race_never_reaches_the_canary(void **state)
{
	autokill pid_t pid = -1;
	NEW_WORLD(w);

	(void)state;
	assert_int_equal(symlinkat("../canary", w.root, "swap"), 0);
	pid = fork();
	if (pid == 0)
		exchange(&w);
	assert_true(pid > 0);
	/* About 12 calls per round: more than 100,000. */
	for (int i = 0; i < 3000; i++) {
		one_round(&w, PATH_BENEATH);
		one_round(&w, PATH_NO_LINKS);
		one_round(&w, PATH_NO_LINKS | PATH_NO_XDEV);
	}
}

/* With PATH_IN_ROOT "../canary" is a directory of the root: as good. */
static void a_race_in_the_root_stays_there(void **state)
{
	autokill pid_t pid = -1;
	NEW_WORLD(w);

	(void)state;
	assert_int_equal(mkdirat(w.root, "canary", 0755), 0);
	put(w.root, "canary/file", "in dir");
	assert_int_equal(symlinkat("../canary", w.root, "swap"), 0);
	pid = fork();
	if (pid == 0)
		exchange(&w);
	assert_true(pid > 0);
	for (int i = 0; i < 3000; i++)
		one_round(&w, PATH_IN_ROOT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_follows_what_it_says),
		cmocka_unit_test(magic_links_are_never_followed),
		cmocka_unit_test(the_last_component_is_not_followed),
		cmocka_unit_test(nothing_is_changed_through_a_link),
		cmocka_unit_test(what_names_no_entry_is_refused),
		cmocka_unit_test(what_exists_is_told_apart_by_a_look),
		cmocka_unit_test(only_the_type_that_is_asked_for_is_opened),
		cmocka_unit_test(a_file_of_the_kernel_is_none_of_the_image),
		cmocka_unit_test(missing_directories_are_made),
		cmocka_unit_test(no_directory_is_made_outside),
		cmocka_unit_test(attributes_are_those_of_the_object),
		cmocka_unit_test(a_mount_on_the_way_is_told),
		cmocka_unit_test(a_race_never_reaches_the_canary),
		cmocka_unit_test(a_race_in_the_root_stays_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
