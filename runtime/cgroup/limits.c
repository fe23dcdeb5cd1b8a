#include "limits.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/units.h"

#define PERIOD_US 100000 /* of --cpus */

/* ---- numbers -------------------------------------------------------------- */

/* Binary logarithm, exact for powers of two. */
static double log_2(double x)
{
	double r = 0;

	while (x >= 2) {
		x /= 2;
		r += 1;
	}
	for (double bit = 0.5; bit > 1e-13 && x > 1; bit /= 2) {
		x *= x;
		if (x >= 2) {
			x /= 2;
			r += bit;
		}
	}
	return r;
}

/*
 * ceil(10 ^ ((l^2 + 125 l) / 612 - 7 / 34)) with l = log2(shares): least,
 * default and most of the one are those of the other (the older straight line
 * made 39 of 1024, less than half of what everybody else has).
 */
int64_t limits_weight_of_shares(int64_t shares)
{
	const double log_2_of_10 = 3.32192809488736234787;
	double l, power;

	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	l = log_2((double)shares);
	power = (l * l + 125 * l) / 612 - 7.0 / 34;
	for (int64_t w = 1; w < 10000; w++)
		if (log_2((double)w) / log_2_of_10 >= power - 1e-9)
			return w;
	return 10000;
}

int64_t limits_io_weight(int64_t weight)
{
	return 1 + (weight - 10) * 9999 / 990;
}

char *limits_device_split(const char *text, int64_t *ret_number)
{
	const char *const colon = strrchr(text, ':');

	if (!colon || colon == text || text[0] != '/' ||
	    !units_i64(colon + 1, 0, INT64_MAX, ret_number))
		return NULL;
	return xstrndup(text, (size_t)(colon - text));
}

/* ---- the list ------------------------------------------------------------- */

struct making {
	const struct limits_spec *l;
	const int *version;
	struct settings s;
	struct err *e;
	bool failed;
};

/* True: left out. */
static bool refuse(struct making *m)
{
	if (!m->l->best_effort) {
		m->failed = true;
		return true;
	}
	log_warn("ignoring %s", m->e->text);
	err_clear(m->e);
	return true;
}

/* Which version this limit is for; 0: left out, or failed. */
static int version_for(struct making *m, enum controller c, const char *flag,
		       bool optional)
{
	if (m->failed)
		return 0;
	if (m->version[c] || optional)
		return m->version[c];
	(void)err_set(m->e, ERR_UNSUPPORTED,
		      "%s: this host has no cgroup controller '%s' mounted",
		      flag, controller_name(c, 2));
	(void)err_hint(m->e,
		       "cgroup_enable=%s on the kernel's command line, "
		       "or a mounted cgroup2; --limits=best-effort goes "
		       "on without",
		       controller_name(c, 1));
	(void)refuse(m);
	return 0;
}

static struct setting *add(struct making *m, enum controller c,
			   const char *flag, const char *file, char *value)
{
	struct setting *s;

	m->s.v = xrealloc(m->s.v, (m->s.n + 1) * sizeof(*m->s.v));
	s = &m->s.v[m->s.n++];
	*s = (struct setting){.controller = c,
			      .check = CHECK_NUMBER,
			      .flag = flag,
			      .file = file,
			      .value = value};
	return s;
}

/* A number, with its own file in each version; v2 NULL: v1's alone. */
static struct setting *number(struct making *m, enum controller c,
			      const char *flag, const char *v1, const char *v2,
			      int64_t n)
{
	const int version = version_for(m, c, flag, false);

	if (!version)
		return NULL;
	return add(m, c, flag, version == 2 ? v2 : v1,
		   n < 0 ? xstrdup(version == 2 ? "max" : "-1")
			 : xasprintf("%" PRId64, n));
}

/* ---- memory --------------------------------------------------------------- */

