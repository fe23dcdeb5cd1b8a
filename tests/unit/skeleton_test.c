/*
 * Images of several layers, looked at through a real overlay mount with the
 * lower directories that the stack file names. "The view" is what a container
 * would see.
 */
#include "store/skeleton.h"

#include "store/stack.h"
#include "untarfix.h"

#include <dirent.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#define LAYERS 6

struct image {
	struct fix layer[LAYERS];
	struct skeleton_layer v[LAYERS];
	size_t n;
	char base[64]; /* has out/, and upper, work, view of the mount */
	int base_fd;
	int out;
	bool needed;
	bool made;
};

static void image_make(struct image *im)
{
	memset(im, 0, sizeof(*im));
	(void)snprintf(im->base, sizeof(im->base), "/tmp/prism-skel-XXXXXX");
	assert_non_null(mkdtemp(im->base));
	im->base_fd = open(im->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(im->base_fd >= 0);
	assert_int_equal(mkdirat(im->base_fd, "out", 0700), 0);
	im->out =
		openat(im->base_fd, "out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(im->out >= 0);
}

static void image_drop(struct image *im)
{
	struct err e = {0};

	for (size_t i = 0; i < im->n; i++)
		fix_drop(&im->layer[i]);
	(void)close(im->out);
	(void)close(im->base_fd);
	assert_int_equal(fs_remove_tree_at(AT_FDCWD, im->base, &e), 0);
}

#define NEW_IMAGE(im)                                         \
	struct image im __attribute__((cleanup(image_drop))); \
	image_make(&im)

/* The next layer, on top, from entries; the array ends with a NULL name. */
static void add_layer(struct image *im, const struct ent *t)
{
	struct fix *const f = &im->layer[im->n];
	NEW_TAR(b);

	fix_make(f);
	for (; t->name; t++)
		tm_add(&b, t);
	tm_end(&b);
	fix_ok(f, &b);
	im->v[im->n] = (struct skeleton_layer){
		.diff_id = f->diff_id, .fs_fd = f->dir, .list_fd = f->list};
	im->n++;
}

#define LAYER(im, ...) \
	add_layer((im), (const struct ent[]){__VA_ARGS__, {.name = NULL}})

static void build(struct image *im)
{
	struct err e = {0};

	(void)skeleton_is_needed(im->v, im->n, &im->needed, &e);
	assert_string_equal(e.text, "");
	(void)skeleton_build(im->v, im->n, false, im->out, &im->made, &e);
	assert_string_equal(e.text, "");
	assert_true(im->needed || !im->made);
}

static bool out_is_empty(const struct image *im)
{
	const int fd = openat(im->out, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = fdopendir(fd);
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	return n == 2;
}

/* ---- the view ------------------------------------------------------------ */

/* "top:layer...": the lower directories in the order of the stack file. */
static void lower_option(const struct image *im, struct buf *ret)
{
	struct stack_item item[2 * LAYERS + 1];
	autobuf struct buf text = buf_make(1 << 16);
	struct err e = {0};
	size_t n = 0;

	if (!im->made) {
		for (size_t i = im->n; i-- > 0;)
			buf_addf(ret, "%s%s/fs", ret->len ? ":" : "",
				 im->layer[i].base);
		return;
	}
	assert_int_equal(fs_read_at(im->out, "stack", &text, &e), 0);
	(void)stack_parse(text.p, text.len, item, ARRAY_LEN(item), &n, &e);
	assert_string_equal(e.text, "");
	for (size_t i = 0; i < n; i++) {
		const char *const colon = ret->len ? ":" : "";
		size_t k = 0;

		if (item[i].own[0]) {
			buf_addf(ret, "%s%s/out/%s", colon, im->base,
				 item[i].own);
			continue;
		}
		while (k < im->n &&
		       !digest_eq(&im->v[k].diff_id, &item[i].layer))
			k++;
		assert_true(k < im->n);
		buf_addf(ret, "%s%s/fs", colon, im->layer[k].base);
	}
}

/* In the child: mount, chdir into the view, run the check. */
typedef void (*check_fn)(void);

static int mount_view(const struct image *im)
{
	autobuf struct buf o = buf_make(1 << 16);

	buf_adds(&o, "lowerdir=");
	/* reset: lower_option looks at the length to place colons */
	{
		autobuf struct buf l = buf_make(1 << 16);

		lower_option(im, &l);
		buf_adds(&o, buf_str(&l));
	}
	buf_adds(&o, ",upperdir=upper,workdir=work");
	/* By its path: an fd would still be in the old mount namespace. */
	if (chdir(im->base) < 0 || mkdir("upper", 0755) < 0 ||
	    mkdir("work", 0755) < 0 || mkdir("view", 0755) < 0)
		return 1;
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("overlay", "view", "overlay", 0, buf_str(&o)) < 0) {
		(void)fprintf(stderr, "mount %s: %s\n", buf_str(&o),
			      strerror(errno));
		return 77;
	}
	return chdir("view") < 0 ? 1 : 0;
}

static int checks_failed;

static void expect(bool ok, const char *what)
{
	if (ok)
		return;
	(void)fprintf(stderr, "in the view: not true: %s\n", what);
	checks_failed++;
}
#define EXPECT(cond) expect((cond), #cond)

static void look(const struct image *im, check_fn check)
{
	int status;
	const pid_t pid = fork();

	if (pid == 0) {
		int rc = unshare(CLONE_NEWNS) < 0 ? 77 : mount_view(im);

		if (rc == 0) {
			check();
			rc = checks_failed ? 3 : 0;
		}
		_exit(rc);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("needs overlayfs\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static bool there(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_mode & 07777 : 010000;
}

static uid_t uid_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? st.st_uid : (uid_t)-1;
}

static long long mtime_of(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 ? (long long)st.st_mtime : -1;
}

/* What readdir gives, sorted, joined by blanks. */
static const char *names_in(const char *path, char *buf, size_t n)
{
	struct dirent **v = NULL;
	const int got = scandir(path, &v, NULL, alphasort);
	size_t len = 0;

	buf[0] = '\0';
	for (int i = 0; i < got; i++) {
		if (v[i]->d_name[0] != '.')
			len += (size_t)snprintf(buf + len, n - len, "%s%s",
						len ? " " : "", v[i]->d_name);
		free(v[i]);
	}
	free(v);
	return buf;
}
#define NAMES_ARE(path, want)                                          \
	expect(!strcmp(names_in((path), (char[512]){0}, 512), (want)), \
	       path " holds " want)

static bool content_is(const char *path, const char *want)
{
	autobuf struct buf b = buf_make(4096);
	struct err e = {0};

	return fs_read_at(AT_FDCWD, path, &b, &e) == 0 &&
	       !strcmp(buf_str(&b), want);
}

/* ---- nothing to do ------------------------------------------------------- */

static void an_ordinary_image_needs_nothing(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "a/", .type = '5'}, {.name = "a/f", .data = "1"},
	      {.name = "implied/below", .data = "x"});
	LAYER(&im, {.name = "a/", .type = '5'}, {.name = "a/g", .data = "2"});
	build(&im);
	assert_false(im.needed);
	assert_false(im.made);
	assert_true(out_is_empty(&im));
}

static void check_plain_whiteout(void)
{
	NAMES_ARE("a", "keep");
	EXPECT(!there("a/gone"));
}

/* The usual whiteout: its directory is in a lower layer as well. */
static void a_usual_whiteout_needs_nothing(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "a/", .type = '5'}, {.name = "a/gone"},
	      {.name = "a/keep"});
	LAYER(&im, {.name = "a/", .type = '5'}, {.name = "a/.wh.gone"});
	build(&im);
	assert_true(im.needed); /* the list has to be read */
	assert_false(im.made);
	assert_true(out_is_empty(&im));
	look(&im, check_plain_whiteout);
}

