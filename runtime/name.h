/*
 * name - the names of containers
 *
 * containers/by-name/<name> is a symlink to ../<id>: making it reserves the
 * name, and it is the only place where a name stands, so that a rename is one
 * rename(2). A container without one has a name derived from its id (an
 * adjective, a noun and four digits), which needs no file and no lock.
 *
 * A link whose container is gone (its monitor was killed in between) counts
 * for nothing; whoever wants the name takes it, and name_sweep removes it.
 *
 * Errors: ERR_EXISTS when a name is taken; says by whom. ERR_NOTFOUND.
 */
#ifndef RUNTIME_NAME_H
#define RUNTIME_NAME_H

#include "base/err.h"
#include "runtime/container.h"

#include <stdbool.h>

bool name_is_id(const char *s);

/* "brave_otter_1f2e" */
void name_derive(const char *id, char ret[CONTAINER_NAME_MAX]);

/* ERR_USAGE unless [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 127 characters. */
int name_check(const char *name, struct err *e);

int name_reserve(const struct container_home *h, const char *name,
		 const char *id, struct err *e);
/* Only if the link is that of this container; absent is success. */
int name_release(const struct container_home *h, const char *name,
		 const char *id, struct err *e);
/* From its name (derived ones too) to another. */
int name_move(const struct container_home *h, const char *id, const char *from,
	      const char *to, struct err *e);

/* All links at once, for whoever looks at many containers. */
struct name_list {
	struct name_entry {
		char id[CONTAINER_ID_MAX];
		char name[CONTAINER_NAME_MAX];
	} * v; /* by id */
	size_t n;
};
int name_list_read(const struct container_home *h, struct name_list *ret,
		   struct err *e);
void name_list_free(struct name_list *l);
#define autonames __attribute__((cleanup(name_list_free)))

/* The reserved one, or the derived one. */
void name_of(const struct name_list *l, const char *id,
	     char ret[CONTAINER_NAME_MAX]);
bool name_is_reserved(const struct name_list *l, const char *id);

/* Remove links whose container is gone. */
int name_sweep(const struct container_home *h, struct err *e);

/*
 * Whose is it: a whole id, a name, a unique prefix of an id, a derived name;
 * the first of these that fits. ERR_NOTFOUND "No such container: x". names:
 * of name_list_read, for whoever asks for many; NULL: they are read.
 */
int name_resolve(const struct container_home *h, const struct name_list *names,
		 const char *text, char ret_id[CONTAINER_ID_MAX],
		 char ret_name[CONTAINER_NAME_MAX], struct err *e);

#endif
