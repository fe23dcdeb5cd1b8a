/*
 * image_container - a container that export, diff, commit and cp work on
 */
#ifndef CMD_IMAGE_CONTAINER_H
#define CMD_IMAGE_CONTAINER_H

#include "base/err.h"
#include "cmd/cmd.h"
#include "runtime/container.h"
#include "runtime/info.h"
#include "runtime/spec.h"
#include "store/store.h"
#include "store/tarout.h"
#include <stdbool.h>

struct subject {
	struct store *store;
	struct container_home home;
	struct container c;
	struct run_spec spec;
	struct container_info info;
};
#define SUBJECT_NONE                \
	{                           \
		.c = CONTAINER_NONE \
	}

/*
 * Open the store and the container. inside: first become root of the user
 * namespace that owns an ordinary user's files; then nothing of the caller's
 * process can be entered any more but by mounting.
 */
int subject_open(const struct globals *g, const char *text, bool inside,
		 struct subject *ret, struct err *e);
void subject_close(struct subject *s);
#define autosubject __attribute__((cleanup(subject_close)))

/* Owners as the container sees them: for tarout of files as they lie on disk. */
const struct idmap *subject_map(const struct subject *s);

#endif
