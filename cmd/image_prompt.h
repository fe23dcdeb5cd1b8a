/*
 * image_prompt - a line that a person types
 *
 * What ends or stops the program meanwhile does so with the terminal as it was
 * before.
 */
#ifndef CMD_IMAGE_PROMPT_H
#define CMD_IMAGE_PROMPT_H

#include "base/err.h"
#include <stdbool.h>

/*
 * The line, malloced, without its end. hidden: it is not shown. ERR_USAGE
 * without a terminal, or when nothing is typed.
 */
char *prompt_line(const char *what, bool hidden, struct err *e);

#endif
