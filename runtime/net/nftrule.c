#include "nftrule.h"

#include <libnftnl/expr.h>
#include <libnftnl/udata.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>

#include "base/own.h"

struct nftnl_rule *nft_rule_make(void)
{
	struct nftnl_rule *const r = nftnl_rule_alloc();

	return r ? r : xmalloc(SIZE_MAX);
}

void nft_rule_comment(struct nftnl_rule *r, const char *comment)
{
	unsigned char u[2 + 128] = {0};
	const size_t n = strnlen(comment, 126) + 1;

	u[0] = 0; /* NFTNL_UDATA_RULE_COMMENT */
	u[1] = (unsigned char)n;
	memcpy(u + 2, comment, n - 1);
	(void)nftnl_rule_set_data(r, NFTNL_RULE_USERDATA, u, (uint32_t)n + 2);
}

static struct nftnl_expr *add(struct nftnl_rule *r, const char *name)
{
	struct nftnl_expr *const x = nftnl_expr_alloc(name);

	if (!x)
		return xmalloc(SIZE_MAX);
	nftnl_rule_add_expr(r, x);
	return x;
}

void nft_meta(struct nftnl_rule *r, enum nft_meta_keys key, uint32_t reg)
{
	struct nftnl_expr *const x = add(r, "meta");

	nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_DREG, reg);
}

void nft_payload(struct nftnl_rule *r, uint32_t base, uint32_t offset,
		 uint32_t len, uint32_t reg)
{
	struct nftnl_expr *const x = add(r, "payload");

	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_BASE, base);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_OFFSET, offset);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(x, NFTNL_EXPR_PAYLOAD_DREG, reg);
}

void nft_cmp(struct nftnl_rule *r, uint32_t reg, enum nft_cmp_ops op,
	     const void *p, size_t n)
{
	struct nftnl_expr *const x = add(r, "cmp");

	nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_SREG, reg);
	nftnl_expr_set_u32(x, NFTNL_EXPR_CMP_OP, op);
	(void)nftnl_expr_set(x, NFTNL_EXPR_CMP_DATA, p, (uint32_t)n);
}

void nft_ifname(struct nftnl_rule *r, enum nft_meta_keys key,
		enum nft_cmp_ops op, const char *name)
{
	char whole[IFNAMSIZ] = {0};

	memcpy(whole, name, strnlen(name, IFNAMSIZ - 1));
	nft_meta(r, key, NFT_REG_1);
	nft_cmp(r, NFT_REG_1, op, whole, sizeof(whole));
}

/* Register 1 = (register 1 & mask) ^ turned. */
static void bitwise(struct nftnl_rule *r, uint32_t mask, uint32_t turned)
{
	struct nftnl_expr *const x = add(r, "bitwise");

	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_OP, NFT_BITWISE_BOOL);
	nftnl_expr_set_u32(x, NFTNL_EXPR_BITWISE_LEN, sizeof(mask));
	(void)nftnl_expr_set(x, NFTNL_EXPR_BITWISE_MASK, &mask, sizeof(mask));
	(void)nftnl_expr_set(x, NFTNL_EXPR_BITWISE_XOR, &turned,
			     sizeof(turned));
}

static void any_bit(struct nftnl_rule *r, uint32_t bits, enum nft_cmp_ops op)
{
	const uint32_t none = 0;

	bitwise(r, bits, 0);
	nft_cmp(r, NFT_REG_1, op, &none, sizeof(none));
}

void nft_ct_any(struct nftnl_rule *r, enum nft_ct_keys key, uint32_t bits)
{
	struct nftnl_expr *const x = add(r, "ct");

	nftnl_expr_set_u32(x, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(x, NFTNL_EXPR_CT_DREG, NFT_REG_1);
	any_bit(r, bits, NFT_CMP_NEQ);
}

void nft_mark_is(struct nftnl_rule *r, uint32_t bits, bool set)
{
	nft_meta(r, NFT_META_MARK, NFT_REG_1);
	any_bit(r, bits, set ? NFT_CMP_NEQ : NFT_CMP_EQ);
}

void nft_mark(struct nftnl_rule *r, uint32_t set, uint32_t clear)
{
	struct nftnl_expr *x;

	nft_meta(r, NFT_META_MARK, NFT_REG_1);
	bitwise(r, ~(set | clear), set);
	x = add(r, "meta");
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(x, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

void nft_lookup(struct nftnl_rule *r, const char *set, uint32_t sreg,
		int64_t dreg)
{
	struct nftnl_expr *const x = add(r, "lookup");

	nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_SREG, sreg);
	(void)nftnl_expr_set_str(x, NFTNL_EXPR_LOOKUP_SET, set);
	if (dreg >= 0)
		nftnl_expr_set_u32(x, NFTNL_EXPR_LOOKUP_DREG, (uint32_t)dreg);
}

static void fib(struct nftnl_rule *r, uint32_t result, uint32_t flags,
		uint32_t is)
{
	struct nftnl_expr *const x = add(r, "fib");

	nftnl_expr_set_u32(x, NFTNL_EXPR_FIB_DREG, NFT_REG_1);
	nftnl_expr_set_u32(x, NFTNL_EXPR_FIB_RESULT, result);
	nftnl_expr_set_u32(x, NFTNL_EXPR_FIB_FLAGS, flags);
	nft_cmp(r, NFT_REG_1, NFT_CMP_EQ, &is, sizeof(is));
}

void nft_fib_local(struct nftnl_rule *r)
{
	fib(r, NFT_FIB_RESULT_ADDRTYPE, NFTA_FIB_F_DADDR, RTN_LOCAL);
}

void nft_fib_no_way_back(struct nftnl_rule *r)
{
	fib(r, NFT_FIB_RESULT_OIF, NFTA_FIB_F_SADDR | NFTA_FIB_F_IIF, 0);
}

void nft_dnat(struct nftnl_rule *r, uint32_t family, uint32_t reg_ip,
	      uint32_t reg_port)
{
	struct nftnl_expr *const x = add(r, "nat");

	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_TYPE, NFT_NAT_DNAT);
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_FAMILY, family);
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_REG_ADDR_MIN, reg_ip);
	nftnl_expr_set_u32(x, NFTNL_EXPR_NAT_REG_PROTO_MIN, reg_port);
}

void nft_masquerade(struct nftnl_rule *r)
{
	(void)add(r, "masq");
}

void nft_counter(struct nftnl_rule *r)
{
	(void)add(r, "counter");
}

void nft_verdict(struct nftnl_rule *r, int verdict, const char *chain)
{
	struct nftnl_expr *const x = add(r, "immediate");

	nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(x, NFTNL_EXPR_IMM_VERDICT, (uint32_t)verdict);
	if (chain)
		(void)nftnl_expr_set_str(x, NFTNL_EXPR_IMM_CHAIN, chain);
}
