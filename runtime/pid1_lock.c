#include "runtime/pid1_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/caps_apply.h"
#include "runtime/pid1.h"

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OUR_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__s390x__)
#define OUR_ARCH AUDIT_ARCH_S390X
#else
#error "which AUDIT_ARCH is this?"
#endif

/* The half of the first argument that contains the pid. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PID_ARG offsetof(struct seccomp_data, args[0])
#else
#define PID_ARG (offsetof(struct seccomp_data, args[0]) + 4)
#endif

#define LOAD(at)  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(at))
#define ANSWER(a) BPF_STMT(BPF_RET | BPF_K, (a))
#define IF_EQUAL(value, yes, no) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(value), (yes), (no))
#define ALWAYS(yes) BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0, (yes), 0)

/* System call numbers of x32 have an extra bit, so they are refused too. */
static int load_filter(pid_t program, bool all_children)
{
	struct sock_filter code[] = {
		LOAD(offsetof(struct seccomp_data, arch)),
		IF_EQUAL(OUR_ARCH, 1, 0),
		ANSWER(SECCOMP_RET_KILL_PROCESS),
		LOAD(offsetof(struct seccomp_data, nr)),
		IF_EQUAL(SYS_rt_sigtimedwait, 8, 0),
		IF_EQUAL(SYS_wait4, 7, 0),
		IF_EQUAL(SYS_exit_group, 6, 0),
		IF_EQUAL(SYS_close, 5, 0),
		IF_EQUAL(all_children ? SYS_pread64 : SYS_exit, 4, 0),
		IF_EQUAL(SYS_kill, 0, 2),
		LOAD(PID_ARG),
		IF_EQUAL(program, 1, 0),
		ANSWER(SECCOMP_RET_ERRNO | EPERM),
		ANSWER(SECCOMP_RET_ALLOW),
	};
	const struct sock_filter any_pid = ALWAYS(1);
	const struct sock_fprog prog = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};

	if (all_children)
		code[11] = any_pid;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0)
		return 0;
	/* A kernel without seccomp: the program has no filter either. */
	return errno == ENOSYS || errno == EINVAL ? 0 : -1;
}

static int lock_call(int op)
{
	struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int rc;

	do {
		rc = fcntl(PID1_CONF_FD, op, &l);
	} while (rc < 0 && errno == EINTR);
	return rc;
}

int pid1_hide(bool joiner)
{
	/*
	 * No process needs to inspect the joiner. PID 1 has more privileges
	 * than any process that sees it until it is locked.
	 */
	return joiner || (caps_apply_permitted() & CAP_BIT(CAP_SYS_PTRACE))
		       ? prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
		       : 0;
}

int pid1_lock_begin(void)
{
	return lock_call(F_SETLK);
}

int pid1_lock_wait(void)
{
	return lock_call(F_SETLKW);
}

/*
 * If we stay dumpable: the lowest of our capabilities that the program lacks.
 */
static uint64_t unused_one(uint64_t ours, uint64_t program_may)
{
	const uint64_t more = ours & ~program_may;

	return ours & CAP_BIT(CAP_SYS_PTRACE) ? 0 : more & (~more + 1);
}

int pid1_lock(pid_t program, int children_fd, uint64_t program_may)
{
	const uint64_t ours = caps_apply_permitted();
	const uint64_t used = ours & CAP_BIT(CAP_KILL);

	if (caps_apply_sets(used | unused_one(ours, program_may), used, 0, 0) <
		    0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    load_filter(program, children_fd >= 0) < 0)
		return -1;
	for (int fd = 0; fd <= 2; fd++)
		(void)close(fd);
	(void)close(PID1_SYNC_FD);
	/* The program waits for this. */
	(void)close(PID1_CONF_FD);
	return 0;
}
