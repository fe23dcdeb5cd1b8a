#include <stdlib.h>

#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/ctr_stop.h"

static int stop_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	autoctr struct ctr r = {0};
	autoctrs struct ctr_list l = {0};
	autofree struct err *errs = xcalloc((size_t)argc, sizeof(*errs));

	if (ctr_open(g, &r, e) < 0)
		return -1;
	ctr_list_open(&r, "stop", argc, argv, &l);
	if (ctr_stop(&r, fields, &l, errs, e) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		if (!err_is(&errs[i])) {
			out_line("%s", l.text[i]);
			continue;
		}
		cmd_print_error("stop", &errs[i]);
		l.code = 1;
	}
	return l.code;
}

extern const struct command cmd_stop;
const struct command cmd_stop = {
	.name = "stop",
	.operands = "CONTAINER...",
	.summary = "Stop running containers",
	.opts = ctr_stop_options,
	.fields_size = sizeof(struct ctr_stop),
	.min_operands = 1,
	.max_operands = -1,
	.run = stop_run,
};
