/*
 * --network and what goes into the container's files about names. Ports stand
 * in run_opts_ports.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ip.h"
#include "base/log.h"
#include "base/own.h"
#include "base/whoami.h"
#include "cmd/run_opts.h"
#include "runtime/net/netdef.h"
#include "runtime/net/user.h"

/* ---- the network --------------------------------------------------------------- */

static int absent_network(const char *w, struct err *e)
{
	(void)err_set(e, ERR_UNSUPPORTED, "--network %s: not in this version",
		      w);
	return err_hint(e, "there are 'none', 'host', 'container:NAME' and the "
			   "networks of 'prism network ls'");
}

/* One of several, or the only one. */
static int add_network(const char *text, struct run_spec *s, struct err *e)
{
	struct net_attach n = {0};

	if (run_opts_attach(text, &n, e) < 0)
		return -1;
	s->net = NET_NETS;
	spec_add_net(s, &n);
	return 0;
}

/* "name=host" of Docker: the name alone, where there is nothing more. */
static const char *network_name(const char *w)
{
	const char *const name = str_after(w, "name=");

	return name && !strchr(name, ',') ? name : w;
}

int run_opts_network(const char *text, struct run_spec *s, struct err *e)
{
	const char *const w = network_name(text);
	const char *const of = str_after(w, "container:");

	if (!*w || !strcmp(w, "none")) {
		s->net = NET_NONE;
		return 0;
	}
	if (!strcmp(w, "host")) {
		s->net = NET_HOST;
		return 0;
	}
	if (!str_empty(of)) {
		s->net = NET_JOIN;
		s->net_of = xstrdup(of);
		return 0;
	}
	if (user_net_is(w))
		return run_opts_user_net(w, s, e);
	if (str_starts(w, "ns:"))
		return absent_network(w, e);
	if (!whoami()->net)
		return run_opts_user_net_refuse(w, e);
	return add_network(w, s, e);
}

/* Several must all be networks; a word that comes again says nothing new. */
static int choose_network(const struct run_opts *o, struct run_spec *s,
			  struct err *e)
{
	const char *const first = o->networks.n ? o->networks.v[0] : NULL;

	for (size_t i = 0; i < o->networks.n; i++) {
		const char *const w = o->networks.v[i];

		if (i > 0 && s->net != NET_NETS && !strcmp(w, first))
			continue;
		if ((i > 0 && s->net != NET_NETS) ||
		    run_opts_network(w, s, e) < 0 ||
		    (s->n_nets > 0 && s->net != NET_NETS))
			return err_is(e) ? -1
					 : err_set(e, ERR_USAGE,
						   "conflicting options: "
						   "--network %s and --network "
						   "%s",
						   first, w);
	}
	return 0;
}

/* Whose network is joined, its names are shared too. */
static int check_joined(const struct run_opts *o, const struct run_spec *s,
			struct err *e)
{
	const struct {
		bool given;
		const char *what;
	} all[] = {
		{o->hostname != NULL, "--hostname"},
		{o->dns.n + o->dns_search.n + o->dns_options.n > 0, "--dns"},
		{o->add_hosts.n > 0, "--add-host"},
		{o->mac != NULL, "--mac-address"},
		{o->ports.n > 0 || o->publish_all, "--publish"},
		{o->exposed.n > 0, "--expose"},
		{o->links.n > 0, "--link"},
	};

	for (size_t i = 0; s->net == NET_JOIN && i < ARRAY_LEN(all); i++)
		if (all[i].given)
			return err_set(e, ERR_USAGE,
				       "conflicting options: %s and --network "
				       "container:%s, whose own it is",
				       all[i].what, s->net_of);
	if (s->net == NET_HOST && o->links.n > 0)
		return err_set(e, ERR_USAGE,
			       "conflicting options: --link and --network "
			       "host");
	return 0;
}

/* ---- addresses ------------------------------------------------------------------- */

/* What only a network with addresses can do. */
static int addresses(const struct run_opts *o, struct run_spec *s,
		     struct err *e)
{
	struct net_attach none = {0};
	const bool asked = o->ip || o->ip6 || o->mac || o->aliases.n;
	/* The flags without a network's name are about the first one. */
	const int rc =
		run_opts_attach_flags(s->net == NET_NETS ? &s->nets[0] : &none,
				      o->ip, o->ip6, o->mac, &o->aliases, e);

	run_opts_attach_free(&none);
	if (rc < 0)
		return -1;
	if (!asked || s->net == NET_NETS)
		return 0;
	return err_set(e, ERR_UNSUPPORTED,
		       "--%s: only a network with addresses of its own has it",
		       o->ip    ? "ip"
		       : o->ip6 ? "ip6"
		       : o->mac ? "mac-address"
				: "network-alias");
}

/* ---- names ---------------------------------------------------------------------- */

/*
 * NAME:ADDRESS or NAME=ADDRESS; an IPv6 address may stand in brackets. Without
 * a network there is no gateway to call host-gateway.
 */
