/*
 * Limits of cgroups, checked as Docker checks them; rlimits, sysctls, the OOM
 * killer's preference, the size of /dev/shm.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/own.h"
#include "base/units.h"
#include "cmd/run_opts.h"
#include "runtime/cgroup/cgroup.h"

#define MEMORY_MIN ((int64_t)MIB(6)) /* as Docker: less starts nothing */

/* ---- numbers ------------------------------------------------------------------ */

static int take_bytes(const char *flag, const char *text, int64_t *ret,
		      struct err *e)
{
	if (!text)
		return 0;
	if (!units_bytes(text, ret))
		return err_set(e, ERR_USAGE,
			       "--%s '%s': not a size, such as 512m or 1.5g",
			       flag, text);
	return 0;
}

static int take_number(const char *flag, const char *text, int64_t min,
		       int64_t max, int64_t *ret, struct err *e)
{
	if (!text || units_i64(text, min, max, ret))
		return 0;
	return err_set(e, ERR_USAGE,
		       "--%s '%s': not a number from %lld to %lld", flag, text,
		       (long long)min, (long long)max);
}

/* ---- memory -------------------------------------------------------------------- */

static int check_memory(const struct limits_spec *l, struct err *e)
{
	if (l->memory_bytes && l->memory_bytes < MEMORY_MIN)
		return err_set(e, ERR_USAGE,
			       "--memory: the least is 6 MiB (6m)");
	if (l->memory_swap_bytes && !l->memory_bytes)
		return err_set(e, ERR_USAGE,
			       "--memory-swap needs --memory: it is both "
			       "together");
	if (l->memory_swap_bytes > 0 && l->memory_swap_bytes < l->memory_bytes)
		return err_set(e, ERR_USAGE,
			       "--memory-swap is memory and swap together, so "
			       "it cannot be less than --memory");
	if (l->memory_reservation_bytes &&
	    l->memory_reservation_bytes < MEMORY_MIN)
		return err_set(e, ERR_USAGE,
			       "--memory-reservation: the least is 6 MiB (6m)");
	if (l->memory_bytes && l->memory_reservation_bytes > l->memory_bytes)
		return err_set(e, ERR_USAGE,
			       "--memory-reservation cannot be more than "
			       "--memory");
	return 0;
}

static int memory(const struct run_opts *o, struct limits_spec *l,
		  struct err *e)
{
	if (take_bytes("memory", o->memory, &l->memory_bytes, e) < 0 ||
	    take_bytes("memory-reservation", o->memory_reservation,
		       &l->memory_reservation_bytes, e) < 0)
		return -1;
	if (o->memory_swap && !strcmp(o->memory_swap, "-1"))
		l->memory_swap_bytes = -1;
	else if (take_bytes("memory-swap", o->memory_swap,
			    &l->memory_swap_bytes, e) < 0)
		return -1;
	return check_memory(l, e);
}

/* ---- processors ---------------------------------------------------------------- */

static int check_cpus(const char *text, struct limits_spec *l, struct err *e)
{
	long n;

	if (!text)
		return 0;
	n = sysconf(_SC_NPROCESSORS_ONLN);
	if (!units_nano(text, &l->nano_cpus))
		return err_set(e, ERR_USAGE, "--cpus '%s': not a number", text);
	if (l->nano_cpus == 0)
		return 0;
	if (l->nano_cpus < 10000000 || l->nano_cpus > n * 1000000000)
		return err_set(e, ERR_USAGE,
			       "--cpus %s: the range is from 0.01 to %ld.00, "
			       "as there are only %ld processors",
			       text, n, n);
	return 0;
}

/*
 * "0-3,5": a list of numbers and ranges; the highest goes to *ret_last.
 */
