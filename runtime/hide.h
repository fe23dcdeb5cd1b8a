/*
 * hide - keep a process out of the sight of containers
 *
 * The user that makes a user namespace has all capabilities over it: for what
 * root starts with --userns that is root, also in a container that has no
 * capability but Docker's. If it sees the processes of the host (--pid host), or
 * those of another container, it may then look into each process in that user
 * namespace. A process that still has the host as its root would be a way out:
 * /proc/PID/root. The kernel judges access to a process that is not dumpable by
 * the user namespace in which its program was executed. Here that is the host's,
 * in which a container has no CAP_SYS_PTRACE by default.
 */
#ifndef RUNTIME_HIDE_H
#define RUNTIME_HIDE_H

#include <stdbool.h>

/*
 * Before a process enters a user namespace, or makes a child that is born in
 * one. Children are hidden like their parent; an execve ends it. Nothing is done
 * without CAP_SYS_PTRACE: prism itself could not look at the process then.
 * Returns true if the process was not hidden before. The caller must then call
 * hide_end() if this process goes on outside the user namespace.
 */
bool hide_begin(void);

void hide_end(bool begun);

#endif
