#include "health.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"

#define INTERVAL_NS       (30 * CLOCK_SECOND)
#define TIMEOUT_NS        (30 * CLOCK_SECOND)
#define START_INTERVAL_NS (5 * CLOCK_SECOND)
#define RETRIES           3

bool health_is_wanted(const struct health_spec *s)
{
	return s->test.n > 1 && strcmp(s->test.v[0], "NONE") != 0;
}

static int64_t or_default(int64_t given, int64_t def)
{
	return given > 0 ? given : def;
}

static bool in_start_period(const struct health *h, int64_t now_ns)
{
	return !h->settled && now_ns - h->started_ns < h->spec->start_period_ns;
}

static void set_due(struct health *h, int64_t now_ns)
{
	h->due_ns = now_ns +
		    (in_start_period(h, now_ns)
			     ? or_default(h->spec->start_interval_ns,
					  START_INTERVAL_NS)
			     : or_default(h->spec->interval_ns, INTERVAL_NS));
}

void health_free(struct health *h)
{
	for (size_t i = 0; i < h->n; i++)
		free(h->results[i].output);
	h->n = 0;
}

void health_begin(struct health *h, const struct health_spec *s, int64_t now_ns)
{
	health_free(h);
	*h = (struct health){
		.spec = s,
		.started_ns = now_ns,
		.due_ns = -1,
	};
	if (!health_is_wanted(s))
		return;
	h->status = HEALTH_STARTING;
	set_due(h, now_ns);
}

void health_args(const struct run_spec *s, struct strv *ret)
{
	static const char *const sh[] = {"/bin/sh", "-c"};
	const struct strv *const test = &s->health.test;

	if (!strcmp(test->v[0], "CMD-SHELL")) {
		for (size_t i = 0; i < s->shell.n; i++)
			strv_add(ret, s->shell.v[i]);
		for (size_t i = 0; s->shell.n == 0 && i < ARRAY_LEN(sh); i++)
			strv_add(ret, sh[i]);
	}
	for (size_t i = 1; i < test->n; i++)
		strv_add(ret, test->v[i]);
}

int64_t health_timeout_ns(const struct health *h)
{
	return or_default(h->spec->timeout_ns, TIMEOUT_NS);
}

static void keep_result(struct health *h, const struct health_result *r)
{
	if (h->n == HEALTH_RESULTS_MAX) {
		free(h->results[0].output);
		memmove(h->results, h->results + 1,
			(HEALTH_RESULTS_MAX - 1) * sizeof(h->results[0]));
		h->n--;
	}
	h->results[h->n++] = *r;
}

void health_add(struct health *h, struct health_result r, int64_t now_ns)
{
	keep_result(h, &r);
	if (r.exit_code == 0) {
		h->streak = 0;
		h->settled = true;
		h->status = HEALTH_HEALTHY;
	} else if (!in_start_period(h, now_ns)) {
		h->streak++;
		if (h->streak >= or_default(h->spec->retries, RETRIES))
			h->status = HEALTH_UNHEALTHY;
	}
	set_due(h, now_ns);
}

void health_state(struct health *h, struct container_state *s)
{
	static const char *const words[] = {
		[HEALTH_NONE] = NULL,
		[HEALTH_STARTING] = "starting",
		[HEALTH_HEALTHY] = "healthy",
		[HEALTH_UNHEALTHY] = "unhealthy",
	};

	s->health = (char *)(uintptr_t)words[h->status];
	s->failing_streak = h->streak;
	s->results = h->results;
	s->n_results = h->n;
}
