#include "container.h"

#include <errno.h>
#include <unistd.h>

#include "base/own.h"
#include "base/trace.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/freeze.h"
#include "runtime/spec_file.h"

/* A child is where its parent is: twice finds what was forked meanwhile. */
#define ROUNDS 2

struct move {
	const struct cgroup *g;
	struct err *e;
};

static int move_one(void *ctx, pid_t pid)
{
	const struct move *const m = ctx;

	if (cgroup_move(m->g, pid, m->e) == 0)
		return 0;
	/* It has ended. */
	if (m->e->sys != ESRCH)
		return -1;
	err_clear(m->e);
	return 0;
}

static int limit_now(const struct container *c, const struct run_spec *spec,
		     pid_t init, struct err *e)
{
	struct cgroup *g = NULL;
	struct move m = {.e = e};
	int rc = 0;

	if (cgroup_update(c->dir_fd, c->id, spec, &g, e) < 0)
		return -1;
	m.g = g;
	for (int i = 0; rc == 0 && i < ROUNDS; i++)
		rc = freeze_each(init, move_one, &m, e);
	cgroup_free(g);
	return rc;
}

int container_update(const struct container *c, const struct run_spec *spec,
		     struct err *e)
{
	pid_t init = 0;
	autoclose int fd = container_init_pidfd(c, &init, e);
	STEP(e, "update", "other limits");

	if (fd < 0 && e->kind != ERR_NOTFOUND)
		return -1;
	err_clear(e);
	/* No limit any more is written as well, where there was one. */
	if (fd >= 0 &&
	    (cgroup_is_wanted(spec) ||
	     faccessat(c->dir_fd, "cgroup", F_OK, 0) == 0) &&
	    limit_now(c, spec, init, e) < 0)
		return -1;
	return spec_file_write_update(c->dir_fd, spec, e);
}
