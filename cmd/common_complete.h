/*
 * complete - what could stand at the cursor, from the tables of commands
 *
 * `prism __complete WORD...` gets the words behind "prism", the last of them
 * begun and perhaps empty, and prints a candidate a line, a tab and what it
 * is. Lines ":containers", ":images", ":volumes", ":networks", ":files" say
 * that names of these may stand there. The scripts of `prism completion` do the rest.
 */
#ifndef CMD_COMMON_COMPLETE_H
#define CMD_COMMON_COMPLETE_H

#include "cmd/cmd.h"
#include <stdbool.h>

/*
 * *ret_elsewhere: the command's options are known to prism-image alone, which
 * is to be asked the same.
 */
void complete_print(const struct command *const *table,
		    const struct command *globals, int n, char *const *words,
		    bool *ret_elsewhere);

#endif