/* ---- implied parents ----------------------------------------------------- */

static void check_implied(void)
{
	EXPECT(mode_of("a") == 0711);
	EXPECT(uid_of("a") == 5);
	EXPECT(mtime_of("a") == 555);
	EXPECT(mode_of("a/b") == 0700);
	EXPECT(uid_of("a/b") == 6);
	EXPECT(mtime_of("a/b") == 666);
	EXPECT(content_is("a/b/old", "1"));
	EXPECT(content_is("a/b/new", "2"));
	EXPECT(mode_of("other") == 0750); /* its own entry, on top */
	EXPECT(mode_of("fresh") == 0755); /* implied everywhere */
	EXPECT(content_is("fresh/f", "x"));
}

static void implied_parents_look_as_below(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im,
	      {.name = "a/", .type = '5', .mode = 0711, .uid = 5, .mtime = 555},
	      {.name = "a/b/",
	       .type = '5',
	       .mode = 0700,
	       .uid = 6,
	       .mtime = 666},
	      {.name = "a/b/old", .data = "1"},
	      {.name = "other/", .type = '5', .mode = 0700});
	LAYER(&im, {.name = "a/b/new", .data = "2"},
	      {.name = "other/f", .data = "x"},
	      {.name = "fresh/f", .data = "x"});
	LAYER(&im, {.name = "other/", .type = '5', .mode = 0750},
	      {.name = "a/b/c/d", .data = "x"});
	build(&im);
	assert_true(im.made);
	look(&im, check_implied);
}

