/*
 * How it works: the list is read into an array sorted by path, parents right
 * before what is below them. What later records removed or replaced is taken
 * out. Then the tree is walked once; each thing met is looked up and compared,
 * and what was never met is missing.
 */
#include "store/fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/path.h"
#include "base/walk.h"
#include "base/whoami.h"
#include "store/layer.h"
#include "store/layerlist.h"
#include "store/untar_xattr.h"

struct rec {
	struct list_rec r; /* path and target are ours */
	char *path;
	char *target;
	size_t seq;
	bool dead;
	bool met;
};

struct check {
	struct fsck *f;
	const struct digest *id;
	struct rec *v;
	size_t n;
	int fs;
	bool userxattr;
};

static void check_free(struct check *c)
{
	for (size_t i = 0; i < c->n; i++) {
		free(c->v[i].path);
		free(c->v[i].target);
	}
	free(c->v);
}

/* ---- the list ------------------------------------------------------------ */

static int read_list(struct check *c, int fd, struct err *e)
{
	struct list_reader *l = NULL;
	struct list_rec r;
	size_t cap = 0;
	int more;

	if (list_open(fd, &l, e))
		return -1;
	while ((more = list_next(l, &r, e)) > 0) {
		if (c->n == cap) {
			cap = cap ? 2 * cap : 256;
			c->v = xrealloc(c->v, cap * sizeof(*c->v));
		}
		c->v[c->n] = (struct rec){
			.r = r,
			.path = xstrdup(r.path),
			.target = r.target ? xstrdup(r.target) : NULL,
			.seq = c->n,
		};
		c->n++;
	}
	list_close(l);
	return more;
}

/* '/' before all others: what is below a directory follows it at once. */
static int path_cmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	if (*a == *b)
		return 0;
	if (!*a || !*b)
		return *a ? 1 : -1;
	if (*a == '/' || *b == '/')
		return *a == '/' ? -1 : 1;
	return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

static int by_path(const void *a, const void *b)
{
	const struct rec *const x = a;
	const struct rec *const y = b;
	const int r = path_cmp(x->path, y->path);

	return r ? r : (x->seq > y->seq) - (x->seq < y->seq);
}

static int by_path_only(const void *a, const void *b)
{
	const struct rec *const x = b;

	return path_cmp(a, x->path);
}

static bool is_below(const char *path, const char *dir)
{
	const size_t n = strlen(dir);

	return !strncmp(path, dir, n) && path[n] == '/';
}

/*
 * A record that is no directory, or a removal, ends what came before it at its
 * path and below; the last record of a path wins.
 */
static void bury(struct check *c)
{
	/* Indexes of the killers above the record that is looked at. */
	autofree size_t *above = xcalloc(c->n + 1, sizeof(*above));
	size_t depth = 0;

	for (size_t i = 0; i < c->n; i++) {
		struct rec *const it = &c->v[i];

		while (depth > 0 &&
		       strcmp(it->path, c->v[above[depth - 1]].path) != 0 &&
		       !is_below(it->path, c->v[above[depth - 1]].path))
			depth--;
		for (size_t k = 0; k < depth; k++)
			if (c->v[above[k]].seq > it->seq)
				it->dead = true;
		if (i + 1 < c->n && !strcmp(it->path, c->v[i + 1].path))
			it->dead = true;
		if (it->r.type != 'd')
			above[depth++] = i;
		if (it->r.type == 'x' || (it->r.flags & LIST_SKIPPED))
			it->dead = true;
	}
}

/* Only the living, still sorted. */
static void compact(struct check *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (!c->v[i].dead) {
			c->v[n++] = c->v[i];
			continue;
		}
		free(c->v[i].path);
		free(c->v[i].target);
	}
	c->n = n;
}

/* ---- one thing ----------------------------------------------------------- */

static void differs(const struct check *c, const struct rec *it,
		    const char *what)
{
	fsck_found(c->f, "layer %s: %s: %s differs from the list",
		   DIGEST_SHORT(c->id), it->path, what);
}

static bool right_type(const struct rec *it, const struct stat *st)
{
	switch (it->r.type) {
	case 'f':
		return S_ISREG(st->st_mode);
	case 'd':
		return S_ISDIR(st->st_mode);
	case 'l':
		return S_ISLNK(st->st_mode);
	case 'h':
		return !S_ISDIR(st->st_mode) && st->st_nlink > 1;
	case 'p':
		return S_ISFIFO(st->st_mode);
	case 'b':
		return S_ISBLK(st->st_mode) &&
		       st->st_rdev == makedev(it->r.major, it->r.minor);
	case 'c':
		return S_ISCHR(st->st_mode) &&
		       st->st_rdev == makedev(it->r.major, it->r.minor);
	case 'w':
		return S_ISCHR(st->st_mode) && st->st_rdev == 0;
	default:
		return false;
	}
}

/* Times that file systems cannot hold are cut off by them. */
static bool right_time(const struct rec *it, const struct stat *st)
{
	if (it->r.mtime_s < INT32_MIN || it->r.mtime_s > INT64_C(15032385535))
		return true;
	return st->st_mtim.tv_sec == it->r.mtime_s &&
	       st->st_mtim.tv_nsec == (long)it->r.mtime_ns;
}

