/*
 * The kernel answers a batch before sendmsg returns: what it has to say is in
 * the socket then, and a batch about which it says nothing holds. Only
 * refusals are asked for (no NLM_F_ACK).
 */
#include "nftmsg.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/limits.h"
#include "base/own.h"
#include "runtime/net/nftsock.h"

#define MSG_MAX     KIB(1) /* of one message, but for its elements */
#define ELEM_MAX    256
#define ELEMS_EACH  255 /* a list of 64 KiB, a netlink attribute's limit */
#define ANSWER_MAX  KIB(4)
#define COMMENT_MAX 126

/* ---- a transaction ------------------------------------------------------------ */

static struct nlmsghdr *put_large(struct nft_tx *tx, size_t elems, int type,
				  int flags, const char *verb, const char *name)
{
	char *const room = buf_room(&tx->b, MSG_MAX + elems * ELEM_MAX);

	if (!room)
		return NULL;
	buf_addf(&tx->what, "%s %s", verb, name);
	buf_add(&tx->what, "", 1);
	return nftnl_nlmsg_build_hdr(room, (uint16_t)type, tx->table.family,
				     (uint16_t)flags, ++tx->seq);
}

static struct nlmsghdr *put(struct nft_tx *tx, int type, int flags,
			    const char *verb, const char *name)
{
	return put_large(tx, 0, type, flags, verb, name);
}

static void done(struct nft_tx *tx, const struct nlmsghdr *m)
{
	buf_grew(&tx->b, NLMSG_ALIGN(m->nlmsg_len));
}

void nft_tx_begin(struct nft_tx *tx, struct nft_table t)
{
	tx->table = t;
	tx->b = buf_on(tx->mem, sizeof(tx->mem), MIB(64));
	tx->what = buf_on(tx->words, sizeof(tx->words), MIB(8));
	tx->seq = 0;
	done(tx, nftnl_batch_begin(buf_room(&tx->b, MSG_MAX), 0));
}

static const char *what_of(const struct nft_tx *tx, uint32_t seq)
{
	const char *p = buf_str(&tx->what);

	if (seq == 0 || seq > tx->seq)
		return "the transaction";
	while (--seq)
		p += strlen(p) + 1;
	return p;
}

/* The first refusal is the cause, the others may follow from it. */
static int hear(const struct nft_tx *tx, int fd, struct err *e)
{
	_Alignas(struct nlmsghdr) char b[ANSWER_MAX];
	bool lost = false;

	for (;;) {
		const struct nlmsghdr *m = (const void *)b;
		const ssize_t n = recv(fd, b, sizeof(b), MSG_DONTWAIT);
		size_t left = n > 0 ? (size_t)n : 0;

		if (n < 0 && errno == EINTR)
			continue;
		/* More refusals than there is room for: the first are there. */
		if (n < 0 && errno == ENOBUFS) {
			lost = true;
			continue;
		}
		if (n < 0 && errno == EAGAIN && lost && !err_is(e))
			return err_set(e, ERR_INVALID,
				       "the refusals of nf_tables were lost");
		if (n < 0 && errno == EAGAIN)
			return err_is(e) ? -1 : 0;
		if (n <= 0)
			return err_sys(e, "recv", "answer of nf_tables");
		for (; NLMSG_OK(m, left); m = NLMSG_NEXT(m, left)) {
			const struct nlmsgerr *const r = NLMSG_DATA(m);

			if (m->nlmsg_type == NLMSG_ERROR && r->error &&
			    !err_is(e))
				(void)nftsock_refusal(
					m, what_of(tx, m->nlmsg_seq), e);
		}
	}
}

static int send_batch(const struct nft_tx *tx, struct err *e)
{
	autoclose int fd = nftsock_take(e);
	int rc;

	if (fd < 0 || nftsock_send(fd, tx->b.p, tx->b.len, e) < 0)
		return -1;
	rc = hear(tx, fd, e);
	if (rc == 0)
		nftsock_put(&fd);
	return rc;
}

int nft_tx_commit(struct nft_tx *tx, struct err *e)
{
	void *const room = buf_room(&tx->b, MSG_MAX);
	int rc;

	if (room)
		done(tx, nftnl_batch_end(room, tx->seq + 1));
	rc = tx->b.over ? err_set(e, ERR_TOOBIG,
				  "more than 64 MiB for the firewall")
			: send_batch(tx, e);
	buf_free(&tx->b);
	buf_free(&tx->what);
	return rc;
}

/* ---- tables, chains, maps ------------------------------------------------------- */

