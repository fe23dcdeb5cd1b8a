/*
 * stats - what containers use, once or every second
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/ctr.h"
#include "cmd/ctr_json.h"
#include "cmd/listing.h"
#include "cmd/size.h"
#include "runtime/cgroup/stats.h"

struct stats_opts {
	bool all;
	bool no_stream;
	bool no_trunc;
	bool no_reset;
	const char *format;
};

static const struct opt stats_options[] = {
	{'a', "all", OPT_BOOL, offsetof(struct stats_opts, all), NULL,
	 "Those too that do not run"},
	{0, "format", OPT_STR, offsetof(struct stats_opts, format), "TEMPLATE",
	 "'table TEMPLATE', 'json', or a template"},
	{0, "no-reset", OPT_BOOL, offsetof(struct stats_opts, no_reset), NULL,
	 "Do not clear the screen between two looks"},
	{0, "no-stream", OPT_BOOL, offsetof(struct stats_opts, no_stream), NULL,
	 "Print once and end"},
	{0, "no-trunc", OPT_BOOL, offsetof(struct stats_opts, no_trunc), NULL,
	 "Whole ids"},
	{0},
};

static const struct listing_title titles[] = {
	{"ID", "CONTAINER ID"},
	{"Container", "CONTAINER"},
	{"Name", "NAME"},
	{"CPUPerc", "CPU %"},
	{"MemUsage", "MEM USAGE / LIMIT"},
	{"MemPerc", "MEM %"},
	{"NetIO", "NET I/O"},
	{"BlockIO", "BLOCK I/O"},
	{"PIDs", "PIDS"},
	{"PSI", "PRESSURE"},
	{0},
};

#define TABLE                                                             \
	"{{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t" \
	"{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}"

struct sample {
	char id[CONTAINER_ID_MAX];
	char name[CONTAINER_NAME_MAX];
	struct stats now;
	bool runs;
	int64_t at_ns; /* CLOCK_MONOTONIC, of this look */
	double cpu_percent;
};

struct samples {
	const struct stats_opts *o;
	struct ctr *ctr;
	struct sample *v;
	size_t n;
	struct sample *before; /* the last look */
	size_t n_before;
};

/* ---- looking ---------------------------------------------------------------- */

static const struct sample *look_before(const struct samples *s, const char *id)
{
	for (size_t i = 0; i < s->n_before; i++)
		if (!strcmp(s->before[i].id, id))
			return &s->before[i];
	return NULL;
}

static void percent(struct sample *x, const struct sample *before)
{
	const int64_t ns = before ? x->at_ns - before->at_ns : 0;

	if (ns <= 0 || !before->runs || x->now.cpu_ns < before->now.cpu_ns)
		return;
	x->cpu_percent =
		(double)(x->now.cpu_ns - before->now.cpu_ns) * 100 / (double)ns;
}

static int look(struct samples *s, const struct container *c, bool all,
		struct err *e)
{
	struct sample x = {.at_ns = clock_monotonic()};

	memcpy(x.id, c->id, sizeof(x.id));
	memcpy(x.name, c->name, sizeof(x.name));
	x.runs = stats_read(c, &x.now, e) == 0;
	if (!x.runs && e->kind != ERR_NOTFOUND && e->kind != ERR_SYS)
		return -1;
	err_clear(e);
	if (!x.runs && !all)
		return 0;
	percent(&x, look_before(s, x.id));
	s->v = xrealloc(s->v, (s->n + 1) * sizeof(*s->v));
	s->v[s->n++] = x;
	return 0;
}

static int look_each(void *ctx, struct container *c, struct err *e)
{
	struct samples *const s = ctx;

	return look(s, c, s->o->all, e);
}