/* Both together in Docker and v1; v2 counts swap alone. Default: the double. */
static void swap(struct making *m)
{
	const struct limits_spec *const l = m->l;
	const bool implied = l->memory_swap_bytes == 0;
	const int version = version_for(m, CG_MEMORY, "--memory-swap", implied);
	int64_t all = l->memory_swap_bytes;
	struct setting *s;

	if (!version || !l->memory_bytes)
		return;
	if (implied)
		all = l->memory_bytes > INT64_MAX / 2 ? -1
						      : l->memory_bytes * 2;
	if (version == 2)
		s = add(m, CG_MEMORY, "--memory-swap", "memory.swap.max",
			all < 0 ? xstrdup("max")
				: xasprintf("%" PRId64, all - l->memory_bytes));
	else
		s = add(m, CG_MEMORY, "--memory-swap",
			"memory.memsw.limit_in_bytes",
			xasprintf("%" PRId64, all));
	/* Without swap accounting there is no such file. */
	s->optional = implied;
}

/* What v2 has not at all. */
static bool v1_only(struct making *m, const char *flag, const char *instead)
{
	const int version = version_for(m, CG_MEMORY, flag, false);

	if (version != 2)
		return version == 1;
	(void)err_set(m->e, ERR_UNSUPPORTED, "%s: cgroup v2 has no such limit",
		      flag);
	(void)err_hint(m->e, "%s; --limits=best-effort goes on without",
		       instead);
	(void)refuse(m);
	return false;
}

static void memory(struct making *m)
{
	const struct limits_spec *const l = m->l;

	if (l->memory_bytes) {
		(void)number(m, CG_MEMORY, "--memory", "memory.limit_in_bytes",
			     "memory.max", l->memory_bytes);
		swap(m);
	}
	if (l->memory_reservation_bytes)
		(void)number(m, CG_MEMORY, "--memory-reservation",
			     "memory.soft_limit_in_bytes", "memory.low",
			     l->memory_reservation_bytes);
	if (l->has_swappiness &&
	    v1_only(m, "--memory-swappiness",
		    "use --memory-swap, which limits swap itself"))
		(void)number(m, CG_MEMORY, "--memory-swappiness",
			     "memory.swappiness", NULL, l->memory_swappiness);
	if (l->oom_kill_disable &&
	    v1_only(m, "--oom-kill-disable",
		    "use --oom-score-adj -1000 or --memory-reservation")) {
		struct setting *const s =
			add(m, CG_MEMORY, "--oom-kill-disable",
			    "memory.oom_control", xstrdup("1"));

		s->check = CHECK_TEXT;
	}
}

/* ---- processors ----------------------------------------------------------- */

static void cpu_time(struct making *m, const char *flag, int64_t quota,
		     int64_t period)
{
	const int version = version_for(m, CG_CPU, flag, false);

	if (version == 2) {
		struct setting *const s =
			add(m, CG_CPU, flag, "cpu.max",
			    quota > 0 ? xasprintf("%" PRId64 " %" PRId64, quota,
						  period)
				      : xasprintf("max %" PRId64, period));

		s->check = CHECK_TEXT;
	} else if (version == 1) {
		(void)add(m, CG_CPU, flag, "cpu.cfs_period_us",
			  xasprintf("%" PRId64, period));
		if (quota)
			(void)add(m, CG_CPU, flag, "cpu.cfs_quota_us",
				  xasprintf("%" PRId64, quota));
	}
}

static void set_of(struct making *m, const char *flag, const char *file,
		   const char *list)
{
	if (list && version_for(m, CG_CPUSET, flag, false))
		add(m, CG_CPUSET, flag, file, xstrdup(list))->check = CHECK_SET;
}

static void processors(struct making *m)
{
	const struct limits_spec *const l = m->l;

	if (l->nano_cpus)
		cpu_time(m, "--cpus", l->nano_cpus * PERIOD_US / 1000000000,
			 PERIOD_US);
	else if (l->cpu_quota_us || l->cpu_period_us)
		cpu_time(m, l->cpu_quota_us ? "--cpu-quota" : "--cpu-period",
			 l->cpu_quota_us,
			 l->cpu_period_us ? l->cpu_period_us : PERIOD_US);
	if (l->cpu_shares) {
		const int64_t shares = l->cpu_shares < 2 ? 2 : l->cpu_shares;

		(void)number(m, CG_CPU, "--cpu-shares", "cpu.shares",
			     "cpu.weight",
			     m->version[CG_CPU] == 2
				     ? limits_weight_of_shares(shares)
				     : shares);
	}
	set_of(m, "--cpuset-cpus", "cpuset.cpus", l->cpuset_cpus);
	set_of(m, "--cpuset-mems", "cpuset.mems", l->cpuset_mems);
}

