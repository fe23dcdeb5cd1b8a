#include "runtime/net/netdef.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"

#define NAME_CHARS                                                         \
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_." \
	"-"
#define DOCKER "com.docker.network."

static const char *const drivers[] = {
	[NETDEF_BRIDGE] = "bridge",
	[NETDEF_MACVLAN] = "macvlan",
	[NETDEF_IPVLAN] = "ipvlan",
};
_Static_assert(ARRAY_LEN(drivers) == NETDEF_DRIVERS, "a name per driver");

static const char *const modes[] = {
	[NETDEF_MODE_NONE] = "",
	[NETDEF_MODE_BRIDGE] = "bridge",
	[NETDEF_MODE_PRIVATE] = "private",
	[NETDEF_MODE_VEPA] = "vepa",
	[NETDEF_MODE_PASSTHRU] = "passthru",
	[NETDEF_MODE_L2] = "l2",
	[NETDEF_MODE_L3] = "l3",
	[NETDEF_MODE_L3S] = "l3s",
};
_Static_assert(ARRAY_LEN(modes) == NETDEF_MODES, "a name per mode");

const char *netdef_driver_name(enum netdef_driver d)
{
	return drivers[d];
}

bool netdef_driver_parse(const char *s, enum netdef_driver *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(drivers); i++)
		if (!strcmp(s, drivers[i])) {
			*ret = (enum netdef_driver)i;
			return true;
		}
	return false;
}

const char *netdef_mode_name(enum netdef_mode m)
{
	return modes[m];
}

int netdef_check_name(const char *name, struct err *e)
{
	static const char *const predefined[] = {"none", "host", "default",
						 "container"};
	const size_t n = strlen(name);

	if (n == 0 || n >= NETDEF_NAME_MAX || strchr("_.-", name[0]) ||
	    strspn(name, NAME_CHARS) != n)
		return err_set(e, ERR_USAGE,
			       "'%.80s' is not a name for a network: only "
			       "[a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
			       name);
	for (size_t i = 0; i < ARRAY_LEN(predefined); i++)
		if (!strcmp(name, predefined[i]))
			return err_set(e, ERR_EXISTS,
				       "operation is not permitted on "
				       "predefined %s network",
				       name);
	return 0;
}

/* ---- options ------------------------------------------------------------------ */

int netdef_check_interface(const char *value, struct err *e)
{
	const size_t n = strlen(value);

	if (n == 0 || n >= IFNAMSIZ || strpbrk(value, "/ \t\n") ||
	    !strcmp(value, ".") || !strcmp(value, ".."))
		return err_set(e, ERR_USAGE,
			       "'%s' is not a name for an interface: 1 to %d "
			       "characters",
			       value, IFNAMSIZ - 1);
	return 0;
}

static int set_link(struct netdef *d, const char *value, struct err *e)
{
	if (netdef_check_interface(value, e) < 0)
		return -1;
	(void)snprintf(d->link, sizeof(d->link), "%s", value);
	return 0;
}

static int set_mtu(struct netdef *d, const char *value, struct err *e)
{
	uint32_t mtu;

	/* 68 is what IPv4 needs (RFC 791), 1280 what IPv6 does. */
	if (!str_to_u32(value, 65535, &mtu) || mtu < (d->ipv6 ? 1280 : 68))
		return err_set(e, ERR_USAGE, "mtu '%s': %u to 65535", value,
			       d->ipv6 ? 1280U : 68U);
	d->mtu = mtu;
	return 0;
}

static int set_mode(struct netdef *d, const char *value, struct err *e)
{
	const size_t first = d->driver == NETDEF_MACVLAN ? NETDEF_MODE_BRIDGE
							 : NETDEF_MODE_L2;
	const size_t last = d->driver == NETDEF_MACVLAN ? NETDEF_MODE_PASSTHRU
							: NETDEF_MODE_L3S;

	for (size_t i = first; i <= last; i++)
		if (!strcmp(value, modes[i])) {
			d->mode = (enum netdef_mode)i;
			return 0;
		}
	return err_set(e, ERR_USAGE, "mode '%s': %s has %s", value,
		       drivers[d->driver],
		       d->driver == NETDEF_MACVLAN
			       ? "bridge, private, vepa and passthru"
			       : "l2, l3 and l3s");
}

static int set_bool(const char *key, const char *value, bool *ret,
		    struct err *e)
{
	if (!strcmp(value, "true") || !strcmp(value, "1"))
		*ret = true;
	else if (!strcmp(value, "false") || !strcmp(value, "0"))
		*ret = false;
	else
		return err_set(e, ERR_USAGE, "%s=%s: true or false", key,
			       value);
	return 0;
}

static int bridge_option(struct netdef *d, const char *key, const char *value,
			 struct err *e)
{
	const char *const w = str_after(key, DOCKER "bridge.");
	bool on = true;

	if (w && !strcmp(w, "name"))
		return set_link(d, value, e);
	if (w && !strcmp(w, "host_binding_ipv4")) {
		if (ip_parse(value, &d->host_ip) && d->host_ip.len == 4)
			return 0;
		return err_set(e, ERR_USAGE, "%s=%s: not an IPv4 address", key,
			       value);
	}
	if (w && !strcmp(w, "enable_ip_masquerade")) {
		if (set_bool(key, value, &on, e))
			return -1;
		d->no_masquerade = !on;
		return 0;
	}
	if (w && !strcmp(w, "enable_icc")) {
		if (set_bool(key, value, &on, e))
			return -1;
		d->isolated = !on;
		return 0;
	}
	if (!strcmp(key, "isolate")) {
		/* podman's: towards other networks, which is always so. */
		return set_bool(key, value, &on, e);
	}
	log_warn("ignoring option %s: prism's bridge has no such", key);
	return 0;
}

