#include <stdio.h>

#include "cmd/cmd.h"

static int version_run(const struct globals *g, void *fields, int argc,
		       char **argv, struct err *e)
{
	(void)g;
	(void)fields;
	(void)argc;
	(void)argv;
	(void)e;
	(void)printf("prism version %s\n", PRISM_VERSION);
	return 0;
}

const struct command cmd_version = {
	.name = "version",
	.operands = "",
	.summary = "Print the version",
	.max_operands = 0,
	.run = version_run,
};