/* ---- block devices -------------------------------------------------------- */

/* "8:0" and the number; NULL: failed or left out. */
static char *device_of(struct making *m, const char *flag, const char *text,
		       int64_t *ret_number)
{
	autofree char *path = limits_device_split(text, ret_number);
	struct stat st;

	if (!path)
		(void)err_set(m->e, ERR_USAGE, "%s '%s': not PATH:NUMBER", flag,
			      text);
	else if (stat(path, &st) < 0)
		(void)err_sys(m->e, "stat", "%s of %s", path, flag);
	else if (!S_ISBLK(st.st_mode))
		(void)err_set(m->e, ERR_USAGE, "%s: %s is no block device",
			      flag, path);
	else
		return xasprintf("%u:%u", major(st.st_rdev), minor(st.st_rdev));
	(void)refuse(m);
	return NULL;
}

static void device_rates(struct making *m, const char *flag,
			 const struct strv *rates, const char *v1,
			 const char *word)
{
	for (size_t i = 0; i < rates->n; i++) {
		const int version = version_for(m, CG_IO, flag, false);
		int64_t n = 0;
		autofree char *device =
			version ? device_of(m, flag, rates->v[i], &n) : NULL;

		if (!device)
			continue;
		add(m, CG_IO, flag, version == 2 ? "io.max" : v1,
		    version == 2 ? xasprintf("%s %s=%" PRId64, device, word, n)
				 : xasprintf("%s %" PRId64, device, n))
			->check = CHECK_LINE;
	}
}

/* The BFQ scheduler has a file of its own; else v2 has the io.cost one. */
static void weight_of(struct making *m, const char *flag, const char *whose,
		      int64_t weight)
{
	const int version = version_for(m, CG_IO, flag, false);
	struct setting *s;

	if (!version)
		return;
	s = add(m, CG_IO, flag,
		version == 2 ? "io.bfq.weight" : "blkio.bfq.weight",
		xasprintf("%s%" PRId64, whose, weight));
	s->check = *whose ? CHECK_LINE : CHECK_TEXT;
	s->other_file = version == 2 ? "io.weight" : "blkio.weight";
	s->other_value =
		xasprintf("%s%" PRId64, whose,
			  version == 2 ? limits_io_weight(weight) : weight);
}

static void block(struct making *m)
{
	const struct limits_spec *const l = m->l;

	if (l->blkio_weight)
		weight_of(m, "--blkio-weight", "", l->blkio_weight);
	for (size_t i = 0; i < l->weight_devices.n; i++) {
		const char *const flag = "--blkio-weight-device";
		int64_t n = 0;
		autofree char *device =
			version_for(m, CG_IO, flag, false)
				? device_of(m, flag, l->weight_devices.v[i], &n)
				: NULL;
		autofree char *whose = device ? xasprintf("%s ", device) : NULL;

		if (whose)
			weight_of(m, flag, whose, n);
	}
	device_rates(m, "--device-read-bps", &l->read_bps,
		     "blkio.throttle.read_bps_device", "rbps");
	device_rates(m, "--device-write-bps", &l->write_bps,
		     "blkio.throttle.write_bps_device", "wbps");
	device_rates(m, "--device-read-iops", &l->read_iops,
		     "blkio.throttle.read_iops_device", "riops");
	device_rates(m, "--device-write-iops", &l->write_iops,
		     "blkio.throttle.write_iops_device", "wiops");
}

/* ---- all ------------------------------------------------------------------ */

int settings_make(const struct limits_spec *l,
		  const int version[CG_CONTROLLERS], struct settings *ret,
		  struct err *e)
{
	struct making m = {.l = l, .version = version, .e = e};

