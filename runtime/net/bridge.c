#include "bridge.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/net/book.h"
#include "runtime/net/link.h"

/* ---- the bridge ---------------------------------------------------------------- */

/* It is there: is it ours to use? */
static int check(const struct link *l, const struct netdef *d,
		 const char *root_path, struct err *e)
{
	char own[LINK_OWNER_MAX];

	link_owner(root_path, own);
	if (strcmp(l->kind, "bridge") != 0)
		return err_set(e, ERR_EXISTS, "interface %s is not a bridge",
			       d->link);
	if (!l->alias[0] || !strcmp(l->alias, own))
		return 0;
	(void)err_set(e, ERR_EXISTS, "bridge %s belongs to '%.120s'", d->link,
		      l->alias);
	return err_hint(e, "a network of its own has a bridge of its own: "
			   "'prism network create'");
}

static void put_address(struct nl *n, uint32_t index,
			const struct netdef_pool *p)
{
	if (p->gateway.len)
		link_put_address(n, index, &p->gateway, p->subnet.prefix);
}

/*
 * A container can say on its bridge that it is a router. A host that forwards
 * no IPv6 would believe it, and send there what is for the world
 * (CVE-2020-13401).
 */
static void refuse_routers(const struct netdef *d)
{
	autofree char *path =
		xasprintf("/proc/sys/net/ipv6/conf/%s/accept_ra", d->link);
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* A host without IPv6 has no such file. */
	if ((fd < 0 && errno != ENOENT) || (fd >= 0 && write(fd, "0", 1) != 1))
		log_warn("%s cannot be written (%s): this host believes a "
			 "container that says it is a router of IPv6",
			 path, strerror(errno));
}

/* One that is ours, by its number, from made to in use. */
static int put_up(struct nl *n, const struct netdef *d, uint32_t index,
		  struct err *e)
{
	refuse_routers(d);
	put_address(n, index, &d->v4);
	put_address(n, index, &d->v6);
	(void)link_put_change(n, index, true, "bridge up");
	return nl_talk(n, e);
}

static int make(struct nl *n, const struct netdef *d, const char *root_path,
		struct err *e)
{
	const uint32_t mtu = d->mtu ? d->mtu : link_default_mtu(n);
	const uint32_t index = link_new_index();
	char own[LINK_OWNER_MAX];
	struct nlmsghdr *h;
	struct nlattr *info;
	uint8_t mac[6];
	STEP(e, "bridge", "make %s", d->link);

	h = link_put_new(n, index, d->link, false, "bridge");
	/* Else it would change with its ports. */
	bridge_mac(d->v4.gateway.len ? &d->v4.gateway : &d->v6.gateway, mac);
	mac[1] = 0x43;
	mnl_attr_put(h, IFLA_ADDRESS, sizeof(mac), mac);
	if (mtu)
		mnl_attr_put_u32(h, IFLA_MTU, mtu);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "bridge");
	mnl_attr_nest_end(h, info);
	link_owner(root_path, own);
	link_put_alias(n, index, own);
	if (nl_talk(n, e) < 0)
		return e->sys == EPERM
			       ? err_hint(e, "a bridge needs CAP_NET_ADMIN")
			       : -1;
	crash_point("net-bridge-made");
	return put_up(n, d, index, e);
}

/* A bridge that somebody put down carries nothing; nor does half of ours. */
static int wake(struct nl *n, const struct netdef *d, const struct link *l,
		struct err *e)
{
	log_note("bridge %s is down: putting it up", d->link);
	if (l->alias[0])
		return put_up(n, d, l->index, e);
	(void)link_put_change(n, l->index, true, "bridge up");
	return nl_talk(n, e);
}

static int ensure(struct nl *n, const struct bridge_end *b, struct link *ret,
		  struct err *e)
{
	const struct netdef *const d = b->net;
	autoclose int lock = -1;

	if (link_find(n, d->link, ret, e) < 0)
		return -1;
	if (!(ret->flags & IFF_UP)) {
		/* Somebody may be making it right now. */
		lock = book_lock(b->root_fd, d->name, e);
		if (lock < 0 || link_find(n, d->link, ret, e) < 0)
			return -1;
	}
	if (ret->index == 0) {
		if (make(n, d, b->root_path, e) < 0)
			return -1;
		return link_find(n, d->link, ret, e);
	}
	if (check(ret, d, b->root_path, e) < 0)
		return -1;
	return ret->flags & IFF_UP ? 0 : wake(n, d, ret, e);
}

int bridge_remove(const struct netdef *d, const char *root_path, struct err *e)
{
	_Alignas(struct nlmsghdr) char mem[NL_ROOM];
	autonl struct nl n = {.fd = -1};
	struct link l;
	char own[LINK_OWNER_MAX];
	STEP(e, "bridge", "remove %s", d->link);

	if (nl_open(&n, NETLINK_ROUTE, mem, sizeof(mem), e) < 0 ||
	    link_find(&n, d->link, &l, e) < 0)
		return -1;
	link_owner(root_path, own);
	if (l.index == 0 || strcmp(l.alias, own) != 0)
		return 0;
	return link_remove(&n, d->link, e);
}

