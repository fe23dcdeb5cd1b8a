/*
 * ps - which containers there are, and what they do
 *
 * The state of each is asked first, of three small files and the kernel; only
 * those that are shown are read whole.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/own.h"
#include "cmd/common_time.h"
#include "cmd/ctr.h"
#include "cmd/ctr_text.h"
#include "cmd/filter.h"
#include "cmd/listing.h"
#include "cmd/ps_size.h"
#include "runtime/name.h"
#include "runtime/net/netdef.h"

struct ps_opts {
	bool all;
	bool latest;
	bool quiet;
	bool no_trunc;
	bool size;
	const char *last;
	const char *format;
	struct strv filters;
};

#define F(field) offsetof(struct ps_opts, field)

static const struct opt ps_options[] = {
	{'a', "all", OPT_BOOL, F(all), NULL, "Stopped ones too"},
	{'f', "filter", OPT_LIST, F(filters), "KEY=VALUE",
	 "id, name, label, status, ancestor, before, since, exited, health, "
	 "network, volume, publish, expose"},
	{0, "format", OPT_STR, F(format), "TEMPLATE",
	 "A Go template for each, 'table TEMPLATE' or 'json'"},
	{'n', "last", OPT_STR, F(last), "N", "The N newest, in any state"},
	{'l', "latest", OPT_BOOL, F(latest), NULL, "The newest, in any state"},
	{0, "no-trunc", OPT_BOOL, F(no_trunc), NULL, "Whole ids and commands"},
	{'q', "quiet", OPT_BOOL, F(quiet), NULL, "Ids only"},
	{'s', "size", OPT_BOOL, F(size), NULL, "Sizes of what they wrote"},
	{0},
};

static const struct listing_title titles[] = {
	{"ID", "CONTAINER ID"},
	{"Image", "IMAGE"},
	{"Command", "COMMAND"},
	{"CreatedAt", "CREATED AT"},
	{"RunningFor", "CREATED"},
	{"Status", "STATUS"},
	{"State", "STATE"},
	{"Ports", "PORTS"},
	{"Names", "NAMES"},
	{"Size", "SIZE"},
	{"Labels", "LABELS"},
	{"Mounts", "MOUNTS"},
	{"LocalVolumes", "LOCAL VOLUMES"},
	{"Networks", "NETWORKS"},
	{"Platform", "PLATFORM"},
	{0},
};

#define TABLE                                                             \
	"{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.RunningFor}}\t{{.Status}}" \
	"\t{{.Ports}}\t{{.Names}}"

static const char *const filter_keys[] = {
	"ancestor", "before", "exited",  "expose",  "health",  "id",
	"label",    "label!", "name",    "network", "publish", "since",
	"status",   "volume", "is-task", NULL,
};

/* ---- what is gathered ----------------------------------------------------- */

/* One that is looked at. */
struct look {
	const struct container *c;
	struct container_state state;
	struct run_spec spec;
	struct container_info info;
};

/* One that is shown. */
struct row {
	int64_t created_ns;
	json_t *keys;
	json_t *labels;
};

struct ps {
	const struct ps_opts *o;
	struct listing *listing;
	const struct ctr *ctr;
	struct filter filter;
	bool any_state;
	int64_t before_ns; /* 0: no such filter */
	int64_t since_ns;
	int64_t now_ns;
	struct row *v;
	size_t n;
};

static bool is_up(const struct container_state *s)
{
	return s->status == CONTAINER_RUNNING ||
	       s->status == CONTAINER_PAUSED ||
	       s->status == CONTAINER_RESTARTING;
}

static json_t *labels_json(const struct run_spec *s)
{
	json_t *const o = json_object();

	for (size_t i = 0; i < s->labels.n; i++) {
		const char *const eq = strchr(s->labels.v[i], '=');
		autofree char *key =
			xstrndup(s->labels.v[i], strcspn(s->labels.v[i], "="));

		(void)json_object_set_new(o, key,
					  json_string(eq ? eq + 1 : ""));
	}
	return o;
}