static int look_at_all(struct samples *s, int argc, char **argv, struct err *e)
{
	free(s->before);
	s->before = s->v;
	s->n_before = s->n;
	s->v = NULL;
	s->n = 0;
	if (argc == 0)
		return container_each(&s->ctr->home, look_each, s, e);
	for (int i = 0; i < argc; i++) {
		autocontainer struct container c = CONTAINER_NONE;

		if (container_open(&s->ctr->home, argv[i], &c, e) < 0 ||
		    look(s, &c, true, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- showing ---------------------------------------------------------------- */

static char *pair(char *a, char *b)
{
	autofree char *x = a;
	autofree char *y = b;

	return xasprintf("%s / %s", x, y);
}

static void put_taken(json_t *o, const char *key, char *text)
{
	autofree char *t = text;

	cj_str(o, key, t);
}

static char *pressure_text(const struct stats_pressure *p)
{
	if (p->cpu < 0 && p->memory < 0 && p->io < 0)
		return xstrdup("--");
	return xasprintf("cpu %.2f%%, memory %.2f%%, io %.2f%%",
			 p->cpu < 0 ? 0.0 : (double)p->cpu / 100,
			 p->memory < 0 ? 0.0 : (double)p->memory / 100,
			 p->io < 0 ? 0.0 : (double)p->io / 100);
}

static json_t *row_of(const struct sample *x, bool whole)
{
	const struct stats *const s = &x->now;
	const double part = s->memory_limit_bytes
				    ? (double)s->memory_bytes * 100 /
					      (double)s->memory_limit_bytes
				    : 0;
	json_t *const o = json_object();

	put_taken(o, "BlockIO",
		  pair(size_text(s->read_bytes), size_text(s->write_bytes)));
	put_taken(o, "CPUPerc", xasprintf("%.2f%%", x->cpu_percent));
	put_taken(o, "Container", xstrndup(x->id, whole ? 64 : 12));
	put_taken(o, "ID", xstrndup(x->id, whole ? 64 : 12));
	put_taken(o, "MemPerc", xasprintf("%.2f%%", part));
	put_taken(o, "MemUsage",
		  pair(size_text_binary(s->memory_bytes),
		       size_text_binary(s->memory_limit_bytes)));
	cj_str(o, "Name", x->name);
	put_taken(o, "NetIO",
		  pair(size_text(s->rx_bytes), size_text(s->tx_bytes)));
	put_taken(o, "PIDs", xasprintf("%llu", (unsigned long long)s->pids));
	put_taken(o, "PSI", pressure_text(&s->pressure));
	return o;
}

static int show(const struct samples *s, struct err *e)
{
	struct listing l = {.titles = titles, .table = TABLE};
	int rc = listing_open(&l, s->o->format, e);

	for (size_t i = 0; rc == 0 && i < s->n; i++)
		listing_add(&l, row_of(&s->v[i], s->o->no_trunc), NULL);
	if (rc == 0)
		rc = listing_print(&l, e);
	listing_free(&l);
	(void)out_flush();
	return rc;
}

static void wait_a_second(void)
{
	const struct timespec t = {.tv_sec = 1};

	(void)nanosleep(&t, NULL);
}

static int stats_run(const struct globals *g, void *fields, int argc,
		     char **argv, struct err *e)
{
	const struct stats_opts *const o = fields;
	const bool clears = !o->no_stream && !o->no_reset && !o->format &&
			    isatty(STDOUT_FILENO);
	autoctr struct ctr r = {0};
	struct samples s = {.o = o, .ctr = &r};
	int rc = ctr_open(g, &r, e);

	/* Two looks say what a processor did in between. */
	if (rc == 0)
		rc = look_at_all(&s, argc, argv, e);
	while (rc == 0) {
		wait_a_second();
		rc = look_at_all(&s, argc, argv, e);
		if (rc == 0 && clears)
			out_clear();
		if (rc == 0)
			rc = show(&s, e);
		if (o->no_stream)
			break;
	}
	free(s.v);
	free(s.before);
	return rc;
}

extern const struct command cmd_stats;
const struct command cmd_stats = {
	.name = "stats",
	.operands = "[CONTAINER...]",
	.summary = "Show what containers use",
	.opts = stats_options,
	.fields_size = sizeof(struct stats_opts),
	.max_operands = -1,
	.run = stats_run,
};
