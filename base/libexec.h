/*
 * libexec - where the programs stand that prism executes as parts of itself
 */
#ifndef BASE_LIBEXEC_H
#define BASE_LIBEXEC_H

#include "base/err.h"

/*
 * The path of such a program, malloced: beside this one (as built), in
 * ../libexec/prism, or where `make install` puts it. NULL: it is nowhere.
 */
char *libexec_find(const char *name, struct err *e);

#endif