static int vlan_option(struct netdef *d, const char *key, const char *value,
		       struct err *e)
{
	if (!strcmp(key, "parent"))
		return set_link(d, value, e);
	if (!strcmp(key, "mode") || !strcmp(key, "macvlan_mode") ||
	    !strcmp(key, "ipvlan_mode"))
		return set_mode(d, value, e);
	return err_set(e, ERR_USAGE,
		       "option '%s': %s has parent=, mode= and mtu=", key,
		       drivers[d->driver]);
}

int netdef_read_options(struct netdef *d, struct err *e)
{
	if (d->driver == NETDEF_MACVLAN)
		d->mode = NETDEF_MODE_BRIDGE;
	if (d->driver == NETDEF_IPVLAN)
		d->mode = NETDEF_MODE_L2;
	for (size_t i = 0; i < d->options.n; i++) {
		const char *const kv = d->options.v[i];
		autofree char *key = xstrndup(kv, strcspn(kv, "="));
		const char *const eq = strchr(kv, '=');
		const char *const value = eq ? eq + 1 : "";
		int rc;

		if (!strcmp(key, "mtu") || !strcmp(key, DOCKER "driver.mtu"))
			rc = set_mtu(d, value, e);
		else if (d->driver == NETDEF_BRIDGE)
			rc = bridge_option(d, key, value, e);
		else
			rc = vlan_option(d, key, value, e);
		if (rc)
			return -1;
	}
	return 0;
}

/* ---- addresses ------------------------------------------------------------------ */

static bool pool_has(const struct netdef_pool *p, const struct ip *a)
{
	return ip_net_has(&p->subnet, a);
}

static int check_aux(const struct netdef_pool *p, struct err *e)
{
	for (size_t i = 0; i < p->aux.n; i++) {
		const char *const eq = strchr(p->aux.v[i], '=');
		struct ip a;

		if (!eq || !ip_parse(eq + 1, &a) || !pool_has(p, &a))
			return err_set(e, ERR_USAGE,
				       "aux-address '%s': not NAME=ADDRESS of "
				       "the subnet",
				       p->aux.v[i]);
	}
	return 0;
}

static int check_pool(const struct netdef_pool *p, struct err *e)
{
	const struct ip first = ip_net_first(&p->subnet);
	const struct ip range = ip_net_first(&p->range);
	char a[IP_TEXT_MAX];
	char b[IP_TEXT_MAX];

	if (!ip_is(&p->subnet.ip)) {
		if (ip_is(&p->gateway) || ip_is(&p->range.ip) || p->aux.n > 0)
			return err_set(e, ERR_USAGE,
				       "a gateway, an IP range or an auxiliary "
				       "address needs its --subnet");
		return 0;
	}
	if (ip_cmp(&first, &p->subnet.ip) != 0) {
		const struct ip_net meant = {first, p->subnet.prefix};

		return err_set(
			e, ERR_USAGE, "invalid subnet %s: it should be %s",
			ip_net_text(&p->subnet, a), ip_net_text(&meant, b));
	}
	/* One address for the gateway and one for a container at least. */
	if (p->subnet.prefix > p->subnet.ip.len * 8U - 2)
		return err_set(e, ERR_USAGE, "subnet %s is too small",
			       ip_net_text(&p->subnet, a));
	if (ip_is(&p->gateway) && !pool_has(p, &p->gateway))
		return err_set(e, ERR_USAGE,
			       "no matching subnet for gateway %s",
			       ip_text(&p->gateway, a));
	if (ip_is(&p->range.ip) &&
	    (!pool_has(p, &range) || p->range.prefix < p->subnet.prefix))
		return err_set(e, ERR_USAGE, "no matching subnet for range %s",
			       ip_net_text(&p->range, a));
	return check_aux(p, e);
}

int netdef_check(const struct netdef *d, struct err *e)
{
	if (netdef_check_name(d->name, e))
		return -1;
	if (d->driver != NETDEF_BRIDGE && !*d->link) {
		(void)err_set(e, ERR_USAGE, "%s needs the interface it is on",
			      drivers[d->driver]);
		return err_hint(e, "--opt parent=eth0, say: what 'ip route get "
				   "1.1.1.1' calls dev");
	}
	return check_pool(&d->v4, e) || check_pool(&d->v6, e) ? -1 : 0;
}

bool netdef_reserved(const struct netdef_pool *p, const struct ip *a)
{
	const struct ip first = ip_net_first(&p->subnet);
	const struct ip last = ip_net_last(&p->subnet);

	if (!ip_cmp(a, &first) || (a->len == 4 && !ip_cmp(a, &last)) ||
	    !ip_cmp(a, &p->gateway))
		return true;
	for (size_t i = 0; i < p->aux.n; i++) {
		const char *const eq = strchr(p->aux.v[i], '=');
		struct ip aux;

		if (eq && ip_parse(eq + 1, &aux) && !ip_cmp(a, &aux))
			return true;
	}
	return false;
}
