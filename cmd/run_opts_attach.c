/*
 * One word of --network as a network and what a container is there: Docker's
 * "name=NET,ip=ADDRESS,alias=NAME,...", podman's "NET:ip=ADDRESS,..." and the
 * name alone.
 */
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/log.h"
#include "base/own.h"
#include "cmd/run_opts.h"
#include "runtime/net/netdef.h"

static int set_text(char **to, const char *key, const char *value,
		    struct err *e)
{
	if (*to)
		return err_set(e, ERR_USAGE, "%s= is given twice", key);
	*to = xstrdup(value);
	return 0;
}

static int set_ip(char **to, const char *key, const char *value, uint8_t len,
		  struct err *e)
{
	struct ip a;

	if (!ip_parse(value, &a) || a.len != len)
		return err_set(e, ERR_USAGE, "%s '%s': not an IPv%d address",
			       key, value, len == 4 ? 4 : 6);
	return set_text(to, key, value, e);
}

int run_opts_attach_ip(struct net_attach *n, const char *key, const char *ip,
		       struct err *e)
{
	return set_ip(&n->ip, key, ip, 4, e);
}

int run_opts_attach_ip6(struct net_attach *n, const char *key, const char *ip,
			struct err *e)
{
	return set_ip(&n->ip6, key, ip, 16, e);
}

int run_opts_attach_mac(struct net_attach *n, const char *key, const char *mac,
			struct err *e)
{
	uint8_t bytes[6];
	char text[MAC_TEXT_MAX];

	if (!mac_parse(mac, bytes))
		return err_set(e, ERR_USAGE, "%s '%s': not a MAC address", key,
			       mac);
	/* The lowest bit of the first byte is that of groups. */
	if (bytes[0] & 1)
		return err_set(e, ERR_USAGE,
			       "%s '%s': a group's, not one interface's", key,
			       mac);
	return set_text(&n->mac, key, mac_text(bytes, text), e);
}

int run_opts_attach_alias(struct net_attach *n, const char *name, struct err *e)
{
	if (!*name || strlen(name) > 255 || name[strcspn(name, " \t\n#")])
		return err_set(e, ERR_USAGE, "alias '%.80s': not a name", name);
	strv_add(&n->aliases, name);
	return 0;
}

int run_opts_attach_priority(struct net_attach *n, const char *key,
			     const char *number, struct err *e)
{
	const bool minus = *number == '-';
	uint32_t u;

	if (!str_to_u32(number + minus, INT32_MAX, &u))
		return err_set(e, ERR_USAGE, "%s '%s': not a number", key,
			       number);
	n->gw_priority = minus ? -(int)u : (int)u;
	return 0;
}

static int set_ifname(struct net_attach *n, const char *key, const char *name,
		      struct err *e)
{
	ERR_IN(e, "%s", key);

	return netdef_check_interface(name, e) < 0
		       ? -1
		       : set_text(&n->ifname, key, name, e);
}

int run_opts_attach_driver_opt(struct net_attach *n, const char *text,
			       struct err *e)
{
	const char *const name = str_after(text, NETDEF_IFNAME_OPT "=");

	if (name)
		return set_ifname(n, NETDEF_IFNAME_OPT, name, e);
	(void)err_set(e, ERR_UNSUPPORTED, "driver-opt '%s': prism has no such",
		      text);
	return err_hint(e, "there is " NETDEF_IFNAME_OPT "=NAME");
}

static int set_pair(struct net_attach *n, const char *key, const char *value,
		    struct err *e)
{
	if (!strcmp(key, "name"))
		return set_text(&n->network, key, value, e);
	if (!strcmp(key, "ip"))
		return run_opts_attach_ip(n, key, value, e);
	if (!strcmp(key, "ip6"))
		return run_opts_attach_ip6(n, key, value, e);
	if (!strcmp(key, "mac-address") || !strcmp(key, "mac"))
		return run_opts_attach_mac(n, key, value, e);
	if (!strcmp(key, "alias"))
		return run_opts_attach_alias(n, value, e);
	if (!strcmp(key, "gw-priority"))
		return run_opts_attach_priority(n, key, value, e);
	if (!strcmp(key, "driver-opt"))
		return run_opts_attach_driver_opt(n, value, e);
	if (!strcmp(key, "interface_name"))
		return set_ifname(n, key, value, e);
	if (!strcmp(key, "link-local-ip"))
		return err_set(e, ERR_UNSUPPORTED, "%s=: prism has no such",
			       key);
	return err_set(e, ERR_USAGE,
		       "'%s' is not one of name, ip, ip6, mac-address, alias, "
		       "gw-priority, driver-opt, interface_name",
		       key);
}

static int set_pairs(struct net_attach *n, const char *text, struct err *e)
{
	for (const char *p = text; *p;) {
		const size_t len = strcspn(p, ",");
		autofree char *pair = xstrndup(p, len);
		char *const eq = strchr(pair, '=');

		p += len + (p[len] == ',');
		if (!eq)
			return err_set(e, ERR_USAGE, "'%s': not KEY=VALUE",
				       pair);
		*eq = '\0';
		if (set_pair(n, pair, eq + 1, e) < 0)
			return -1;
	}
	return 0;
}

int run_opts_attach_flags(struct net_attach *n, const char *ip, const char *ip6,
			  const char *mac, const struct strv *aliases,
			  struct err *e)
{
	if ((ip && run_opts_attach_ip(n, "--ip", ip, e) < 0) ||
	    (ip6 && run_opts_attach_ip6(n, "--ip6", ip6, e) < 0) ||
	    (mac && run_opts_attach_mac(n, "--mac-address", mac, e) < 0))
		return -1;
	for (size_t i = 0; i < aliases->n; i++)
		if (run_opts_attach_alias(n, aliases->v[i], e) < 0)
			return -1;
	return 0;
}

void run_opts_attach_free(struct net_attach *n)
{
	free(n->network);
	free(n->ip);
	free(n->ip6);
	free(n->mac);
	free(n->ifname);
	strv_free(&n->aliases);
	*n = (struct net_attach){0};
}

static int parse(const char *text, struct net_attach *n, struct err *e)
{
	const size_t name = strcspn(text, ":=");
	ERR_IN(e, "--network %s", text);

	if (text[name] == '=' && set_pairs(n, text, e) < 0)
		return -1;
	/* container:NAME and pasta:OPTIONS are none of ours. */
	if (text[name] == ':' &&
	    text[name + 1 + strcspn(text + name + 1, "=")]) {
		n->network = xstrndup(text, name);
		return set_pairs(n, text + name + 1, e);
	}
	if (text[name] != '=')
		n->network = xstrdup(text);
	return n->network ? 0 : err_set(e, ERR_USAGE, "name= is missing");
}

int run_opts_attach(const char *text, struct net_attach *ret, struct err *e)
{
	struct net_attach n = {0};

	if (parse(text, &n, e) < 0) {
		run_opts_attach_free(&n);
		return -1;
	}
	if (!strcmp(n.network, "default")) {
		free(n.network);
		n.network = xstrdup(NETDEF_DEFAULT);
	}
	*ret = n;
	return 0;
}
