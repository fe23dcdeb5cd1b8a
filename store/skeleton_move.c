#include "skeleton_move.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

/* The layer's directories still to be moved. */
struct todo {
	struct pair {
		char *src; /* in the layer */
		char *dst; /* in the patch */
	} * v;
	size_t n;
	size_t cap;
};

static void todo_add(struct todo *t, const char *src, const char *dst)
{
	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 16;
		t->v = xrealloc(t->v, t->cap * sizeof(*t->v));
	}
	t->v[t->n++] = (struct pair){xstrdup(src), xstrdup(dst)};
}

static void own_todo(struct todo *t)
{
	while (t->n > 0) {
		t->n--;
		free(t->v[t->n].src);
		free(t->v[t->n].dst);
	}
	free(t->v);
}

static char *join(const char *dir, const char *name)
{
	return xasprintf("%s%s%s", dir, *dir ? "/" : "", name);
}

/* Does the image have a directory there, the layer included? */
static int is_dir_above(const struct skeleton_move *mv, const char *path,
			bool *ret, struct err *e)
{
	struct view_at at;

	if (view_lookup(maker_view(mv->patch), path, &at, e) < 0)
		return -1;
	*ret = at.kind == VIEW_DIR;
	return 0;
}

/*
 * The place for the entries of src, a directory without an entry of its own, if
 * the layers below have a directory or a symlink to one at dst; else NULL.
 */
static int find_place(const struct skeleton_move *mv, const char *dst,
		      char **ret, struct err *e)
{
	autofree char *place = NULL;
	struct view_at at;
	bool there = false;

	*ret = NULL;
	if (view_lookup(mv->lower, dst, &at, e) < 0)
		return -1;
	if (at.kind == VIEW_DIR)
		place = xstrdup(dst);
	if (at.kind == VIEW_LINK && view_resolve(mv->lower, dst, &place, e) < 0)
		return -1;
	if (place && is_dir_above(mv, place, &there, e) < 0)
		return -1;
	if (there)
		*ret = take_ptr(&place);
	return 0;
}

/*
 * A directory inside the moved tree. If it has an entry of its own it is
 * copied. If not, it is what the view shows there; a symlink there is followed
 * again.
 */
static int move_dir(const struct skeleton_move *mv, struct todo *t, int dirfd,
		    const struct pair *p, struct err *e)
{
	autofree char *place = NULL;

	if (mv->level->implied && paths_have(mv->level->implied, p->src) &&
	    find_place(mv, p->dst, &place, e) < 0)
		return -1;
	if (!place && maker_entry(mv->patch, p->dst, dirfd,
				  strrchr(p->src, '/') + 1, e) < 0)
		return -1;
	todo_add(t, p->src, place ? place : p->dst);
	return 0;
}

static int move_one(const struct skeleton_move *mv, struct todo *t, int dirfd,
		    const struct pair *p, struct err *e)
{
	const char *const name = strrchr(p->src, '/') + 1;
	struct stat st;

	if (path_stat(dirfd, name, LEVEL_WAY, &st) < 0)
		return err_sys(e, "fstatat", "%s", p->src);
	if (S_ISDIR(st.st_mode))
		return move_dir(mv, t, dirfd, p, e);
	if (!S_ISCHR(st.st_mode) || st.st_rdev != 0)
		return maker_entry(mv->patch, p->dst, dirfd, name, e);
	paths_add(mv->moved_white, p->dst);
	return maker_whiteout(mv->patch, p->dst, e);
}

/* In name order, which decides if two names mean one place. */
static int move_content(const struct skeleton_move *mv, struct todo *t,
			const struct pair *dir, struct err *e)
{
	autoclose int fd =
		level_open(mv->level, dir->src, O_RDONLY | O_DIRECTORY);
	autostrv struct strv names = {0};
	bool there;

	if (fd < 0)
		return err_sys(e, "openat2", "%s", dir->src);
	if (fs_names(fd, dir->src, &names, e) < 0)
		return -1;
	/* Make dst as the view shows it. */
	if (is_dir_above(mv, dir->dst, &there, e) < 0 ||
	    (there && maker_dir(mv->patch, dir->dst, e) < 0))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autofree char *src = join(dir->src, names.v[i]);
		autofree char *dst = join(dir->dst, names.v[i]);

		if (move_one(mv, t, fd, &(struct pair){src, dst}, e) < 0)
			return -1;
	}
	return 0;
}

static int move_all(const struct skeleton_move *mv, const char *src,
		    const char *dst, struct err *e)
{
	__attribute__((cleanup(own_todo))) struct todo t = {0};
	int rc = 0;

	todo_add(&t, src, dst);
	while (rc == 0 && t.n > 0) {
		const struct pair dir = t.v[--t.n];

		rc = move_content(mv, &t, &dir, e);
		free(dir.src);
		free(dir.dst);
	}
	return rc;
}

/*
 * Restore the symlink above the directory that hides it. *ret_made is false if
 * the layer has an entry for this place by another name; that entry wins.
 */
static int copy_link(const struct skeleton_move *mv, const char *path,
		     bool *ret_made, struct err *e)
{
	const char *const slash = strrchr(path, '/');
	autofree char *dir = xstrndup(path, slash ? (size_t)(slash - path) : 0);
	const char *name = NULL;
	autoclose int parent = -1;
	struct view_at at;
	mode_t type;

	*ret_made = false;
	if (maker_dir(mv->patch, dir, e) < 0 ||
	    maker_type(mv->patch, path, &type, e) < 0 ||
	    view_lookup(mv->lower, path, &at, e) < 0)
		return -1;
	if (type != 0 && type != S_IFCHR)
		return 0;
	if (at.kind != VIEW_LINK)
		return err_set(e, ERR_INVALID, "%s is no symlink any more",
			       path);
	parent = path_open_parent(view_level(mv->lower, at.level[0])->fd, path,
				  LEVEL_WAY, &name);
	if (parent < 0)
		return err_sys(e, "openat2", "%s", path);
	*ret_made = true;
	return maker_entry(mv->patch, path, parent, name, e);
}

int skeleton_move(const struct skeleton_move *mv, const char *link,
		  const char *dst, struct err *e)
{
	bool go = false;

	ERR_IN(e, "write through %s", link);
	if (is_dir_above(mv, dst, &go, e) < 0 ||
	    (go && copy_link(mv, link, &go, e) < 0))
		return -1;
	return go ? move_all(mv, link, dst, e) : 0;
}
