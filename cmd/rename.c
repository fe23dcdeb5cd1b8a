#include <string.h>

#include "base/own.h"
#include "cmd/ctr.h"
#include "runtime/name.h"

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
	return name_move(&r.home, c.id, c.name, argv[1], e);
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
