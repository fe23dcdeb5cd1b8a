/*
 * content - the bytes of all images in the store: blobs, and unpacked layers
 */
#ifndef CMD_CONTENT_H
#define CMD_CONTENT_H

#include "base/digest.h"
#include "base/err.h"
#include "store/store.h"
#include <stdint.h>

typedef void (*content_fn)(void *ctx, const struct digest *d, uint64_t bytes);

/* Of each once, by its digest; one that vanishes meanwhile is left out. */
int content_each(struct store *s, content_fn fn, void *ctx, struct err *e);

#endif
