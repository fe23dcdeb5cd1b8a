/*
 * The monitor's health checks: a probe in a process of its own, which cannot
 * hold up the loop, and what its end means.
 */
#include "monitor.h"

#include <string.h>

#include "base/clock.h"
#include "base/own.h"

#define MS (CLOCK_SECOND / 1000)

void monitor_health_begin(struct monitor *m)
{
	m->probe = (struct exec_probe)EXEC_PROBE_NONE;
	health_begin(&m->health, &m->spec->health, clock_monotonic());
	if (m->health.status != HEALTH_NONE)
		monitor_put_state(m, CONTAINER_RUNNING);
}

int monitor_health_fd(const struct monitor *m)
{
	return m->probe.pid ? m->probe.fd : -1;
}

int monitor_health_ms(const struct monitor *m)
{
	if (m->ended || m->health.due_ns < 0 || m->probe.pid)
		return -1;
	return monitor_ms_until(m->health.due_ns);
}

/* `prism pause` wrote it; a frozen container answers no check. */
static bool is_paused(const struct monitor *m)
{
	autostate struct container_state s = {0};
	struct err e = {0};

	return container_state_get(m->container, &s, &e) == 0 &&
	       s.status == CONTAINER_PAUSED;
}

static void add_result(struct monitor *m, int code, const char *output)
{
	const struct health_result r = {
		.start_ns = m->probe_ns,
		.end_ns = clock_now(),
		.exit_code = code,
		.output = xstrdup(output),
	};

	health_add(&m->health, r, clock_monotonic());
	monitor_put_state(m,
			  is_paused(m) ? CONTAINER_PAUSED : CONTAINER_RUNNING);
}

static void start_probe(struct monitor *m)
{
	autostrv struct strv args = {0};
	/* All but the arguments is the container's: borrowed, not freed. */
	struct run_spec spec = *m->spec;
	const struct exec_request r = {
		.spec = &spec,
		.id = m->container->id,
		.init = m->init,
		.init_pidfd = m->pidfd,
		.stdio = {-1, -1, -1},
		.size_of = -1,
	};
	struct err e = {0};

	m->probe_ns = clock_now();
	health_args(m->spec, &args);
	spec.args = args;
	spec.no_init = false;
	spec.tty = false;
	spec.interactive = false;
	if (exec_probe_start(&r, health_timeout_ns(&m->health) / MS, &m->probe,
			     &e) == 0)
		return;
	m->probe = (struct exec_probe)EXEC_PROBE_NONE;
	add_result(m, -1, e.text);
}

static void take_probe(struct monitor *m)
{
	autofree struct exec_result *r = xcalloc(1, sizeof(*r));
	autofree char *late = NULL;
	struct err e = {0};

	if (exec_probe_end(&m->probe, r, &e) < 0) {
		add_result(m, -1, e.text);
	} else if (r->timed_out) {
		late = xasprintf(
			"Health check exceeded timeout (%lld ms)",
			(long long)(health_timeout_ns(&m->health) / MS));
		add_result(m, -1, late);
	} else if (r->code < 0) {
		add_result(m, -1, r->error.text);
	} else {
		add_result(m, r->code, r->output);
	}
}

void monitor_health_turn(struct monitor *m, bool probe_ended)
{
	if (m->ended)
		return;
	if (probe_ended && m->probe.pid)
		take_probe(m);
	if (monitor_health_ms(m) != 0)
		return;
	if (is_paused(m))
		m->health.due_ns = clock_monotonic() + CLOCK_SECOND;
	else
		start_probe(m);
}

void monitor_health_end(struct monitor *m)
{
	autofree struct exec_result *r = NULL;
	struct err ignored = {0};

	m->health.due_ns = -1;
	if (!m->probe.pid)
		return;
	r = xcalloc(1, sizeof(*r));
	(void)exec_probe_end(&m->probe, r, &ignored);
	m->probe = (struct exec_probe)EXEC_PROBE_NONE;
}
