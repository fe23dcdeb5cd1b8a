/*
 * format_kind - the types that Docker's documents had before they were JSON
 *
 * A template asks for them: {{.Config.Labels.x}} of an absent label is no
 * error, {{.Config.Lables}} is one; null prints as [] where a list would be,
 * as map[] where a map would be, and as <nil> where a pointer would be.
 */
#ifndef CMD_FORMAT_KIND_H
#define CMD_FORMAT_KIND_H

#include <stdbool.h>

enum format_kind {
	KIND_ANY, /* what the JSON value says */
	KIND_STRUCT,
	KIND_STRING,
	KIND_NUMBER,
	KIND_BOOL,
	KIND_LIST,
	KIND_POINTER,
	KIND_MAP_STRING, /* a map of strings, and so on */
	KIND_MAP_LIST,
	KIND_MAP_POINTER,
	KIND_MAP_STRUCT,
};

static inline bool kind_is_map(enum format_kind k)
{
	return k >= KIND_MAP_STRING;
}

/*
 * The kind of member name of an object that was itself reached by parent
 * (NULL: the document). *ret_optional: may be absent without being unknown.
 */
enum format_kind format_kind_find(const char *parent, const char *name,
				  bool *ret_optional);

/* The kind of a map's elements. */
enum format_kind format_kind_element(enum format_kind map);

#endif
