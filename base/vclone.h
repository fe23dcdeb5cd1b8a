/*
 * vclone - clone3(2) without a copy of our memory
 *
 * The child has an own process, own fds and own namespaces, as it is asked
 * for, but runs in the memory of its parent, on the parent's stack below the
 * caller. fork(2) would copy the page tables and then take a fault for each
 * page that either of the two writes: on a virtual machine that is most of
 * what a start costs.
 *
 * What the child writes to memory is there for the parent, errno and the heap
 * included; what it does to fds, signal mask and ids is not. So the two must
 * not run at the same time: the parent waits (VCLONE_WAIT, as vfork(2) has it)
 * or does nothing any more but end (VCLONE_END).
 *
 * Where neither x86-64 nor aarch64 is, and under AddressSanitizer, which keeps
 * books of the stack, it is fork(2): nobody may rely on the shared memory.
 */
#ifndef BASE_VCLONE_H
#define BASE_VCLONE_H

#include <linux/sched.h>
#include <sys/types.h>

#if !defined(__SANITIZE_ADDRESS__) && \
	(defined(__x86_64__) || defined(__aarch64__))
#define VCLONE_SHARES 1
#else
#define VCLONE_SHARES 0
#endif

enum vclone_how {
	VCLONE_FORK, /* a copy after all */
	VCLONE_WAIT, /* until it executes a program, or ends */
	VCLONE_END,  /* the parent's next call is _exit(2) */
};

/*
 * fn(arg) in a child, from where it must not return. args: flags and what goes
 * with them, without a stack. The child's pid, or -1 with errno.
 */
pid_t vclone(const struct clone_args *args, enum vclone_how how,
	     void (*fn)(void *arg), void *arg);

/*
 * fn(arg) in a thread of this process, beside the caller: on another processor
 * if one is free. It is no thread of libc's: errno, the heap and whatever is
 * buffered belong to the caller, who goes on meanwhile. So fn may touch what
 * arg leads to, make calls by vclone_raw, and return, which ends the thread.
 * It takes no signals, and its fds are a copy. Once in a process. -1 with
 * errno; ENOSYS where the memory is not shared.
 */
int vclone_beside(void (*fn)(void *arg), void *arg);

/* A system call of up to four arguments: what it returns, or -errno. */
long vclone_raw(long number, long a, long b, long c, long d);

#endif