static void check_opaque_implied(void)
{
	EXPECT(mode_of("a") == 0711);
	NAMES_ARE("a", "new");
	EXPECT(mode_of("again") == 0755); /* whited out: a new one */
	EXPECT(uid_of("again") == 0);
	NAMES_ARE("again", "new");
}

static void opaque_marks_keep_attributes_but_whiteouts_do_not(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "a/", .type = '5', .mode = 0711}, {.name = "a/old"},
	      {.name = "again/", .type = '5', .mode = 0700, .uid = 9},
	      {.name = "again/old"});
	LAYER(&im, {.name = "a/.wh..wh..opq"}, {.name = "a/new"},
	      {.name = ".wh.again"}, {.name = "again/new"});
	build(&im);
	assert_true(im.made);
	look(&im, check_opaque_implied);
}

static void check_root(void)
{
	/* the mount's root is the upper's; the lower ones are asked for */
	EXPECT(mode_of("../out/top") == 01777);
	EXPECT(uid_of("../out/top") == 3);
	EXPECT(there("f"));
	EXPECT(there("g"));
}

static void an_implied_root_looks_as_below(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "./", .type = '5', .mode = 01777, .uid = 3},
	      {.name = "f"});
	LAYER(&im, {.name = "g"});
	build(&im);
	assert_true(im.made);
	look(&im, check_root);
}

static void a_usual_root_needs_nothing(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "./", .type = '5'}, {.name = "f"});
	LAYER(&im, {.name = "g"});
	build(&im);
	assert_false(im.needed);
}

/* ---- ghosts -------------------------------------------------------------- */

static void check_ghosts(void)
{
	NAMES_ARE("only", "deep f");
	NAMES_ARE("only/deep", "");
	NAMES_ARE("bottom", "");
	EXPECT(mode_of("only") == 0710);
	EXPECT(uid_of("only") == 4);
	EXPECT(mtime_of("only") == 777);
	EXPECT(mode_of("only/deep") == 0701);
}

static void ghosts_are_not_listed(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "bottom/", .type = '5'},
	      {.name = "bottom/.wh.nothing"});
	LAYER(&im,
	      {.name = "only/",
	       .type = '5',
	       .mode = 0710,
	       .uid = 4,
	       .mtime = 777},
	      {.name = "only/f"}, {.name = "only/.wh.nothing"},
	      {.name = "only/deep/", .type = '5', .mode = 0701},
	      {.name = "only/deep/.wh.nothing"});
	LAYER(&im, {.name = "else"});
	build(&im);
	assert_true(im.made);
	look(&im, check_ghosts);
}

static void check_ghost_above_opaque(void)
{
	NAMES_ARE("d", "new sub");
	NAMES_ARE("d/sub", "");
}