/* "alpine" is any tag of it; an id may be cut. */
static bool is_ancestor(const struct filter *f, const struct container_info *i)
{
	const char *const id = i->image_id ? i->image_id : "";
	const char *const hex = str_after(id, "sha256:");
	const char *const image = i->image ? i->image : "";
	const char *v;

	for (size_t n = 0; (v = filter_get(f, "ancestor", n)); n++) {
		const char *const tag = str_after(image, v);

		if (tag && (!*tag || *tag == ':' || *tag == '@'))
			return true;
		if (str_starts(v, image) &&
		    !strcmp(v + strlen(image), ":latest"))
			return true;
		if (strlen(v) >= 4 &&
		    (str_starts(id, v) || (hex && str_starts(hex, v))))
			return true;
	}
	return !filter_has(f, "ancestor");
}

static bool has_volume(const struct filter *f, const struct run_spec *s)
{
	const char *v;

	for (size_t n = 0; (v = filter_get(f, "volume", n)); n++)
		for (size_t i = 0; i < s->n_mounts; i++)
			if (!strcmp(s->mounts[i].target, v) ||
			    (s->mounts[i].volume &&
			     !strcmp(s->mounts[i].volume, v)) ||
			    (s->mounts[i].source &&
			     !strcmp(s->mounts[i].source, v)))
				return true;
	return !filter_has(f, "volume");
}

/* "80", "80/tcp" against "80/tcp". */
static bool is_port(const char *wish, const char *port)
{
	const char *const rest = str_after(port, wish);

	return rest && (!*rest || !strcmp(rest, "/tcp"));
}

static bool has_ports(const struct filter *f, const struct run_spec *s)
{
	bool published = !filter_has(f, "publish");
	bool exposed = !filter_has(f, "expose");
	const char *v;

	for (size_t n = 0; (v = filter_get(f, "publish", n)); n++)
		for (size_t i = 0; i < s->n_ports; i++) {
			autofree char *port =
				xasprintf("%u/%s", s->ports[i].port,
					  s->ports[i].protocol);

			published = published || is_port(v, port);
		}
	for (size_t n = 0; (v = filter_get(f, "expose", n)); n++)
		for (size_t i = 0; i < s->exposed.n; i++)
			exposed = exposed || is_port(v, s->exposed.v[i]);
	return published && exposed;
}

/* By name, or by what an id begins with. */
static bool has_network(const struct ps *p, const struct run_spec *s)
{
	const struct filter *const f = &p->filter;
	autofree char *mode = ctr_text_network(s);
	const char *v;

	if (filter_is(f, "network", mode))
		return true;
	for (size_t n = 0; (v = filter_get(f, "network", n)); n++) {
		autonetdef struct netdef d = {0};
		struct err ignored = {0};

		if (netdef_load(p->ctr->home.root_fd, v, &d, &ignored) < 0)
			continue;
		for (size_t i = 0; i < s->n_nets; i++)
			if (!strcmp(s->nets[i].network, d.name))
				return true;
	}
	return false;
}

static bool state_fits(const struct ps *p, const struct container *c,
		       const struct container_state *s)
{
	const struct filter *const f = &p->filter;
	char code[16];
	char slash[CONTAINER_NAME_MAX + 2];

	if (!p->any_state && !is_up(s))
		return false;
	(void)snprintf(code, sizeof(code), "%d", s->exit_code);
	(void)snprintf(slash, sizeof(slash), "/%s", c->name);
	return filter_is(f, "status", state_word(s->status)) &&
	       filter_begins(f, "id", c->id) &&
	       (filter_matches(f, "name", c->name) ||
		filter_matches(f, "name", slash)) &&
	       filter_is(f, "health", s->health ? s->health : "none") &&
	       (!filter_has(f, "exited") || (s->status == CONTAINER_EXITED &&
					     filter_is(f, "exited", code)));
}

static bool spec_fits(const struct ps *p, const struct look *r)
{
	const struct filter *const f = &p->filter;
	autojson json_t *labels = labels_json(&r->spec);

	if (f->key.n == 0)
		return true;
	return is_ancestor(f, &r->info) && has_volume(f, &r->spec) &&
	       has_ports(f, &r->spec) && has_network(p, &r->spec) &&
	       filter_labels(f, labels) &&
	       (!p->before_ns || r->info.created_ns < p->before_ns) &&
	       (!p->since_ns || r->info.created_ns > p->since_ns);
}

/* ---- what is shown -------------------------------------------------------- */

static void set(json_t *row, const char *key, const char *text)
{
	json_t *const v = json_string(text);

	/* Bytes that are no UTF-8: jansson takes none. */
	(void)json_object_set_new(row, key, v ? v : json_string("?"));
}

