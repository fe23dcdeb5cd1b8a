#include "nftroute.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <stdint.h>

#include "runtime/net/nftask.h"
#include "runtime/net/nftrule.h"

#define IN  "routed"
#define OUT "routed_out"

/* Bits of the mark that no program known to us uses. */
#define FOREIGN  (1U << 28)
#define BORROWED (1U << 29) /* its source address is borrowed */

static const struct nft_table ours = {NFPROTO_INET, "prism"};

void nftroute_put_inuse(struct nft_tx *tx)
{
	struct nftnl_rule *const r = nft_rule_make();

	nft_chain_fresh(tx, "inuse", NULL);
	nft_verdict(r, NF_ACCEPT, NULL);
	nft_rule_put(tx, "inuse", r, false);
}

static void accept_network(struct nft_tx *tx, enum nft_meta_keys link)
{
	struct nftnl_rule *const r = nft_rule_make();

	nft_meta(r, link, NFT_REG_1);
	nft_lookup(r, "networks", NFT_REG_1, NFT_REG_VERDICT);
	nft_rule_put(tx, IN, r, false);
}

/* Accept all of a family that was forwarded before prism. */
static void spare_family(struct nft_tx *tx, unsigned char family)
{
	struct nftnl_rule *const r = nft_rule_make();

	nft_meta(r, NFT_META_NFPROTO, NFT_REG_1);
	nft_cmp(r, NFT_REG_1, NFT_CMP_EQ, &family, 1);
	nft_verdict(r, NF_ACCEPT, NULL);
	nft_rule_put(tx, IN, r, false);
}

static void put_in(struct nft_tx *tx, unsigned int families)
{
	/* After the chains whose drops are final, prism's own too. */
	const struct nft_base base = {"filter", NF_INET_FORWARD, 10};
	struct nftnl_rule *r;

	nft_chain_fresh(tx, IN, &base);
	if (!(families & NFTROUTE_V4))
		spare_family(tx, NFPROTO_IPV4);
	if (!(families & NFTROUTE_V6))
		spare_family(tx, NFPROTO_IPV6);
	accept_network(tx, NFT_META_IIFNAME);
	accept_network(tx, NFT_META_OIFNAME);
	r = nft_rule_make();
	nft_ct_any(r, NFT_CT_STATUS, IPS_SRC_NAT | IPS_DST_NAT);
	nft_verdict(r, NF_ACCEPT, NULL);
	nft_rule_put(tx, IN, r, false);
	r = nft_rule_make();
	nft_fib_no_way_back(r);
	nft_mark(r, FOREIGN | BORROWED, 0);
	nft_rule_put(tx, IN, r, false);
	r = nft_rule_make();
	nft_mark(r, FOREIGN, 0);
	nft_rule_put(tx, IN, r, false);
}

static void accept_unmarked(struct nft_tx *tx, struct nftnl_rule *r)
{
	nft_mark(r, 0, FOREIGN | BORROWED);
	nft_verdict(r, NF_ACCEPT, NULL);
	nft_rule_put(tx, OUT, r, false);
}

static void put_out(struct nft_tx *tx)
{
	/* After all source translation (priority 100). */
	const struct nft_base base = {"filter", NF_INET_POST_ROUTING, 200};
	const uint32_t none = 0;
	struct nftnl_rule *r = nft_rule_make();

	nft_chain_fresh(tx, OUT, &base);
	nft_mark_is(r, FOREIGN, false);
	nft_verdict(r, NF_ACCEPT, NULL);
	nft_rule_put(tx, OUT, r, false);
	/*
	 * Bridged traffic has no input interface here; routed packets have one.
	 */
	r = nft_rule_make();
	nft_meta(r, NFT_META_IIF, NFT_REG_1);
	nft_cmp(r, NFT_REG_1, NFT_CMP_EQ, &none, sizeof(none));
	accept_unmarked(tx, r);
	r = nft_rule_make();
	nft_mark_is(r, BORROWED, false);
	nft_ct_any(r, NFT_CT_STATUS, IPS_SRC_NAT | IPS_DST_NAT);
	accept_unmarked(tx, r);
	r = nft_rule_make();
	nft_counter(r);
	nft_verdict(r, NF_DROP, NULL);
	nft_rule_put(tx, OUT, r, false);
}

void nftroute_put(struct nft_tx *tx, unsigned int families)
{
	static const struct nft_map networks = {
		"networks", 0, {NFT_T_IFNAME}, {NFT_T_VERDICT}};

	nft_table_add(tx);
	nftroute_put_inuse(tx);
	nft_map_add(tx, &networks);
	put_in(tx, families);
	put_out(tx);
}

int nftroute_set(unsigned int families, struct err *e)
{
	struct nft_tx tx;

	nft_tx_begin(&tx, ours);
	nftroute_put(&tx, families);
	return nft_tx_commit(&tx, e);
}

int nftroute_is_set(struct err *e)
{
	return nft_has_chain(ours, IN, e);
}
