#include "base/own.h"
#include "cmd/ctr.h"
#include "runtime/freeze.h"

static int pause_one(void *ctx, const struct ctr *r, struct container *c,
		     struct err *e)
{
	autostate struct container_state s = {0};

	(void)ctx;
	(void)r;
	if (container_state_get(c, &s, e) < 0)
		return -1;
	if (s.status == CONTAINER_PAUSED && !freeze_is_half(c))
		return err_set(e, ERR_EXISTS, "Container %s is already paused",
			       c->name);
	if (s.status != CONTAINER_RUNNING && s.status != CONTAINER_PAUSED)
		return err_set(e, ERR_NOTFOUND, "Container %s is not running",
			       c->name);
	return freeze_container(c, e);
}

static int unpause_one(void *ctx, const struct ctr *r, struct container *c,
		       struct err *e)
{
	autostate struct container_state s = {0};

	(void)ctx;
	(void)r;
	if (container_state_get(c, &s, e) < 0)
		return -1;
	if (s.status != CONTAINER_PAUSED && !freeze_is_half(c))
		return err_set(e, ERR_NOTFOUND, "Container %s is not paused",
			       c->name);
	return freeze_thaw(c, e);
}

static int pause_run(const struct globals *g, void *fields, int argc,
		     char **argv, struct err *e)
{
	autoctr struct ctr r = {0};

	(void)fields;
	if (ctr_open(g, &r, e) < 0)
		return -1;
	return ctr_each_operand(&r, "pause", argc, argv, pause_one, NULL);
}

static int unpause_run(const struct globals *g, void *fields, int argc,
		       char **argv, struct err *e)
{
	autoctr struct ctr r = {0};

	(void)fields;
	if (ctr_open(g, &r, e) < 0)
		return -1;
	return ctr_each_operand(&r, "unpause", argc, argv, unpause_one, NULL);
}

extern const struct command cmd_pause;
const struct command cmd_pause = {
	.name = "pause",
	.operands = "CONTAINER...",
	.summary = "Stop all processes of containers for a while",
	.min_operands = 1,
	.max_operands = -1,
	.run = pause_run,
};

extern const struct command cmd_unpause;
const struct command cmd_unpause = {
	.name = "unpause",
	.operands = "CONTAINER...",
	.summary = "Let paused containers go on",
	.min_operands = 1,
	.max_operands = -1,
	.run = unpause_run,
};