static bool parse_set(const char *s, uint64_t *ret_last)
{
	*ret_last = 0;
	if (!*s)
		return false;
	while (*s) {
		const size_t n = strspn(s, "0123456789");
		const char *to = s;
		size_t k = n;
		uint64_t a, b;

		if (s[n] == '-') {
			to = s + n + 1;
			k = strspn(to, "0123456789");
		}
		if (!str_to_u64n(s, n, 8191, &a) ||
		    !str_to_u64n(to, k, 8191, &b) || b < a)
			return false;
		if (b > *ret_last)
			*ret_last = b;
		s = to + k;
		if (*s == ',' && s[1])
			s++;
		else if (*s)
			return false;
	}
	return true;
}

static int check_set(const char *flag, const char *text, long n, char **ret,
		     struct err *e)
{
	uint64_t last;

	if (str_empty(text))
		return 0;
	if (!parse_set(text, &last))
		return err_set(e, ERR_USAGE,
			       "--%s '%s': not a list such as 0-3 or 0,1", flag,
			       text);
	if (n > 0 && last >= (uint64_t)n)
		return err_set(e, ERR_USAGE,
			       "--%s %s: not available; there are 0-%ld", flag,
			       text, n - 1);
	free(*ret);
	*ret = xstrdup(text);
	return 0;
}

static int processors(const struct run_opts *o, struct limits_spec *l,
		      struct err *e)
{
	if (check_cpus(o->cpus, l, e) < 0 ||
	    take_number("cpu-shares", o->cpu_shares, 0, 262144, &l->cpu_shares,
			e) < 0 ||
	    take_number("cpu-period", o->cpu_period, 0, 1000000,
			&l->cpu_period_us, e) < 0 ||
	    take_number("cpu-quota", o->cpu_quota, -1, INT64_MAX / 1000,
			&l->cpu_quota_us, e) < 0)
		return -1;
	if (l->nano_cpus && (l->cpu_period_us || l->cpu_quota_us))
		return err_set(
			e, ERR_USAGE,
			"--cpus stands for --cpu-period and --cpu-quota: "
			"give the one or the others");
	if (l->cpu_period_us && l->cpu_period_us < 1000)
		return err_set(e, ERR_USAGE,
			       "--cpu-period: from 1000 to 1000000 us");
	if (l->cpu_quota_us > 0 && l->cpu_quota_us < 1000)
		return err_set(e, ERR_USAGE, "--cpu-quota: at least 1000 us");
	if (o->cpuset_cpus &&
	    check_set("cpuset-cpus", o->cpuset_cpus,
		      sysconf(_SC_NPROCESSORS_CONF), &l->cpuset_cpus, e) < 0)
		return -1;
	return check_set("cpuset-mems", o->cpuset_mems, 0, &l->cpuset_mems, e);
}

/* ---- block devices and others ---------------------------------------------------- */

/* PATH:RATE each; bytes may have a unit, and are kept as a number. */
static int rates(const char *flag, const struct strv *from, bool bytes,
		 struct strv *to, struct err *e)
{
	for (size_t i = 0; i < from->n; i++) {
		const char *const text = from->v[i];
		const char *const colon = strrchr(text, ':');
		int64_t n = 0;
		ERR_IN(e, "--%s %s", flag, text);

		if (!colon || text[0] != '/')
			return err_set(e, ERR_USAGE,
				       "not PATH:NUMBER, such as /dev/sda:%s",
				       bytes ? "1mb" : "1000");
		if (bytes ? !units_bytes(colon + 1, &n)
			  : !units_i64(colon + 1, 0, INT64_MAX, &n))
			return err_set(e, ERR_USAGE, "'%s': not a %s",
				       colon + 1, bytes ? "size" : "number");
		if (n == 0)
			return err_set(e, ERR_USAGE, "0 is no rate");
		strv_take(to, xasprintf("%.*s:%lld", (int)(colon - text), text,
					(long long)n));
	}
	return 0;
}

static int weights(const struct strv *from, struct strv *to, struct err *e)
{
	const char *const flag = "blkio-weight-device";

	if (rates(flag, from, false, to, e) < 0)
		return -1;
	for (size_t i = 0; i < to->n; i++) {
		int64_t n = 0;

		if (!units_i64(strrchr(to->v[i], ':') + 1, 10, 1000, &n))
			return err_set(e, ERR_USAGE, "--%s %s: from 10 to 1000",
				       flag, to->v[i]);
	}
	return 0;
}

