/*
 * ctr - what the commands over containers have in common
 *
 * Life: ctr_open -> (containers) -> ctr_close.
 */
#ifndef CMD_CTR_H
#define CMD_CTR_H

#include "base/err.h"
#include "cmd/cmd.h"
#include "runtime/container.h"
#include "store/store.h"

#include <sys/resource.h>

struct ctr {
	struct store *store;
	struct container_home home;
};

/*
 * Open the store, without its lock: a container's own files say what it needs.
 * What dead monitors left is ended first, so that all that follows is true.
 */
int ctr_open(const struct globals *g, struct ctr *ret, struct err *e);
/* For container_each, which does it on the way, and for who only looks. */
int ctr_open_unswept(const struct globals *g, struct ctr *ret, struct err *e);
void ctr_close(struct ctr *c);
#define autoctr __attribute__((cleanup(ctr_close)))

/*
 * fn for each operand's container. Where it returns 0 the operand is printed,
 * as it was typed; errors are printed and make the exit code 1, which is
 * returned.
 */
typedef int (*ctr_fn)(void *ctx, const struct ctr *r, struct container *c,
		      struct err *e);
int ctr_each_operand(const struct ctr *r, const char *command, int argc,
		     char **argv, ctr_fn fn, void *ctx);

/* All operands opened, for commands that treat them together. */
struct ctr_list {
	struct container *v;
	char **text; /* borrowed operands, side by side */
	size_t n;
	int code;    /* 1: some were not found, and that is printed */
	bool failed; /* there was another error than that */

	struct rlimit files; /* as it was: many need many */
};
void ctr_list_open(const struct ctr *r, const char *command, int argc,
		   char **argv, struct ctr_list *ret);
/* Before a program is started from here. */
void ctr_list_restore(const struct ctr_list *l);
void ctr_list_free(struct ctr_list *l);
#define autoctrs __attribute__((cleanup(ctr_list_free)))

#endif