/* ---- the pair --------------------------------------------------------------------- */

void bridge_mac(const struct ip *ip, uint8_t ret[6])
{
	ret[0] = 0x02;
	ret[1] = 0x42;
	memcpy(ret + 2, ip->b + (ip->len == 16 ? 12 : 0), 4);
}

/*
 * Unasked the kernel makes a queue for each processor, and then takes all but
 * one out of use, which waits for an RCU grace period.
 */
static void put_queues(struct nlmsghdr *h)
{
	mnl_attr_put_u32(h, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(h, IFLA_NUM_RX_QUEUES, 1);
}

/*
 * From such a port the bridge takes nothing to another one, of all protocols.
 * The host has its place there without a port.
 */
static void put_isolated(struct nl *n, uint32_t index)
{
	struct nlmsghdr *const h = link_put_change(n, index, true, "isolate");
	struct nlattr *const info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	struct nlattr *data;

	mnl_attr_put_strz(h, IFLA_INFO_SLAVE_KIND, "bridge");
	data = mnl_attr_nest_start(h, IFLA_INFO_SLAVE_DATA);
	mnl_attr_put_u8(h, IFLA_BRPORT_ISOLATED, 1);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
}

static void put_pair(struct nl *n, const struct bridge_end *b,
		     const struct link *bridge)
{
	const uint32_t index = b->net->isolated ? link_new_index() : 0;
	struct nlmsghdr *const h =
		link_put_new(n, index, b->host, true, "veth");
	struct nlattr *info;
	struct nlattr *data;
	struct nlattr *other;

	put_queues(h);
	mnl_attr_put_u32(h, IFLA_MTU, bridge->mtu);
	mnl_attr_put_u32(h, IFLA_MASTER, bridge->index);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(h, VETH_INFO_PEER);
	/* It cannot be born up: the kernel makes it before it has a peer. */
	(void)mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, b->name);
	put_queues(h);
	mnl_attr_put(h, IFLA_ADDRESS, sizeof(b->mac), b->mac);
	mnl_attr_put_u32(h, IFLA_MTU, bridge->mtu);
	mnl_attr_put_u32(h, IFLA_NET_NS_PID, (uint32_t)b->pid);
	mnl_attr_nest_end(h, other);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	/* Its other end is down yet: nothing goes through before. */
	if (b->net->isolated)
		put_isolated(n, index);
}

static int make_pair(struct nl *n, const struct bridge_end *b,
		     const struct link *bridge, struct err *e)
{
	STEP(e, "veth", "%s to %s on %s", b->name, b->host, b->net->link);

	put_pair(n, b, bridge);
	if (nl_talk(n, e) == 0)
		return 0;
	if (e->sys != EEXIST)
		return -1;
	/* Of a start that was cut short, whose namespace is still there. */
	err_clear(e);
	if (link_remove(n, b->host, e) < 0)
		return -1;
	put_pair(n, b, bridge);
	return nl_talk(n, e);
}

static void put_family(struct nl *n, uint32_t index, const struct ip *a,
		       const struct netdef_pool *p, bool is_default)
{
	if (!a->len)
		return;
	link_put_address(n, index, a, p->subnet.prefix);
	if (is_default && p->gateway.len)
		link_put_default(n, index, &p->gateway);
}

static int set_addresses(const struct bridge_end *b, struct err *e)
{
	const struct netdef *const d = b->net;
	const bool is_default = b->is_default && !d->internal;
	_Alignas(struct nlmsghdr) char mem[NL_ROOM];
	autonl struct nl n = {.fd = -1};
	uint32_t index;
	STEP(e, "address", "on %s in the container", b->name);

	if (nl_open_in(&n, b->netns, NETLINK_ROUTE, mem, sizeof(mem), e) < 0)
		return -1;
	index = link_index(&n, b->name);
	(void)link_put_change(&n, index, true, "up");
	put_family(&n, index, &b->ip, &d->v4, is_default);
	put_family(&n, index, &b->ip6, &d->v6, is_default);
	return nl_talk(&n, e);
}

int bridge_attach(const struct bridge_end *b, struct err *e)
{
	_Alignas(struct nlmsghdr) char mem[NL_ROOM];
	autonl struct nl n = {.fd = -1};
	struct link bridge;

	if (nl_open(&n, NETLINK_ROUTE, mem, sizeof(mem), e) < 0 ||
	    ensure(&n, b, &bridge, e) < 0 || make_pair(&n, b, &bridge, e) < 0)
		return -1;
	return set_addresses(b, e);
}

int bridge_detach(const char *host, struct err *e)
{
	_Alignas(struct nlmsghdr) char mem[NL_ROOM];
	autonl struct nl n = {.fd = -1};

	return nl_open(&n, NETLINK_ROUTE, mem, sizeof(mem), e) < 0
		       ? -1
		       : link_remove(&n, host, e);
}
