/*
 * pid1_lock - take almost every privilege from PID 1 while its program runs
 *
 * PID 1 is the only process of prism's that a container can see. It is not
 * dumpable, so the kernel refuses ptrace(2), /proc/1/mem, process_vm_writev(2)
 * and pidfd_getfd(2) on it to every process without CAP_SYS_PTRACE. But if
 * prism itself lacks CAP_SYS_PTRACE (inside an outer container), it could not
 * inspect a non-dumpable PID 1 either, for `exec` or `top`. There PID 1 stays
 * dumpable and keeps, unused, one capability that the program cannot get: a
 * process may not trace one that has more capabilities than itself.
 *
 * A process with CAP_SYS_PTRACE can still take over PID 1, but must gain
 * nothing by that. So PID 1 gives up every fd, every effective capability but
 * CAP_KILL, and every system call that it does not need. Its own seccomp filter
 * is stricter than any filter of a program, and is set even if the program has
 * none (seccomp=unconfined, --privileged).
 *
 * The program must not inherit these limits, so it is forked before they are
 * set. It must not run before they are set either, so it waits for a lock on
 * the memfd of the conf. The kernel releases that lock when PID 1 closes the
 * memfd, as its last step, or dies.
 *
 * Life: pid1_hide -> pid1_lock_begin -> fork -> pid1_lock in the parent,
 * pid1_lock_wait in the child. All return 0, or -1 with errno.
 */
#ifndef RUNTIME_PID1_LOCK_H
#define RUNTIME_PID1_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Call this first in PID 1, or with joiner set in the joiner of an exec. */
int pid1_hide(bool joiner);

/* Take the lock that pid1_lock_wait waits for. */
int pid1_lock_begin(void);

/*
 * program_may: every capability that the program can ever have.
 *
 * After this call the process can only wait for signals and children, send
 * signals to the program, and exit. If children_fd, an open list of its
 * children, is not -1, the process can also read that list with pread(2) and
 * send signals to any process. All other fds are closed. After an error
 * PID1_SYNC_FD is still open.
 */
int pid1_lock(pid_t program, int children_fd, uint64_t program_may);

/*
 * For the child that becomes the program: wait until PID 1 is locked. The child
 * itself stays hidden until its execve.
 */
int pid1_lock_wait(void);

#endif
