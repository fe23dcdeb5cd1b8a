/*
 * network_connect - network connect and disconnect
 *
 * Of a container that runs now, it is done at once; in any case the networks
 * that it starts with are others from now on (the file "nets").
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/crash.h"
#include "base/own.h"
#include "cmd/network.h"
#include "cmd/run_opts.h"
#include "runtime/net/net.h"
#include "runtime/spec_file.h"

/* One container and one network, found. */
struct pair {
	struct ctr r;
	struct container c;
	struct run_spec s;
	struct netdef d;
	pid_t init; /* 0: it does not run */
	int pidfd;
	int lock; /* net_lock, if it runs */
};
#define PAIR_NONE                                            \
	{                                                    \
		.c = CONTAINER_NONE, .pidfd = -1, .lock = -1 \
	}

static void pair_free(struct pair *p)
{
	own_close(&p->lock);
	own_close(&p->pidfd);
	netdef_free(&p->d);
	spec_free(&p->s);
	container_close(&p->c);
	ctr_close(&p->r);
}
#define autopair __attribute__((cleanup(pair_free)))

static int check(const struct pair *p, struct err *e)
{
	if (p->s.net == NET_HOST || !strcmp(p->d.name, "host"))
		return err_set(e, ERR_USAGE,
			       "container cannot be disconnected from host "
			       "network or connected to host network");
	if (p->s.net == NET_JOIN)
		return err_set(e, ERR_USAGE,
			       "container sharing network namespace with "
			       "another container or host cannot be connected "
			       "to any other network");
	if (p->s.net == NET_NONE || !strcmp(p->d.name, "none"))
		return err_set(e, ERR_USAGE,
			       "container cannot be connected to multiple "
			       "networks with one of the networks in private "
			       "(none) mode");
	if (p->s.net == NET_USER)
		return err_set(e, ERR_UNSUPPORTED,
			       "an ordinary user's container has the network "
			       "of pasta or slirp4netns, and no other");
	return 0;
}

static bool has_ended(const struct pair *p)
{
	struct pollfd init = {.fd = p->pidfd, .events = POLLIN};

	return poll(&init, 1, 0) != 0;
}

/*
 * Running, and locked against its end and others like us. Its init may be dead
 * by the time we have the lock: then what was its network is being taken back.
 */
static int lock_running(struct pair *p, struct err *e)
{
	p->pidfd = container_pidfd(&p->c, &p->init, e);
	if (p->pidfd < 0)
		return -1;
	p->lock = net_lock(p->c.dir_fd, e);
	if (p->lock < 0)
		return -1;
	if (!has_ended(p))
		return 0;
	own_close(&p->lock);
	own_close(&p->pidfd);
	p->init = 0;
	return err_set(e, ERR_NOTFOUND, "container %s is not running",
		       p->c.name);
}

/*
 * It begins or ends at this moment when it is neither free nor running: what
 * it is then is known soon.
 */
static int lock_or_pidfd(struct pair *p, struct err *e)
{
	const struct timespec pause = {.tv_nsec = 20000000};

	for (int i = 0;; i++) {
		if (container_lock(&p->c, e) == 0)
			return 0;
		if (e->kind != ERR_BUSY)
			return -1;
		err_clear(e);
		if (lock_running(p, e) == 0)
			return 0;
		if (e->kind != ERR_NOTFOUND || i == 250)
			return -1;
		err_clear(e);
		(void)nanosleep(&pause, NULL);
	}
}

/* Found, and if it does not run locked, so that it is not started meanwhile. */
static int pair_open(const struct globals *g, char **argv, struct pair *p,
		     struct err *e)
{
	if (ctr_open(g, &p->r, e) < 0 ||
	    container_open(&p->r.home, argv[1], &p->c, e) < 0 ||
	    lock_or_pidfd(p, e) < 0 ||
	    network_load(p->r.home.root_fd, argv[0], &p->d, e) < 0 ||
	    container_load(&p->r.home, &p->c, &p->s, NULL, e) < 0)
		return -1;
	return check(p, e);
}

/* What fails in a network that the kernel takes apart has this cause alone. */
static int explain(const struct pair *p, struct err *e)
{
	if (!has_ended(p) || e->kind == ERR_EXISTS || e->kind == ERR_NOTFOUND)
		return -1;
	err_clear(e);
	return err_set(e, ERR_GONE, "container %s has ended meanwhile",
		       p->c.name);
}

static size_t find_net(const struct run_spec *s, const char *network)
{
	size_t i = 0;

	while (i < s->n_nets && strcmp(s->nets[i].network, network) != 0)
		i++;
	return i;
}

static void drop_net(struct run_spec *s, size_t at)
{
	struct net_attach gone = s->nets[at];

	s->n_nets--;
	for (size_t i = at; i < s->n_nets; i++)
		s->nets[i] = s->nets[i + 1];
	run_opts_attach_free(&gone);
}

/* ---- connect --------------------------------------------------------------- */

struct connect_opts {
	struct strv aliases;
	const char *ip;
	const char *ip6;
	const char *mac;
	const char *gw_priority;
	struct strv driver_opts;
};

static const struct opt connect_options[] = {
	{0, "alias", OPT_LIST, offsetof(struct connect_opts, aliases), "NAME",
	 "Another name in the network"},
	{0, "driver-opt", OPT_LIST, offsetof(struct connect_opts, driver_opts),
	 "K=V", "Name its interface: com.docker.network.endpoint.ifname=NAME"},
	{0, "gw-priority", OPT_STR, offsetof(struct connect_opts, gw_priority),
	 "N", "The network with the highest one has the default route"},
	{0, "ip", OPT_STR, offsetof(struct connect_opts, ip), "ADDRESS",
	 "IPv4 address"},
	{0, "ip6", OPT_STR, offsetof(struct connect_opts, ip6), "ADDRESS",
	 "IPv6 address"},
	{0, "mac-address", OPT_STR, offsetof(struct connect_opts, mac), "MAC",
	 "Of its interface"},
	{0},
};

