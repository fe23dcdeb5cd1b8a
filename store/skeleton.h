/*
 * skeleton - what an image needs besides its layers, to look right
 *
 * Layers are unpacked alone and shared by images, so three things can only be
 * known per image:
 *
 * - Implied parents: a/b without an entry for a gets the attributes of the
 *   lower layers' a. The directory a of the skeleton, on top, carries them.
 * - Symlinked parents (usrmerge): lib/x.so in a layer above lib -> usr/lib is
 *   meant to go into usr/lib. A patch directory right above that layer holds
 *   the symlink again and usr/lib/x.so as a hardlink.
 * - Ghosts: overlayfs hides whiteouts in merged directories only; a whiteout in
 *   a directory that one layer alone has would be listed. The same empty
 *   directory in the skeleton makes it a merged one.
 * - An opaque root hides all layers below; overlayfs ignores it, so the stack
 *   is cut there.
 *
 * Most images need none of it, and knowing that costs one read per layer. An
 * image that needs something gets skeletons/sha256/<manifest>/ with directories
 * and a file "stack" (stack.h) that names all lower directories, top first.
 */
#ifndef STORE_SKELETON_H
#define STORE_SKELETON_H

#include "base/digest.h"
#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>

struct skeleton_layer {
	struct digest diff_id;
	int fs_fd;   /* layers/.../fs, O_PATH is enough */
	int list_fd; /* layers/.../list, readable */
};

/*
 * Only look: true in *ret_needed if skeleton_build has something to do. It may
 * say yes once in a while where the build then finds nothing to do.
 * layers: bottom first.
 */
int skeleton_is_needed(const struct skeleton_layer *layers, size_t n,
		       bool *ret_needed, struct err *e);

/*
 * Build into out_fd, an empty directory, by a confined worker. userxattr as for
 * untar. *ret_made false: plain order is right after all, out_fd was left
 * empty.
 */
int skeleton_build(const struct skeleton_layer *layers, size_t n,
		   bool userxattr, int out_fd, bool *ret_made, struct err *e);

/*
 * The worker's part: build the directories, without the stack file. This reads
 * untrusted bytes; only tests call it in a process that is not confined.
 */
int skeleton_fill(const struct skeleton_layer *layers, size_t n, bool userxattr,
		  int out_fd, struct err *e);

#endif
