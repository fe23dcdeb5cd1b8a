/*
 * nftask - what nf_tables has
 *
 * Two kinds of question. One that names things (nft_has_chains, nft_find) is
 * answered for each of them, whatever else changes. One for all there is
 * (nft_each_...) is a walk of the kernel's: while others come and go, or a hash
 * table grows for what came just before, it may show one thing twice and
 * another not at all. So it serves for what is looked at again after it was
 * acted on.
 */
#ifndef RUNTIME_NET_NFTASK_H
#define RUNTIME_NET_NFTASK_H

#include "base/err.h"
#include "runtime/net/nftmsg.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nlmsghdr;

struct nft_place {
	struct nft_table table;
	const char *chain;
	bool there; /* the answer */
};
int nft_has_chains(struct nft_place *v, size_t n, struct err *e);

/* 1, 0, or -1. */
int nft_has_chain(struct nft_table t, const char *name, struct err *e);

struct nft_wanted {
	const char *map;
	struct nft_elem x;   /* its key is looked for */
	bool there;          /* the answer, */
	struct nft_elem has; /* and with it what the kernel has */
};
int nft_find(struct nft_table t, struct nft_wanted *v, size_t n, struct err *e);

/*
 * All chains, or the rules of one chain, or the elements of one map; messages
 * are given to fn as they came. What is not there has nothing. fn's non-zero
 * result ends it, and is returned.
 */
typedef int (*nft_fn)(void *ctx, const struct nlmsghdr *m);
int nft_each_chain(uint16_t family, nft_fn fn, void *ctx, struct err *e);
int nft_each_rule(struct nft_table t, const char *chain, nft_fn fn, void *ctx,
		  struct err *e);
typedef int (*nft_elem_fn)(void *ctx, const struct nft_elem *x);
int nft_each_elem(struct nft_table t, const char *map, nft_elem_fn fn,
		  void *ctx, struct err *e);

#endif
