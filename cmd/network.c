/*
 * network - network ls and inspect
 */
#include "cmd/network.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/own.h"
#include "cmd/ctr_json.h"
#include "cmd/ctr_text.h"
#include "cmd/listing.h"

/* Sorted in among the names of those that are networks. */
static const struct {
	const char *name;
	const char *driver;
} builtin[] = {{"host", "host"}, {"none", "null"}};

static const char *builtin_driver(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++)
		if (!strcmp(name, builtin[i].name))
			return builtin[i].driver;
	return NULL;
}

bool network_is_builtin(const struct netdef *d)
{
	return builtin_driver(d->name) != NULL;
}

const char *network_driver(const struct netdef *d)
{
	const char *const driver = builtin_driver(d->name);

	return driver ? driver : netdef_driver_name(d->driver);
}

int network_load(int root_fd, const char *text, struct netdef *ret,
		 struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(builtin); i++) {
		struct netdef d = {0};

		(void)snprintf(d.name, sizeof(d.name), "%s", builtin[i].name);
		netdef_fixed_id(d.name, d.id);
		/* "f" alone may be many a network's. */
		if (!strcmp(text, d.name) ||
		    (strlen(text) >= 12 && str_starts(d.id, text))) {
			*ret = d;
			return 0;
		}
	}
	return netdef_load(root_fd, text, ret, e);
}

int network_check_removable(const struct netdef *d, struct err *e)
{
	if (!network_is_builtin(d) && strcmp(d->name, NETDEF_DEFAULT) != 0)
		return 0;
	return err_set(e, ERR_BUSY,
		       "%s is a pre-defined network and cannot be removed",
		       d->name);
}

static int names_with_builtin(int root_fd, struct strv *ret, struct err *e)
{
	autostrv struct strv names = {0};
	size_t next = 0;

	if (netdef_names(root_fd, &names, e))
		return -1;
	for (size_t i = 0; i <= names.n; i++) {
		while (next < ARRAY_LEN(builtin) &&
		       (i == names.n ||
			strcmp(builtin[next].name, names.v[i]) < 0))
			strv_add(ret, builtin[next++].name);
		if (i < names.n)
			strv_add(ret, names.v[i]);
	}
	return 0;
}

/* ---- ls -------------------------------------------------------------------- */

struct ls_opts {
	struct strv filters;
	const char *format;
	bool no_trunc;
	bool quiet;
	bool noheading;
};

static const struct opt ls_options[] = {
	{'f', "filter", OPT_LIST, offsetof(struct ls_opts, filters), "K=V",
	 "dangling=, driver=, id=, label=, name=, scope=, type=, until="},
	{0, "format", OPT_STR, offsetof(struct ls_opts, format), "TEMPLATE",
	 "'table TEMPLATE', TEMPLATE or 'json'"},
	{0, "no-trunc", OPT_BOOL, offsetof(struct ls_opts, no_trunc), NULL,
	 "Whole ids"},
	{'n', "noheading", OPT_BOOL, offsetof(struct ls_opts, noheading), NULL,
	 "No line of titles"},
	{'q', "quiet", OPT_BOOL, offsetof(struct ls_opts, quiet), NULL,
	 "Ids only"},
	{0},
};

static const char *yes_no(bool b)
{
	return b ? "true" : "false";
}

static json_t *row_of(const struct netdef *d, bool no_trunc)
{
	json_t *const row = json_object();
	autofree char *id = xstrndup(d->id, no_trunc ? 64 : 12);
	autofree char *labels = ctr_text_labels(&d->labels);
	char created[CLOCK_TEXT_MAX];

	cj_str(row, "ID", id);
	cj_str(row, "Name", d->name);
	cj_str(row, "Driver", network_driver(d));
	cj_str(row, "Scope", "local");
	cj_str(row, "IPv4", yes_no(!network_is_builtin(d)));
	cj_str(row, "IPv6", yes_no(d->ipv6));
	cj_str(row, "Internal", yes_no(d->internal));
	cj_str(row, "Labels", labels);
	cj_str(row, "CreatedAt",
	       d->created_ns ? clock_text(d->created_ns, false, created) : "");
	return row;
}

static int check_type(const struct filter *f, struct err *e)
{
	const char *v;

	for (size_t i = 0; (v = filter_get(f, "type", i)); i++)
		if (strcmp(v, "custom") != 0 && strcmp(v, "builtin") != 0)
			return err_set(e, ERR_USAGE,
				       "invalid filter 'type=%s': custom or "
				       "builtin",
				       v);
	return 0;
}

