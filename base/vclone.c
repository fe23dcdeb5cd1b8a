#include "vclone.h"

#include <errno.h>
#include <sched.h>
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
#endif

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