static const struct opt_refused connect_refused[] = {
	{"link", "--alias gives a name in the network"},
	{"link-local-ip", "use 'ip addr add' in the container with --cap-add "
			  "NET_ADMIN"},
	{0},
};

static int fill(const struct connect_opts *o, const struct netdef *d,
		struct net_attach *n, struct err *e)
{
	n->network = xstrdup(d->name);
	if (run_opts_attach_flags(n, o->ip, o->ip6, o->mac, &o->aliases, e) <
		    0 ||
	    (o->gw_priority && run_opts_attach_priority(n, "--gw-priority",
							o->gw_priority, e) < 0))
		return -1;
	for (size_t i = 0; i < o->driver_opts.n; i++)
		if (run_opts_attach_driver_opt(n, o->driver_opts.v[i], e) < 0)
			return -1;
	if (n->aliases.n > 0 && !strcmp(d->name, NETDEF_DEFAULT))
		return err_set(e, ERR_USAGE,
			       "network-scoped alias is supported only for "
			       "containers in user defined networks");
	return 0;
}

static int come_in(struct pair *p, const struct net_attach *n, struct err *e)
{
	const struct net_of of = {.home = &p->r.home, .container = &p->c};
	const size_t at = find_net(&p->s, n->network);
	struct net_attach copy = {0};

	if (at < p->s.n_nets && !p->init)
		return err_set(e, ERR_EXISTS,
			       "endpoint with name %s already exists in "
			       "network %s",
			       p->c.name, n->network);
	/* A disconnect that was killed, or this is refused. */
	if (at < p->s.n_nets)
		drop_net(&p->s, at);
	copy.network = xstrdup(n->network);
	copy.ip = n->ip ? xstrdup(n->ip) : NULL;
	copy.ip6 = n->ip6 ? xstrdup(n->ip6) : NULL;
	copy.mac = n->mac ? xstrdup(n->mac) : NULL;
	copy.ifname = n->ifname ? xstrdup(n->ifname) : NULL;
	copy.gw_priority = n->gw_priority;
	for (size_t i = 0; i < n->aliases.n; i++)
		strv_add(&copy.aliases, n->aliases.v[i]);
	spec_add_net(&p->s, &copy);
	if (p->init && net_connect(&of, &p->s, n, p->init, p->pidfd, e) < 0)
		return explain(p, e);
	return spec_file_nets_write(p->c.dir_fd, &p->s, e);
}

static int connect_run(const struct globals *g, void *fields, int argc,
		       char **argv, struct err *e)
{
	autopair struct pair p = PAIR_NONE;
	struct net_attach n = {0};
	int rc;

	(void)argc;
	if (pair_open(g, argv, &p, e) < 0)
		return -1;
	rc = fill(fields, &p.d, &n, e);
	if (rc == 0)
		rc = come_in(&p, &n, e);
	run_opts_attach_free(&n);
	return rc;
}

extern const struct command cmd_network_connect;
const struct command cmd_network_connect = {
	.name = "network connect",
	.operands = "NETWORK CONTAINER",
	.summary = "Put a container into one more network",
	.opts = connect_options,
	.refused = connect_refused,
	.fields_size = sizeof(struct connect_opts),
	.min_operands = 2,
	.max_operands = 2,
	.run = connect_run,
};

/* ---- disconnect ------------------------------------------------------------ */

struct disconnect_opts {
	bool force;
};

static const struct opt disconnect_options[] = {
	{'f', "force", OPT_BOOL, offsetof(struct disconnect_opts, force), NULL,
	 "No error if it is not in there"},
	{0},
};

static int go_out(struct pair *p, struct err *e)
{
	const struct net_of of = {.home = &p->r.home, .container = &p->c};
	const size_t at = find_net(&p->s, p->d.name);

	if (p->init && net_disconnect(&of, &p->s, p->d.name, p->pidfd, e) < 0) {
		/* One that was killed may have come so far. */
		if (e->kind != ERR_NOTFOUND || at == p->s.n_nets)
			return explain(p, e);
		err_clear(e);
	}
	crash_point("net-left");
	if (at == p->s.n_nets)
		return p->init ? 0
			       : err_set(e, ERR_NOTFOUND,
					 "container %.12s is not connected to "
					 "network %s",
					 p->c.id, p->d.name);
	drop_net(&p->s, at);
	return spec_file_nets_write(p->c.dir_fd, &p->s, e);
}

static int disconnect_run(const struct globals *g, void *fields, int argc,
			  char **argv, struct err *e)
{
	const struct disconnect_opts *const o = fields;
	autopair struct pair p = PAIR_NONE;

	(void)argc;
	if (pair_open(g, argv, &p, e) < 0)
		return -1;
	if (go_out(&p, e) == 0)
		return 0;
	if (!o->force || e->kind != ERR_NOTFOUND)
		return -1;
	err_clear(e);
	return 0;
}

extern const struct command cmd_network_disconnect;
const struct command cmd_network_disconnect = {
	.name = "network disconnect",
	.operands = "NETWORK CONTAINER",
	.summary = "Take a container out of a network",
	.opts = disconnect_options,
	.fields_size = sizeof(struct disconnect_opts),
	.min_operands = 2,
	.max_operands = 2,
	.run = disconnect_run,
};
