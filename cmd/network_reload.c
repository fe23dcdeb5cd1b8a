/*
 * network reload - restore the firewall rules of running containers, and those
 * that need no container (routing.h)
 */
#include <string.h>

#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "base/whoami.h"
#include "cmd/common_out.h"
#include "cmd/ctr.h"
#include "runtime/net/net.h"
#include "runtime/net/routing.h"

struct reload {
	const struct ctr *ctr;
	struct buf warnings;
	int code;
};

static int reload_one(void *ctx, struct container *c, struct err *e)
{
	struct reload *const r = ctx;
	const struct net_of o = {.home = &r->ctr->home, .container = c};
	int rc;
	ERR_IN(e, "container %s", c->name);

	if (!lock_is_held(c->lock_fd))
		return 0;
	rc = net_reload(&o, &r->warnings, e);
	if (rc > 0)
		out_line("%s", c->id);
	return rc < 0 ? -1 : 0;
}

/* The others have a right to their rules, whatever one lacks. */
static void tell_failure(struct reload *r, struct err *e)
{
	cmd_print_error("network reload", e);
	err_clear(e);
	r->code = 1;
}

static int reload_each(void *ctx, struct container *c, struct err *e)
{
	if (reload_one(ctx, c, e) < 0)
		tell_failure(ctx, e);
	return 0;
}

static void reload_named(struct reload *r, const char *text, struct err *e)
{
	autocontainer struct container c = CONTAINER_NONE;
	int rc = container_open(&r->ctr->home, text, &c, e);

	if (rc == 0 && !lock_is_held(c.lock_fd))
		rc = err_set(e, ERR_NOTFOUND, "container %s is not running",
			     text);
	if (rc < 0 || reload_one(r, &c, e) < 0)
		tell_failure(r, e);
}

/* Containers of one network say the same. */
static void tell_each_once(struct buf *warnings)
{
	char *const all = buf_take(warnings);
	char *line = all;

	while (*line) {
		char *const end = strchr(line, '\n');
		bool before = false;

		*end = '\0';
		for (const char *p = all; p < line; p += strlen(p) + 1)
			before = before || !strcmp(p, line);
		if (!before)
			log_warn("%s", line);
		line = end + 1;
	}
	free(all);
}

static int reload_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	autoctr struct ctr ctr = {0};
	struct reload r = {.ctr = &ctr, .warnings = buf_make(MIB(1))};
	int rc;

	(void)fields;
	rc = ctr_open(g, &ctr, e);
	if (rc == 0 && argc == 0)
		rc = container_each(&ctr.home, reload_each, &r, e);
	for (int i = 0; rc == 0 && i < argc; i++)
		reload_named(&r, argv[i], e);
	if (rc == 0 && whoami()->root)
		rc = routing_hold(e);
	tell_each_once(&r.warnings);
	return rc < 0 ? -1 : r.code;
}

extern const struct command cmd_network_reload;
const struct command cmd_network_reload = {
	.name = "network reload",
	.operands = "[CONTAINER...]",
	.summary = "Put the firewall rules of running containers back",
	.max_operands = -1,
	.run = reload_run,
};