/* An opaque directory in the middle leaves the whiteouts above it alone. */
static void ghosts_above_an_opaque_directory(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "d/", .type = '5'}, {.name = "d/sub/", .type = '5'},
	      {.name = "d/sub/old"});
	LAYER(&im, {.name = "d/", .type = '5'}, {.name = "d/.wh..wh..opq"},
	      {.name = "d/new"});
	LAYER(&im, {.name = "d/", .type = '5'}, {.name = "d/sub/", .type = '5'},
	      {.name = "d/sub/.wh.old"});
	build(&im);
	assert_true(im.made);
	look(&im, check_ghost_above_opaque);
}

/* ---- opaque root --------------------------------------------------------- */

static void check_cut(void)
{
	NAMES_ARE(".", "new newer");
}

static void an_opaque_root_cuts_the_stack(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "old"}, {.name = "d/old"});
	LAYER(&im, {.name = ".wh..wh..opq"}, {.name = "new"});
	LAYER(&im, {.name = "newer"});
	build(&im);
	assert_true(im.made);
	look(&im, check_cut);
}

/* ---- symlinked parents --------------------------------------------------- */

static void check_usrmerge(void)
{
	char target[64] = "";

	EXPECT(readlink("lib", target, sizeof(target) - 1) == 7);
	EXPECT(!strcmp(target, "usr/lib"));
	EXPECT(content_is("usr/lib/old", "1"));
	EXPECT(content_is("usr/lib/new", "2"));
	EXPECT(content_is("lib/new", "2"));
	EXPECT(content_is("usr/lib/replaced", "2"));
	EXPECT(!there("usr/lib/gone"));
	EXPECT(mode_of("usr/lib") == 0711);
	EXPECT(mode_of("usr") == 0750);
	EXPECT(mode_of("usr/lib/sub") == 0700);
	EXPECT(content_is("usr/lib/sub/a", "1"));
	EXPECT(content_is("usr/lib/sub/b", "2"));
	EXPECT(mode_of("usr/lib/own") == 0701);
	EXPECT(content_is("usr/lib/own/f", "2"));
	/* the layer above has the last word */
	EXPECT(content_is("usr/lib/later", "3"));
	EXPECT(readlink("sbin", target, sizeof(target)) == 9);
	EXPECT(content_is("usr/sbin/x", "2"));
	NAMES_ARE("usr/lib", "later new old own replaced sub");
}

static void usrmerge_is_written_through(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "usr/", .type = '5', .mode = 0750},
	      {.name = "usr/lib/", .type = '5', .mode = 0711},
	      {.name = "usr/sbin/", .type = '5'},
	      {.name = "usr/lib/old", .data = "1"},
	      {.name = "usr/lib/gone", .data = "1"},
	      {.name = "usr/lib/replaced", .data = "1"},
	      {.name = "usr/lib/sub/", .type = '5', .mode = 0700},
	      {.name = "usr/lib/sub/a", .data = "1"},
	      {.name = "lib", .type = '2', .link = "usr/lib"},
	      {.name = "sbin", .type = '2', .link = "/usr/sbin"});
	LAYER(&im, {.name = "lib/new", .data = "2"},
	      {.name = "lib/later", .data = "2"},
	      {.name = "lib/replaced", .data = "2"}, {.name = "lib/.wh.gone"},
	      {.name = "lib/sub/b", .data = "2"},
	      {.name = "lib/own/", .type = '5', .mode = 0701},
	      {.name = "lib/own/f", .data = "2"},
	      {.name = "sbin/x", .data = "2"});
	LAYER(&im, {.name = "usr/", .type = '5', .mode = 0750},
	      {.name = "usr/lib/", .type = '5', .mode = 0711},
	      {.name = "usr/lib/later", .data = "3"});
	build(&im);
	assert_true(im.made);
	look(&im, check_usrmerge);
}

static void check_explicit(void)
{
	struct stat st;

	EXPECT(lstat("lib", &st) == 0 && S_ISDIR(st.st_mode));
	NAMES_ARE("lib", "new");
	NAMES_ARE("usr/lib", "old");
	/* a link that leads nowhere is replaced, too */
	EXPECT(lstat("dangling", &st) == 0 && S_ISDIR(st.st_mode));
	EXPECT(there("dangling/f"));
}

