/*
 * spec_file - spec.json: all that a container is, written once
 *
 *   {"pid":...,"boot":...,          the head of fixed width (state.h)
 *    "id":"...","keep":true,
 *    "spec":{...},"info":{...}}     struct run_spec, struct container_info
 *
 * What stands in it and how is said by the tables at the top of spec_file.c:
 * a field that is added to spec.h or info.h needs one line there, and nothing
 * else. Lower directories are written relative to the store, so that a store
 * can be moved; a seccomp filter of the user's own is the file seccomp.bpf.
 */
#ifndef RUNTIME_SPEC_FILE_H
#define RUNTIME_SPEC_FILE_H

#include "base/buf.h"
#include "base/err.h"
#include "runtime/info.h"
#include "runtime/spec.h"
#include "runtime/state.h"

/* root_path: of the store, absolute. */
void spec_file_text(struct buf *b, const char *id, const char *root_path,
		    const struct run_spec *s, const struct container_info *i);

/* The filter into dir_fd, if there is one of the user's own. */
int spec_file_write_filter(int dir_fd, const struct run_spec *s, struct err *e);

/*
 * Fill both from spec.json, open as spec_fd, of the directory dir_fd. Either
 * may be NULL: not wanted. On an error nothing is left to be freed.
 */
int spec_file_read(int dir_fd, int spec_fd, const char *root_path,
		   struct run_spec *ret_spec, struct container_info *ret_info,
		   struct err *e);

/*
 * What `update` changed, limits and restart policy: a file of its own beside
 * spec.json, which wins over it. Reading without one changes nothing.
 */
int spec_file_write_update(int dir_fd, const struct run_spec *s, struct err *e);
int spec_file_read_update(int dir_fd, struct run_spec *s, struct err *e);

/*
 * The file "nets": the networks of a container that was connected to one, or
 * disconnected from one, since it was made. Where it is there it counts, and
 * not what spec.json has (spec_file_read knows it). Reading gives 1, and 0 where
 * there is none, s left alone; s->nets is replaced and nothing freed.
 */
int spec_file_nets_write(int dir_fd, const struct run_spec *s, struct err *e);
int spec_file_nets_read(int dir_fd, struct run_spec *s, struct err *e);
void spec_file_nets_free(struct run_spec *s);

#endif