static void check_attributes(const struct check *c, const struct rec *it,
			     const struct stat *st)
{
	const bool squashed = it->r.flags & LIST_SQUASHED;

	if (it->r.type != 'l' && (st->st_mode & 07777) != it->r.mode)
		differs(c, it, "the mode");
	if (st->st_uid != (squashed ? 0 : it->r.uid) ||
	    st->st_gid != (squashed ? 0 : it->r.gid))
		differs(c, it, "the owner");
	if (!right_time(it, st))
		differs(c, it, "the time");
}

static int check_content(const struct check *c, const struct rec *it,
			 const struct walk_at *at, struct err *e)
{
	autoclose int fd = path_open_type(at->dir, at->name, PATH_NO_LINKS,
					  S_IFREG, O_RDONLY | O_NOFOLLOW);
	struct digest got;

	if (fd < 0)
		return err_sys(e, "openat2", "%s", it->path);
	if (fsck_hash_fd(c->f, fd, it->path, DIGEST_SHA256, &got, e))
		return -1;
	if (strcmp(got.hex, it->r.sha256) != 0)
		differs(c, it, "the content");
	return 0;
}

static void check_link(const struct check *c, const struct rec *it,
		       const struct walk_at *at)
{
	const char *const want = it->target ? it->target : "";
	char got[PATH_MAX];

	if (path_readlink(at->dir, at->name, PATH_NO_LINKS, got, sizeof(got)) <
		    0 ||
	    strcmp(got, want) != 0)
		differs(c, it, "the target");
}

static void check_xattrs(const struct check *c, const struct rec *it,
			 const struct walk_at *at)
{
	char got[LIST_HEX + 1];
	struct err why = {0};

	if (xattr_disk_digest(at->dir, at->name, c->userxattr, got, &why))
		fsck_found(c->f, "layer %s: %s: %s", DIGEST_SHORT(c->id),
			   it->path, why.text);
	else if (strcmp(got, it->r.xattrs) != 0)
		differs(c, it, "an extended attribute");
}

static void check_one(const struct check *c, const struct rec *it,
		      const struct walk_at *at)
{
	const struct stat *const st = &at->st;
	struct err why = {0};

	if (!right_type(it, st)) {
		differs(c, it, "the type");
		return;
	}
	/* A hardlink is checked where its inode is named first. */
	if (it->r.type == 'h' || it->r.type == 'w')
		return;
	check_attributes(c, it, st);
	if (it->r.type == 'l')
		check_link(c, it, at);
	if (it->r.type == 'f' && (uint64_t)st->st_size != it->r.size) {
		differs(c, it, "the size");
		return;
	}
	if (c->f->quick)
		return;
	check_xattrs(c, it, at);
	if (it->r.type == 'f' && it->r.sha256[0] &&
	    check_content(c, it, at, &why))
		fsck_found(c->f, "layer %s: %s", DIGEST_SHORT(c->id), why.text);
}

/* ---- the tree ------------------------------------------------------------ */

static void meet(const struct check *c, const char *path,
		 const struct walk_at *at)
{
	struct rec *const it =
		c->n ? bsearch(path, c->v, c->n, sizeof(*c->v), by_path_only)
		     : NULL;

	if (!it) {
		fsck_found(c->f, "layer %s: %s: is not in the list",
			   DIGEST_SHORT(c->id), path);
		return;
	}
	it->met = true;
	check_one(c, it, at);
}

static int walk(const struct check *c, struct err *e)
{
	autowalk struct walk *w = walk_open(c->fs, "", WALK_NO_XDEV, e);
	struct walk_at at = {.dir = c->fs, .name = "."};
	struct err why = {0};
	int event;

	if (!w)
		return -1;
	if (fstat(c->fs, &at.st) < 0)
		return err_sys(e, "fstat", "layer %s", DIGEST_SHORT(c->id));
	meet(c, ".", &at);
	while ((event = walk_next(w, &at, &why)) != WALK_END) {
		if (event < 0)
			fsck_found(c->f, "layer %s: %s", DIGEST_SHORT(c->id),
				   why.text);
		else if (event != WALK_UP)
			meet(c, at.path, &at);
		err_clear(&why);
	}
	return 0;
}

static void say_missing(const struct check *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->v[i].met)
			fsck_found(c->f, "layer %s: %s: is missing",
				   DIGEST_SHORT(c->id), c->v[i].path);
}

int fsck_layer_tree(struct fsck *f, const struct fsck_tree *t, struct err *e)
{
	__attribute__((cleanup(check_free))) struct check c = {
		.f = f,
		.id = t->diff_id,
		.fs = t->fs,
		.userxattr = t->userxattr};
	struct err why = {0};

	if (read_list(&c, t->list, &why)) {
		fsck_found(f, "layer %s: list: %s", DIGEST_SHORT(t->diff_id),
			   why.text);
		return 0;
	}
	if (c.n > 0)
		qsort(c.v, c.n, sizeof(*c.v), by_path);
	bury(&c);
	compact(&c);
	if (walk(&c, e))
		return -1;
	say_missing(&c);
	return 0;
}
