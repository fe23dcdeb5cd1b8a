/*
 * ps_size - how much a container wrote, and how large its root is
 */
#ifndef CMD_PS_SIZE_H
#define CMD_PS_SIZE_H

#include "runtime/container.h"
#include "store/store.h"

/* Bytes in files of its upper directory; with those of the layers below. */
void ps_size(struct store *s, const struct container *c,
	     const struct run_spec *spec, uint64_t *ret_rw, uint64_t *ret_root);

/* "12kB (virtual 8MB)"; malloced. */
char *ps_size_text(uint64_t rw, uint64_t root);

#endif
