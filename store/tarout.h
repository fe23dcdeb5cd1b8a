/*
 * tarout - a tree as a tar stream (PAX interchange format)
 *
 * Names, owners by number, modes, times to the nanosecond, xattrs (as
 * SCHILY.xattr: what Go's readers know, capabilities included), hardlinks,
 * holes, devices. Names of a directory are sorted, so the same tree gives the
 * same bytes. Sockets are left out: a tar has no word for them.
 *
 * With `layer` the tree is the upper directory of an overlay and becomes a
 * layer: a whiteout is written as .wh.NAME, an opaque directory gets
 * .wh..wh..opq in it, and overlay's own xattrs stay behind.
 *
 * The walk goes from directory fd to name and follows no symlink: a container
 * that changes the tree meanwhile can change what is read, not where.
 *
 * Life: tarout_open -> tarout_add... -> tarout_end -> tarout_free.
 * Errors: those of the sink as they are; ERR_UNSUPPORTED for an upper directory
 * that overlayfs wrote with redirects.
 */
#ifndef STORE_TAROUT_H
#define STORE_TAROUT_H

#include "base/err.h"
#include "base/io.h"
#include "base/userns.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tarout_opts {
	bool layer;
	bool userxattr; /* layer: user.overlay.* instead of trusted.overlay.* */
	const struct idmap
		*map; /* owners outside -> inside, where it says so */

	/*
	 * Leave an entry out (with what is below it): path as in the tar
	 * without a slash at its end, dirfd and leaf to look at it. May be
	 * NULL.
	 */
	bool (*skip)(void *ctx, const char *path, int dirfd, const char *leaf);
	void *skip_ctx;
};

struct tarout;

/* o is copied; the sink is called with pieces of up to 64 KiB. */
struct tarout *tarout_open(sink_fn sink, void *ctx,
			   const struct tarout_opts *o);

/*
 * What stands at leaf below dirfd, a whole tree if it is a directory, under
 * this name. as "." gives the entries of a directory ("./", "./x"); as ""
 * leaves out the directory itself ("x").
 */
int tarout_add(struct tarout *t, int dirfd, const char *leaf, const char *as,
	       struct err *e);

/*
 * A file that is made for the archive: owned by root, mode 0644, of no date.
 * Its bytes from memory, or the first `size` ones of an fd.
 */
int tarout_text(struct tarout *t, const char *name, const void *p, size_t n,
		struct err *e);
int tarout_file(struct tarout *t, const char *name, int fd, uint64_t size,
		struct err *e);

int tarout_end(struct tarout *t, struct err *e);
void tarout_free(struct tarout *t); /* NULL is fine */
void own_tarout(struct tarout **t);
#define autotarout __attribute__((cleanup(own_tarout)))

#endif
