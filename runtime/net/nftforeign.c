#include "nftforeign.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>

#include "base/own.h"
#include "runtime/net/iptlegacy.h"
#include "runtime/net/nftask.h"
#include "runtime/net/nftmsg.h"
#include "runtime/net/nftrule.h"

#define CHAIN   "FORWARD"
#define COMMENT "prism"

static const struct nft_place iptables[] = {
	{.table = {NFPROTO_IPV4, "filter"}, .chain = CHAIN},
	{.table = {NFPROTO_IPV6, "filter"}, .chain = CHAIN},
};

/* ---- our rules in iptables' chains ------------------------------------------- */

struct handles {
	const char *bridge;
	uint64_t v[16];
	size_t n;
};

/*
 * Its name and a NUL stand in the message, as what a packet's is compared to:
 * where a value begins. Else the name would be the end of a longer one.
 */
static bool mentions(const struct nlmsghdr *m, const char *bridge)
{
	const size_t n = strlen(bridge) + 1;
	const char *const end = (const char *)m + m->nlmsg_len;
	const char *p = (const char *)m + NLMSG_HDRLEN;

	for (; (p = memmem(p, (size_t)(end - p), bridge, n)); p++) {
		struct nlattr a;

		memcpy(&a, p - sizeof(a), sizeof(a));
		if (a.nla_type == NFTA_DATA_VALUE && a.nla_len >= sizeof(a) + n)
			return true;
	}
	return false;
}

static bool is_ours(const struct nftnl_rule *r)
{
	uint32_t n = 0;
	const char *const u = nftnl_rule_get_data(r, NFTNL_RULE_USERDATA, &n);

	return u && n == 2 + sizeof(COMMENT) &&
	       memcmp(u + 2, COMMENT, sizeof(COMMENT)) == 0;
}

static int see_rule(void *ctx, const struct nlmsghdr *m)
{
	struct handles *const h = ctx;
	struct nftnl_rule *const r = nft_rule_make();

	if (mentions(m, h->bridge) && nftnl_rule_nlmsg_parse(m, r) == 0 &&
	    is_ours(r) && h->n < ARRAY_LEN(h->v))
		h->v[h->n++] = nftnl_rule_get_u64(r, NFTNL_RULE_HANDLE);
	nftnl_rule_free(r);
	return 0;
}

static void accept_link(struct nft_tx *tx, enum nft_meta_keys key,
			const char *bridge)
{
	struct nftnl_rule *const r = nft_rule_make();

	nft_meta(r, key, NFT_REG_1);
	/* As iptables compares: the name and its NUL. */
	nft_cmp(r, NFT_REG_1, NFT_CMP_EQ, bridge, strlen(bridge) + 1);
	nft_counter(r);
	nft_verdict(r, NF_ACCEPT, NULL);
	nft_rule_comment(r, COMMENT);
	nft_rule_put(tx, CHAIN, r, true);
}

static int open_one(struct nft_table t, const char *bridge, struct err *e)
{
	struct handles h = {.bridge = bridge};
	struct nft_tx tx;

	if (nft_each_rule(t, CHAIN, see_rule, &h, e) < 0)
		return -1;
	if (h.n)
		return 0;
	nft_tx_begin(&tx, t);
	accept_link(&tx, NFT_META_OIFNAME, bridge);
	accept_link(&tx, NFT_META_IIFNAME, bridge);
	return nft_tx_commit(&tx, e);
}

int nftforeign_open(const char *bridge, struct err *e)
{
	struct nft_place v[ARRAY_LEN(iptables)];

	memcpy(v, iptables, sizeof(v));
	if (nft_has_chains(v, ARRAY_LEN(v), e) < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(v); i++)
		if (v[i].there && open_one(v[i].table, bridge, e) < 0)
			return -1;
	return 0;
}

/* As many as one message takes; how many those were, or -1. */
static int close_some(struct nft_table t, const char *bridge, struct err *e)
{
	struct handles h = {.bridge = bridge};
	struct nft_tx tx;

	if (nft_each_rule(t, CHAIN, see_rule, &h, e) < 0)
		return -1;
	if (h.n == 0)
		return 0;
	nft_tx_begin(&tx, t);
	for (size_t i = 0; i < h.n; i++)
		nft_rule_del(&tx, CHAIN, h.v[i]);
	if (nft_tx_commit(&tx, e) < 0) {
		/* Somebody else removed one meanwhile: look again. */
		if (e->sys != ENOENT)
			return -1;
		err_clear(e);
	}
	return (int)h.n;
}

