/*
 * update - other limits for containers, also while they run
 */
#include <stdlib.h>

#include "base/own.h"
#include "cmd/ctr.h"
#include "cmd/run_opts.h"
#include "runtime/restart.h"

#define F(field) offsetof(struct run_opts, field)

static const struct opt update_options[] = {
	{0, "blkio-weight", OPT_STR, F(blkio_weight), "10-1000",
	 "Relative weight of block IO"},
	{0, "cpu-period", OPT_STR, F(cpu_period), "US", "CFS period"},
	{0, "cpu-quota", OPT_STR, F(cpu_quota), "US", "CFS quota"},
	{'c', "cpu-shares", OPT_STR, F(cpu_shares), "N", "Relative weight"},
	{0, "cpus", OPT_STR, F(cpus), "N", "Number of processors (1.5)"},
	{0, "cpuset-cpus", OPT_STR, F(cpuset_cpus), "LIST",
	 "Processors to run on (0-3, 0,1)"},
	{0, "cpuset-mems", OPT_STR, F(cpuset_mems), "LIST",
	 "Memory nodes to use"},
	{'m', "memory", OPT_STR, F(memory), "BYTES", "Limit of memory"},
	{0, "memory-reservation", OPT_STR, F(memory_reservation), "BYTES",
	 "Soft limit of memory"},
	{0, "memory-swap", OPT_STR, F(memory_swap), "BYTES",
	 "Memory and swap together; -1: unlimited swap"},
	{0, "pids-limit", OPT_STR, F(pids_limit), "N",
	 "Number of processes; -1: unlimited"},
	{0, "restart", OPT_STR, F(restart), "POLICY",
	 "no, on-failure[:N], always, unless-stopped"},
	{0},
};

static int update_one(void *ctx, const struct ctr *r, struct container *c,
		      struct err *e)
{
	const struct run_opts *const o = ctx;
	struct run_spec s = {0};
	int rc = container_load(&r->home, c, &s, NULL, e);

	if (rc == 0)
		rc = run_opts_cgroup(o, &s.limits, e);
	if (rc == 0 && o->restart)
		rc = restart_policy_parse(o->restart, &s.restart, e);
	if (rc == 0 && s.restart.when != RESTART_NO && !s.keep)
		rc = err_set(e, ERR_USAGE, "--restart does not go with --rm");
	if (rc == 0)
		rc = container_update(c, &s, e);
	spec_free(&s);
	return rc;
}

static int update_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	autoctr struct ctr r = {0};

	if (ctr_open(g, &r, e) < 0)
		return -1;
	return ctr_each_operand(&r, "update", argc, argv, update_one, fields);
}

extern const struct command cmd_update;
const struct command cmd_update = {
	.name = "update",
	.operands = "CONTAINER...",
	.summary = "Change the limits of containers",
	.opts = update_options,
	.fields_size = sizeof(struct run_opts),
	.min_operands = 1,
	.max_operands = -1,
	.run = update_run,
};
