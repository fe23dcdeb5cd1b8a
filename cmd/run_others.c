#include "cmd/run_others.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/own.h"
#include "cmd/run_volumes.h"
#include "runtime/net/netdef.h"
#include "runtime/netfiles.h"

/* ---- whose namespaces and volumes --------------------------------------------------- */

static int set_id(const struct container_home *h, const char *flag, char **text,
		  struct run_spec *s, struct err *e)
{
	autocontainer struct container c = CONTAINER_NONE;
	struct run_spec other = {0};
	ERR_IN(e, "--%s container:%s", flag, *text);

	if (container_open(h, *text, &c, e) < 0 ||
	    container_load(h, &c, &other, NULL, e) < 0)
		return -1;
	/* An ordinary user joins its user namespace too, with the ids of it. */
	if (s->userns && !s->map_auto)
		s->map = other.map;
	spec_free(&other);
	free(*text);
	*text = xstrdup(c.id);
	return 0;
}

/* CONTAINER[:ro|rw] */
static int volumes_from(const struct container_home *h, const char *text,
			struct run_spec *s, struct err *e)
{
	const size_t n = strcspn(text, ":");
	autofree char *name = xstrndup(text, n);
	autocontainer struct container c = CONTAINER_NONE;
	struct run_spec other = {0};
	int rc;
	ERR_IN(e, "--volumes-from %s", text);

	if (container_open(h, name, &c, e) < 0 ||
	    container_load(h, &c, &other, NULL, e) < 0)
		return -1;
	rc = run_volumes_from(s, &other, text[n] ? text + n + 1 : NULL, e);
	spec_free(&other);
	return rc;
}

/* It stays this container, whatever that one is called later. */
static int find_link(const struct container_home *h, char **link, struct err *e)
{
	const size_t n = strcspn(*link, ":");
	const char *const alias = (*link)[n] ? *link + n + 1 : *link;
	autofree char *name = xstrndup(*link, n);
	autocontainer struct container c = CONTAINER_NONE;
	char *found;
	ERR_IN(e, "--link %s", *link);

	if (container_open(h, name, &c, e) < 0)
		return -1;
	found = xasprintf("%s:%s", c.id, alias);
	free(*link);
	*link = found;
	return 0;
}

/* From now on it has its name, by whatever it was called. */
static int name_network(const struct container_home *h, struct net_attach *n,
			struct err *e)
{
	autonetdef struct netdef d = {0};

	/* One always is. */
	if (!strcmp(n->network, NETDEF_DEFAULT))
		return 0;
	if (netdef_load(h->root_fd, n->network, &d, e) < 0)
		return -1;
	own_free(&n->network);
	n->network = xstrdup(d.name);
	return 0;
}

static int find_network(const struct container_home *h, struct run_spec *s,
			size_t i, struct err *e)
{
	struct net_attach *const n = &s->nets[i];

	if (name_network(h, n, e) < 0)
		return -1;
	if (n->aliases.n > 0 && !strcmp(n->network, NETDEF_DEFAULT))
		return err_set(e, ERR_USAGE,
			       "network-scoped alias is supported only for "
			       "containers in user defined networks");
	for (size_t k = 0; k < i; k++)
		if (!strcmp(s->nets[k].network, n->network))
			return err_set(e, ERR_USAGE,
				       "network %s is specified multiple times",
				       n->network);
	return 0;
}

/* Known before there is a container that could not start. */
static int find_networks(const struct container_home *h, struct run_spec *s,
			 struct err *e)
{
	for (size_t i = 0; i < s->n_nets; i++)
		if (find_network(h, s, i, e) < 0)
			return -1;
	return 0;
}

int run_others_find(const struct container_home *h, const struct run_opts *o,
		    struct run_spec *s, struct err *e)
{
	if (find_networks(h, s, e) < 0)
		return -1;
	if (s->net == NET_JOIN && set_id(h, "network", &s->net_of, s, e) < 0)
		return -1;
	if (s->pid_ns == NS_JOIN && set_id(h, "pid", &s->pid_of, s, e) < 0)
		return -1;
	if (s->ipc_ns == NS_JOIN && set_id(h, "ipc", &s->ipc_of, s, e) < 0)
		return -1;
	for (size_t i = 0; i < s->links.n; i++)
		if (find_link(h, &s->links.v[i], e) < 0)
			return -1;
	for (size_t i = 0; i < o->volumes_from.n; i++)
		if (volumes_from(h, o->volumes_from.v[i], s, e) < 0)
			return -1;
	return 0;
}

/* ---- files about names ---------------------------------------------------------------- */

/* Absent is empty. */
static int read_text(int dirfd, const char *path, struct buf *b, struct err *e)
{
	if (fs_read_at(dirfd, path, b, e) == 0)
		return 0;
	if (e->kind != ERR_NOTFOUND)
		return -1;
	err_clear(e);
	return 0;
}

/* Who shares a network shares its names. */
static int files_of_other(const struct container_home *h, struct run_spec *s,
			  struct container_new *n, struct buf *hosts,
			  struct buf *resolv, struct err *e)
{
	autocontainer struct container c = CONTAINER_NONE;
	autobuf struct buf name = buf_make(256);

	if (container_open(h, s->net_of, &c, e) < 0)
		return -1;
	if (read_text(c.dir_fd, "hosts", hosts, e) < 0 ||
	    read_text(c.dir_fd, "hostname", &name, e) < 0 ||
	    read_text(c.dir_fd, "resolv.conf", resolv, e) < 0)
		return -1;
	n->hosts = buf_str(hosts);
	n->resolv = resolv->len ? buf_str(resolv) : NULL;
	if (!s->hostname)
		s->hostname =
			xstrndup(buf_str(&name), strcspn(buf_str(&name), "\n"));
	return 0;
}

static int own_resolv(const struct run_spec *s, struct container_new *n,
		      struct buf *resolv, struct err *e)
{
	autobuf struct buf host = buf_make(resolv->max);

	if (s->net == NET_NONE && !netfiles_wants_resolv(s))
		return 0;
	if (netfiles_read_resolv(s, &host, e) < 0)
		return -1;
	if (netfiles_has_no_server(s, buf_str(&host)))
		log_warn("the name servers in this host's /etc/resolv.conf are "
			 "on its loopback, where the container cannot ask "
			 "them: --dns ADDRESS names one that it can");
	netfiles_resolv(s, buf_str(&host), resolv);
	n->resolv = buf_str(resolv);
	return 0;
}

static int host_files(const struct run_spec *s, struct container_new *n,
		      struct buf *hosts, struct err *e)
{
	autobuf struct buf host = buf_make(hosts->max);

	if (s->net != NET_HOST)
		return 0;
	if (read_text(AT_FDCWD, "/etc/hosts", &host, e) < 0)
		return -1;
	netfiles_hosts(s, "", buf_str(&host), hosts);
	n->hosts = buf_str(hosts);
	return 0;
}

int run_others_files(const struct container_home *h, struct run_spec *s,
		     struct container_new *n, struct buf *hosts,
		     struct buf *resolv, struct err *e)
{
	char name[65] = "";

	if (s->net == NET_JOIN)
		return files_of_other(h, s, n, hosts, resolv, e);
	if ((s->net == NET_HOST || s->uts_ns == NS_HOST) && !s->hostname &&
	    gethostname(name, sizeof(name) - 1) == 0)
		s->hostname = xstrdup(name);
	if (host_files(s, n, hosts, e) < 0)
		return -1;
	return own_resolv(s, n, resolv, e);
}