static int close_one(struct nft_table t, const char *bridge, struct err *e)
{
	int n;

	do
		n = close_some(t, bridge, e);
	while (n > 0);
	return n;
}

int nftforeign_close(const char *bridge, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(iptables); i++)
		if (close_one(iptables[i].table, bridge, e) < 0)
			return -1;
	return 0;
}

/* ---- what we leave alone -------------------------------------------------------- */

struct look {
	const char *bridge;
	struct buf *ret;
};

static const char *family_name(uint16_t family)
{
	switch (family) {
	case NFPROTO_IPV4:
		return "ip";
	case NFPROTO_IPV6:
		return "ip6";
	default:
		return "inet";
	}
}

static int see_mention(void *ctx, const struct nlmsghdr *m)
{
	return mentions(m, ctx);
}

/* Somebody has thought of us there. */
static bool knows_us(struct nft_table t, const char *bridge)
{
	struct err ignored = {0};
	char name[IFNAMSIZ] = {0};

	memcpy(name, bridge, strnlen(bridge, IFNAMSIZ - 1));
	return nft_each_rule(t, NULL, see_mention, name, &ignored) > 0;
}

static void warn_of(const struct look *l, struct nft_table t, const char *chain)
{
	const char *const family = family_name(t.family);

	if (!strcmp(t.name, "firewalld"))
		buf_addf(l->ret,
			 "firewalld rejects what its zones do not allow, and "
			 "no zone has %s: firewall-cmd --permanent "
			 "--zone=trusted --add-interface=%s && firewall-cmd "
			 "--reload\n",
			 l->bridge, l->bridge);
	else
		buf_addf(l->ret,
			 "chain %s of table %s %s drops what it does not "
			 "know, and does not know %s: nft insert rule %s %s %s "
			 "iifname %s accept; nft insert rule %s %s %s oifname "
			 "%s accept\n",
			 chain, family, t.name, l->bridge, family, t.name,
			 chain, l->bridge, family, t.name, chain, l->bridge);
}

static bool may_drop(const struct nftnl_chain *c, struct nft_table t,
		     const char *chain)
{
	if (!nftnl_chain_is_set(c, NFTNL_CHAIN_HOOKNUM) ||
	    nftnl_chain_get_u32(c, NFTNL_CHAIN_HOOKNUM) != NF_INET_FORWARD)
		return false;
	if (t.family != NFPROTO_INET && t.family != NFPROTO_IPV4 &&
	    t.family != NFPROTO_IPV6)
		return false;
	if (t.family != NFPROTO_INET && !strcmp(t.name, "filter") &&
	    !strcmp(chain, CHAIN))
		return false; /* opened */
	/* Its policy is accept, its last rule rejects. */
	if (!strcmp(t.name, "firewalld") && !strcmp(chain, "filter_FORWARD"))
		return true;
	return nftnl_chain_get_u32(c, NFTNL_CHAIN_POLICY) == NF_DROP;
}

static int see_chain(void *ctx, const struct nlmsghdr *m)
{
	const struct look *const l = ctx;
	struct nftnl_chain *const c = nftnl_chain_alloc();

	if (nftnl_chain_nlmsg_parse(m, c) == 0) {
		const struct nft_table t = {
			(uint16_t)nftnl_chain_get_u32(c, NFTNL_CHAIN_FAMILY),
			nftnl_chain_get_str(c, NFTNL_CHAIN_TABLE)};
		const char *const chain =
			nftnl_chain_get_str(c, NFTNL_CHAIN_NAME);

		if (may_drop(c, t, chain) && !knows_us(t, l->bridge))
			warn_of(l, t, chain);
	}
	nftnl_chain_free(c);
	return 0;
}

void nftforeign_warn(const char *bridge, struct buf *ret)
{
	const struct look l = {bridge, ret};
	struct err ignored = {0};

	(void)nft_each_chain(NFPROTO_UNSPEC, see_chain, (void *)(uintptr_t)&l,
			     &ignored);
	iptlegacy_warn(bridge, ret);
}
