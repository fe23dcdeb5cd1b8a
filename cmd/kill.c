#include <signal.h>

#include "base/crash.h"
#include "base/own.h"
#include "base/signame.h"
#include "cmd/ctr.h"
#include "runtime/freeze.h"
#include "runtime/stop.h"

struct kill_opts {
	const char *signal;
};

static const struct opt kill_options[] = {
	{'s', "signal", OPT_STR, offsetof(struct kill_opts, signal), "SIGNAL",
	 "Signal to send (default: KILL)"},
	{0},
};

/* Does this signal mean that the user wants it to end? */
static bool is_end(const struct ctr *r, const struct container *c, int sig)
{
	struct run_spec s = {0};
	struct err ignored = {0};
	bool end;

	if (sig == SIGKILL)
		return true;
	if (container_load(&r->home, c, &s, NULL, &ignored) < 0)
		return false;
	end = sig == (s.stop_signal ? s.stop_signal : SIGTERM);
	spec_free(&s);
	return end;
}

static int kill_one(void *ctx, const struct ctr *r, struct container *c,
		    struct err *e)
{
	const int sig = *(const int *)ctx;
	const bool end = is_end(r, c, sig);
	autoclose int init = container_pidfd(c, NULL, e);

	if (init < 0)
		return err_prefix(e, "Cannot kill container %s", c->name);
	if (end && container_mark_stopping(c, true, e) < 0)
		return -1;
	crash_point("kill-marked");
	if (stop_signal(c, sig, e) < 0 || (end && freeze_thaw(c, e) < 0))
		return -1;
	return sig == SIGKILL ? container_wait_unlocked(c, e) : 0;
}

static int kill_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	const struct kill_opts *const o = fields;
	autoctr struct ctr r = {0};
	int sig = SIGKILL;

	if (o->signal && !signame_parse(o->signal, &sig))
		return err_set(e, ERR_USAGE, "Invalid signal: %s", o->signal);
	if (ctr_open(g, &r, e) < 0)
		return -1;
	return ctr_each_operand(&r, "kill", argc, argv, kill_one, &sig);
}

extern const struct command cmd_kill;
const struct command cmd_kill = {
	.name = "kill",
	.operands = "CONTAINER...",
	.summary = "Send a signal to running containers",
	.opts = kill_options,
	.fields_size = sizeof(struct kill_opts),
	.min_operands = 1,
	.max_operands = -1,
	.run = kill_run,
};