static void on_table(struct nft_tx *tx, int type, int flags, const char *verb)
{
	struct nlmsghdr *const m = put(tx, type, flags, verb, tx->table.name);
	struct nftnl_table *const t = nftnl_table_alloc();

	if (m && t) {
		nftnl_table_set_u32(t, NFTNL_TABLE_FAMILY, tx->table.family);
		(void)nftnl_table_set_str(t, NFTNL_TABLE_NAME, tx->table.name);
		nftnl_table_nlmsg_build_payload(m, t);
		done(tx, m);
	}
	nftnl_table_free(t);
}

void nft_table_add(struct nft_tx *tx)
{
	on_table(tx, NFT_MSG_NEWTABLE, NLM_F_CREATE, "add table");
}

void nft_table_del(struct nft_tx *tx)
{
	on_table(tx, NFT_MSG_DELTABLE, 0, "delete table");
}

static struct nftnl_chain *chain_of(const struct nft_tx *tx, const char *name)
{
	struct nftnl_chain *const c = nftnl_chain_alloc();

	(void)nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, tx->table.name);
	(void)nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, name);
	return c;
}

void nft_chain_add(struct nft_tx *tx, const char *name,
		   const struct nft_base *base)
{
	struct nlmsghdr *const m =
		put(tx, NFT_MSG_NEWCHAIN, NLM_F_CREATE, "add chain", name);
	struct nftnl_chain *const c = chain_of(tx, name);

	if (base) {
		(void)nftnl_chain_set_str(c, NFTNL_CHAIN_TYPE, base->type);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_HOOKNUM, base->hook);
		nftnl_chain_set_s32(c, NFTNL_CHAIN_PRIO, base->prio);
		nftnl_chain_set_u32(c, NFTNL_CHAIN_POLICY, NF_ACCEPT);
	}
	if (m) {
		nftnl_chain_nlmsg_build_payload(m, c);
		done(tx, m);
	}
	nftnl_chain_free(c);
}

void nft_chain_del(struct nft_tx *tx, const char *name)
{
	struct nlmsghdr *const m =
		put(tx, NFT_MSG_DELCHAIN, 0, "delete chain", name);
	struct nftnl_chain *const c = chain_of(tx, name);

	if (m) {
		nftnl_chain_nlmsg_build_payload(m, c);
		done(tx, m);
	}
	nftnl_chain_free(c);
}

/* Without a handle it means all rules of the chain. */
void nft_rule_del(struct nft_tx *tx, const char *chain, uint64_t handle)
{
	struct nlmsghdr *const m =
		put(tx, NFT_MSG_DELRULE, 0, "delete rules of chain", chain);
	struct nftnl_rule *const r = nftnl_rule_alloc();

	(void)nftnl_rule_set_str(r, NFTNL_RULE_TABLE, tx->table.name);
	(void)nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
	if (handle)
		nftnl_rule_set_u64(r, NFTNL_RULE_HANDLE, handle);
	if (m) {
		nftnl_rule_nlmsg_build_payload(m, r);
		done(tx, m);
	}
	nftnl_rule_free(r);
}

void nft_chain_fresh(struct nft_tx *tx, const char *name,
		     const struct nft_base *base)
{
	nft_chain_add(tx, name, base);
	nft_rule_del(tx, name, 0);
}

void nft_rule_put(struct nft_tx *tx, const char *chain, struct nftnl_rule *r,
		  bool top)
{
	struct nlmsghdr *const m = put(tx, NFT_MSG_NEWRULE,
				       NLM_F_CREATE | (top ? 0 : NLM_F_APPEND),
				       "add a rule to chain", chain);

	(void)nftnl_rule_set_str(r, NFTNL_RULE_TABLE, tx->table.name);
	(void)nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
	if (m) {
		nftnl_rule_nlmsg_build_payload(m, r);
		done(tx, m);
	}
	nftnl_rule_free(r);
}

/* nft(8) packs the types of a concatenation six bits each. */
static void type_and_len(const enum nft_type t[NFT_T_PARTS], uint32_t *ret_type,
			 uint32_t *ret_len)
{
	static const uint32_t lengths[] = {
		[NFT_T_IP] = 4,   [NFT_T_IP6] = 16,    [NFT_T_PROTO] = 4,
		[NFT_T_PORT] = 4, [NFT_T_IFNAME] = 16,
	};

	*ret_type = 0;
	*ret_len = 0;
	for (size_t i = 0; i < NFT_T_PARTS && t[i]; i++) {
		*ret_type = (*ret_type << 6) | t[i];
		*ret_len += lengths[t[i]];
	}
}

