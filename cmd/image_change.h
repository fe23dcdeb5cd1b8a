/*
 * image_change - an instruction of a Dockerfile, done to an image's config
 *
 * What `commit --change` and `import --change` take: CMD, ENTRYPOINT, ENV,
 * EXPOSE, LABEL, USER, VOLUME, WORKDIR, STOPSIGNAL, ONBUILD; lists as JSON or
 * as words, commands as JSON or as a line for /bin/sh -c.
 */
#ifndef CMD_IMAGE_CHANGE_H
#define CMD_IMAGE_CHANGE_H

#include "base/err.h"
#include "base/str.h"
#include <jansson.h>

/* In order, to the object "config" of an image config. ERR_USAGE. */
int change_config(json_t *config, const struct strv *changes, struct err *e);

#endif
