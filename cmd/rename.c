#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cmd/ctr.h"
#include "runtime/name.h"
#include "runtime/net/net.h"

/* Where it runs others know it by its name. */
static int move(const struct container_home *h, struct container *c,
		const char *name, struct err *e)
{
	const struct net_of o = {.home = h, .container = c};
	autoclose int lock = net_lock(c->dir_fd, e);

	if (lock < 0 || name_move(h, c->id, c->name, name, e) < 0)
		return -1;
	(void)snprintf(c->name, sizeof(c->name), "%s", name);
	return net_rename(&o, e);
}

static int rename_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	autoctr struct ctr r = {0};
	autocontainer struct container c = CONTAINER_NONE;

	(void)fields;
	(void)argc;
	if (ctr_open(g, &r, e) < 0 ||
	    container_open(&r.home, argv[0], &c, e) < 0)
		return -1;
	if (!strcmp(c.name, argv[1]))
		return err_set(e, ERR_USAGE,
			       "Renaming a container with the same name as its "
			       "current name");
	return move(&r.home, &c, argv[1], e);
}

extern const struct command cmd_rename;
const struct command cmd_rename = {
	.name = "rename",
	.operands = "CONTAINER NAME",
	.summary = "Give a container another name",
	.min_operands = 2,
	.max_operands = 2,
	.run = rename_run,
};