	memory(&m);
	processors(&m);
	if (l->pids > 0)
		(void)number(&m, CG_PIDS, "--pids-limit", "pids.max",
			     "pids.max", l->pids);
	else if (l->pids < 0 && version_for(&m, CG_PIDS, "", true))
		add(&m, CG_PIDS, "--pids-limit", "pids.max", xstrdup("max"))
			->optional = true;
	block(&m);
	if (m.failed) {
		settings_free(&m.s);
		return -1;
	}
	*ret = m.s;
	return 0;
}

void settings_free(struct settings *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].value);
		free(s->v[i].other_value);
	}
	free(s->v);
	*s = (struct settings){0};
}

/* ---- reading back --------------------------------------------------------- */

static bool number_holds(const char *wrote, const char *read)
{
	const int64_t page = sysconf(_SC_PAGESIZE);
	int64_t a, b;

	if (!strcmp(wrote, read))
		return true;
	/* v1 has no word for "unlimited". */
	if (!strcmp(wrote, "-1"))
		return units_i64(read, INT64_MAX / 2, INT64_MAX, &b);
	return units_i64(wrote, 0, INT64_MAX, &a) &&
	       units_i64(read, 0, INT64_MAX, &b) && a - b >= 0 && a - b < page;
}

static int64_t digits(const char **p)
{
	const size_t n = strspn(*p, "0123456789");
	uint64_t v = 0;

	(void)str_to_u64n(*p, n, INT32_MAX, &v);
	*p += n;
	return (int64_t)v;
}

/* The next number of "0-3,5" behind what is in *at; -1 at the end. */
static int next_in_set(const char **p, int64_t *at, int64_t *last)
{
	if (*at < *last) {
		(*at)++;
		return 0;
	}
	if (**p == ',')
		(*p)++;
	if (**p < '0' || **p > '9')
		return -1;
	*at = digits(p);
	*last = *at;
	if (**p == '-') {
		(*p)++;
		*last = digits(p);
	}
	return 0;
}

#define SET_MAX 8192

static bool in_set(const char *set, int64_t n)
{
	int64_t at = 0;
	int64_t last = 0;

	while (next_in_set(&set, &at, &last) == 0)
		if (at == n)
			return true;
	return false;
}

static bool subset(const char *a, const char *b)
{
	int64_t at = 0;
	int64_t last = 0;

	while (next_in_set(&a, &at, &last) == 0)
		if (at > SET_MAX || !in_set(b, at))
			return false;
	return true;
}

static bool has_word(const char *line, size_t n, const char *word)
{
	const size_t k = strlen(word);

	for (size_t i = 0; i + k <= n; i++)
		if ((i == 0 || line[i - 1] == ' ') &&
		    !memcmp(line + i, word, k) &&
		    (i + k == n || line[i + k] == ' '))
			return true;
	return false;
}

static bool line_holds(const char *wrote, const char *read)
{
	const size_t n = strcspn(wrote, " ");

	for (const char *p = read; *p;) {
		const size_t len = strcspn(p, "\n");

		if (len > n && p[n] == ' ' && !memcmp(p, wrote, n) &&
		    wrote[n] == ' ' &&
		    has_word(p + n + 1, len - n - 1, wrote + n + 1))
			return true;
		p += len + (p[len] == '\n');
	}
	return false;
}

bool setting_holds(enum setting_check how, const char *wrote, const char *read)
{
	autofree char *all = xstrdup(read);
	autofree char *first = xstrndup(read, strcspn(read, "\n"));

	switch (how) {
	case CHECK_NUMBER:
		return number_holds(wrote, first);
	case CHECK_SET:
		return subset(wrote, first) && subset(first, wrote);
	case CHECK_LINE:
		return line_holds(wrote, all);
	case CHECK_TEXT:
		break;
	}
	/* "oom_kill_disable 1", "default 100": the value is the last word. */
	return !strcmp(wrote, first) || has_word(first, strlen(first), wrote);
}
