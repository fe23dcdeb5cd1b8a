#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

/* ---- looking --------------------------------------------------------------- */

static void copy_text(char *to, size_t size, const struct nlattr *a)
{
	(void)snprintf(to, size, "%s", a ? mnl_attr_get_str(a) : "");
}

static int take_link(const struct nlmsghdr *h, void *ctx)
{
	const struct ifinfomsg *const i = mnl_nlmsg_get_payload(h);
	struct link *const l = ctx;
	const struct nlattr *const mtu =
		nl_attr(h, sizeof(*i), IFLA_MTU, MNL_TYPE_U32);
	const struct nlattr *const info =
		nl_attr(h, sizeof(*i), IFLA_LINKINFO, MNL_TYPE_NESTED);

	l->index = (uint32_t)i->ifi_index;
	l->flags = i->ifi_flags;
	l->mtu = mtu ? mnl_attr_get_u32(mtu) : 0;
	copy_text(l->alias, sizeof(l->alias),
		  nl_attr(h, sizeof(*i), IFLA_IFALIAS, MNL_TYPE_NUL_STRING));
	copy_text(l->kind, sizeof(l->kind),
		  info ? nl_attr_in(info, IFLA_INFO_KIND, MNL_TYPE_NUL_STRING)
		       : NULL);
	return MNL_CB_OK;
}

int link_find(struct nl *n, const char *name, struct link *ret, struct err *e)
{
	struct nlmsghdr *const h =
		nl_put(n, RTM_GETLINK, 0, sizeof(struct ifinfomsg),
		       "look for %s", name);
	/* Statistics are most of the answer, and nobody asked for them. */
	const uint32_t skip = RTEXT_FILTER_SKIP_STATS;

	*ret = (struct link){0};
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put_u32(h, IFLA_EXT_MASK, skip);
	if (nl_ask(n, take_link, ret, e) == 0)
		return 0;
	if (e->sys != ENODEV)
		return -1;
	err_clear(e);
	return 0;
}

uint32_t link_index(const struct nl *n, const char *name)
{
	struct ifreq r = {0};

	(void)snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", name);
	return ioctl(n->fd, SIOCGIFINDEX, &r) < 0 ? 0 : (uint32_t)r.ifr_ifindex;
}

/* ---- links ------------------------------------------------------------------ */

uint32_t link_new_index(void)
{
	uint32_t n = 0;

	(void)!getrandom(&n, sizeof(n), 0);
	/* Above those that the kernel has given, below where it is negative. */
	return (n & 0x3fffffff) | 0x40000000;
}

struct nlmsghdr *link_put_new(struct nl *n, uint32_t index, const char *name,
			      bool up, const char *kind)
{
	struct nlmsghdr *const h =
		nl_put(n, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL,
		       sizeof(struct ifinfomsg), "make %s %s", kind, name);
	struct ifinfomsg *const i = mnl_nlmsg_get_payload(h);

	i->ifi_index = (int)index;
	i->ifi_flags = up ? IFF_UP : 0;
	i->ifi_change = i->ifi_flags;
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	return h;
}

struct nlmsghdr *link_put_change(struct nl *n, uint32_t index, bool up,
				 const char *what)
{
	struct nlmsghdr *const h =
		nl_put(n, RTM_NEWLINK, 0, sizeof(struct ifinfomsg), "%s", what);
	struct ifinfomsg *const i = mnl_nlmsg_get_payload(h);

	i->ifi_index = (int)index;
	i->ifi_flags = up ? IFF_UP : 0;
	i->ifi_change = i->ifi_flags;
	return h;
}

void link_put_alias(struct nl *n, uint32_t index, const char *alias)
{
	mnl_attr_put_strz(link_put_change(n, index, false, "whose it is"),
			  IFLA_IFALIAS, alias);
}