/* An entry for the directory means the directory; a dangling link is none. */
static void an_own_directory_replaces_the_link(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "usr/", .type = '5'},
	      {.name = "usr/lib/", .type = '5'}, {.name = "usr/lib/old"},
	      {.name = "lib", .type = '2', .link = "usr/lib"},
	      {.name = "dangling", .type = '2', .link = "no/where"},
	      {.name = "loop", .type = '2', .link = "loop"});
	LAYER(&im, {.name = "lib/", .type = '5'}, {.name = "lib/new"},
	      {.name = "dangling/f"}, {.name = "loop/f"});
	build(&im);
	look(&im, check_explicit);
}

static void check_two_patches(void)
{
	EXPECT(content_is("usr/lib/one", "2"));
	EXPECT(content_is("usr/lib/two", "3"));
	EXPECT(content_is("usr/lib/both", "3"));
	EXPECT(content_is("usr/lib/deep/er/f", "3"));
	NAMES_ARE("usr/lib/deep", "er");
	NAMES_ARE("usr/lib/ghost", "");
}

/* Two layers write through, the second one also through a link of the first. */
static void several_layers_write_through(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "usr/", .type = '5'},
	      {.name = "usr/lib/", .type = '5'},
	      {.name = "lib", .type = '2', .link = "usr/lib"});
	LAYER(&im, {.name = "lib/one", .data = "2"},
	      {.name = "lib/both", .data = "2"},
	      {.name = "lib/link", .type = '2', .link = "deep"},
	      {.name = "lib/deep/", .type = '5'},
	      {.name = "lib/ghost/", .type = '5'},
	      {.name = "lib/ghost/.wh.nothing"});
	LAYER(&im, {.name = "lib/two", .data = "3"},
	      {.name = "lib/both", .data = "3"},
	      {.name = "lib/link/er/f", .data = "3"});
	build(&im);
	assert_true(im.made);
	look(&im, check_two_patches);
}

static void check_replaced_link(void)
{
	struct stat st;

	EXPECT(lstat("x/l", &st) == 0 && S_ISDIR(st.st_mode));
	EXPECT(mode_of("x/l") == 0700);
	NAMES_ARE("x/l", "deep evil");
	EXPECT(mode_of("x/l/evil") == 04755);
	NAMES_ARE("usr/lib", "old w");
	EXPECT(readlink("x/m", (char[8]){0}, 8) > 0);
	NAMES_ARE("usr/share", "doc");
}

/*
 * By one name the layer writes through x/l, by another it has a directory
 * there: the directory takes the link's place, and nothing goes through it.
 */
static void two_names_for_one_place(void **state)
{
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "x/", .type = '5'}, {.name = "usr/", .type = '5'},
	      {.name = "usr/lib/", .type = '5'}, {.name = "usr/lib/old"},
	      {.name = "usr/share/", .type = '5'}, {.name = "usr/share/doc"},
	      {.name = "x/l", .type = '2', .link = "/usr/lib"},
	      {.name = "x/m", .type = '2', .link = "/usr/share"},
	      {.name = "z", .type = '2', .link = "x"});
	LAYER(&im, {.name = "x/l/w"},
	      {.name = "z/l/", .type = '5', .mode = 0700},
	      {.name = "z/l/evil", .mode = 04755},
	      {.name = "z/l/deep/er/f", .data = "1"});
	build(&im);
	assert_true(im.made);
	look(&im, check_replaced_link);
}

static void check_deep(void)
{
	NAMES_ARE("usr/lib", "d old");
	EXPECT(there("usr/lib/d/d/d/d/d/d/d/d"));
}

