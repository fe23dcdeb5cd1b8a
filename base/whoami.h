/*
 * whoami - as whom prism was started
 *
 * uid 0 alone says little: root of another user namespace than the machine's
 * first, or root of a container without CAP_SYS_ADMIN, may neither make device
 * nodes nor read trusted.* xattrs, and owns no cgroup and no network of the
 * host. For it prism behaves as for an ordinary user, with the ids that it has.
 */
#ifndef BASE_WHOAMI_H
#define BASE_WHOAMI_H

#include "err.h"
#include <stdbool.h>
#include <stdint.h>

struct whoami {
	bool root;          /* of the machine */
	bool mknod;         /* may make device nodes */
	bool net;           /* may change the network around */
	uint64_t permitted; /* capabilities; asked only of uid 0 */
};

/*
 * The first call asks the kernel, and the answer stays, as with AT_EUID. So
 * call it before entering a user namespace.
 */
const struct whoami *whoami(void);

/*
 * Explain a refusal of something that we seem to be allowed: a seccomp filter
 * of an outer container, if one is in force, may be the cause.
 */
void whoami_explain(struct err *e);

#endif
