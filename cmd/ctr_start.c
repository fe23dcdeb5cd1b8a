#include "cmd/ctr_start.h"

#include "base/crash.h"
#include "base/own.h"
#include "runtime/autorange.h"

/* What the files belong to must be ours alone, as it was before. */
static int take_range(const struct globals *g, const struct run_spec *s,
		      int *ret, struct err *e)
{
	*ret = -1;
	if (!s->map_auto)
		return 0;
	*ret = autorange_take_again(g->run_dir ? g->run_dir : "/run/prism",
				    &s->map, e);
	return *ret < 0 ? -1 : 0;
}

static int start_locked(const struct ctr *r, const struct ctr_start *how,
			const struct run_spec *spec, struct container *c,
			int *ret_code, struct err *e)
{
	struct run_start s = {
		.job = {.spec = spec,
			.home = &r->home,
			.container = c,
			.client = -1,
			.keep = -1,
			.netns = -1},
		.attached = RUN_STDOUT | RUN_STDERR |
			    (how->interactive ? RUN_STDIN : 0U),
		.survives = true,
		.sig_proxy = true,
	};
	autoclose int range = -1;

	if (how->detach_keys &&
	    detach_keys_parse(how->detach_keys, &s.keys, e) < 0)
		return -1;
	if (take_range(how->g, spec, &range, e) < 0)
		return -1;
	s.job.keep = range;
	*ret_code = 0;
	return how->attach ? run_start_attached(&s, ret_code, e)
			   : container_run_detached(&s.job, e);
}

int ctr_start(const struct ctr *r, const struct ctr_start *how,
	      struct container *c, int *ret_code, struct err *e)
{
	struct run_spec spec = {0};
	int rc;

	*ret_code = 0;
	if (container_lock(c, e) < 0) {
		if (e->kind != ERR_BUSY)
			return -1;
		err_clear(e);
		return 0;
	}
	crash_point("start-locked");
	if (container_mark_stopping(c, false, e) < 0)
		return -1;
	crash_point("start-unmarked");
	if (container_load(&r->home, c, &spec, NULL, e) < 0)
		return -1;
	rc = start_locked(r, how, &spec, c, ret_code, e);
	spec_free(&spec);
	return rc;
}
