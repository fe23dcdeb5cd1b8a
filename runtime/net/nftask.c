#include "nftask.h"

#include <errno.h>
#include <libnftnl/chain.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/limits.h"
#include "base/own.h"
#include "runtime/net/nftsock.h"

/* A named thing comes in NLMSG_GOODSIZE; a walk fills what it is given. */
#define ANSWER_MAX KIB(8)
#define WALK_MAX   KIB(16)

/* So many answers, of 5 KiB of a socket's memory each, are sure to have room. */
#define AT_ONCE      16
#define QUESTION_MAX 256

/* ---- hearing ------------------------------------------------------------------------- */

struct talk {
	const void *questions;
	size_t len;
	void *mem; /* for an answer, aligned as a message */
	size_t size;
	/* 1: there is more, 0: that was all, -1. */
	int (*take)(void *ctx, const struct nlmsghdr *m, struct err *e);
	void *ctx;
};

static int hear(const struct talk *t, int fd, struct err *e)
{
	int more = 1;

	while (more > 0) {
		const struct nlmsghdr *m = t->mem;
		const ssize_t n = recv(fd, t->mem, t->size, MSG_TRUNC);
		size_t left = n > 0 ? (size_t)n : 0;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, "recv", "answer of nf_tables");
		if (left > t->size)
			return err_set(e, ERR_TOOBIG,
				       "nf_tables: an answer of %zu bytes",
				       left);
		for (; more > 0 && NLMSG_OK(m, left); m = NLMSG_NEXT(m, left))
			more = t->take(t->ctx, m, e);
	}
	return more;
}

/* Nothing of it is left in the socket then, or it is closed. */
static int talk(const struct talk *t, struct err *e)
{
	autoclose int fd = nftsock_take(e);

	if (fd < 0 || nftsock_send(fd, t->questions, t->len, e) < 0 ||
	    hear(t, fd, e) < 0)
		return -1;
	nftsock_put(&fd);
	return 0;
}

static bool is_error(const struct nlmsghdr *m)
{
	return m->nlmsg_type == NLMSG_ERROR;
}

/* What is not there is an answer. */
static int check_error(const struct nlmsghdr *m, struct err *e)
{
	const struct nlmsgerr *const r = NLMSG_DATA(m);

	if (r->error == 0 || r->error == -ENOENT)
		return 0;
	return nftsock_refusal(m, "a question", e);
}

/* ---- by name: one answer each ----------------------------------------------------------- */

struct round {
	_Alignas(struct nlmsghdr) char mem[AT_ONCE * QUESTION_MAX];
	size_t len;
	size_t n;
	size_t heard;
	void (*found)(void *ctx, size_t i, const struct nlmsghdr *m);
	void *ctx;
};

static struct nlmsghdr *next_question(struct round *r, int type,
				      uint16_t family)
{
	return nftnl_nlmsg_build_hdr(r->mem + r->len, (uint16_t)type, family, 0,
				     (uint32_t)++r->n);
}

static void asked(struct round *r, const struct nlmsghdr *m)
{
	r->len += NLMSG_ALIGN(m->nlmsg_len);
}

static int take_one(void *ctx, const struct nlmsghdr *m, struct err *e)
{
	struct round *const r = ctx;

	if (is_error(m)) {
		if (check_error(m, e) < 0)
			return -1;
	} else if (m->nlmsg_seq - 1 < r->n) {
		r->found(r->ctx, m->nlmsg_seq - 1, m);
	}
	return ++r->heard < r->n;
}

static int hear_round(struct round *r, struct err *e)
{
	_Alignas(struct nlmsghdr) char mem[ANSWER_MAX];
	const struct talk t = {.questions = r->mem,
			       .len = r->len,
			       .mem = mem,
			       .size = sizeof(mem),
			       .take = take_one,
			       .ctx = r};

	return talk(&t, e);
}

static void put_chain(struct round *r, const struct nft_place *p)
{
	struct nlmsghdr *const m =
		next_question(r, NFT_MSG_GETCHAIN, p->table.family);
	struct nftnl_chain *const c = nftnl_chain_alloc();

	(void)nftnl_chain_set_str(c, NFTNL_CHAIN_TABLE, p->table.name);
	(void)nftnl_chain_set_str(c, NFTNL_CHAIN_NAME, p->chain);
	nftnl_chain_nlmsg_build_payload(m, c);
	nftnl_chain_free(c);
	asked(r, m);
}

static void found_chain(void *ctx, size_t i, const struct nlmsghdr *m)
{
	struct nft_place *const v = ctx;

	(void)m;
	v[i].there = true;
}

static size_t at_once(size_t n)
{
	return n < AT_ONCE ? n : AT_ONCE;
}

int nft_has_chains(struct nft_place *v, size_t n, struct err *e)
{
	for (; n; v += at_once(n), n -= at_once(n)) {
		struct round r = {.found = found_chain, .ctx = v};

		for (size_t i = 0; i < at_once(n); i++) {
			v[i].there = false;
			put_chain(&r, &v[i]);
		}
		if (hear_round(&r, e) < 0)
			return -1;
	}
	return 0;
}

int nft_has_chain(struct nft_table t, const char *name, struct err *e)
{
	struct nft_place p = {.table = t, .chain = name};

	return nft_has_chains(&p, 1, e) < 0 ? -1 : p.there;
}

/* ---- elements ------------------------------------------------------------------------------ */

struct each_elem {
	nft_elem_fn fn;
	void *ctx;
	int rc;
};

