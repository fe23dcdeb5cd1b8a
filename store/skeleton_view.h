/*
 * skeleton_view - what overlayfs would show, without mounting it
 *
 * A view is a pile of levels (layers, and patches of the skeleton). A lookup
 * walks a path component by component and keeps, as overlayfs does, the levels
 * whose directories merge: a whiteout or anything else that is no directory
 * ends the search below it, an opaque directory as well. Symlinks are shown,
 * not followed; view_resolve follows them inside the view.
 *
 * The last lookup's components are remembered, so paths in sorted order cost
 * little more than their last component each.
 */
#ifndef STORE_SKELETON_VIEW_H
#define STORE_SKELETON_VIEW_H

#include "base/err.h"
#include "base/path.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sorted paths; "." is not used, the root is "". */
struct paths {
	char **v;
	size_t n;
	size_t cap;
};
void paths_add(struct paths *p, const char *path);
void paths_sort(struct paths *p);
bool paths_have(const struct paths *p, const char *path); /* if sorted */
void paths_free(struct paths *p);

struct level {
	int fd;                      /* of its root; borrowed */
	const struct paths *implied; /* directories without an entry; NULL */
	bool root_implied;
};

enum view_kind {
	VIEW_NONE,
	VIEW_DIR,
	VIEW_LINK,
	VIEW_OTHER,
};

struct view_at {
	enum view_kind kind;
	const size_t *level; /* that show it, top first; borrowed until the
				next lookup */
	size_t n;
};

struct view;
struct view *view_make(void);
void view_free(struct view *v);
/* On top of the others; its index is the number of levels before. */
void view_push(struct view *v, const struct level *l);
size_t view_levels(const struct view *v);
const struct level *view_level(const struct view *v, size_t i);

int view_lookup(struct view *v, const char *path, struct view_at *ret,
		struct err *e);

/*
 * The level that gives the directory its attributes: the topmost where it has
 * an entry of its own, also below an opaque mark of the directory itself. -1
 * in *ret if it is implied everywhere.
 */
int view_attr_level(struct view *v, const char *path, int64_t *ret,
		    struct err *e);

/*
 * Follow the symlink at path, and all that follows from it, inside the view.
 * *ret: the canonical path of a directory, malloced; NULL if it leads nowhere
 * or to something else.
 */
int view_resolve(struct view *v, const char *path, char **ret, struct err *e);

/*
 * How to walk a path in a level: the writer of a layer resolved the layer's
 * links, so a link or a mount on the path is an error.
 */
#define LEVEL_WAY (PATH_NO_LINKS | PATH_NO_XDEV)

/* O_RDONLY (directory) or O_PATH (else) fd below a level; -1 and errno. */
int level_open(const struct level *l, const char *path, int flags);

#endif
