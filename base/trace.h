/*
 * trace - STEP: one line that traces, explains and prefixes
 *
 * Each action against the kernel or the network stands in a function (or a
 * block) whose first line is
 *
 *         STEP(e, "overlay", "mount %zu layers", n);
 *
 * It opens a span that ends with the scope. The span stands in a ring of fixed
 * size that is shared with every child forked after trace_init(), so that one
 * timeline holds the steps of monitor and init. When the scope is left with an
 * error, the text becomes a prefix of the error and the name its step.
 *
 * Without trace_init() spans are not kept; STEP still prefixes errors.
 *
 * Life: trace_init once, early; STEP anywhere; trace_print at the end.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "err.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Make the shared ring. A failure (no memory) leaves tracing off. */
void trace_init(void);

/* Not ours any longer: a process that goes on when the timeline is printed. */
void trace_leave(void);

/* Name the process in the timeline ("monitor", "init"); after each fork. */
void trace_role(const char *role);

/*
 * Who this process is in the timeline, and how deep in its steps: to be itself
 * again after a child that shared its memory (vclone.h).
 */
struct trace_self {
	char role[12];
	uint32_t depth;
};
struct trace_self trace_self(void);
void trace_be(const struct trace_self *s);

/* Print each step to stderr as it ends (--debug). */
void trace_live(bool on);

/*
 * The timeline: one line per step, oldest first, times in microseconds since
 * trace_init().
 */
void trace_print(FILE *out);

/* The same as Chrome trace event JSON (about:tracing, Perfetto). */
void trace_print_json(FILE *out);

/* A moment without length: "exec" seen by the monitor, say. */
void trace_mark(const char *name, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

struct step {
	struct err *e;
	const char *name;
	int64_t slot; /* in the ring, -1 when not kept */
	bool had;
	char text[120];
};
struct step step_begin(struct err *e, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void step_end(struct step *s);

#define STEP_CAT2(a, b) a##b
#define STEP_CAT(a, b)  STEP_CAT2(a, b)
#define STEP(e, name, ...)                                   \
	struct step STEP_CAT(step_scope_, __LINE__)          \
		__attribute__((cleanup(step_end), unused)) = \
			step_begin((e), (name), __VA_ARGS__)

#endif