static bool fits(const struct netdef *d, const struct filter *f, int64_t until)
{
	autojson json_t *labels = cj_map(&d->labels);
	struct err removable = {0};
	const char *const type =
		network_check_removable(d, &removable) ? "builtin" : "custom";

	return filter_is(f, "driver", network_driver(d)) &&
	       filter_is(f, "scope", "local") && filter_is(f, "type", type) &&
	       filter_begins(f, "id", d->id) &&
	       filter_matches(f, "name", d->name) && filter_labels(f, labels) &&
	       (!until || d->created_ns / CLOCK_SECOND < until);
}

/* 1: it is to be shown. */
static int is_wanted(const struct ctr *r, const struct netdef *d,
		     const struct filter *f, struct err *e)
{
	autousers struct network_users users = {0};
	struct err stays = {0};
	bool dangling = false;
	int64_t until = 0;

	if (filter_time(f, "until", &until, e))
		return -1;
	if (!fits(d, f, until))
		return 0;
	if (!filter_has(f, "dangling"))
		return 1;
	if (filter_bool(f, "dangling", false, &dangling, e) ||
	    network_users(r, d, true, &users, e))
		return -1;
	return dangling ==
	       (users.n == 0 && !network_check_removable(d, &stays));
}

static int gather(const struct ctr *r, const struct ls_opts *o,
		  const struct filter *f, struct listing *l, struct err *e)
{
	autostrv struct strv names = {0};

	if (names_with_builtin(r->home.root_fd, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autonetdef struct netdef d = {0};
		struct err why = {0};
		int wanted;

		if (network_load(r->home.root_fd, names.v[i], &d, &why)) {
			/* Gone meanwhile, or damaged: the others count. */
			if (why.kind != ERR_NOTFOUND)
				cmd_print_error("network ls", &why);
			continue;
		}
		wanted = is_wanted(r, &d, f, e);
		if (wanted < 0)
			return -1;
		if (wanted)
			listing_add(l, row_of(&d, o->no_trunc),
				    cj_map(&d.labels));
	}
	return 0;
}

static int ls_run(const struct globals *g, void *fields, int argc, char **argv,
		  struct err *e)
{
	static const char *const known[] = {
		"dangling", "driver", "id",   "label", "label!",
		"name",     "scope",  "type", "until", NULL};
	static const struct listing_title titles[] = {
		{"ID", "NETWORK ID"},     {"Name", "NAME"},
		{"Driver", "DRIVER"},     {"Scope", "SCOPE"},
		{"IPv4", "IPV4"},         {"IPv6", "IPV6"},
		{"Internal", "INTERNAL"}, {"Labels", "LABELS"},
		{"CreatedAt", "CREATED"}, {0},
	};
	const struct ls_opts *const o = fields;
	struct listing l = {
		.titles = titles,
		.table = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}",
		.quiet = o->quiet,
		.quiet_key = "ID",
		.no_heading = o->noheading,
	};
	autofilter struct filter f = {0};
	autoctr struct ctr r = {0};
	int rc;

	(void)argc;
	(void)argv;
	if (filter_parse(&o->filters, known, &f, e) || check_type(&f, e) ||
	    listing_open(&l, o->format, e))
		return -1;
	rc = ctr_open_unswept(g, &r, e) || gather(&r, o, &f, &l, e) ||
	     listing_print(&l, e);
	listing_free(&l);
	return rc ? -1 : 0;
}

extern const struct command cmd_network_ls;
const struct command cmd_network_ls = {
	.name = "network ls",
	.operands = "",
	.summary = "List the networks",
	.opts = ls_options,
	.fields_size = sizeof(struct ls_opts),
	.max_operands = 0,
	.run = ls_run,
};

/* ---- inspect --------------------------------------------------------------- */

struct inspect_opts {
	const char *format;
	bool verbose;
};

static const struct opt inspect_options[] = {
	{'f', "format", OPT_STR, offsetof(struct inspect_opts, format),
	 "TEMPLATE", "A Go template, or 'json'"},
	{'v', "verbose", OPT_BOOL, offsetof(struct inspect_opts, verbose), NULL,
	 "For swarms; taken and without effect"},
	{0},
};

static void add_pool(json_t *config, const struct netdef_pool *p)
{
	json_t *const o = json_object();
	char text[IP_TEXT_MAX];

	if (!ip_is(&p->subnet.ip)) {
		json_decref(o);
		return;
	}
	cj_str(o, "Subnet", ip_net_text(&p->subnet, text));
	if (ip_is(&p->range.ip))
		cj_str(o, "IPRange", ip_net_text(&p->range, text));
	if (ip_is(&p->gateway))
		cj_str(o, "Gateway", ip_text(&p->gateway, text));
	if (p->aux.n > 0)
		cj_put(o, "AuxiliaryAddresses", cj_map(&p->aux));
	(void)json_array_append_new(config, o);
}

