/*
 * network_create - network create
 */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/network.h"

struct create_opts {
	const char *driver;
	const char *scope;
	const char *ipam_driver;
	bool attachable;
	bool internal;
	bool ipv6;
	bool disable_dns;
	bool ignore;
	const char *ipv4;
	const char *interface;
	struct strv aux;
	struct strv gateways;
	struct strv ranges;
	struct strv subnets;
	struct strv labels;
	struct strv options;
};

#define F(field) offsetof(struct create_opts, field)

static const struct opt create_options[] = {
	{0, "attachable", OPT_BOOL, F(attachable), NULL,
	 "For swarms; taken and without effect"},
	{0, "aux-address", OPT_LIST, F(aux), "NAME=IP",
	 "An address of the subnet that no container gets"},
	{0, "disable-dns", OPT_BOOL, F(disable_dns), NULL,
	 "podman's; prism has no DNS server: names stand in /etc/hosts"},
	{'d', "driver", OPT_STR, F(driver), "bridge|macvlan|ipvlan",
	 "What the network is made of"},
	{0, "gateway", OPT_LIST, F(gateways), "IP",
	 "Where the default route leads; default: the subnet's first"},
	{0, "ignore", OPT_BOOL, F(ignore), NULL,
	 "No error if there is one of this name"},
	{0, "interface-name", OPT_STR, F(interface), "IFNAME",
	 "Of the bridge, or the parent"},
	{0, "internal", OPT_BOOL, F(internal), NULL,
	 "No way out, and none in from outside"},
	{0, "ip-range", OPT_LIST, F(ranges), "SUBNET",
	 "The part of the subnet from which addresses are chosen"},
	{0, "ipam-driver", OPT_STR, F(ipam_driver), "default",
	 "There is this one"},
	{0, "ipv4", OPT_MAYBE, F(ipv4), "true", "Always there"},
	{0, "ipv6", OPT_BOOL, F(ipv6), NULL,
	 "IPv6 as well, of a unique local /64 without --subnet"},
	{0, "label", OPT_LIST, F(labels), "K[=V]", "Label it"},
	{'o', "opt", OPT_LIST, F(options), "K=V",
	 "parent=, mode=, mtu=, or com.docker.network...."},
	{0, "scope", OPT_STR, F(scope), "local", "There is this one"},
	{0, "subnet", OPT_LIST, F(subnets), "SUBNET",
	 "ADDRESS/PREFIX, one IPv4 and one IPv6; default: a free one"},
	{0},
};

static const struct opt_refused create_refused[] = {
	{"config-from", "give the options themselves"},
	{"config-only", "give the options to each network that needs them"},
	{"ingress", "prism runs containers of one machine"},
	{"ipam-opt", "the default driver has none"},
	{"dns", "--dns of 'prism run' names DNS servers"},
	{"route", "containers have the default route of their gateway"},
	{0},
};

/* Docker takes several in one, with commas. */
static void each_part(const struct strv *list, struct strv *ret)
{
	for (size_t i = 0; i < list->n; i++)
		for (const char *p = list->v[i]; *p;) {
			const size_t n = strcspn(p, ",");

			strv_take(ret, xstrndup(p, n));
			p += n + (p[n] == ',');
		}
}

static struct netdef_pool *pool_of(struct netdef *d, const struct ip *a)
{
	return a->len == 4 ? &d->v4 : &d->v6;
}

static int add_subnets(const struct create_opts *o, struct netdef *d,
		       struct err *e)
{
	autostrv struct strv all = {0};

	each_part(&o->subnets, &all);
	for (size_t i = 0; i < all.n; i++) {
		struct netdef_pool *p;
		struct ip_net n;

		if (!ip_net_parse(all.v[i], &n))
			return err_set(e, ERR_USAGE,
				       "--subnet '%s': not ADDRESS/PREFIX",
				       all.v[i]);
		p = pool_of(d, &n.ip);
		if (ip_is(&p->subnet.ip))
			return err_set(e, ERR_UNSUPPORTED,
				       "--subnet %s: a network has one of IPv4 "
				       "and one of IPv6",
				       all.v[i]);
		p->subnet = n;
	}
	return 0;
}

static int add_ranges(const struct create_opts *o, struct netdef *d,
		      struct err *e)
{
	autostrv struct strv all = {0};

