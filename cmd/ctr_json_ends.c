/*
 * ctr_json_ends - the addresses of a container, by Docker's keys
 */
#include <string.h>

#include "cmd/ctr_json.h"
#include "runtime/net/net.h"
#include "runtime/net/netdef.h"

/* Those of one interface; NULL: it does not run. */
static void add_addresses(json_t *o, const struct net_end *n)
{
	cj_str(o, "EndpointID", "");
	cj_str(o, "Gateway", n ? n->gateway : NULL);
	cj_str(o, "IPAddress", n ? n->ip : NULL);
	cj_int(o, "IPPrefixLen", n ? n->prefix : 0);
	cj_str(o, "IPv6Gateway", n ? n->gateway6 : NULL);
	cj_str(o, "GlobalIPv6Address", n ? n->ip6 : NULL);
	cj_int(o, "GlobalIPv6PrefixLen", n ? n->prefix6 : 0);
	cj_str(o, "MacAddress", n ? n->mac : NULL);
}

static const struct net_end *end_in(const struct net_state *st,
				    const char *network)
{
	for (size_t i = 0; i < st->n_ends; i++)
		if (!strcmp(st->ends[i].network, network))
			return &st->ends[i];
	return NULL;
}

static json_t *one_json(const struct net_attach *a, const struct net_end *n)
{
	json_t *const o = json_object();
	json_t *ipam = json_null();
	json_t *driver = json_null();

	if (a && (a->ip || a->ip6)) {
		ipam = json_object();
		if (a->ip)
			cj_str(ipam, "IPv4Address", a->ip);
		if (a->ip6)
			cj_str(ipam, "IPv6Address", a->ip6);
	}
	cj_put(o, "IPAMConfig", ipam);
	cj_put(o, "Links", json_null());
	cj_put(o, "Aliases",
	       a   ? cj_list_or_null(&a->aliases)
	       : n ? cj_list_or_null(&n->aliases)
		   : json_null());
	cj_str(o, "NetworkID", n ? n->network_id : NULL);
	add_addresses(o, n);
	if (a && a->ifname) {
		driver = json_object();
		cj_str(driver, NETDEF_IFNAME_OPT, a->ifname);
	}
	cj_put(o, "DriverOpts", driver);
	cj_int(o, "GwPriority", a ? a->gw_priority : 0);
	return o;
}

void ctr_json_ends(json_t *settings, const struct run_spec *s,
		   const struct net_state *st)
{
	json_t *const networks = json_object();

	if (s->net != NET_NETS) {
		json_decref(networks);
		return;
	}
	for (size_t i = 0; i < s->n_nets; i++)
		cj_put(networks, s->nets[i].network,
		       one_json(&s->nets[i], end_in(st, s->nets[i].network)));
	/* And what it was connected to meanwhile. */
	for (size_t i = 0; i < st->n_ends; i++)
		if (!json_object_get(networks, st->ends[i].network))
			cj_put(networks, st->ends[i].network,
			       one_json(NULL, &st->ends[i]));
	cj_put(settings, "Networks", networks);
	/* The old keys are those of the default network. */
	add_addresses(settings, end_in(st, NETDEF_DEFAULT));
}
