/*
 * cgroup - the cgroups of one container: made with their limits, entered, read
 * and removed
 *
 * A container has one only if something asks for it (a limit, a parent, rules
 * of devices): cgroup_is_wanted. On v2 it is one directory, on v1 one in each
 * hierarchy that has a limit or counts (memory, cpuacct, pids, blkio); hybrid
 * hosts take each controller from where it is mounted (layout.h).
 *
 * The file `cgroup` in the container's directory holds their paths and is
 * written before the first of them is made, so that whoever comes after a
 * crash finds them. Every limit is written while the cgroup is still empty,
 * and read back; then the first process of the container is born in it (v2:
 * CLONE_INTO_CGROUP) or enters it before it does anything else (v1).
 *
 * Life: cgroup_make (or cgroup_open, of a running one) -> cgroup_enter by the
 * child -> cgroup_free; cgroup_remove when all is over.
 * Errors: a limit that cannot be had names flag, file, value and errno.
 */
#ifndef RUNTIME_CGROUP_CGROUP_H
#define RUNTIME_CGROUP_CGROUP_H

#include "base/err.h"
#include "runtime/spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct cgroup;

bool cgroup_is_wanted(const struct run_spec *s);
/* "c 10:* rwm"? Else false, and the error says how it is written. */
bool cgroup_is_device_rule(const char *text, struct err *e);

/* dir_fd: of the container. What an earlier one left there is removed. */
int cgroup_make(int dir_fd, const char *id, const struct run_spec *s,
		struct cgroup **ret, struct err *e);
/* That of a running container; *ret is NULL when it has none. */
int cgroup_open(int dir_fd, struct cgroup **ret, struct err *e);
void cgroup_free(struct cgroup *g);

/*
 * Let clone3 put its child into the v2 one; true: it will. g may be NULL. Only
 * kernels before 5.7 do not know it, and prism does not start there.
 */
struct clone_args;
bool cgroup_clone_into(const struct cgroup *g, struct clone_args *args);
/*
 * Where a process of one thread writes "0" to enter. By "cgroup.procs" the
 * kernel stops all forks of the machine meanwhile and waits for an RCU grace
 * period, 5 to 20 ms; by v1's "tasks" it need not (5.5).
 */
const char *cgroup_self_file(int version);
/* By a process for itself; born: clone3 put it into the v2 one already. */
int cgroup_enter(const struct cgroup *g, bool born, struct err *e);
/* Put another process into all of them. */
int cgroup_move(const struct cgroup *g, pid_t pid, struct err *e);

/*
 * Other limits for a running one, those of s; what it lacks for them is made.
 * Then every process of it is to be moved (cgroup_move).
 */
int cgroup_update(int dir_fd, const char *id, const struct run_spec *s,
		  struct cgroup **ret, struct err *e);

/*
 * Remove them, as the container's directory says, and the processes that are
 * left in them. 0: all gone; 1: something is still busy (patient: waited for
 * it, a second or two). What is not there is no error.
 */
int cgroup_remove(int dir_fd, bool patient, struct err *e);

/* ---- what it does --------------------------------------------------------- */

/* v2 only: false when it has no freezer of its own. */
bool cgroup_can_freeze(const struct cgroup *g);
int cgroup_freeze(const struct cgroup *g, bool frozen, struct err *e);
bool cgroup_is_frozen(const struct cgroup *g);

struct cgroup_oom {
	uint64_t kills; /* by the OOM killer, since it was made */
	int64_t limit_bytes;
	int64_t peak_bytes; /* -1: this kernel does not say */
};
/* False when it does not limit memory. */
bool cgroup_oom(const struct cgroup *g, struct cgroup_oom *ret);
/*
 * Who it was by the kernel's log: "tail (pid 7)", the last one; empty when we
 * may not read it.
 */
void cgroup_oom_victim(const struct cgroup *g, char ret[64]);

#endif
