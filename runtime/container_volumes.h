/*
 * container_volumes - which volumes a container uses, as the disk knows it
 *
 * containers/<id>/volumes names them, one per line; "-NAME" is an anonymous one
 * that was made for this container and goes when it goes. The file is written
 * before the container has its final name, and is absent when there are none.
 *
 * Life: container_volumes_add -> container_new.volumes -> (the container) ->
 * container_volumes_drop, right before the container itself is removed: after a
 * crash in between whoever removes it does both again.
 */
#ifndef RUNTIME_CONTAINER_VOLUMES_H
#define RUNTIME_CONTAINER_VOLUMES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "runtime/container.h"
#include "runtime/spec.h"

/* The text of the file for s; nothing is added if there are no volumes. */
void container_volumes_add(const struct run_spec *s, struct buf *b);

/*
 * Remove the anonymous ones of a container that no other container names.
 * userns_fd as in container_finish.
 */
int container_volumes_drop(const struct container_home *h, const char *id,
			   int userns_fd, struct err *e);

/* The ids of the containers that use a volume. */
int container_volumes_users(const struct container_home *h, const char *name,
			    struct strv *ret_ids, struct err *e);

#endif