	each_part(&o->ranges, &all);
	for (size_t i = 0; i < all.n; i++) {
		struct ip_net n;

		if (!ip_net_parse(all.v[i], &n))
			return err_set(e, ERR_USAGE,
				       "--ip-range '%s': not ADDRESS/PREFIX",
				       all.v[i]);
		pool_of(d, &n.ip)->range = n;
	}
	return 0;
}

static int add_addresses(const struct create_opts *o, struct netdef *d,
			 struct err *e)
{
	autostrv struct strv gateways = {0};
	autostrv struct strv aux = {0};
	struct ip a;

	each_part(&o->gateways, &gateways);
	each_part(&o->aux, &aux);
	for (size_t i = 0; i < gateways.n; i++) {
		if (!ip_parse(gateways.v[i], &a))
			return err_set(e, ERR_USAGE,
				       "--gateway '%s': not an IP address",
				       gateways.v[i]);
		pool_of(d, &a)->gateway = a;
	}
	for (size_t i = 0; i < aux.n; i++) {
		const char *const eq = strchr(aux.v[i], '=');

		if (!eq || !ip_parse(eq + 1, &a))
			return err_set(e, ERR_USAGE,
				       "--aux-address '%s': not NAME=ADDRESS",
				       aux.v[i]);
		strv_add(&pool_of(d, &a)->aux, aux.v[i]);
	}
	return 0;
}

static int check_words(const struct create_opts *o, struct netdef *d,
		       struct err *e)
{
	const char *const driver = o->driver ? o->driver : "bridge";

	if (!netdef_driver_parse(driver, &d->driver)) {
		(void)err_set(e, ERR_UNSUPPORTED,
			      "--driver %s: there are bridge, macvlan and "
			      "ipvlan",
			      driver);
		return !strcmp(driver, "overlay")
			       ? err_hint(e, "an overlay is of several "
					     "machines; prism runs containers "
					     "of one")
			       : -1;
	}
	if (o->scope && strcmp(o->scope, "local") != 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "--scope %s: there is only 'local'", o->scope);
	if (o->ipam_driver && strcmp(o->ipam_driver, "default") != 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "--ipam-driver %s: there is only 'default'",
			       o->ipam_driver);
	if (o->ipv4 && (!strcmp(o->ipv4, "false") || !strcmp(o->ipv4, "0")))
		return err_set(e, ERR_UNSUPPORTED,
			       "--ipv4=false: a network of prism always has "
			       "IPv4");
	return 0;
}

static int fill(const struct create_opts *o, const char *name, struct netdef *d,
		struct err *e)
{
	(void)snprintf(d->name, sizeof(d->name), "%s", name);
	d->internal = o->internal;
	d->ipv6 = o->ipv6;
	for (size_t i = 0; i < o->options.n; i++)
		strv_setenv(&d->options, o->options.v[i]);
	for (size_t i = 0; i < o->labels.n; i++)
		strv_setenv(&d->labels, o->labels.v[i]);
	if (check_words(o, d, e))
		return -1;
	if (o->interface)
		strv_take(&d->options,
			  xasprintf("%s=%s",
				    d->driver == NETDEF_BRIDGE
					    ? "com.docker.network.bridge.name"
					    : "parent",
				    o->interface));
	return add_subnets(o, d, e) || add_ranges(o, d, e) ||
			       add_addresses(o, d, e)
		       ? -1
		       : 0;
}

static int create_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	const struct create_opts *const o = fields;
	autonetdef struct netdef d = {0};
	autoctr struct ctr r = {0};

	(void)argc;
	/* Whole: a name that is cut would be another. */
	if (netdef_check_name(argv[0], e) || fill(o, argv[0], &d, e) ||
	    ctr_open_unswept(g, &r, e))
		return -1;
	if (netdef_create(r.home.root_fd, &d, e)) {
		if (!o->ignore || e->kind != ERR_EXISTS)
			return -1;
		err_clear(e);
	}
	out_line("%s", o->ignore && !*d.id ? d.name : d.id);
	return 0;
}

extern const struct command cmd_network_create;
const struct command cmd_network_create = {
	.name = "network create",
	.operands = "NETWORK",
	.summary = "Make a network",
	.opts = create_options,
	.refused = create_refused,
	.fields_size = sizeof(struct create_opts),
	.min_operands = 1,
	.max_operands = 1,
	.run = create_run,
};