static int block(const struct run_opts *o, struct limits_spec *l, struct err *e)
{
	if (take_number("blkio-weight", o->blkio_weight, 0, 1000,
			&l->blkio_weight, e) < 0)
		return -1;
	if (l->blkio_weight && l->blkio_weight < 10)
		return err_set(e, ERR_USAGE, "--blkio-weight: from 10 to 1000");
	if (weights(&o->weight_devices, &l->weight_devices, e) < 0 ||
	    rates("device-read-bps", &o->read_bps, true, &l->read_bps, e) < 0 ||
	    rates("device-write-bps", &o->write_bps, true, &l->write_bps, e) <
		    0 ||
	    rates("device-read-iops", &o->read_iops, false, &l->read_iops, e) <
		    0)
		return -1;
	return rates("device-write-iops", &o->write_iops, false, &l->write_iops,
		     e);
}

static int swappiness(const struct run_opts *o, struct limits_spec *l,
		      struct err *e)
{
	int64_t n = -1;

	if (!o->memory_swappiness)
		return 0;
	/* -1: as the kernel has it. */
	if (take_number("memory-swappiness", o->memory_swappiness, -1, 100, &n,
			e) < 0)
		return -1;
	l->has_swappiness = n >= 0;
	l->memory_swappiness = n < 0 ? 0 : n;
	return 0;
}

/* ---- all limits of cgroups --------------------------------------------------------- */

static int strictness(const struct run_opts *o, struct limits_spec *l,
		      struct err *e)
{
	if (!o->limits || !strcmp(o->limits, "strict"))
		return 0;
	if (strcmp(o->limits, "best-effort") != 0)
		return err_set(e, ERR_USAGE,
			       "--limits '%s': neither strict nor best-effort",
			       o->limits);
	l->best_effort = true;
	return 0;
}

int run_opts_cgroup(const struct run_opts *o, struct limits_spec *l,
		    struct err *e)
{
	if (memory(o, l, e) < 0 || swappiness(o, l, e) < 0 ||
	    processors(o, l, e) < 0 ||
	    take_number("pids-limit", o->pids_limit, -1, 4194304, &l->pids, e) <
		    0 ||
	    block(o, l, e) < 0)
		return -1;
	l->oom_kill_disable = l->oom_kill_disable || o->oom_kill_disable;
	for (size_t i = 0; i < o->device_rules.n; i++) {
		if (!cgroup_is_device_rule(o->device_rules.v[i], e))
			return -1;
		strv_add(&l->device_rules, o->device_rules.v[i]);
	}
	if (!str_empty(o->cgroup_parent))
		l->cgroup_parent = xstrdup(o->cgroup_parent);
	return strictness(o, l, e);
}

/* ---- rlimits ------------------------------------------------------------------------ */

static bool rlimit_value(const char *s, size_t n, uint64_t *ret)
{
	if ((n == 2 && !memcmp(s, "-1", 2)) ||
	    (n == 9 && !memcmp(s, "unlimited", 9))) {
		*ret = UINT64_MAX;
		return true;
	}
	return str_to_u64n(s, n, INT64_MAX, ret);
}

int ulimit_parse(const char *text, struct rlimit_spec *ret, struct err *e)
{
	const size_t n = strcspn(text, "=");
	const char *const soft = text + n + (text[n] == '=');
	const size_t k = strcspn(soft, ":");
	const char *const hard = soft[k] ? soft + k + 1 : soft;
	struct rlimit_spec r = {.resource = spec_rlimit_parse(text, n)};

	if (r.resource < 0) {
		(void)err_set(e, ERR_USAGE, "invalid ulimit type: %.*s", (int)n,
			      text);
		return err_hint(e, "there are core, cpu, data, fsize, locks, "
				   "memlock, msgqueue, nice, nofile, nproc, "
				   "rss, rtprio, rttime, sigpending, stack");
	}
	if (!rlimit_value(soft, k, &r.soft) ||
	    !rlimit_value(hard, soft[k] ? strlen(hard) : k, &r.hard))
		return err_set(e, ERR_USAGE,
			       "'%s': not SOFT[:HARD] in numbers (-1: "
			       "unlimited)",
			       soft);
	if (r.soft > r.hard)
		return err_set(e, ERR_USAGE,
			       "the soft limit is above the hard one");
	*ret = r;
	return 0;
}

