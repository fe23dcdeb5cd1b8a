/*
 * nftrule - the expressions of a rule, one call each, in the order in which the
 * kernel takes them
 *
 * Life: nft_rule_make -> nft_meta, nft_cmp, ... -> nft_rule_put (nftmsg.h),
 * which frees it.
 */
#ifndef RUNTIME_NET_NFTRULE_H
#define RUNTIME_NET_NFTRULE_H

#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nftnl_rule *nft_rule_make(void);
void nft_rule_comment(struct nftnl_rule *r, const char *comment);

void nft_meta(struct nftnl_rule *r, enum nft_meta_keys key, uint32_t reg);
void nft_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset,
		 uint32_t len, uint32_t reg);
void nft_cmp(struct nftnl_rule *r, uint32_t reg, enum nft_cmp_ops op,
	     const void *p, size_t n);
/* "iifname x" or with NFT_CMP_NEQ "iifname != x". */
void nft_ifname(struct nftnl_rule *r, enum nft_meta_keys key,
		enum nft_cmp_ops op, const char *name);
/* Any of these bits: NFT_CT_STATE, NFT_CT_STATUS. */
void nft_ct_any(struct nftnl_rule *r, enum nft_ct_keys key, uint32_t bits);
/* dreg -1: a set; NFT_REG_VERDICT: a verdict map. */
void nft_lookup(struct nftnl_rule *r, const char *set, uint32_t sreg,
		int64_t dreg);
void nft_fib_local(struct nftnl_rule *r); /* the destination is this host */
/* Match if the route to the source is not the interface it came in by. */
void nft_fib_no_way_back(struct nftnl_rule *r);
/*
 * Set and clear bits of the packet's mark; match if any (set) or none (!set) of
 * the bits is set.
 */
void nft_mark(struct nftnl_rule *r, uint32_t set, uint32_t clear);
void nft_mark_is(struct nftnl_rule *r, uint32_t bits, bool set);
void nft_dnat(struct nftnl_rule *r, uint32_t family, uint32_t reg_ip,
	      uint32_t reg_port);
void nft_masquerade(struct nftnl_rule *r);
void nft_counter(struct nftnl_rule *r);
void nft_verdict(struct nftnl_rule *r, int verdict, const char *chain);

#endif
