/*
 * skeleton_move - write a layer's directory through a symlink below it
 *
 * The layer has the directory lib, without an entry for it, and the layers
 * below have lib -> usr/lib: what stands in the layer's lib is meant for
 * usr/lib. A patch above the layer holds the symlink again, and copies of all
 * that is in the directory at their places.
 */
#ifndef STORE_SKELETON_MOVE_H
#define STORE_SKELETON_MOVE_H

#include "base/err.h"
#include "store/skeleton_make.h"
#include "store/skeleton_view.h"

struct skeleton_move {
	struct maker *patch; /* made with the view that ends with the layer */
	struct view *lower;  /* what is below the layer */
	const struct level *level;
	struct paths *moved_white; /* whiteouts that were moved are added */
};

/*
 * lower shows a symlink at link that leads to the directory dst. Nothing is
 * done where the layer itself says that link or dst is something else.
 */
int skeleton_move(const struct skeleton_move *mv, const char *link,
		  const char *dst, struct err *e);

#endif
