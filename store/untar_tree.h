/*
 * untar_tree - the directories of the layer that is being unpacked
 *
 * Every directory of the layer stands in one table, by its canonical path (no
 * symlink in it, no "." or "..", no slash at the ends; "" is the root). The
 * table is always in step with the disk, so most entries find their parent
 * without a system call. What is not in the table is looked up one component
 * at a time, never following a symlink in the kernel: symlinks that the layer
 * made are followed here, inside the root, and missing directories are made
 * as implied ones.
 *
 * A place is where an entry goes: an open parent and a last component. Parents
 * are opened by openat2 below the root, with no symlinks allowed at all; some
 * are kept open, since tars come directory by directory.
 */
#ifndef STORE_UNTAR_TREE_H
#define STORE_UNTAR_TREE_H

#include "base/err.h"
#include "base/limits.h"
#include "base/path.h"
#include "store/untar_xattr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tree_dir {
	struct tree_dir *next;  /* in its bucket */
	struct xattr_set *acls; /* written last; NULL: none */
	char *xattrs;           /* digest, or NULL */
	int64_t mtime_s;
	uint32_t mtime_ns;
	uint32_t mode; /* the final one */
	uint32_t uid;
	uint32_t gid;
	uint32_t hash;
	bool implied;
	bool opaque;
	bool squashed;
	bool chmod_late; /* on disk it has another mode meanwhile */
	uint32_t len;
	char path[];
};

/*
 * How to walk a path in a layer: the tree resolved its links already, and
 * nothing is mounted in it.
 */
#define LAYER_WAY (PATH_NO_LINKS | PATH_NO_XDEV)

struct place {
	struct tree_dir *parent;
	int dirfd;        /* of parent; borrowed until the next tree_place but
			     one */
	const char *leaf; /* in path */
	size_t len;
	char path[TAR_NAME_MAX + 1]; /* canonical */
};

struct tree;

/* root_fd is borrowed; the root is in the table, implied. */
struct tree *tree_open(int root_fd);
void tree_free(struct tree *t);

/*
 * The canonical form of a name as far as its text goes: no leading slash, no
 * empty or "." components. Names with ".." and too long ones are refused. out
 * has TAR_NAME_MAX + 1 bytes. Returns the length, or -1.
 */
int name_clean(const char *name, char *out, struct err *e);

/*
 * Where a clean name goes. With create missing parents are made, otherwise
 * they are ERR_NOTFOUND. A parent that is something else than a directory is
 * ERR_EXISTS. The root itself is a place without parent (parent NULL, dirfd
 * of the root, leaf ".").
 */
int tree_place(struct tree *t, const char *clean, size_t len, bool create,
	       struct place *ret, struct err *e);

struct tree_dir *tree_root(struct tree *t);
struct tree_dir *tree_find(struct tree *t, const char *path, size_t len);

/* A directory that was just made at this canonical path. */
struct tree_dir *tree_add(struct tree *t, const char *path, size_t len);

/* The directory at path is gone, with everything below. */
void tree_forget(struct tree *t, const char *path, size_t len);

/* An open (O_PATH) fd of a directory; borrowed, may be closed by later ones. */
int tree_dirfd(struct tree *t, const struct tree_dir *d, struct err *e);

/* Is d, or a directory that it is in, opaque? */
bool tree_in_opaque(struct tree *t, const struct tree_dir *d);

/* All directories, sorted by path; malloced. */
struct tree_dir **tree_sorted(struct tree *t, size_t *ret_n);

#endif
