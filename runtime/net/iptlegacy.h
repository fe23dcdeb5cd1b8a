/*
 * iptlegacy - what iptables-legacy has on the hook FORWARD
 *
 * Its tables are not nf_tables': nobody who asks nf_tables sees them, and a
 * packet goes through both. Each is one block, read and replaced as a whole, so
 * they are left as they are; a policy that drops is told.
 */
#ifndef RUNTIME_NET_IPTLEGACY_H
#define RUNTIME_NET_IPTLEGACY_H

#include "base/buf.h"

/* As nftforeign_warn. No table is made by asking. */
void iptlegacy_warn(const char *bridge, struct buf *ret);

#endif
