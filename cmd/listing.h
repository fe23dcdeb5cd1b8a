/*
 * listing - what ps, images, volume ls and their kind print
 *
 * A command gathers rows, objects of strings by Docker's key names, and says
 * which columns the table has when --format says nothing. Here they become
 * what was asked for: the table, "table TEMPLATE", a template per row, "json"
 * (one object per line) or ids alone.
 *
 * Life: listing_open (parses --format, before anything is gathered) ->
 * listing_add... -> listing_print -> listing_free.
 */
#ifndef CMD_LISTING_H
#define CMD_LISTING_H

#include "base/err.h"
#include "base/json.h"
#include <stdbool.h>

/* A key of the rows and the title of its column. */
struct listing_title {
	const char *key;
	const char *title;
};

struct listing {
	const struct listing_title *titles; /* ends with a NULL key */
	const char *table; /* "{{.ID}}\t{{.Image}}": the usual columns */
	bool quiet;
	const char *quiet_key; /* what -q prints: "ID" */
	bool no_heading;       /* podman's --noheading */
	/* private */
	struct format *format;
	const char
		*usual; /* the one key or the table, if nothing else is asked */
	enum {
		LISTING_TABLE,
		LISTING_PLAIN,
		LISTING_JSON,
	} how;
	json_t *rows;
	json_t *labels;
};

/*
 * The first four members are set. format: --format or NULL; quiet wins over a
 * table, as in Docker.
 */
int listing_open(struct listing *l, const char *format, struct err *e);

/*
 * Is this key of the rows asked for? A row need not have one that is not; of a
 * template of the user's own all may be.
 */
bool listing_wants(const struct listing *l, const char *key);

/* Both are taken over; labels (an object of strings) may be NULL. */
void listing_add(struct listing *l, json_t *row, json_t *labels);

/* To standard output. */
int listing_print(struct listing *l, struct err *e);
void listing_free(struct listing *l);

/*
 * One document, or several, as inspect prints them: NULL: an array, indented;
 * "json": one object per line; a template: a line for each.
 */
int listing_inspect(const char *format, const json_t *all, struct err *e);

#endif