static void set_taken(json_t *row, const char *key, char *text)
{
	set(row, key, text);
	free(text);
}

static char *created_at(int64_t ns)
{
	char t[CLOCK_TEXT_MAX];

	(void)clock_text(ns, false, t);
	return xasprintf("%.10s %.8s +0000 UTC", t, t + 11);
}

static char *joined_labels(const json_t *labels)
{
	struct buf b = buf_make(MIB(1));
	json_t *const all = (json_t *)(uintptr_t)labels;

	for (void *i = json_object_iter(all); i;
	     i = json_object_iter_next(all, i))
		buf_addf(&b, "%s%s=%s", b.len ? "," : "",
			 json_object_iter_key(i),
			 json_string_value(json_object_iter_value(i)));
	return buf_take(&b);
}

static void add_command(const struct ps *p, const struct look *r, json_t *row)
{
	autofree char *whole = ctr_text_command(&r->spec);
	autofree char *cut =
		p->o->no_trunc ? xstrdup(whole) : ctr_text_cut(whole, 20);

	set_taken(row, "Command", ctr_text_quote(cut));
}

static size_t local_volumes(const struct run_spec *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_mounts; i++)
		n += s->mounts[i].type == MOUNT_VOLUME;
	return n;
}

static char *size_of(const struct ps *p, const struct look *r)
{
	uint64_t size = 0;
	uint64_t root = 0;

	if (!p->o->size)
		return xstrdup("0B");
	ps_size(p->ctr->store, r->c, &r->spec, &size, &root);
	return ps_size_text(size, root);
}

/* What is published is known while it runs; one that cannot be read has none. */
static char *ports_of(const struct look *r)
{
	autonetstate struct net_state net = {0};
	struct err ignored = {0};

	if (!is_up(&r->state))
		return xstrdup("");
	if (r->spec.n_ports || r->spec.publish_all)
		(void)net_state_read(r->c->dir_fd, &net, &ignored);
	return ctr_text_ports(&r->spec, &net);
}

/* What the usual table does not have. */
static void add_more(const struct ps *p, const struct look *r,
		     const json_t *labels, json_t *row)
{
	set_taken(row, "CreatedAt", created_at(r->info.created_ns));
	set(row, "State", state_word(r->state.status));
	set_taken(row, "Labels", joined_labels(labels));
	set_taken(row, "Mounts", ctr_text_mounts(&r->spec, !p->o->no_trunc));
	set_taken(row, "LocalVolumes",
		  xasprintf("%zu", local_volumes(&r->spec)));
	set_taken(row, "Networks", ctr_text_networks(&r->spec));
	set(row, "Platform", r->info.platform ? r->info.platform : "");
}

static struct row row_make(const struct ps *p, const struct look *r)
{
	struct row row = {
		.created_ns = r->info.created_ns,
		.keys = json_object(),
		.labels = labels_json(&r->spec),
	};

	set_taken(row.keys, "ID", xstrndup(r->c->id, p->o->no_trunc ? 64 : 12));
	set(row.keys, "Names", r->c->name);
	if (!listing_wants(p->listing, "Image"))
		return row;
	set(row.keys, "Image", r->info.image ? r->info.image : r->spec.rootfs);
	add_command(p, r, row.keys);
	set_taken(row.keys, "RunningFor",
		  time_ago(r->info.created_ns / CLOCK_SECOND));
	set_taken(row.keys, "Status", ctr_text_status(&r->state, p->now_ns));
	set_taken(row.keys, "Ports", ports_of(r));
	set_taken(row.keys, "Size", size_of(p, r));
	if (listing_wants(p->listing, "State"))
		add_more(p, r, row.labels, row.keys);
	return row;
}

static bool look_at(const struct ps *p, struct look *r, struct err *e)
{
	return container_state_get(r->c, &r->state, e) == 0 &&
	       state_fits(p, r->c, &r->state) &&
	       container_load(&p->ctr->home, r->c, &r->spec, &r->info, e) ==
		       0 &&
	       spec_fits(p, r);
}

