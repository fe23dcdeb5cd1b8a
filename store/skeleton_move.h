/*
 * skeleton_move - apply a layer's directory through a symlink of lower layers
 *
 * A layer has entries in lib, but no entry for lib itself, and the layers below
 * have lib -> usr/lib. The entries in the layer's lib then belong into usr/lib.
 * A patch directly above the layer restores the symlink and holds copies of
 * those entries below usr/lib.
 */
#ifndef STORE_SKELETON_MOVE_H
#define STORE_SKELETON_MOVE_H

#include "base/err.h"
#include "store/skeleton_make.h"
#include "store/skeleton_view.h"

struct skeleton_move {
	struct maker *patch; /* its view ends with the layer */
	struct view *lower;  /* the layers below */
	const struct level *level;
	struct paths *moved_white; /* gets the moved whiteouts */
};

/*
 * The layers below have a symlink at link that leads to the directory dst. If
 * the layer itself makes link or dst something else, nothing is done.
 */
int skeleton_move(const struct skeleton_move *mv, const char *link,
		  const char *dst, struct err *e);

#endif
