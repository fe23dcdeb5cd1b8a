#include "vlan.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/trace.h"
#include "runtime/net/link.h"

/*
 * What a container had on the parent is there until the kernel has taken its
 * namespace apart, some 20 ms after its end; a busy machine needs more.
 */
#define PAUSE_MS   20
#define ROUNDS_MAX 150

bool vlan_has_mac(const struct netdef *d)
{
	/* Passthru hands out the parent itself: to set one sets the parent's. */
	return d->driver == NETDEF_MACVLAN && d->mode != NETDEF_MODE_PASSTHRU;
}

/* ---- the parent ----------------------------------------------------------------- */

/* "eth0.10": 10 and eth0. */
static bool is_tagged(const char *name, char ret_of[IFNAMSIZ], uint32_t *ret_id)
{
	const char *const dot = strrchr(name, '.');

	if (!dot || dot == name || !str_to_u32(dot + 1, 4094, ret_id) ||
	    *ret_id == 0)
		return false;
	(void)snprintf(ret_of, IFNAMSIZ, "%.*s", (int)(dot - name), name);
	return true;
}

/* It, and whose it is, in one call. */
static int talk_tagged(struct nl *n, const char *name, bool up, uint32_t of,
		       uint32_t id, const char *root_path, struct err *e)
{
	const uint32_t index = link_new_index();
	struct nlmsghdr *const h = link_put_new(n, index, name, up, "vlan");
	char own[LINK_OWNER_MAX];
	struct nlattr *info;
	struct nlattr *data;

	mnl_attr_put_u32(h, IFLA_LINK, of);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "vlan");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u16(h, IFLA_VLAN_ID, (uint16_t)id);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	link_owner(root_path, own);
	link_put_alias(n, index, own);
	return nl_talk(n, e);
}

static int make_tagged(struct nl *n, const char *name, uint32_t of, uint32_t id,
		       const char *root_path, struct err *e)
{
	STEP(e, "vlan", "make %s", name);

	if (talk_tagged(n, name, true, of, id, root_path, e) == 0)
		return 0;
	if (e->sys != ENETDOWN)
		return -1;
	/* It comes up by itself when what it is on does. */
	err_clear(e);
	return talk_tagged(n, name, false, of, id, root_path, e);
}

static int no_parent(const struct netdef *d, struct err *e)
{
	(void)err_set(e, ERR_NOTFOUND,
		      "network %s: there is no interface %s on this host",
		      d->name, d->link);
	return err_hint(e, "its parent is named with 'prism network create "
			   "--opt parent=...'");
}

static int find_parent(struct nl *n, const struct bridge_end *b,
		       struct link *ret, struct err *e)
{
	const struct netdef *const d = b->net;
	char name[IFNAMSIZ];
	struct link of;
	uint32_t id;

	if (link_find(n, d->link, ret, e) < 0)
		return -1;
	if (ret->index)
		return 0;
	if (!is_tagged(d->link, name, &id))
		return no_parent(d, e);
	if (link_find(n, name, &of, e) < 0)
		return -1;
	if (!of.index)
		return no_parent(d, e);
	if (make_tagged(n, d->link, of.index, id, b->root_path, e) < 0) {
		if (e->sys != EEXIST)
			return e->sys == EOPNOTSUPP
				       ? err_hint(e, "this kernel has no VLANs "
						     "(module 8021q)")
				       : -1;
		/* Of another start, at the same time. */
		err_clear(e);
	}
	return link_find(n, d->link, ret, e);
}