static json_t *ipam_json(const struct netdef *d)
{
	json_t *const config = json_array();
	json_t *const o = json_object();

	add_pool(config, &d->v4);
	add_pool(config, &d->v6);
	cj_str(o, "Driver", "default");
	cj_put(o, "Options", json_object());
	cj_put(o, "Config", config);
	return o;
}

/* What Docker's bridge has in its Options, so that scripts find it. */
static json_t *options_json(const struct netdef *d)
{
	json_t *const o = cj_map(&d->options);
	static const char name[] = "com.docker.network.bridge.name";

	if (!network_is_builtin(d) && d->driver == NETDEF_BRIDGE &&
	    !json_object_get(o, name))
		cj_str(o, name, d->link);
	return o;
}

static int containers_json(const struct ctr *r, const struct netdef *d,
			   json_t **ret, struct err *e)
{
	autousers struct network_users users = {0};
	json_t *const o = json_object();

	if (network_users(r, d, false, &users, e)) {
		json_decref(o);
		return -1;
	}
	for (size_t i = 0; i < users.n; i++)
		cj_put(o, users.v[i].id, json_incref(users.v[i].endpoint));
	*ret = o;
	return 0;
}

static int document_of(const struct ctr *r, const struct netdef *d,
		       json_t **ret, struct err *e)
{
	json_t *const from = json_object();
	json_t *const o = json_object();
	json_t *containers = NULL;

	if (containers_json(r, d, &containers, e)) {
		json_decref(from);
		json_decref(o);
		return -1;
	}
	cj_str(from, "Network", "");
	cj_str(o, "Name", d->name);
	cj_str(o, "Id", d->id);
	cj_time(o, "Created", d->created_ns);
	cj_str(o, "Scope", "local");
	cj_str(o, "Driver", network_driver(d));
	cj_bool(o, "EnableIPv4", !network_is_builtin(d));
	cj_bool(o, "EnableIPv6", d->ipv6);
	cj_put(o, "IPAM", ipam_json(d));
	cj_bool(o, "Internal", d->internal);
	cj_bool(o, "Attachable", false);
	cj_bool(o, "Ingress", false);
	cj_put(o, "ConfigFrom", from);
	cj_bool(o, "ConfigOnly", false);
	cj_put(o, "Containers", containers);
	cj_put(o, "Options", options_json(d));
	cj_put(o, "Labels", cj_map(&d->labels));
	*ret = o;
	return 0;
}

/* Whoever asks for the default network's subnet wants one: it is chosen. */
static void settle_default(const struct ctr *r, struct netdef *d)
{
	struct netdef used = {0};
	struct err ignored = {0};
	const int lock = d->implicit ? netdef_use(r->home.root_fd, d->name,
						  &used, &ignored)
				     : -1;

	if (lock < 0)
		return;
	(void)close(lock);
	netdef_free(d);
	*d = used;
}

static int inspect_one(const struct ctr *r, const char *text, json_t *all,
		       struct err *e)
{
	autonetdef struct netdef d = {0};
	json_t *document = NULL;

	if (network_load(r->home.root_fd, text, &d, e))
		return -1;
	settle_default(r, &d);
	if (document_of(r, &d, &document, e))
		return -1;
	(void)json_array_append_new(all, document);
	return 0;
}

static int inspect_run(const struct globals *g, void *fields, int argc,
		       char **argv, struct err *e)
{
	const struct inspect_opts *const o = fields;
	autojson json_t *all = json_array();
	autoctr struct ctr r = {0};
	int code = 0;

	if (ctr_open(g, &r, e))
		return -1;
	for (int i = 0; i < argc; i++) {
		struct err why = {0};

		if (inspect_one(&r, argv[i], all, &why)) {
			cmd_print_error("network inspect", &why);
			code = 1;
		}
	}
	return listing_inspect(o->format, all, e) ? -1 : code;
}

extern const struct command cmd_network_inspect;
const struct command cmd_network_inspect = {
	.name = "network inspect",
	.operands = "NETWORK...",
	.summary = "Show what is known of networks, as JSON",
	.opts = inspect_options,
	.fields_size = sizeof(struct inspect_opts),
	.min_operands = 1,
	.max_operands = -1,
	.run = inspect_run,
};
