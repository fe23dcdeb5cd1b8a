/*
 * create - a container that is made and not yet started
 */
#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/run_cidfile.h"
#include "cmd/run_make.h"

/* With --rm nothing else would tell it from one whose run was killed. */
static int say_created(const struct container *c, struct err *e)
{
	struct container_state s = {.status = CONTAINER_CREATED};

	return c->keep ? 0 : container_state_put(c, &s, e);
}

static int create_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	struct run r = {.g = g, .o = fields, .range = -1, .netns = -1};
	int rc;

	r.container = (struct container)CONTAINER_NONE;
	rc = run_prepare(&r, argc, argv, e);
	if (rc == 0 &&
	    (run_cidfile_check(r.o->cidfile, e) < 0 || run_replace(&r, e) < 0))
		rc = -1;
	if (rc == 0)
		rc = run_make(&r, argc, argv, e);
	if (rc == 0 && run_cidfile_write(r.o->cidfile, r.container.id, e) < 0) {
		struct err ignored = {0};

		(void)container_teardown(&r.home, &r.container, true, -1,
					 &ignored);
		rc = -1;
	}
	if (rc == 0)
		rc = say_created(&r.container, e);
	if (rc == 0)
		out_line("%s", r.container.id);
	container_close(&r.container);
	run_close(&r);
	return rc < 0 ? -1 : rc == 0 ? 0 : 125;
}

extern const struct command cmd_create;
const struct command cmd_create = {
	.name = "create",
	.operands = "IMAGE [CMD...]",
	.summary = "Make a container without starting it",
	.opts = run_monitor_options,
	.refused = run_refused,
	.fields_size = sizeof(struct run_opts),
	.options_first = true,
	.max_operands = -1,
	.fail_code = 125,
	.run = create_run,
};
