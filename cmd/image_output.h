/*
 * image_output - where export and save write
 */
#ifndef CMD_IMAGE_OUTPUT_H
#define CMD_IMAGE_OUTPUT_H

#include "base/err.h"
#include <stddef.h>

/* Write it all to fd. */
typedef int (*output_fn)(void *ctx, int fd, struct err *e);

/* ERR_USAGE when it would go to a terminal. path NULL or "-": stdout. */
int image_output_check(const char *path, struct err *e);

/*
 * A file is there when it is whole; a device or a pipe is written to as it
 * comes.
 */
int image_output(const char *path, output_fn fn, void *ctx, struct err *e);

/* A sink: ctx is the address of an fd. */
int image_output_sink(void *ctx, const void *p, size_t n, struct err *e);

#endif