/* As deep as the kernel's paths go: no stack and no fds for each level. */
static void a_deep_tree_is_moved(void **state)
{
	char deep[3000] = "lib";
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	for (size_t n = 3; n + 2 < sizeof(deep); n += 2)
		memcpy(deep + n, "/d", 3);
	LAYER(&im, {.name = "usr/", .type = '5'},
	      {.name = "usr/lib/", .type = '5'}, {.name = "usr/lib/old"},
	      {.name = "lib", .type = '2', .link = "usr/lib"});
	{
		struct fix *const f = &im.layer[im.n];
		NEW_TAR(b);

		fix_make(f);
		tm_pax_str(&b, "path", deep);
		TM(&b, .name = "f", .data = "1");
		tm_end(&b);
		fix_ok(f, &b);
		im.v[im.n++] = (struct skeleton_layer){.diff_id = f->diff_id,
						       .fs_fd = f->dir,
						       .list_fd = f->list};
	}
	build(&im);
	look(&im, check_deep);
}

/* A link where the layer puts something into the directory: refused. */
static void a_link_over_a_directory_is_refused(void **state)
{
	struct err e = {0};
	NEW_IMAGE(im);

	(void)state;
	NEED_ROOT();
	LAYER(&im, {.name = "x/", .type = '5'}, {.name = "x/k/", .type = '5'},
	      {.name = "a", .type = '2', .link = "x"},
	      {.name = "y", .type = '2', .link = "x/k"});
	LAYER(&im, {.name = "a/k", .type = '2', .link = "/tmp"},
	      {.name = "y/evil"});
	assert_int_equal(
		skeleton_build(im.v, im.n, false, im.out, &im.made, &e), -1);
	assert_string_equal(e.text,
			    "write through y: 'x/k' is a directory by one name "
			    "of the layer, and something else by another");
}

/* ---- the stack file ------------------------------------------------------ */

#define HEX "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void stack_files_are_read_strictly(void **state)
{
	static const char *const bad[] = {
		"",
		"prism-stack 2\nend\n",
		"prism-stack 1\n",
		"prism-stack 1\nend",
		"prism-stack 1\nend\nmore\n",
		"prism-stack 1\nown ../x\nend\n",
		"prism-stack 1\nown ..\nend\n",
		"prism-stack 1\nown \nend\n",
		"prism-stack 1\nown a/b\nend\n",
		"prism-stack 1\nown aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nend\n",
		"prism-stack 1\nlayer sha256:abc\nend\n",
		"prism-stack 1\nlayer ../../etc\nend\n",
		"prism-stack 1\nfoo bar\nend\n",
		"prism-stack 1\nown a\nown b\nown c\nown d\nend\n", /* max */
	};
	static const char good[] = "prism-stack 1\nown top\nlayer sha256:" HEX
				   "\nown patch-3\nend\n";
	struct stack_item item[3];
	struct err e = {0};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (stack_parse(bad[i], strlen(bad[i]), item, 3, &n, &e) == 0)
			fail_msg("accepted: %s", bad[i]);
		assert_true(err_is(&e));
		err_clear(&e);
	}
	assert_int_equal(stack_parse(good, strlen(good), item, 3, &n, &e), 0);
	assert_int_equal(n, 3);
	assert_string_equal(item[0].own, "top");
	assert_string_equal(item[1].own, "");
	assert_string_equal(item[1].layer.hex, HEX);
	assert_string_equal(item[2].own, "patch-3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ordinary_image_needs_nothing),
		cmocka_unit_test(a_usual_whiteout_needs_nothing),
		cmocka_unit_test(implied_parents_look_as_below),
		cmocka_unit_test(
			opaque_marks_keep_attributes_but_whiteouts_do_not),
		cmocka_unit_test(an_implied_root_looks_as_below),
		cmocka_unit_test(a_usual_root_needs_nothing),
		cmocka_unit_test(ghosts_are_not_listed),
		cmocka_unit_test(ghosts_above_an_opaque_directory),
		cmocka_unit_test(an_opaque_root_cuts_the_stack),
		cmocka_unit_test(usrmerge_is_written_through),
		cmocka_unit_test(an_own_directory_replaces_the_link),
		cmocka_unit_test(several_layers_write_through),
		cmocka_unit_test(two_names_for_one_place),
		cmocka_unit_test(a_deep_tree_is_moved),
		cmocka_unit_test(a_link_over_a_directory_is_refused),
		cmocka_unit_test(stack_files_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
