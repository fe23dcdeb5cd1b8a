/*
 * stack - the file skeletons/sha256/<manifest>/stack
 *
 *   prism-stack 1
 *   own top
 *   layer sha256:...
 *   own patch-3
 *   layer sha256:...
 *   end
 *
 * The lower directories of an image for overlayfs, top first: "own NAME" is a
 * directory beside the file, "layer DIGEST" is layers/.../fs. Layers that an
 * opaque root hides are not named.
 */
#ifndef STORE_STACK_H
#define STORE_STACK_H

#include "base/digest.h"
#include "base/err.h"
#include <stddef.h>

#define STACK_NAME_MAX 24

struct stack_item {
	char own[STACK_NAME_MAX]; /* a name without '/', or empty: a layer */
	struct digest layer;
};

/* At most max items; ERR_INVALID for anything but the form above. */
int stack_parse(const char *text, size_t len, struct stack_item *ret,
		size_t max, size_t *ret_n, struct err *e);

#endif
