/*
 * run_volumes - from the volumes that a run_spec names to directories
 */
#ifndef CMD_RUN_VOLUMES_H
#define CMD_RUN_VOLUMES_H

#include "base/err.h"
#include "base/oci.h"
#include "runtime/spec.h"
#include "store/store.h"

/*
 * Paths that the image declares as volumes, and no mount covers, are added as
 * anonymous ones (img may be NULL). Then each volume of the spec is found or
 * made, and its source filled in. *ret_lock, -1 if there are none, is to be
 * closed when the container is on disk and names them: until then nobody may
 * remove them.
 */
int run_volumes_make(struct store *s, const struct oci_image *img,
		     struct run_spec *spec, int *ret_lock, struct err *e);

/*
 * --volumes-from: the mounts of another container, but for targets that are
 * taken. how: NULL, "ro" or "rw".
 */
int run_volumes_from(struct run_spec *spec, const struct run_spec *other,
		     const char *how, struct err *e);

#endif
