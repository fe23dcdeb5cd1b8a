#include "runtime/net/netdef.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/own.h"
#include "runtime/net/pool.h"

#define NETWORKS  "networks"
#define LOCK_NAME ".lock"

static void free_pool(struct netdef_pool *p)
{
	strv_free(&p->aux);
}

void netdef_free(struct netdef *d)
{
	free_pool(&d->v4);
	free_pool(&d->v6);
	strv_free(&d->options);
	strv_free(&d->labels);
	*d = (struct netdef){0};
}

int netdef_lock(int root_fd, enum fs_lock mode, struct err *e)
{
	autoclose int dir = fs_mkdir_open_at(root_fd, NETWORKS, 0700, e);

	return dir < 0 ? -1 : fs_lock_at(dir, LOCK_NAME, mode, true, e);
}

int netdef_opendir(int root_fd, const char *name, struct err *e)
{
	autofree char *path = xasprintf(NETWORKS "/%s", name);

	return fs_opendir_at(root_fd, path, e);
}

/* ---- reading ------------------------------------------------------------------ */

void netdef_fixed_id(const char *name, char ret[65])
{
	const size_t n = strlen(name);

	for (size_t i = 0; i < 32; i++)
		(void)snprintf(ret + 2 * i, 3, "%02x",
			       i < n ? (unsigned char)name[i] : 0);
}

static void implicit(struct netdef *ret)
{
	struct netdef d = {
		.name = NETDEF_DEFAULT,
		.driver = NETDEF_BRIDGE,
		.implicit = true,
		.link = NETDEF_LINK,
	};

	netdef_fixed_id(d.name, d.id);
	*ret = d;
}

