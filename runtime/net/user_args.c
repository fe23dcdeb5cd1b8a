#include "user_impl.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "runtime/net/net.h"

#define SLIRP_CIDR "10.0.2.0/24"

/* Of no network that a host is in: link-local, and never routed. */
#define PASTA_DNS "169.254.1.1"

bool user_net_is_pasta(const char *how)
{
	const char *const rest = str_after(how, "pasta");

	return rest && (!*rest || *rest == ':');
}

bool user_net_is(const char *word)
{
	const char *const rest = str_after(word, "slirp4netns");

	return user_net_is_pasta(word) || (rest && (!*rest || *rest == ':'));
}

void user_net_options(const char *how, struct strv *ret)
{
	const char *p = strchr(how, ':');

	while (p && *p) {
		const size_t n = strcspn(++p, ",");

		if (n)
			strv_take(ret, xstrndup(p, n));
		p += n;
	}
}

const char *user_net_option(const struct strv *options, const char *name,
			    const char *def)
{
	const char *const value = strv_getenv(options, name);

	return value ? value : def;
}

/* ---- slirp4netns ----------------------------------------------------------------- */

/* Network address, and one more host in it; false: not a network of IPv4. */
static bool slirp_host(const char *cidr, uint32_t host,
		       char ret[USER_NET_ADDRESS_MAX])
{
	const char *const slash = strchr(cidr, '/');
	struct in_addr a;
	uint64_t bits;
	char net[USER_NET_ADDRESS_MAX];
	uint32_t mask;

	if (!slash || (size_t)(slash - cidr) >= sizeof(net) ||
	    !str_to_u64(slash + 1, 25, &bits) || bits == 0)
		return false;
	(void)snprintf(net, sizeof(net), "%.*s", (int)(slash - cidr), cidr);
	if (inet_pton(AF_INET, net, &a) != 1)
		return false;
	mask = UINT32_MAX << (32 - bits);
	a.s_addr = htonl((ntohl(a.s_addr) & mask) + host);
	return inet_ntop(AF_INET, &a, ret, USER_NET_ADDRESS_MAX) != NULL;
}

void user_net_dns(const char *how, char ret[USER_NET_ADDRESS_MAX])
{
	autostrv struct strv o = {0};

	(void)snprintf(ret, USER_NET_ADDRESS_MAX, PASTA_DNS);
	if (user_net_is_pasta(how))
		return;
	user_net_options(how, &o);
	(void)slirp_host(user_net_option(&o, "cidr", SLIRP_CIDR), 3, ret);
}

static bool is_bool(const char *v)
{
	return !strcmp(v, "true") || !strcmp(v, "false");
}

static bool is_cidr(const char *v)
{
	char ignored[USER_NET_ADDRESS_MAX];

	return slirp_host(v, 100, ignored);
}

static bool is_mtu(const char *v)
{
	uint64_t n;

	return str_to_u64(v, 65521, &n) && n >= 68;
}

static bool is_handler(const char *v)
{
	return !strcmp(v, "slirp4netns") || !strcmp(v, "rootlesskit");
}

static bool is_word(const char *v)
{
	return *v != '\0';
}

/* Podman's; which program takes the ports is not for us to choose. */
static const struct {
	const char *name;
	bool (*is)(const char *value);
	const char *wanted;
} slirp_options[] = {
	{"allow_host_loopback", is_bool, "true or false"},
	{"cidr", is_cidr, "ADDRESS/BITS of IPv4, up to /25"},
	{"enable_ipv6", is_bool, "true or false"},
	{"mtu", is_mtu, "a number from 68 to 65521"},
	{"outbound_addr", is_word, "an address or an interface"},
	{"outbound_addr6", is_word, "an address or an interface"},
	{"port_handler", is_handler, "slirp4netns or rootlesskit"},
};

static int check_slirp(const char *option, struct err *e)
{
	const size_t n = strcspn(option, "=");

	for (size_t i = 0; i < ARRAY_LEN(slirp_options); i++) {
		const char *const name = slirp_options[i].name;

		if (strlen(name) != n || strncmp(name, option, n) != 0)
			continue;
		if (option[n] && slirp_options[i].is(option + n + 1))
			return 0;
		return err_set(e, ERR_USAGE, "%s: not %s=%s", option, name,
			       slirp_options[i].wanted);
	}
	(void)err_set(e, ERR_USAGE, "unknown option for slirp4netns: '%s'",
		      option);
	return err_hint(e, "there are allow_host_loopback, cidr, enable_ipv6, "
			   "mtu, outbound_addr, outbound_addr6, port_handler");
}

int user_net_check(const char *how, struct err *e)
{
	autostrv struct strv o = {0};
	ERR_IN(e, "--network %s", how);

	/* Pasta's are its own: it says what it does not know. */
	if (user_net_is_pasta(how))
		return 0;
	user_net_options(how, &o);
	for (size_t i = 0; i < o.n; i++)
		if (check_slirp(o.v[i], e) < 0)
			return -1;
	return 0;
}

bool user_net_allows_loopback(const char *how)
{
	autostrv struct strv o = {0};

	user_net_options(how, &o);
	return !strcmp(user_net_option(&o, "allow_host_loopback", "false"),
		       "true");
}

static void slirp_args(const struct user_net_conf *c, const struct strv *o,
		       struct strv *ret)
{
	static const struct {
		const char *name, *format, *def;
	} valued[] = {
		{"cidr", "--cidr=%s", SLIRP_CIDR},
		{"mtu", "--mtu=%s", "65520"},
		{"outbound_addr", "--outbound-addr=%s", NULL},
		{"outbound_addr6", "--outbound-addr6=%s", NULL},
	};