static int give_elem(struct nftnl_set_elem *x, void *ctx)
{
	struct each_elem *const each = ctx;
	struct nft_elem v = {0};
	uint32_t n = 0;
	const void *p = nftnl_set_elem_get(x, NFTNL_SET_ELEM_KEY, &n);

	if (p && n <= sizeof(v.key)) {
		memcpy(v.key, p, n);
		v.key_len = n;
	}
	p = nftnl_set_elem_is_set(x, NFTNL_SET_ELEM_DATA)
		    ? nftnl_set_elem_get(x, NFTNL_SET_ELEM_DATA, &n)
		    : NULL;
	if (p && n <= sizeof(v.data)) {
		memcpy(v.data, p, n);
		v.data_len = n;
	}
	v.chain = nftnl_set_elem_get_str(x, NFTNL_SET_ELEM_CHAIN);
	/* libnftnl takes only negative results for an end. */
	if (each->rc == 0)
		each->rc = each->fn(each->ctx, &v);
	return 0;
}

static int give_elems(void *ctx, const struct nlmsghdr *m)
{
	struct nftnl_set *const s = nftnl_set_alloc();
	const struct each_elem *const each = ctx;

	if (nftnl_set_elems_nlmsg_parse(m, s) >= 0)
		(void)nftnl_set_elem_foreach(s, give_elem, ctx);
	nftnl_set_free(s);
	return each->rc;
}

static void put_elems(struct nlmsghdr *m, struct nft_table t, const char *map,
		      const struct nft_elem *x)
{
	struct nftnl_set *const s = nftnl_set_alloc();

	(void)nftnl_set_set_str(s, NFTNL_SET_TABLE, t.name);
	(void)nftnl_set_set_str(s, NFTNL_SET_NAME, map);
	if (x) {
		struct nftnl_set_elem *const k = nftnl_set_elem_alloc();

		(void)nftnl_set_elem_set(k, NFTNL_SET_ELEM_KEY, x->key,
					 (uint32_t)x->key_len);
		nftnl_set_elem_add(s, k);
	}
	nftnl_set_elems_nlmsg_build_payload(m, s);
	nftnl_set_free(s);
}

/* Its chain's name is the message's. */
static int take_found(void *ctx, const struct nft_elem *x)
{
	struct nft_wanted *const w = ctx;

	w->there = true;
	w->has = *x;
	w->has.chain = NULL;
	return 0;
}

static void found_elem(void *ctx, size_t i, const struct nlmsghdr *m)
{
	struct nft_wanted *const v = ctx;
	struct each_elem each = {.fn = take_found, .ctx = &v[i]};

	(void)give_elems(&each, m);
}

int nft_find(struct nft_table t, struct nft_wanted *v, size_t n, struct err *e)
{
	for (; n; v += at_once(n), n -= at_once(n)) {
		struct round r = {.found = found_elem, .ctx = v};

		for (size_t i = 0; i < at_once(n); i++) {
			struct nlmsghdr *const m =
				next_question(&r, NFT_MSG_GETSETELEM, t.family);

			v[i].there = false;
			put_elems(m, t, v[i].map, &v[i].x);
			asked(&r, m);
		}
		if (hear_round(&r, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- all of them --------------------------------------------------------------------------- */

struct walk {
	nft_fn fn;
	void *ctx;
	int rc;
};

static int take_many(void *ctx, const struct nlmsghdr *m, struct err *e)
{
	struct walk *const w = ctx;

	if (is_error(m))
		return check_error(m, e);
	if (m->nlmsg_type == NLMSG_DONE)
		return 0;
	w->rc = w->rc ? w->rc : w->fn(w->ctx, m);
	return 1;
}

static int ask_all(const struct nlmsghdr *m, nft_fn fn, void *ctx,
		   struct err *e)
{
	_Alignas(struct nlmsghdr) char mem[WALK_MAX];
	struct walk w = {.fn = fn, .ctx = ctx};
	const struct talk t = {.questions = m,
			       .len = m->nlmsg_len,
			       .mem = mem,
			       .size = sizeof(mem),
			       .take = take_many,
			       .ctx = &w};

	return talk(&t, e) < 0 ? -1 : w.rc;
}

int nft_each_chain(uint16_t family, nft_fn fn, void *ctx, struct err *e)
{
	_Alignas(struct nlmsghdr) char b[QUESTION_MAX];
	struct nlmsghdr *const m = nftnl_nlmsg_build_hdr(b, NFT_MSG_GETCHAIN,
							 family, NLM_F_DUMP, 1);

	return ask_all(m, fn, ctx, e);
}

int nft_each_rule(struct nft_table t, const char *chain, nft_fn fn, void *ctx,
		  struct err *e)
{
	_Alignas(struct nlmsghdr) char b[QUESTION_MAX];
	struct nlmsghdr *const m = nftnl_nlmsg_build_hdr(
		b, NFT_MSG_GETRULE, t.family, NLM_F_DUMP, 1);
	struct nftnl_rule *const r = nftnl_rule_alloc();

	(void)nftnl_rule_set_str(r, NFTNL_RULE_TABLE, t.name);
	if (chain)
		(void)nftnl_rule_set_str(r, NFTNL_RULE_CHAIN, chain);
	nftnl_rule_nlmsg_build_payload(m, r);
	nftnl_rule_free(r);
	return ask_all(m, fn, ctx, e);
}

int nft_each_elem(struct nft_table t, const char *map, nft_elem_fn fn,
		  void *ctx, struct err *e)
{
	_Alignas(struct nlmsghdr) char b[QUESTION_MAX];
	struct nlmsghdr *const m = nftnl_nlmsg_build_hdr(
		b, NFT_MSG_GETSETELEM, t.family, NLM_F_DUMP, 1);
	struct each_elem each = {.fn = fn, .ctx = ctx};

	put_elems(m, t, map, NULL);
	return ask_all(m, give_elems, &each, e);
}