static int add_host(const char *text, struct run_spec *s, struct err *e)
{
	const size_t n = strcspn(text, ":=");
	autofree char *name = xstrndup(text, n);
	autofree char *address = text[n] ? xstrdup(text + n + 1) : NULL;
	size_t len = address ? strlen(address) : 0;
	struct ip ip;
	ERR_IN(e, "--add-host %s", text);

	if (!n || !len || name[strcspn(name, " \t\n")])
		return err_set(e, ERR_USAGE, "not NAME:ADDRESS");
	if (len > 2 && address[0] == '[' && address[len - 1] == ']') {
		memmove(address, address + 1, len - 2);
		address[len - 2] = '\0';
	}
	if (!strcmp(address, "host-gateway") && s->net == NET_NETS) {
		/* Known when the network is up. */
		strv_take(&s->add_hosts, xasprintf("%s:%s", name, address));
		return 0;
	}
	if (!strcmp(address, "host-gateway")) {
		if (s->net != NET_HOST) {
			log_warn("ignoring --add-host %s: the container has no "
				 "network with a gateway",
				 text);
			return 0;
		}
		free(take_ptr(&address));
		address = xstrdup("127.0.0.1");
	}
	if (!ip_parse(address, &ip))
		return err_set(e, ERR_USAGE, "invalid IP address '%s'",
			       address);
	strv_take(&s->add_hosts, xasprintf("%s:%s", name, address));
	return 0;
}

/* A name with nothing in it that would end a line of resolv.conf. */
static bool is_domain(const char *s)
{
	return *s && strlen(s) < 256 && !s[strcspn(s, " \t\n\r:/;#")];
}

static int dns(const struct run_opts *o, struct run_spec *s, struct err *e)
{
	struct ip ip;

	for (size_t i = 0; i < o->dns.n; i++) {
		if (!ip_parse(o->dns.v[i], &ip))
			return err_set(e, ERR_USAGE,
				       "--dns '%s': not an IP address",
				       o->dns.v[i]);
		strv_add(&s->dns, o->dns.v[i]);
	}
	for (size_t i = 0; i < o->dns_search.n; i++) {
		if (!is_domain(o->dns_search.v[i]))
			return err_set(e, ERR_USAGE,
				       "--dns-search '%s': not a domain",
				       o->dns_search.v[i]);
		strv_add(&s->dns_search, o->dns_search.v[i]);
	}
	for (size_t i = 0; i < o->dns_options.n; i++) {
		const char *const w = o->dns_options.v[i];

		if (!*w || w[strcspn(w, " \t\n\r")])
			return err_set(e, ERR_USAGE,
				       "--dns-option '%s': not an option", w);
		strv_add(&s->dns_options, w);
	}
	return 0;
}

static int check_hostname(const char *flag, const char *h, struct err *e)
{
	const size_t n = strlen(h);

	if (n == 0 || n > 64 || strpbrk(h, " \t\n/:") || h[0] == '-')
		return err_set(e, ERR_USAGE,
			       "--%s '%.80s': a name of 1 to 64 characters is "
			       "needed",
			       flag, h);
	return 0;
}

/* ---- all ---------------------------------------------------------------------------- */

/* Who is meant is found when the container is made (run_others.h). */
static int links(const struct run_opts *o, struct run_spec *s, struct err *e)
{
	for (size_t i = 0; i < o->links.n; i++) {
		const char *const w = o->links.v[i];
		const size_t n = strcspn(w, ":");

		if (!n || (w[n] && (!w[n + 1] || strchr(w + n + 1, ':'))))
			return err_set(e, ERR_USAGE,
				       "--link '%s': not NAME[:ALIAS]", w);
		strv_add(&s->links, w);
	}
	if (!o->links.n || s->net == NET_NETS)
		return 0;
	(void)err_set(e, ERR_UNSUPPORTED,
		      "--link %s: only a network with addresses of its own has "
		      "it",
		      o->links.v[0]);
	return err_hint(e, "--network container:NAME shares that container's "
			   "network: the service is on 127.0.0.1 then");
}

int run_opts_net(const struct run_opts *o, struct run_spec *s, struct err *e)
{
	if (choose_network(o, s, e) < 0 || check_joined(o, s, e) < 0)
		return -1;
	if (o->hostname && check_hostname("hostname", o->hostname, e) < 0)
		return -1;
	if (o->domainname && check_hostname("domainname", o->domainname, e) < 0)
		return -1;
	for (size_t i = 0; i < o->add_hosts.n; i++)
		if (add_host(o->add_hosts.v[i], s, e) < 0)
			return -1;
	if (dns(o, s, e) < 0 || links(o, s, e) < 0 || addresses(o, s, e) < 0)
		return -1;
	s->hostname = o->hostname ? xstrdup(o->hostname) : NULL;
	s->domainname = o->domainname ? xstrdup(o->domainname) : NULL;
	s->no_hosts = o->no_hosts;
	return run_opts_ports(o, s, e);
}
