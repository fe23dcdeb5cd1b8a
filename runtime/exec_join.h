/*
 * exec_join - the joiner's role (see exec.h): from the caller's child to the
 * one that makes the program in the container; never returns
 */
#ifndef RUNTIME_EXEC_JOIN_H
#define RUNTIME_EXEC_JOIN_H

#include "runtime/exec.h"

struct join_args {
	const struct exec_request *request;
	int namespaces; /* CLONE_NEW*: those that are not the caller's too */
	int sync;
};

/*
 * The v2 cgroup of init, for clone3 to put the joiner into: to enter it later
 * costs 10 ms (cgroup_self_file). -1: it is ours too, or out of sight.
 */
int exec_birthplace(pid_t init);

_Noreturn void exec_join(const struct join_args *a);

#endif
