#include "vclone.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#if VCLONE_SHARES
/* Between our frame and the child's: what a call of _exit(2) needs. */
#define GAP 1024U

/*
 * The kernel takes the top of the stack from here; below it the stack grows
 * as ever.
 */
#define DEPTH 65536U

static long clone_call(const struct clone_args *args, void (*fn)(void *arg),
		       void *arg)
{
	/* Code, for between the call and fn the stack is another one. */
#if defined(__x86_64__)
	long rc;

	__asm__ volatile("syscall\n\t"
			 "test %%rax, %%rax\n\t"
			 "jnz 1f\n\t"
			 "mov %[arg], %%rdi\n\t"
			 "call *%[fn]\n\t"
			 "hlt\n"
			 "1:"
			 : "=a"(rc)
			 : "a"(SYS_clone3), "D"(args),
			   "S"(sizeof(*args)), [fn] "r"(fn), [arg] "r"(arg)
			 : "rcx", "r11", "memory", "cc");
	return rc;
#else
	register long x0 __asm__("x0") = (long)args;
	register long x1 __asm__("x1") = (long)sizeof(*args);
	register long x8 __asm__("x8") = SYS_clone3;

	__asm__ volatile("svc #0\n\t"
			 "cbnz x0, 1f\n\t"
			 "mov x0, %[arg]\n\t"
			 "blr %[fn]\n\t"
			 "brk #0\n"
			 "1:"
			 : "+r"(x0)
			 : "r"(x1), "r"(x8), [fn] "r"(fn), [arg] "r"(arg)
			 : "memory", "cc");
	return x0;
#endif
}

static __attribute__((noinline)) long
clone_below(struct clone_args *args, void (*fn)(void *arg), void *arg)
{
	const uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	const uintptr_t top = (here - GAP) & ~(uintptr_t)15;

	args->stack = top - DEPTH;
	args->stack_size = DEPTH;
	return clone_call(args, fn, arg);
}

long vclone_raw(long number, long a, long b, long c, long d)
{
#if defined(__x86_64__)
	register long r10 __asm__("r10") = d;
	long rc;

	__asm__ volatile("syscall"
			 : "=a"(rc)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory", "cc");
	return rc;
#else
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x8 __asm__("x8") = number;

	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x1), "r"(x2), "r"(x3), "r"(x8)
			 : "memory", "cc");
	return x0;
#endif
}

static struct {
	void (*fn)(void *arg);
	void *arg;
	char stack[8192] __attribute__((aligned(16)));
} thread;

static void be_beside(void *unused)
{
	(void)unused;
	thread.fn(thread.arg);
	(void)vclone_raw(SYS_exit, 0, 0, 0, 0);
}

static long clone_beside(void)
{
	struct clone_args args = {
		.flags = CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD |
			 CLONE_SYSVSEM,
		.stack = (uintptr_t)thread.stack,
		.stack_size = sizeof(thread.stack),
	};
	sigset_t all;
	sigset_t old;
	long rc;

	/* The thread is born with the mask that it keeps. */
	(void)sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, &old);
	rc = clone_call(&args, be_beside, NULL);
	(void)sigprocmask(SIG_SETMASK, &old, NULL);
	return rc;
}
#else
long vclone_raw(long number, long a, long b, long c, long d)
{
	const long rc = syscall(number, a, b, c, d);

	return rc < 0 ? -errno : rc;
}

static long clone_beside(void)
{
	return -ENOSYS;
}
#endif

int vclone_beside(void (*fn)(void *arg), void *arg)
{
	long rc;

#if VCLONE_SHARES
	thread.fn = fn;
	thread.arg = arg;
#else
	(void)fn;
	(void)arg;
#endif
	rc = clone_beside();
	if (rc < 0)
		errno = (int)-rc;
	return rc < 0 ? -1 : 0;
}

pid_t vclone(const struct clone_args *args, enum vclone_how how,
	     void (*fn)(void *arg), void *arg)
{
	struct clone_args a = *args;
	long rc;

#if VCLONE_SHARES
	if (how != VCLONE_FORK) {
		a.flags |=
			how == VCLONE_WAIT ? CLONE_VM | CLONE_VFORK : CLONE_VM;
		rc = clone_below(&a, fn, arg);
		if (rc < 0) {
			errno = (int)-rc;
			return -1;
		}
		return (pid_t)rc;
	}
#else
	(void)how;
#endif
	rc = syscall(SYS_clone3, &a, sizeof(a));
	if (rc == 0) {
		fn(arg);
		__builtin_trap();
	}
	return (pid_t)rc;
}
