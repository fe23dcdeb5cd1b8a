/*
 * The cgroup of a container as its monitor sees it: made before the first
 * start, and asked at the end for what the OOM killer did.
 */
#include "monitor.h"

#include <inttypes.h>

#include "base/buf.h"
#include "base/log.h"
#include "base/own.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/spec_file.h"

int monitor_cgroup_begin(struct monitor *m, struct err *e)
{
	if (m->cgroup || !cgroup_is_wanted(m->spec))
		return 0;
	return cgroup_make(m->container->dir_fd, m->container->id, m->spec,
			   &m->cgroup, e);
}

/* "memory.max 33554432 bytes, peak 33554432; killed: tail (pid 7)" */
static bool oom_text(const struct cgroup *g, struct buf *b)
{
	struct cgroup_oom oom;
	char victim[64];

	if (!g || !cgroup_oom(g, &oom) || oom.kills == 0)
		return false;
	cgroup_oom_victim(g, victim);
	buf_adds(b, "out of memory: ");
	if (oom.limit_bytes >= 0)
		buf_addf(b, "memory.max %" PRId64 " bytes", oom.limit_bytes);
	else
		buf_adds(b, "a limit above the container's");
	if (oom.peak_bytes >= 0)
		buf_addf(b, ", peak %" PRId64, oom.peak_bytes);
	buf_addf(b, "; the kernel killed %s", *victim ? victim : "a process");
	if (oom.kills > 1)
		buf_addf(b, ", the last of %" PRIu64, oom.kills);
	return true;
}

void monitor_cgroup_explain(const struct monitor *m, struct err *e)
{
	autobuf struct buf b = buf_make(512);

	if (!oom_text(m->cgroup, &b))
		return;
	(void)err_prefix(e, "%s", buf_str(&b));
	(void)err_hint(e, "--memory is too little to start it");
}

void monitor_take_update(struct monitor *m)
{
	struct run_spec s = {.restart = m->restart.policy};
	struct err e = {0};

	if (!m->spec->keep)
		return;
	if (spec_file_read_update(m->container->dir_fd, &s, &e) == 0)
		m->restart.policy = s.restart;
	else
		log_warn("ignoring: %s", e.text);
	spec_free(&s);
}

void monitor_cgroup_end(struct monitor *m, struct container_state *s)
{
	autobuf struct buf b = buf_make(512);
	struct err ignored = {0};

	/* `update` may have given it one. */
	if (!m->cgroup && (m->spec->keep || m->detached))
		(void)cgroup_open(m->container->dir_fd, &m->cgroup, &ignored);
	if (m->ran && oom_text(m->cgroup, &b)) {
		s->oom_killed = true;
		log_warn("%s", buf_str(&b));
		if (!s->error)
			s->error = buf_take(&b);
	}
	cgroup_free(m->cgroup);
	m->cgroup = NULL;
}
