/*
 * volume - what the volume commands share
 */
#ifndef CMD_VOLUME_H
#define CMD_VOLUME_H

#include "base/err.h"
#include "cmd/filter.h"
#include "runtime/container.h"
#include "store/store.h"
#include "store/volume.h"
#include <jansson.h>
#include <stdbool.h>

/* K=V list as an object; NULL for an empty one. */
json_t *volume_pairs(const struct strv *pairs);

/* Does it pass driver=, label=, name=? */
bool volume_fits(const struct volume *v, const struct filter *f);

struct container_home volume_home(struct store *s);

#endif
