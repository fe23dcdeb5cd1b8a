/*
 * nftforeign - the firewalls of others, through which our packets go too
 *
 * nf_tables asks every chain on a hook, and one that drops is enough: what our
 * own table accepts is still lost in a FORWARD chain whose policy is drop, as
 * docker and ufw leave it. iptables' tables are nf_tables' as well ("ip
 * filter", by iptables-nft), so where there is such a chain we put two rules
 * in front, as docker and podman do: what comes from our bridge and what goes
 * to it is accepted there, because what may go is said by our own table. They
 * have the comment "prism", and iptables(8) shows them as its own.
 *
 * Tables of others (an administrator's own, firewalld's, those of
 * iptables-legacy: iptlegacy.h) are left as they are:
 * what drops there was meant. nftforeign_warn says what to add.
 */
#ifndef RUNTIME_NET_NFTFOREIGN_H
#define RUNTIME_NET_NFTFOREIGN_H

#include "base/buf.h"
#include "base/err.h"

/* Idempotent, both. */
int nftforeign_open(const char *bridge, struct err *e);
int nftforeign_close(const char *bridge, struct err *e);

/* One line for each firewall that may cut off this bridge, with what to do. */
void nftforeign_warn(const char *bridge, struct buf *ret);

#endif
