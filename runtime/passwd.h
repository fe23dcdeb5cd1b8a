/*
 * passwd - a line for a user whom the image does not know
 *
 * whoami, git, ssh and sudo fail for a uid without an entry. The container then
 * sees a copy of the image's /etc/passwd with one more line, mounted over it;
 * the image and the upper directory stay as they are. An image without the
 * file has no programs that ask for it.
 */
#ifndef RUNTIME_PASSWD_H
#define RUNTIME_PASSWD_H

#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct passwd_line {
	const char *name; /* NULL: the uid */
	uint32_t uid, gid;
	const char *home;
};

/* dev: the root of the container's /dev; the copy is made in its tmpfs. */
int passwd_add(const struct passwd_line *l, int dev, bool readonly,
	       struct err *e);

#endif