	strv_add(ret, "slirp4netns");
	strv_add(ret, "--configure");
	strv_take(ret, xasprintf("--ready-fd=%d", USER_NET_READY_FD));
	if (strcmp(user_net_option(o, "enable_ipv6", "true"), "true") == 0)
		strv_add(ret, "--enable-ipv6");
	if (!user_net_allows_loopback(c->how))
		strv_add(ret, "--disable-host-loopback");
	for (size_t i = 0; i < ARRAY_LEN(valued); i++) {
		const char *const v =
			user_net_option(o, valued[i].name, valued[i].def);
		const size_t n = strcspn(valued[i].format, "%");

		if (v)
			strv_take(ret, xasprintf("%.*s%s", (int)n,
						 valued[i].format, v));
	}
	if (c->n_ports)
		strv_add(ret, "--api-socket=" USER_NET_API);
	strv_add(ret, "--netns-type=path");
	strv_add(ret, "--userns-path=/proc/self/fd/1");
	strv_add(ret, "/proc/self/fd/0");
	strv_add(ret, "eth0");
}

/* ---- ports ------------------------------------------------------------------------ */

/* The same port on the other family's "all addresses". */
static bool has_other(const struct user_net_conf *c, size_t i, const char *ip)
{
	const struct net_port *const p = &c->ports[i];

	for (size_t k = 0; k < c->n_ports; k++)
		if (c->ports[k].ip && !strcmp(c->ports[k].ip, ip) &&
		    c->ports[k].host == p->host &&
		    !strcmp(c->ports[k].protocol, p->protocol))
			return true;
	return false;
}

bool user_net_port_ip(const struct user_net_conf *c, size_t i, const char **ret)
{
	const char *const ip = c->ports[i].ip;

	*ret = ip;
	if (ip && !strcmp(ip, "0.0.0.0") && has_other(c, i, "::"))
		*ret = NULL;
	return !ip || strcmp(ip, "::") != 0 || !has_other(c, i, "0.0.0.0");
}

/* ---- pasta ------------------------------------------------------------------------ */

static bool has(const struct strv *o, const char *letter, const char *name)
{
	const size_t n = strlen(name);

	for (size_t i = 0; i < o->n; i++)
		if ((letter && str_starts(o->v[i], letter)) ||
		    (!strncmp(o->v[i], name, n) &&
		     (!o->v[i][n] || o->v[i][n] == '=')))
			return true;
	return false;
}

static void add_pair(struct strv *ret, const char *option, const char *value)
{
	strv_add(ret, option);
	strv_add(ret, value);
}

static void pasta_ports(const struct user_net_conf *c, const char *protocol,
			const char *option, struct strv *ret)
{
	for (size_t i = 0; i < c->n_ports; i++) {
		const struct net_port *const p = &c->ports[i];
		const char *ip;

		if (strcmp(p->protocol, protocol) != 0 ||
		    !user_net_port_ip(c, i, &ip))
			continue;
		strv_add(ret, option);
		strv_take(ret, xasprintf("%s%s%u:%u", ip ? ip : "",
					 ip ? "/" : "", p->host, p->port));
	}
}

/*
 * What is not said must not be as pasta has it: it would forward every port of
 * either side that somebody listens on, the host's own services included.
 */
static void pasta_defaults(const struct user_net_conf *c, const struct strv *o,
			   struct strv *ret)
{
	static const struct {
		const char *letter, *name, *value;
	} all[] = {
		{"-t", "--tcp-ports", "none"}, {"-u", "--udp-ports", "none"},
		{"-T", "--tcp-ns", "none"},    {"-U", "--udp-ns", "none"},
		{"-I", "--ns-ifname", "eth0"},
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		if (!has(o, all[i].letter, all[i].name) &&
		    !has(ret, all[i].letter, all[i].name))
			add_pair(ret, all[i].name, all[i].value);
	/*
	 * Only where it is used: answers of the host's server that was asked by
	 * its own address would come from this one too.
	 */
	if (c->dns && !has(o, NULL, "--dns-forward"))
		add_pair(ret, "--dns-forward", PASTA_DNS);
	/* Podman's word for leaving it out; older pastas do not know it. */
	if (!has(o, NULL, "--map-gw") && !has(o, NULL, "--no-map-gw"))
		strv_add(ret, "--no-map-gw");
}

static void pasta_args(const struct user_net_conf *c, const struct strv *o,
		       struct strv *ret)
{
	strv_add(ret, "pasta");
	strv_add(ret, "--config-net");
	strv_add(ret, "--foreground");
	strv_add(ret, "--quiet");
	/* It ends with us: its own way to see that looks at directories. */
	strv_add(ret, "--no-netns-quit");
	add_pair(ret, "--pid", USER_NET_READY);
	add_pair(ret, "--userns", "/proc/self/fd/1");
	add_pair(ret, "--netns", "/proc/self/fd/0");
	pasta_ports(c, "tcp", "-t", ret);
	pasta_ports(c, "udp", "-u", ret);
	pasta_defaults(c, o, ret);
	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->v[i], "--map-gw") != 0)
			strv_add(ret, o->v[i]);
}

int user_net_args(const struct user_net_conf *c, struct strv *ret,
		  struct err *e)
{
	autostrv struct strv o = {0};

	for (size_t i = 0; i < c->n_ports; i++)
		if (!strcmp(c->ports[i].protocol, "sctp"))
			return err_set(e, ERR_UNSUPPORTED,
				       "port %u/sctp: user-mode networks carry "
				       "tcp and udp",
				       c->ports[i].port);
	user_net_options(c->how, &o);
	if (user_net_is_pasta(c->how))
		pasta_args(c, &o, ret);
	else
		slirp_args(c, &o, ret);
	return 0;
}