static int gather(void *ctx, struct container *c, struct err *e)
{
	struct ps *const p = ctx;
	struct look r = {.c = c};

	/* One that is removed right now is not there. */
	if (look_at(p, &r, e)) {
		/* Room grows by powers of two. */
		if ((p->n & (p->n + 1)) == 0)
			p->v = xrealloc(p->v, (p->n + 1) * 2 * sizeof(*p->v));
		p->v[p->n++] = row_make(p, &r);
	}
	err_clear(e);
	state_free(&r.state);
	spec_free(&r.spec);
	info_free(&r.info);
	return 0;
}

/* The newest first. */
static int by_age(const void *a, const void *b)
{
	const int64_t x = ((const struct row *)a)->created_ns;
	const int64_t y = ((const struct row *)b)->created_ns;

	return (x < y) - (x > y);
}

static int limit_of(const struct ps_opts *o, uint64_t *ret, struct err *e)
{
	*ret = o->latest ? 1 : UINT64_MAX;
	if (!o->last || !strcmp(o->last, "-1"))
		return 0;
	if (!str_to_u64(o->last, INT32_MAX, ret))
		return err_set(e, ERR_USAGE, "--last '%s': not a number",
			       o->last);
	return 0;
}

/* The moment at which the container of before= or since= was created. */
static int moment_of(const struct ps *p, const char *key, int64_t *ret,
		     struct err *e)
{
	autocontainer struct container c = CONTAINER_NONE;
	autoinfo struct container_info i = {0};
	const char *const text = filter_get(&p->filter, key, 0);

	if (!text)
		return 0;
	if (container_open(&p->ctr->home, text, &c, e) < 0 ||
	    container_load(&p->ctr->home, &c, NULL, &i, e) < 0)
		return -1;
	*ret = i.created_ns;
	return 0;
}

static int check_status(const struct filter *f, struct err *e)
{
	const char *word;

	for (size_t i = 0; (word = filter_get(f, "status", i)); i++) {
		enum container_status s;

		if (!state_parse_word(word, &s) &&
		    strcmp(word, "removing") != 0)
			return err_set(e, ERR_USAGE,
				       "invalid filter 'status=%s'", word);
	}
	return 0;
}

static int list(struct ps *p, struct err *e)
{
	uint64_t limit = 0;

	if (check_status(&p->filter, e) < 0 || limit_of(p->o, &limit, e) < 0 ||
	    moment_of(p, "before", &p->before_ns, e) < 0 ||
	    moment_of(p, "since", &p->since_ns, e) < 0)
		return -1;
	p->any_state = p->o->all || limit != UINT64_MAX ||
		       filter_has(&p->filter, "status") ||
		       filter_has(&p->filter, "exited") ||
		       filter_has(&p->filter, "before") ||
		       filter_has(&p->filter, "since");
	p->now_ns = clock_now();
	if (container_each(&p->ctr->home, gather, p, e) < 0)
		return -1;
	if (p->n)
		qsort(p->v, p->n, sizeof(*p->v), by_age);
	for (size_t i = 0; i < p->n && i < limit; i++)
		listing_add(p->listing, json_incref(p->v[i].keys),
			    json_incref(p->v[i].labels));
	return listing_print(p->listing, e);
}

static int ps_run(const struct globals *g, void *fields, int argc, char **argv,
		  struct err *e)
{
	const struct ps_opts *const o = fields;
	autoctr struct ctr r = {0};
	struct listing l = {
		.titles = titles,
		.table = o->size ? TABLE "\t{{.Size}}" : TABLE,
		.quiet = o->quiet,
		.quiet_key = "ID",
	};
	struct ps p = {.o = o, .listing = &l, .ctr = &r};
	int rc;

	(void)argc;
	(void)argv;
	json_keep_memory();
	if (filter_parse(&o->filters, filter_keys, &p.filter, e) < 0)
		return -1;
	rc = listing_open(&l, o->format, e);
	/* Each is settled when it is looked at. */
	if (rc == 0)
		rc = ctr_open_unswept(g, &r, e);
	if (rc == 0)
		rc = list(&p, e);
	for (size_t i = 0; i < p.n; i++) {
		json_decref(p.v[i].keys);
		json_decref(p.v[i].labels);
	}
	free(p.v);
	filter_free(&p.filter);
	listing_free(&l);
	return rc;
}

extern const struct command cmd_ps;
const struct command cmd_ps = {
	.name = "ps",
	.operands = "",
	.summary = "List containers",
	.opts = ps_options,
	.fields_size = sizeof(struct ps_opts),
	.max_operands = 0,
	.run = ps_run,
};
