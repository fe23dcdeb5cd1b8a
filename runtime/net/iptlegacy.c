#include "iptlegacy.h"

#include <fcntl.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/err.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"

#define TABLE "filter"

/* Both families are asked with the same numbers and structs; entries differ. */
_Static_assert(sizeof(struct ipt_getinfo) == sizeof(struct ip6t_getinfo) &&
		       sizeof(struct ipt_get_entries) ==
			       sizeof(struct ip6t_get_entries),
	       "one interface");

static const struct family {
	const char *names; /* of the tables that are there */
	const char *tool;
	int domain;
	int level;
	size_t names_at;  /* of an entry's two names of interfaces */
	size_t target_at; /* of target_offset in an entry */
	size_t next_at;   /* of next_offset */
} families[] = {
	{"/proc/self/net/ip_tables_names", "iptables-legacy", AF_INET,
	 IPPROTO_IP, offsetof(struct ipt_entry, ip.iniface),
	 offsetof(struct ipt_entry, target_offset),
	 offsetof(struct ipt_entry, next_offset)},
	{"/proc/self/net/ip6_tables_names", "ip6tables-legacy", AF_INET6,
	 IPPROTO_IPV6, offsetof(struct ip6t_entry, ipv6.iniface),
	 offsetof(struct ip6t_entry, target_offset),
	 offsetof(struct ip6t_entry, next_offset)},
};

/* To ask for one that is not there would load it. */
static bool has_table(const struct family *f)
{
	autobuf struct buf b = buf_make(KIB(4));
	struct err ignored = {0};
	const char *at;

	if (fs_read_at(AT_FDCWD, f->names, &b, &ignored) < 0)
		return false;
	at = strstr(buf_str(&b), TABLE "\n");
	return at && (at == buf_str(&b) || at[-1] == '\n');
}

/* The policy is the verdict of the entry at which the chain ends. */
static int policy(const struct family *f, const char *all, size_t size,
		  size_t at)
{
	struct xt_standard_target t;
	uint16_t target;

	if (at > size || size - at < f->target_at + sizeof(target))
		return 0;
	memcpy(&target, all + at + f->target_at, sizeof(target));
	if (target > size - at || size - at - target < sizeof(t))
		return 0;
	memcpy(&t, all + at + target, sizeof(t));
	return t.verdict;
}

/* Does an entry name it, as where packets come from or go to? */
static bool mentions(const struct family *f, const char *all, size_t size,
		     const char *bridge)
{
	const size_t n = strlen(bridge) + 1;
	uint16_t next;

	for (size_t at = 0; size - at >= f->next_at + sizeof(next);
	     at += next) {
		const char *const in = all + at + f->names_at;

		if (!memcmp(in, bridge, n) || !memcmp(in + IFNAMSIZ, bridge, n))
			return true;
		memcpy(&next, all + at + f->next_at, sizeof(next));
		if (next == 0 || next > size - at)
			return false;
	}
	return false;
}

static bool cuts_off(const struct family *f, const char *bridge)
{
	autoclose int fd =
		socket(f->domain, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	autofree struct ipt_get_entries *all = NULL;
	struct ipt_getinfo info = {.name = TABLE};
	socklen_t len = sizeof(info);

	if (fd < 0 ||
	    getsockopt(fd, f->level, IPT_SO_GET_INFO, &info, &len) < 0 ||
	    info.size > MIB(16))
		return false;
	len = (socklen_t)(sizeof(*all) + info.size);
	all = xcalloc(1, len);
	(void)snprintf(all->name, sizeof(all->name), TABLE);
	all->size = info.size;
	/* EAGAIN: somebody changed it just now, and may have more to come. */
	if (getsockopt(fd, f->level, IPT_SO_GET_ENTRIES, all, &len) < 0)
		return false;
	return policy(f, (const char *)all->entrytable, info.size,
		      info.underflow[NF_INET_FORWARD]) == -NF_DROP - 1 &&
	       !mentions(f, (const char *)all->entrytable, info.size, bridge);
}

void iptlegacy_warn(const char *bridge, struct buf *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		const struct family *const f = &families[i];

		if (has_table(f) && cuts_off(f, bridge))
			buf_addf(
				ret,
				"chain FORWARD of %s drops what it does not "
				"know, and does not know %s: %s -I FORWARD -i "
				"%s -j ACCEPT; %s -I FORWARD -o %s -j ACCEPT\n",
				f->tool, bridge, f->tool, bridge, f->tool,
				bridge);
	}
}
