/*
 * run_make - from the words of `run` and `create` to a container on disk
 *
 * Life: {.g, .o, .range = -1, .netns = -1} -> run_prepare (flags, image, store) ->
 * run_make (the container: made and locked, "created") -> run_close.
 */
#ifndef CMD_RUN_MAKE_H
#define CMD_RUN_MAKE_H

#include "cmd/cmd.h"
#include "cmd/run_opts.h"
#include "runtime/container.h"
#include "runtime/spec.h"
#include "store/image.h"
#include "store/store.h"

struct run {
	const struct globals *g;
	const struct run_opts *o;
	struct run_spec spec;
	struct store *store;
	struct image image;
	struct container_home home;
	struct container container;
	int range; /* lock of --userns auto */
	int netns; /* netns_ahead, until the start has it */
};

/* argc, argv: the operands. 1: a pull failed, and said why. */
int run_prepare(struct run *r, int argc, char **argv, struct err *e);
int run_make(struct run *r, int argc, char **argv, struct err *e);
/* --replace: remove the container that has the name, running or not. */
int run_replace(const struct run *r, struct err *e);
void run_close(struct run *r);

#endif
