#include <stdio.h>
#include <stdlib.h>

#include "base/crash.h"
#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/ctr_start.h"
#include "cmd/ctr_stop.h"

static int restart_run(const struct globals *g, void *fields, int argc,
		       char **argv, struct err *e)
{
	autoctr struct ctr r = {0};
	autoctrs struct ctr_list l = {0};
	autofree struct err *errs = xcalloc((size_t)argc, sizeof(*errs));
	const struct ctr_start how = {.g = g};

	if (ctr_open(g, &r, e) < 0)
		return -1;
	ctr_list_open(&r, "restart", argc, argv, &l);
	if (ctr_stop(&r, fields, &l, errs, e) < 0)
		return -1;
	ctr_list_restore(&l);
	crash_point("restart-stopped");
	for (size_t i = 0; i < l.n; i++) {
		int code = 0;

		if (!err_is(&errs[i]) &&
		    ctr_start(&r, &how, &l.v[i], &code, &errs[i]) == 0) {
			out_line("%s", l.text[i]);
			(void)out_flush();
			continue;
		}
		cmd_print_error("restart", &errs[i]);
		l.code = 1;
	}
	return l.code;
}

extern const struct command cmd_restart;
const struct command cmd_restart = {
	.name = "restart",
	.operands = "CONTAINER...",
	.summary = "Stop containers and start them again",
	.opts = ctr_stop_options,
	.fields_size = sizeof(struct ctr_stop),
	.min_operands = 1,
	.max_operands = -1,
	.run = restart_run,
};