/* Absent is empty. */
static int open_networks(int root_fd, int *ret, struct err *e)
{
	*ret = openat(root_fd, NETWORKS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret >= 0 || errno == ENOENT ? 0
					    : err_sys(e, "openat", NETWORKS);
}

int netdef_names(int root_fd, struct strv *ret, struct err *e)
{
	autostrv struct strv all = {0};
	autoclose int dir = -1;
	bool seen = false;

	if (open_networks(root_fd, &dir, e) ||
	    (dir >= 0 && fs_names(dir, NETWORKS, &all, e)))
		return -1;
	for (size_t i = 0; i < all.n; i++) {
		if (all.v[i][0] == '.')
			continue;
		if (!seen && strcmp(all.v[i], NETDEF_DEFAULT) > 0)
			strv_add(ret, NETDEF_DEFAULT);
		if (strcmp(all.v[i], NETDEF_DEFAULT) >= 0)
			seen = true;
		strv_add(ret, all.v[i]);
	}
	if (!seen)
		strv_add(ret, NETDEF_DEFAULT);
	return 0;
}

static int load_name(int dir, const char *name, struct netdef *ret,
		     struct err *e)
{
	if (dir >= 0 && netdef_read(dir, name, ret, e) == 0)
		return 0;
	if (err_is(e) && e->kind != ERR_NOTFOUND)
		return -1;
	err_clear(e);
	if (strcmp(name, NETDEF_DEFAULT) != 0)
		return err_set(e, ERR_NOTFOUND, "network %s not found", name);
	implicit(ret);
	return 0;
}

/* The one whose id begins with text. */
static int load_id(int root_fd, int dir, const char *text, struct netdef *ret,
		   struct err *e)
{
	autostrv struct strv names = {0};
	autonetdef struct netdef found = {0};

	if (netdef_names(root_fd, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autonetdef struct netdef d = {0};
		struct err why = {0};

		if (load_name(dir, names.v[i], &d, &why) ||
		    !str_starts(d.id, text))
			continue;
		if (*found.name)
			return err_set(e, ERR_USAGE,
				       "network %s is ambiguous: %s and %s "
				       "begin so",
				       text, found.name, d.name);
		found = d;
		d = (struct netdef){0};
	}
	if (!*found.name)
		return err_set(e, ERR_NOTFOUND, "network %s not found", text);
	*ret = found;
	found = (struct netdef){0};
	return 0;
}

int netdef_load(int root_fd, const char *text, struct netdef *ret,
		struct err *e)
{
	const size_t n = strlen(text);
	struct err why = {0};
	autoclose int dir = -1;

	if (open_networks(root_fd, &dir, e))
		return -1;
	if (netdef_check_name(text, &why))
		return err_set(e, ERR_NOTFOUND, "network %s not found", text);
	if (load_name(dir, text, ret, e) == 0)
		return 0;
	if (e->kind != ERR_NOTFOUND || n > 64 ||
	    strspn(text, "0123456789abcdef") != n)
		return -1;
	err_clear(e);
	return load_id(root_fd, dir, text, ret, e);
}

/* ---- making ---------------------------------------------------------------------- */

/* The subnets of all other networks. */
static int add_networks(int root_fd, struct pool *p, struct err *e)
{
	autostrv struct strv names = {0};
	autoclose int dir = -1;

	if (open_networks(root_fd, &dir, e) || netdef_names(root_fd, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autonetdef struct netdef d = {0};
		char by[160];

		if (load_name(dir, names.v[i], &d, e))
			return -1;
		(void)snprintf(by, sizeof(by), "network %s", d.name);
		if (ip_is(&d.v4.subnet.ip))
			pool_add(p, &d.v4.subnet, by);
		if (ip_is(&d.v6.subnet.ip))
			pool_add(p, &d.v6.subnet, by);
	}
	return 0;
}

/* Who removes one of two would take the bridge of the other. */
static int check_bridge(int root_fd, const struct netdef *d, struct err *e)
{
	autostrv struct strv names = {0};
	autoclose int dir = -1;

	if (d->driver != NETDEF_BRIDGE)
		return 0;
	if (open_networks(root_fd, &dir, e) || netdef_names(root_fd, &names, e))
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autonetdef struct netdef other = {0};

		if (load_name(dir, names.v[i], &other, e))
			return -1;
		if (other.driver == NETDEF_BRIDGE &&
		    !strcmp(other.link, d->link))
			return err_set(e, ERR_BUSY,
				       "bridge %s is that of network %s",
				       d->link, other.name);
	}
	return 0;
}

/* A subnet that was given must be free. */
static int check_free(const struct pool *p, const struct ip_net *net,
		      struct err *e)
{
	const struct pool_taken *const t =
		ip_is(&net->ip) ? pool_find(p, net) : NULL;
	char a[IP_TEXT_MAX];
	char b[IP_TEXT_MAX];

	if (!t)
		return 0;
	(void)err_set(e, ERR_BUSY, "subnet %s overlaps with %s of %s",
		      ip_net_text(net, a), ip_net_text(&t->net, b), t->by);
	return err_hint(e, "without --subnet a free one is chosen");
}

/* The first address of a subnet is the gateway's, unless there is no use for
 * one: an ipvlan of layer 3 routes by itself. */
static void choose_gateway(const struct netdef *d, struct netdef_pool *p)
{
	if (!ip_is(&p->subnet.ip) || ip_is(&p->gateway) ||
	    d->mode == NETDEF_MODE_L3 || d->mode == NETDEF_MODE_L3S ||
	    (d->internal && d->driver != NETDEF_BRIDGE))
		return;
	p->gateway = p->subnet.ip;
	(void)ip_add(&p->gateway, 1);
}

static int choose_subnets(int root_fd, struct netdef *d, bool big,
			  struct err *e)
{
	autopool struct pool taken = {0};

	/* What macvlan and ipvlan join is there, as a route of the host. */
	if (add_networks(root_fd, &taken, e) ||
	    (d->driver == NETDEF_BRIDGE &&
	     pool_add_routes(&taken, d->link, e)) ||
	    check_free(&taken, &d->v4.subnet, e) ||
	    check_free(&taken, &d->v6.subnet, e))
		return -1;
	/* One that is chosen must not be in the host's way in any case. */
	if (d->driver != NETDEF_BRIDGE && pool_add_routes(&taken, NULL, e))
		return -1;
	if (!ip_is(&d->v4.subnet.ip) &&
	    pool_choose4(&taken, big, &d->v4.subnet, e))
		return -1;
	if (!ip_is(&d->v6.subnet.ip) && d->ipv6)
		pool_choose6(&taken, &d->v6.subnet);
	d->ipv6 = ip_is(&d->v6.subnet.ip);
	choose_gateway(d, &d->v4);
	choose_gateway(d, &d->v6);
	return 0;
}

static int move_in(int root_fd, const char *built, const char *path,
		   struct err *e)
{
	crash_point("network-built");
	if (renameat(root_fd, built, root_fd, path))
		return err_sys(e, "renameat", "%s", path);
	return 0;
}

/* networks/.lock is held exclusively. */
static int put(int root_fd, const struct netdef *d, struct err *e)
{
	autofree char *built = xasprintf("tmp/network-%.16s", d->id);
	autofree char *path = xasprintf(NETWORKS "/%s", d->name);
	autoclose int networks = fs_opendir_at(root_fd, NETWORKS, e);
	autoclose int dir = -1;
	struct err ignored = {0};

	if (networks < 0)
		return -1;
	(void)fs_remove_tree_at(root_fd, built, &ignored);
	if (fs_mkdirs_at(root_fd, built, 0700, e))
		return -1;
	dir = fs_opendir_at(root_fd, built, e);
	if (dir < 0 || netdef_write(dir, d, e) ||
	    move_in(root_fd, built, path, e)) {
		(void)fs_remove_tree_at(root_fd, built, &ignored);
		return -1;
	}
	return fs_sync_dir(networks, NETWORKS, e);
}

int netdef_create(int root_fd, struct netdef *d, struct err *e)
{
	autonetdef struct netdef other = {0};
	autoclose int lock = -1;
	autoclose int dir = -1;
	struct err why = {0};

	if (netdef_read_options(d, e) || netdef_check(d, e))
		return -1;
	lock = netdef_lock(root_fd, FS_LOCK_EXCLUSIVE, e);
	if (lock < 0 || open_networks(root_fd, &dir, e))
		return -1;
	if (load_name(dir, d->name, &other, &why) == 0 ||
	    why.kind != ERR_NOTFOUND)
		return err_set(e, ERR_EXISTS,
			       "network with name %s already exists", d->name);
	str_random_hex(d->id, 32);
	if (d->driver == NETDEF_BRIDGE && !*d->link)
		(void)snprintf(d->link, sizeof(d->link), "br-%.12s", d->id);
	d->created_ns = clock_now();
	return check_bridge(root_fd, d, e) ||
			       choose_subnets(root_fd, d, false, e) ||
			       put(root_fd, d, e)
		       ? -1
		       : 0;
}

/* Write the default network down; of two that do it one wins. */
static int write_default(int root_fd, struct err *e)
{
	autonetdef struct netdef d = {0};
	autoclose int lock = netdef_lock(root_fd, FS_LOCK_EXCLUSIVE, e);

	if (lock < 0 || netdef_load(root_fd, NETDEF_DEFAULT, &d, e))
		return -1;
	if (!d.implicit)
		return 0;
	d.implicit = false;
	d.created_ns = clock_now();
	return choose_subnets(root_fd, &d, true, e) || put(root_fd, &d, e) ? -1
									   : 0;
}

int netdef_use(int root_fd, const char *text, struct netdef *ret, struct err *e)
{
	autoclose int lock = netdef_lock(root_fd, FS_LOCK_SHARED, e);

	if (lock < 0 || netdef_load(root_fd, text, ret, e))
		return -1;
	if (!ret->implicit)
		return take_fd(&lock);
	netdef_free(ret);
	(void)close(take_fd(&lock));
	if (write_default(root_fd, e))
		return -1;
	lock = netdef_lock(root_fd, FS_LOCK_SHARED, e);
	if (lock < 0 || netdef_load(root_fd, NETDEF_DEFAULT, ret, e))
		return -1;
	return take_fd(&lock);
}

/* ---- removing --------------------------------------------------------------------- */

int netdef_remove(int root_fd, const char *name, struct err *e)
{
	autofree char *path = xasprintf(NETWORKS "/%s", name);
	autofree char *gone = NULL;
	char unique[17];

	if (netdef_check_name(name, e))
		return -1;
	str_random_hex(unique, 8);
	gone = xasprintf("tmp/network-%s", unique);
	if (renameat(root_fd, path, root_fd, gone))
		return errno == ENOENT ? err_set(e, ERR_NOTFOUND,
						 "network %s not found", name)
				       : err_sys(e, "renameat", "%s", path);
	crash_point("network-gone");
	return fs_remove_tree_at(root_fd, gone, e);
}
