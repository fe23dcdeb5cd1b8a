/*
 * run_cidfile - --cidfile: the id of a container in a file of the user's
 *
 * The file must not exist; it appears whole. When the container is not made
 * after all it goes again, so that the next try is not refused because of it.
 */
#ifndef CMD_RUN_CIDFILE_H
#define CMD_RUN_CIDFILE_H

#include "base/err.h"

/* Before anything is made; path NULL: none. */
int run_cidfile_check(const char *path, struct err *e);
int run_cidfile_write(const char *path, const char *id, struct err *e);
void run_cidfile_remove(const char *path);

#endif
