/*
 * crew - n things done in one loop, at most so many of them at a time
 *
 * What is under way has a slot, 0 to parallel - 1; the owner keeps what belongs
 * to it.
 */
#ifndef REGISTRY_CREW_H
#define REGISTRY_CREW_H

#include "base/err.h"
#include "registry/http.h"
#include <stddef.h>
#include <stdint.h>

#define CREW_DEFAULT 4
#define CREW_MAX     16

struct crew_ops {
	/* 1: under way, 0: done already, -1 ends all. */
	int (*begin)(void *ctx, size_t slot, size_t item, struct err *e);
	/* The same, without waiting. */
	int (*step)(void *ctx, size_t slot, struct err *e);
	/* In how many ms a step is worth while even without news. */
	int64_t (*due_ms)(void *ctx, size_t slot);
	/* Of one that is under way when all end. */
	void (*end)(void *ctx, size_t slot);
};

/* parallel: as a caller may say it; 0: CREW_DEFAULT. */
size_t crew_size(int parallel);

/* parallel: of crew_size. */
int crew_run(struct http *http, const struct crew_ops *ops, void *ctx, size_t n,
	     size_t parallel, struct err *e);

#endif