/* Is another network of the store on the same interface? */
static int is_shared(int root_fd, const struct netdef *d, struct err *e)
{
	autostrv struct strv names = {0};

	if (netdef_names(root_fd, &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++) {
		autonetdef struct netdef other = {0};

		if (!strcmp(names.v[i], d->name))
			continue;
		if (netdef_load(root_fd, names.v[i], &other, e) < 0)
			return -1;
		if (other.driver != NETDEF_BRIDGE &&
		    !strcmp(other.link, d->link))
			return 1;
	}
	return 0;
}

int vlan_remove(const struct netdef *d, int root_fd, const char *root_path,
		struct err *e)
{
	_Alignas(struct nlmsghdr) char mem[NL_ROOM];
	autonl struct nl n = {.fd = -1};
	struct link l;
	char own[LINK_OWNER_MAX];
	int shared;

	if (nl_open(&n, NETLINK_ROUTE, mem, sizeof(mem), e) < 0 ||
	    link_find(&n, d->link, &l, e) < 0)
		return -1;
	link_owner(root_path, own);
	if (!l.index || strcmp(l.alias, own) != 0)
		return 0;
	shared = is_shared(root_fd, d, e);
	if (shared)
		return shared < 0 ? -1 : 0;
	return link_remove(&n, d->link, e);
}

/* ---- the interface ---------------------------------------------------------------- */

static uint32_t macvlan_mode(enum netdef_mode m)
{
	switch (m) {
	case NETDEF_MODE_PRIVATE:
		return MACVLAN_MODE_PRIVATE;
	case NETDEF_MODE_VEPA:
		return MACVLAN_MODE_VEPA;
	case NETDEF_MODE_PASSTHRU:
		return MACVLAN_MODE_PASSTHRU;
	case NETDEF_MODE_NONE:
	case NETDEF_MODE_BRIDGE:
	case NETDEF_MODE_L2:
	case NETDEF_MODE_L3:
	case NETDEF_MODE_L3S:
	case NETDEF_MODES:
		break;
	}
	return MACVLAN_MODE_BRIDGE;
}

static bool is_l3(const struct netdef *d)
{
	return d->mode == NETDEF_MODE_L3 || d->mode == NETDEF_MODE_L3S;
}

static void put_link(struct nl *n, const struct bridge_end *b,
		     const struct link *parent)
{
	const struct netdef *const d = b->net;
	const char *const kind = netdef_driver_name(d->driver);
	struct nlmsghdr *const h = link_put_new(n, 0, b->name, true, kind);
	struct nlattr *info;
	struct nlattr *data;

	mnl_attr_put_u32(h, IFLA_LINK, parent->index);
	mnl_attr_put_u32(h, IFLA_NET_NS_PID, (uint32_t)b->pid);
	if (d->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, d->mtu);
	if (vlan_has_mac(d))
		mnl_attr_put(h, IFLA_ADDRESS, sizeof(b->mac), b->mac);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, kind);
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	if (d->driver == NETDEF_MACVLAN)
		mnl_attr_put_u32(h, IFLA_MACVLAN_MODE, macvlan_mode(d->mode));
	else
		mnl_attr_put_u16(h, IFLA_IPVLAN_MODE,
				 d->mode == NETDEF_MODE_L3    ? IPVLAN_MODE_L3
				 : d->mode == NETDEF_MODE_L3S ? IPVLAN_MODE_L3S
							      : IPVLAN_MODE_L2);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
}

/* Or a mode that does not go with that of those who are there. */
static bool is_taken(int sys)
{
	return sys == EBUSY || sys == EINVAL || sys == EADDRINUSE;
}

static int make_link(struct nl *n, const struct bridge_end *b, struct err *e)
{
	const struct netdef *const d = b->net;
	struct link parent;
	STEP(e, "vlan", "%s on %s", b->name, d->link);

	if (find_parent(n, b, &parent, e) < 0)
		return -1;
	if (!(parent.flags & IFF_UP))
		log_warn("%s is down: network %s carries nothing until it is "
			 "put up",
			 d->link, d->name);
	for (int i = 0; i < ROUNDS_MAX; i++) {
		if (i)
			(void)poll(NULL, 0, PAUSE_MS);
		err_clear(e);
		put_link(n, b, &parent);
		if (nl_talk(n, e) == 0)
			return 0;
		if (!is_taken(e->sys))
			break;
	}
	if (is_taken(e->sys))
		return err_hint(e,
				"%s may be a bridge's port, or carry the other "
				"of macvlan and ipvlan, or something of "
				"another mode",
				d->link);
	return e->sys == EOPNOTSUPP ? err_hint(e, "this kernel has no %s",
					       netdef_driver_name(d->driver))
				    : -1;
}

static void put_family(struct nl *n, uint32_t index, const struct bridge_end *b,
		       const struct ip *a, const struct netdef_pool *p)
{
	if (!ip_is(a))
		return;
	link_put_address(n, index, a, p->subnet.prefix);
	if (!b->is_default || b->net->internal)
		return;
	/* Where the parent's own routes decide, all goes out by it. */
	if (ip_is(&p->gateway))
		link_put_default(n, index, &p->gateway);
	else if (is_l3(b->net))
		link_put_default(n, index, &(struct ip){.len = a->len});
}

int vlan_attach(const struct bridge_end *b, struct err *e)
{
	_Alignas(struct nlmsghdr) char outside_mem[NL_ROOM];
	_Alignas(struct nlmsghdr) char mem[NL_ROOM];
	autonl struct nl outside = {.fd = -1};
	autonl struct nl n = {.fd = -1};
	struct err ignored = {0};
	uint32_t index;

	if (nl_open(&outside, NETLINK_ROUTE, outside_mem, sizeof(outside_mem),
		    e) < 0 ||
	    nl_open_in(&n, b->netns, NETLINK_ROUTE, mem, sizeof(mem), e) < 0 ||
	    make_link(&outside, b, e) < 0)
		return -1;
	index = link_index(&n, b->name);
	put_family(&n, index, b, &b->ip, &b->net->v4);
	put_family(&n, index, b, &b->ip6, &b->net->v6);
	if (nl_talk(&n, e) == 0)
		return 0;
	(void)link_remove(&n, b->name, &ignored);
	return -1;
}
