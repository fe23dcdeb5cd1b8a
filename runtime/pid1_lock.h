/*
 * pid1_lock - what PID 1 keeps while its program runs: almost nothing
 *
 * PID 1 is the one process of prism's that a container can see. It hides
 * itself: ptrace(2), /proc/1/mem, process_vm_writev(2) and pidfd_getfd(2) are
 * refused to every process without CAP_SYS_PTRACE, because it is not dumpable.
 * Where prism itself has no CAP_SYS_PTRACE (in an outer container) it could not
 * look at such a PID 1 either, for `exec` or `top`. There PID 1 keeps, unused,
 * one capability that the program cannot get: the kernel does not let a process
 * trace another one that has more than itself.
 *
 * A process with CAP_SYS_PTRACE gets through; it must gain nothing. So PID 1
 * gives up every fd, every capability in effect but CAP_KILL, and every system
 * call that it does not need. Its seccomp filter is its own and stricter than
 * any that a program gets; it is there too where the program has none
 * (seccomp=unconfined, --privileged).
 *
 * The program must not inherit this, so it is forked first. It must not run
 * before PID 1 is locked either, so it waits, on a lock of the conf's memfd: the
 * kernel drops that when PID 1 closes the memfd, which is the last step, or
 * when it dies.
 *
 * Life: pid1_hide -> pid1_lock_begin -> fork -> pid1_lock in the parent,
 * pid1_lock_wait in the child. Results are 0, or -1 with errno.
 */
#ifndef RUNTIME_PID1_LOCK_H
#define RUNTIME_PID1_LOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Of the process that is to be PID 1 or the joiner of an exec, at once. */
int pid1_hide(bool joiner);

int pid1_lock_begin(void);

/*
 * program_may: the capabilities that the program can ever have.
 *
 * From here on this process can wait for signals and children, send signals to
 * the program, and end. With children_fd (-1: none), a list of its children, it
 * can also read that with pread(2) and send signals to any process. All other
 * fds are closed. After an error PID1_SYNC_FD is still open.
 */
int pid1_lock(pid_t program, int children_fd, uint64_t program_may);

/* For the program, which is hidden until its execve in any case. */
int pid1_lock_wait(void);

#endif
