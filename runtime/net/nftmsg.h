/*
 * nftmsg - a transaction for nf_tables
 *
 * A transaction collects messages, each with a few words about what it does,
 * and goes to the kernel as one batch: all of it holds or nothing. On a failure
 * the error names the message that the kernel refused, its errno and, where
 * there is one, the kernel's own sentence (extended ack).
 *
 * Everything speaks of one table at a time (struct nft_table). Rules are
 * libnftnl's, made in nftrule.h.
 *
 * Life: nft_tx_begin -> nft_..._add/del -> nft_tx_commit. Questions are asked
 * by nftask.h.
 */
#ifndef RUNTIME_NET_NFTMSG_H
#define RUNTIME_NET_NFTMSG_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nftnl_rule;

struct nft_table {
	uint16_t family; /* NFPROTO_INET, ... */
	const char *name;
};

struct nft_tx {
	struct nft_table table;
	struct buf b;
	struct buf what; /* "add chain x" NUL ..., in order of sequence */
	uint32_t seq;
	/* Enough for what one container says. */
	_Alignas(4) char mem[4096];
	char words[256];
};

/* Where it stands it has to stay. */
void nft_tx_begin(struct nft_tx *tx, struct nft_table t);
/* Sends it, and frees tx in any case. ERR_SYS with the first refusal. */
int nft_tx_commit(struct nft_tx *tx, struct err *e);

/* ---- objects ---------------------------------------------------------------- */

void nft_table_add(struct nft_tx *tx);
void nft_table_del(struct nft_tx *tx);

struct nft_base {
	const char *type; /* filter, nat */
	uint32_t hook;    /* NF_INET_FORWARD, ... */
	int32_t prio;
};
/* An empty one: rules of a chain that is there already are removed. */
void nft_chain_fresh(struct nft_tx *tx, const char *name,
		     const struct nft_base *base);
void nft_chain_add(struct nft_tx *tx, const char *name,
		   const struct nft_base *base);
void nft_chain_del(struct nft_tx *tx, const char *name);
void nft_chain_flush(struct nft_tx *tx, const char *name);

/* Types as nft(8) knows them, so that it shows keys and data readably. */
enum nft_type {
	NFT_T_VERDICT = 0,
	NFT_T_IP = 7,
	NFT_T_IP6 = 8,
	NFT_T_PROTO = 12,
	NFT_T_PORT = 13,
	NFT_T_IFNAME = 41,
};
#define NFT_T_PARTS 3
struct nft_map {
	const char *name;
	uint32_t flags; /* NFT_SET_INTERVAL, ... */
	enum nft_type key[NFT_T_PARTS];
	enum nft_type data[NFT_T_PARTS]; /* first VERDICT: a verdict */
};
void nft_map_add(struct nft_tx *tx, const struct nft_map *m);

/* A list of elements for one map, in one message or some. */
struct nft_elem {
	unsigned char key[32];
	size_t key_len;
	unsigned char data[32]; /* data_len 0: a verdict */
	size_t data_len;
	int verdict;       /* NFT_GOTO, NFT_JUMP, NF_ACCEPT */
	const char *chain; /* of a verdict */
	bool end;          /* where an interval ends */
	const char *comment;
};
void nft_elems_add(struct nft_tx *tx, const char *map, const struct nft_elem *v,
		   size_t n);
void nft_elems_del(struct nft_tx *tx, const char *map, const struct nft_elem *v,
		   size_t n);

/* ---- rules (nftrule.h) ------------------------------------------------------ */

/* At the end of its chain, or with top at its beginning; frees the rule. */
void nft_rule_put(struct nft_tx *tx, const char *chain, struct nftnl_rule *r,
		  bool top);
void nft_rule_del(struct nft_tx *tx, const char *chain, uint64_t handle);

#endif
