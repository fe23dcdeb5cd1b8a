/*
 * image_input - what load and import read
 */
#ifndef CMD_IMAGE_INPUT_H
#define CMD_IMAGE_INPUT_H

#include "base/err.h"

/*
 * An fd of our own of this file or directory; NULL or "-": standard input,
 * ERR_USAGE when that is a terminal.
 */
int image_input_open(const char *path, struct err *e);

#endif
