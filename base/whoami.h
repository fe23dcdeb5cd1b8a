/*
 * whoami - as whom prism was started
 *
 * uid 0 alone says little: root of another user namespace than the machine's
 * first, or root of a container without CAP_SYS_ADMIN, may neither make device
 * nodes nor read trusted.* xattrs, and owns no cgroup and no network of the
 * host. It goes the ways of an ordinary user, with the ids that it has.
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
 * Asked of the kernel once, by the first caller: what it was started as, a
 * process stays, as with AT_EUID. So ask before entering a user namespace.
 */
const struct whoami *whoami(void);

/*
 * What is refused although we seem to be allowed: if a seccomp filter is in
 * force, which an outer container has put on us, it may be that.
 */
void whoami_explain(struct err *e);

#endif
