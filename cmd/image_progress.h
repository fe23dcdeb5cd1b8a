/*
 * image_progress - one line on a terminal that says how far a pull or push is
 *
 * Only drawn when stderr is a terminal; redrawn a few times a second; wiped
 * before anything else is printed.
 */
#ifndef CMD_IMAGE_PROGRESS_H
#define CMD_IMAGE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
	bool on;
	bool drawn;
	char name[64];
	int64_t began_ms;
	int64_t last_ms;
	uint64_t start_bytes; /* there before we began: not part of the speed */
};

struct progress_state {
	uint64_t have_bytes;
	uint64_t want_bytes;
	size_t layers_done;
	size_t layers;
};

void progress_begin(struct progress *p, const char *name, bool quiet);
void progress_draw(struct progress *p, const struct progress_state *now);
void progress_wipe(struct progress *p);
/* Say something in between: a registry_note_fn, ctx is the progress. */
void progress_note(void *ctx, const char *text);

#endif