static int add_ulimits(const struct run_opts *o, struct run_spec *s,
		       struct err *e)
{
	for (size_t i = 0; i < o->ulimits.n; i++) {
		struct rlimit_spec r;
		ERR_IN(e, "--ulimit %s", o->ulimits.v[i]);

		/* podman's "host": what the caller has, and so the default. */
		if (!strcmp(o->ulimits.v[i], "host"))
			continue;
		if (ulimit_parse(o->ulimits.v[i], &r, e) < 0)
			return -1;
		spec_add_rlimit(s, &r);
	}
	return 0;
}

/* ---- sysctls ------------------------------------------------------------------------- */

/* What the kernel keeps per namespace: ipc(7), net; nothing of the machine. */
static int check_sysctl(const char *name, const struct run_spec *s,
			struct err *e)
{
	static const char *const ipc[] = {
		"kernel.shm",
		"kernel.msg",
		"kernel.sem",
		"fs.mqueue.",
	};

	if (name[strcspn(name, " \t/\n")] || strstr(name, ".."))
		return err_set(e, ERR_USAGE, "not the name of a sysctl");
	if (str_starts(name, "net.")) {
		if (spec_own_net(s))
			return 0;
		return err_set(e, ERR_USAGE,
			       "not allowed without a network namespace of its "
			       "own");
	}
	for (size_t i = 0; i < ARRAY_LEN(ipc); i++)
		if (str_starts(name, ipc[i])) {
			if (s->ipc_ns == NS_OWN)
				return 0;
			return err_set(e, ERR_USAGE,
				       "not allowed without an ipc namespace "
				       "of its own");
		}
	if (!strcmp(name, "kernel.domainname") && s->uts_ns == NS_OWN)
		return 0;
	(void)err_set(e, ERR_USAGE,
		      "not allowed: it is one of the whole "
		      "machine");
	return err_hint(e, "there are net.*, kernel.shm*, kernel.msg*, "
			   "kernel.sem and fs.mqueue.*");
}

static int add_sysctls(const struct run_opts *o, struct run_spec *s,
		       struct err *e)
{
	for (size_t i = 0; i < o->sysctls.n; i++) {
		const char *const text = o->sysctls.v[i];
		const size_t n = strcspn(text, "=");
		autofree char *name = xstrndup(text, n);
		ERR_IN(e, "--sysctl %s", text);

		if (!text[n] || n == 0)
			return err_set(e, ERR_USAGE, "not NAME=VALUE");
		if (check_sysctl(name, s, e) < 0)
			return -1;
		strv_setenv(&s->sysctls, text);
	}
	return 0;
}

/* ---- the rest ----------------------------------------------------------------------- */

int run_opts_limits(const struct run_opts *o, struct run_spec *s, struct err *e)
{
	int64_t n = 0;

	if (run_opts_cgroup(o, &s->limits, e) < 0 || add_ulimits(o, s, e) < 0 ||
	    add_sysctls(o, s, e) < 0)
		return -1;
	if (o->oom_score_adj) {
		if (take_number("oom-score-adj", o->oom_score_adj, -1000, 1000,
				&n, e) < 0)
			return -1;
		s->has_oom_score = true;
		s->oom_score_adj = (int)n;
	}
	n = 0;
	if (take_bytes("shm-size", o->shm_size, &n, e) < 0)
		return -1;
	s->shm_bytes = (uint64_t)n;
	return 0;
}
