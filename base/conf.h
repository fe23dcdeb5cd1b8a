/*
 * conf - prism's own config.json: where it is, and its bytes
 *
 * The file: `path`, else $PRISM_CONFIG, else for an ordinary user
 * $XDG_CONFIG_HOME/prism/config.json (~/.config) if it is there, else
 * /etc/prism/config.json. Only the first two have to exist. Each
 * module reads its own keys and ignores the others.
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include "buf.h"
#include "err.h"

/* 1 and its bytes and name (malloced, for errors); 0 when there is none. */
int conf_read(const char *path, struct buf *ret, char **ret_name,
	      struct err *e);

#endif