int link_remove(struct nl *n, const char *name, struct err *e)
{
	struct nlmsghdr *const h = nl_put(
		n, RTM_DELLINK, 0, sizeof(struct ifinfomsg), "remove %s", name);

	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	if (nl_talk(n, e) == 0)
		return 0;
	if (e->sys != ENODEV)
		return -1;
	err_clear(e);
	return 0;
}

void link_owner(const char *root_path, char ret[LINK_OWNER_MAX])
{
	(void)snprintf(ret, LINK_OWNER_MAX, "prism %.200s", root_path);
}

/* ---- addresses and routes ---------------------------------------------------- */

static uint8_t family(const struct ip *a)
{
	return a->len == 4 ? AF_INET : AF_INET6;
}

void link_put_address(struct nl *n, uint32_t index, const struct ip *a,
		      uint8_t prefix)
{
	const struct ip_net net = {.ip = *a, .prefix = prefix};
	const struct ip last = ip_net_last(&net);
	char text[IP_TEXT_MAX];
	struct nlmsghdr *const h =
		nl_put(n, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE,
		       sizeof(struct ifaddrmsg), "address %s",
		       ip_net_text(&net, text));
	struct ifaddrmsg *const m = mnl_nlmsg_get_payload(h);

	m->ifa_family = family(a);
	m->ifa_prefixlen = prefix;
	m->ifa_index = index;
	mnl_attr_put(h, IFA_LOCAL, a->len, a->b);
	mnl_attr_put(h, IFA_ADDRESS, a->len, a->b);
	/* It is the only one who gets it: waiting for others is in vain. */
	if (a->len == 16)
		m->ifa_flags = IFA_F_NODAD;
	else if (prefix < 31)
		mnl_attr_put(h, IFA_BROADCAST, last.len, last.b);
}

void link_put_default(struct nl *n, uint32_t index, const struct ip *gateway)
{
	char text[IP_TEXT_MAX];
	struct nlmsghdr *const h =
		nl_put(n, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE,
		       sizeof(struct rtmsg), "default route by %s",
		       ip_text(gateway, text));
	struct rtmsg *const m = mnl_nlmsg_get_payload(h);
	static const uint8_t none[16];

	m->rtm_family = family(gateway);
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_BOOT;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	if (memcmp(gateway->b, none, sizeof(none)) != 0)
		mnl_attr_put(h, RTA_GATEWAY, gateway->len, gateway->b);
	else if (gateway->len == 4)
		m->rtm_scope = RT_SCOPE_LINK;
	mnl_attr_put_u32(h, RTA_OIF, index);
}

static int take_default(const struct nlmsghdr *h, void *ctx)
{
	const struct rtmsg *const r = mnl_nlmsg_get_payload(h);
	const struct nlattr *const oif =
		nl_attr(h, sizeof(*r), RTA_OIF, MNL_TYPE_U32);
	uint32_t *const index = ctx;

	if (r->rtm_dst_len == 0 && r->rtm_table == RT_TABLE_MAIN &&
	    r->rtm_type == RTN_UNICAST && oif && *index == 0)
		*index = mnl_attr_get_u32(oif);
	return MNL_CB_OK;
}

uint32_t link_default_mtu(struct nl *n)
{
	struct nlmsghdr *const h =
		nl_put(n, RTM_GETROUTE, NLM_F_DUMP, sizeof(struct rtmsg),
		       "look for the default route");
	struct rtmsg *const m = mnl_nlmsg_get_payload(h);
	struct ifreq r = {0};
	struct err ignored = {0};
	uint32_t index = 0;

	m->rtm_family = AF_INET;
	if (nl_ask(n, take_default, &index, &ignored) < 0 || index == 0)
		return 0;
	r.ifr_ifindex = (int)index;
	if (ioctl(n->fd, SIOCGIFNAME, &r) < 0 ||
	    ioctl(n->fd, SIOCGIFMTU, &r) < 0)
		return 0;
	return (uint32_t)r.ifr_mtu;
}
