/*
 * inspect - the objects that `prism inspect` knows, and how each is shown
 *
 * One function per kind, each in a file of its own; the table in inspect.c
 * holds them in the order in which a name is looked up.
 */
#ifndef CMD_INSPECT_H
#define CMD_INSPECT_H

#include "base/err.h"
#include "base/json.h"
#include "cmd/cmd.h"
#include <stdbool.h>

struct store;

struct inspect_ask {
	const struct globals *g;
	struct store *store;
	bool size; /* -s */
};

/*
 * The document of one object, by Docker's keys; the caller's. NULL with
 * ERR_NOTFOUND or ERR_USAGE (no such name): the next kind is asked.
 */
typedef json_t *(*inspect_fn)(const struct inspect_ask *a, const char *text,
			      struct err *e);

json_t *inspect_container(const struct inspect_ask *a, const char *text,
			  struct err *e);
json_t *inspect_image(const struct inspect_ask *a, const char *text,
		      struct err *e);

/*
 * Look at one kind only (NULL: all, in order), print, and return the exit
 * code. What `volume inspect` and `image inspect` share with inspect.
 */
int inspect_objects(const struct inspect_ask *a, const char *type,
		    const char *format, int n, char *const *names,
		    struct err *e);

#endif