void nft_map_add(struct nft_tx *tx, const struct nft_map *map)
{
	struct nlmsghdr *const m =
		put(tx, NFT_MSG_NEWSET, NLM_F_CREATE, "add map", map->name);
	struct nftnl_set *const s = nftnl_set_alloc();
	/* NFTNL_UDATA_SET_KEYBYTEORDER, 4 bytes: BYTEORDER_HOST_ENDIAN */
	static const unsigned char in_host_order[] = {0, 4, 1, 0, 0, 0};
	uint32_t type;
	uint32_t len;

	(void)nftnl_set_set_str(s, NFTNL_SET_TABLE, tx->table.name);
	(void)nftnl_set_set_str(s, NFTNL_SET_NAME, map->name);
	nftnl_set_set_u32(s, NFTNL_SET_FLAGS, map->flags | NFT_SET_MAP);
	nftnl_set_set_u32(s, NFTNL_SET_ID, tx->seq);
	type_and_len(map->key, &type, &len);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_TYPE, type);
	nftnl_set_set_u32(s, NFTNL_SET_KEY_LEN, len);
	/* Or nft(8) does not know how to show it. */
	if (map->key[0] == NFT_T_IFNAME)
		(void)nftnl_set_set_data(s, NFTNL_SET_USERDATA, in_host_order,
					 sizeof(in_host_order));
	type_and_len(map->data, &type, &len);
	if (type == NFT_T_VERDICT)
		type = NFT_DATA_VERDICT;
	else
		nftnl_set_set_u32(s, NFTNL_SET_DATA_LEN, len);
	nftnl_set_set_u32(s, NFTNL_SET_DATA_TYPE, type);
	if (m) {
		nftnl_set_nlmsg_build_payload(m, s);
		done(tx, m);
	}
	nftnl_set_free(s);
}

/* ---- elements ---------------------------------------------------------------------- */

static void set_comment(struct nftnl_set_elem *x, const char *comment)
{
	unsigned char u[2 + COMMENT_MAX + 1] = {0};
	const size_t n = strnlen(comment, COMMENT_MAX) + 1;

	u[0] = 0; /* NFTNL_UDATA_SET_ELEM_COMMENT */
	u[1] = (unsigned char)n;
	memcpy(u + 2, comment, n - 1);
	(void)nftnl_set_elem_set(x, NFTNL_SET_ELEM_USERDATA, u,
				 (uint32_t)n + 2);
}

static struct nftnl_set_elem *elem_of(const struct nft_elem *v, bool whole)
{
	struct nftnl_set_elem *const x = nftnl_set_elem_alloc();

	(void)nftnl_set_elem_set(x, NFTNL_SET_ELEM_KEY, v->key,
				 (uint32_t)v->key_len);
	if (v->end) {
		nftnl_set_elem_set_u32(x, NFTNL_SET_ELEM_FLAGS,
				       NFT_SET_ELEM_INTERVAL_END);
		return x;
	}
	if (!whole)
		return x;
	if (v->data_len) {
		(void)nftnl_set_elem_set(x, NFTNL_SET_ELEM_DATA, v->data,
					 (uint32_t)v->data_len);
	} else {
		nftnl_set_elem_set_u32(x, NFTNL_SET_ELEM_VERDICT,
				       (uint32_t)v->verdict);
		if (v->chain)
			(void)nftnl_set_elem_set_str(x, NFTNL_SET_ELEM_CHAIN,
						     v->chain);
	}
	if (v->comment)
		set_comment(x, v->comment);
	return x;
}

static void some_elems(struct nft_tx *tx, struct nlmsghdr *m, const char *map,
		       const struct nft_elem *v, size_t n, bool whole)
{
	struct nftnl_set *const s = nftnl_set_alloc();

	(void)nftnl_set_set_str(s, NFTNL_SET_TABLE, tx->table.name);
	(void)nftnl_set_set_str(s, NFTNL_SET_NAME, map);
	for (size_t i = 0; i < n; i++)
		nftnl_set_elem_add(s, elem_of(&v[i], whole));
	nftnl_set_elems_nlmsg_build_payload(m, s);
	done(tx, m);
	nftnl_set_free(s);
}

static size_t at_most(size_t n)
{
	return n < ELEMS_EACH ? n : ELEMS_EACH;
}

void nft_elems_add(struct nft_tx *tx, const char *map, const struct nft_elem *v,
		   size_t n)
{
	for (; n; v += at_most(n), n -= at_most(n)) {
		struct nlmsghdr *const m =
			put_large(tx, at_most(n), NFT_MSG_NEWSETELEM,
				  NLM_F_CREATE, "add to map", map);

		if (m)
			some_elems(tx, m, map, v, at_most(n), true);
	}
}

void nft_elems_del(struct nft_tx *tx, const char *map, const struct nft_elem *v,
		   size_t n)
{
	for (; n; v += at_most(n), n -= at_most(n)) {
		struct nlmsghdr *const m =
			put_large(tx, at_most(n), NFT_MSG_DELSETELEM, 0,
				  "delete from map", map);

		if (m)
			some_elems(tx, m, map, v, at_most(n), false);
	}
}
