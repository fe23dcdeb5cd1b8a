/*
 * health - what checks say about a container, as Docker counts them
 *
 * The first check comes an interval after the start; one that succeeds makes
 * it healthy, `retries` failures in a row make it unhealthy. Failures within
 * the start period do not count, until a check succeeded. Who runs the checks
 * is the monitor; here is only what follows from their results.
 *
 * Life: health_begin at each start -> (health_due_ns passed: run a check) ->
 * health_result -> health_state for state.json; health_free.
 */
#ifndef RUNTIME_HEALTH_H
#define RUNTIME_HEALTH_H

#include "base/str.h"
#include "runtime/spec.h"
#include "runtime/state.h"

#include <stdbool.h>
#include <stdint.h>

#define HEALTH_RESULTS_MAX 5 /* that Docker keeps */

enum health_status {
	HEALTH_NONE,
	HEALTH_STARTING,
	HEALTH_HEALTHY,
	HEALTH_UNHEALTHY,
};

struct health {
	const struct health_spec *spec; /* borrowed */
	enum health_status status;
	int streak;
	bool settled;       /* a check succeeded: the start period is over */
	int64_t started_ns; /* CLOCK_MONOTONIC */
	int64_t due_ns;     /* of the next check; -1: none */
	struct health_result results[HEALTH_RESULTS_MAX]; /* oldest first */
	size_t n;
};

/* Is there a check at all? */
bool health_is_wanted(const struct health_spec *s);

/* The program started now (CLOCK_MONOTONIC). */
void health_begin(struct health *h, const struct health_spec *s,
		  int64_t now_ns);

/* Its argv: CMD as it is, CMD-SHELL by the image's shell or /bin/sh -c. */
void health_args(const struct run_spec *s, struct strv *ret);
int64_t health_timeout_ns(const struct health *h);

/* A check ended: start and end of r are times of day; takes r's output. */
void health_add(struct health *h, struct health_result r, int64_t now_ns);

/* Into what state.json is made of; borrowed. */
void health_state(struct health *h, struct container_state *s);

void health_free(struct health *h);

#endif
