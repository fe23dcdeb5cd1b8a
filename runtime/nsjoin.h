/*
 * nsjoin - namespaces of another container: --network, --pid, --ipc container:X
 *
 * A process can be born into a pid namespace only, and an ordinary user may
 * join what belongs to the user namespace of X only from inside it. So a helper
 * is forked, which joins all that is asked for (as an ordinary user the user
 * namespace too: the two containers then have the same ids) and clones init as
 * its sibling: a child of the monitor, like any other init.
 *
 * Life: nsjoin_open -> nsjoin_clone -> nsjoin_close.
 * Errors: ERR_NOTFOUND when the other container is gone or does not run.
 */
#ifndef RUNTIME_NSJOIN_H
#define RUNTIME_NSJOIN_H

#include "base/err.h"
#include "runtime/container.h"
#include "runtime/spec.h"

#include <linux/sched.h>

struct nsjoin {
	int net; /* pidfds of the inits whose namespaces are joined; -1 */
	int pid;
	int ipc;
	bool user; /* the user namespace of these too */
	bool lend; /* own ids, which may mount nothing of these namespaces */
	/* In the child, of the other's mounts, detached; -1. */
	int shm;
	int proc; /* lent, as sys */
	int sys;
};
#define NSJOIN_NONE                                                     \
	{                                                               \
		.net = -1, .pid = -1, .ipc = -1, .shm = -1, .proc = -1, \
		.sys = -1                                               \
	}

/* True if s joins anybody; the rest is not called otherwise. */
bool nsjoin_is_wanted(const struct run_spec *s);

/* c: the container that joins; the others stand beside it. */
int nsjoin_open(const struct container *c, const struct run_spec *s,
		struct nsjoin *ret, struct err *e);

/*
 * As clone3(2): 0 in the child, its pid in the caller, whose *ret_pidfd is an
 * fd of it. flags: of clone3, without CLONE_PIDFD.
 */
pid_t nsjoin_clone(struct nsjoin *j, uint64_t flags, int *ret_pidfd,
		   struct err *e);

void nsjoin_close(struct nsjoin *j);

#endif
