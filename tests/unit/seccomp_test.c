/* The default seccomp filter and profiles of users, run in an interpreter. */
#include "runtime/seccomp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/seccomp_judge.h"
#define SECCOMP_ALL_MACHINES
#include "runtime/seccomp_default.h"

static void get_default(struct filter *f, uint64_t caps)
{
	struct err e = {0};

	if (seccomp_default(caps, f->v, BPF_MAXINSNS, &f->n, &e) < 0)
		fail_msg("%s", e.text);
	assert_true(f->n > 100 && f->n <= SECCOMP_DEFAULT_MAX);
}

/* ---- decisions --------------------------------------------------------- */

#ifdef __x86_64__

static void plain_calls(void **state)
{
	static struct filter f;
	static const int allowed[] = {
		SYS_read,
		SYS_write,
		SYS_openat,
		SYS_execve,
		SYS_futex,
		SYS_ptrace,
		SYS_arch_prctl,
		SYS_seccomp,
		SYS_modify_ldt,
		SYS_chroot,
		SYS_mknod,
		SYS_capset,
		SYS_io_setup,
		SYS_prctl,
		335,
		462,
		SYS_rseq,
		SYS_openat2,
		466,
		452,
	};
	static const int refused[] = {
		SYS_mount,
		SYS_umount2,
		SYS_unshare,
		SYS_setns,
		SYS_keyctl,
		SYS_add_key,
		SYS_request_key,
		SYS_bpf,
		SYS_reboot,
		SYS_kexec_load,
		SYS_init_module,
		SYS_finit_module,
		SYS_userfaultfd,
		SYS_swapon,
		SYS_pivot_root,
		SYS_io_uring_setup,
		SYS_io_uring_enter,
		SYS_perf_event_open,
		SYS_open_by_handle_at,
		SYS_syslog,
		SYS_acct,
		SYS_settimeofday,
		SYS_mbind,
		SYS_kcmp,
		SYS_iopl,
		SYS_vhangup,
		SYS_fsopen,
	};

	(void)state;
	get_default(&f, DEFAULT_CAPS);
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		if (ask64(&f, allowed[i], 0) != ALLOW)
			fail_msg("call %d is refused", allowed[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		if (ask64(&f, refused[i], 0) != EPERM_)
			fail_msg("call %d is not EPERM", refused[i]);
	}
}

static void newer_calls_are_unknown(void **state)
{
	static struct filter f;

	(void)state;
	get_default(&f, ~UINT64_C(0));
	assert_int_equal(ask64(&f, 466, 0), ALLOW);
	assert_int_equal(ask64(&f, 467, 0), NOSYS);
	assert_int_equal(ask64(&f, 100000, 0), NOSYS);
	assert_int_equal(ask64(&f, 0x3fffffff, 0), NOSYS);
	assert_int_equal(ask64(&f, 0xffffffff, 0), NOSYS);
	/* x32: read and execve allowed, unknown ones not there */
	assert_int_equal(ask64(&f, 0x40000000, 0), ALLOW);
	assert_int_equal(ask64(&f, 0x40000000 + 520, 0), ALLOW);
	get_default(&f, DEFAULT_CAPS);
	for (int nr = 0x40000000; nr < 0x40000000 + 600; nr++) {
		char *name =
			seccomp_syscall_resolve_num_arch(SCMP_ARCH_X32, nr);
		const int nr64 = name ? seccomp_syscall_resolve_name_arch(
						SCMP_ARCH_X86_64, name)
				      : -1;

		if (nr64 >= 0 && ask64(&f, nr, 0) != ask64(&f, nr64, 0))
			fail_msg("%s differs on x32", name);
		free(name);
	}
	assert_int_equal(ask64(&f, 0x40000000 + 600, 0), NOSYS);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 466, 0), ALLOW);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 467, 0), NOSYS);
}

static void arguments(void **state)
{
	static struct filter f;
	static const int families[] = {0, 1, 2, 10, 11, 16, 17, 31, 39, 44, 45};
	static const int no_families[] = {12, 19, 20, 23, 25, 34,
					  37, 38, 40, 46, 255};

	(void)state;
	get_default(&f, DEFAULT_CAPS);
	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		assert_int_equal(ask64(&f, SYS_socket, (uint64_t)families[i]),
				 ALLOW);
	for (size_t i = 0; i < ARRAY_LEN(no_families); i++)
		assert_int_equal(
			ask64(&f, SYS_socket, (uint64_t)no_families[i]),
			EPERM_);
	/* The kernel reads an int: garbage above must not open a door. */
	assert_int_equal(ask64(&f, SYS_socket, BIT(32) | AF_VSOCK), EPERM_);

	assert_int_equal(ask64(&f, SYS_personality, 0), ALLOW);
	assert_int_equal(ask64(&f, SYS_personality, 8), ALLOW);
	assert_int_equal(ask64(&f, SYS_personality, 0x20000), ALLOW);
	assert_int_equal(ask64(&f, SYS_personality, 0x20008), ALLOW);
	assert_int_equal(ask64(&f, SYS_personality, 0xffffffff), ALLOW);
	assert_int_equal(ask64(&f, SYS_personality, ADDR_NO_RANDOMIZE), EPERM_);

	assert_int_equal(ask64(&f, SYS_clone, SIGCHLD), ALLOW);
	for (int bit = 0; bit < 32; bit++) {
		const uint32_t ns = 0x7e020000;

		assert_int_equal(ask64(&f, SYS_clone, BIT(bit)),
				 ns >> bit & 1 ? EPERM_ : ALLOW);
	}
	assert_int_equal(ask64(&f, SYS_clone3, 0), NOSYS);
}

static void capabilities_open_calls(void **state)
{
	static const struct {
		int cap;
		int nr;
	} rows[] = {
		{CAP_SYS_ADMIN, SYS_mount},
		{CAP_SYS_ADMIN, SYS_unshare},
		{CAP_SYS_ADMIN, SYS_clone3},
		{CAP_SYS_ADMIN, SYS_bpf},
		{CAP_BPF, SYS_bpf},
		{CAP_SYS_ADMIN, SYS_perf_event_open},
		{CAP_PERFMON, SYS_perf_event_open},
		{CAP_SYS_ADMIN, SYS_syslog},
		{CAP_SYSLOG, SYS_syslog},
		{CAP_SYS_CHROOT, SYS_chroot},
		{CAP_SYS_BOOT, SYS_reboot},
		{CAP_DAC_READ_SEARCH, SYS_open_by_handle_at},
		{CAP_SYS_MODULE, SYS_finit_module},
		{CAP_SYS_PACCT, SYS_acct},
		{CAP_SYS_PTRACE, SYS_pidfd_getfd},
		{CAP_SYS_RAWIO, SYS_iopl},
		{CAP_SYS_TIME, SYS_clock_settime},
		{CAP_SYS_TTY_CONFIG, SYS_vhangup},
		{CAP_SYS_NICE, SYS_mbind},
	};
	static struct filter none;
	static struct filter one;

	(void)state;
	get_default(&none, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		get_default(&one, BIT(rows[i].cap));
		assert_int_equal(ask64(&one, rows[i].nr, 0), ALLOW);
		assert_int_equal(ask64(&none, rows[i].nr, 0),
				 rows[i].nr == SYS_clone3 ? NOSYS : EPERM_);
	}
	get_default(&one, BIT(CAP_SYS_ADMIN));
	assert_int_equal(ask64(&one, SYS_clone, CLONE_NEWNS), ALLOW);
	/* Never opened by any capability. */
	get_default(&one, ~UINT64_C(0));
	assert_int_equal(ask64(&one, SYS_kexec_load, 0), EPERM_);
	assert_int_equal(ask64(&one, SYS_socket, AF_VSOCK), EPERM_);
}

static void foreign_machines_are_killed(void **state)
{
	static struct filter f;

	(void)state;
	get_default(&f, ~UINT64_C(0));
	assert_int_equal(ask(&f, AUDIT_ARCH_AARCH64, 0, 0),
			 SECCOMP_RET_KILL_PROCESS);
	assert_int_equal(ask(&f, 0, 0, 0), SECCOMP_RET_KILL_PROCESS);
	/* i386 has numbers of its own: mount is 21, read is 3. */
	get_default(&f, DEFAULT_CAPS);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 21, 0), EPERM_);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 3, 0), ALLOW);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 120, CLONE_NEWUSER), EPERM_);
	/* socket is there twice: by socketcall and, since 4.3, directly */
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 102, 1), ALLOW);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 359, AF_INET), ALLOW);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 359, AF_VSOCK), EPERM_);
	assert_int_equal(ask(&f, AUDIT_ARCH_I386, 362, 0), ALLOW);
}

static void arm_table(void **state)
{
	static struct filter f;
	struct err e = {0};

	(void)state;
	f.n = ARRAY_LEN(seccomp_insn_aarch64);
	assert_int_equal(seccomp_patch_copy(seccomp_insn_aarch64, f.n,
					    seccomp_patch_aarch64,
					    ARRAY_LEN(seccomp_patch_aarch64),
					    DEFAULT_CAPS, f.v, BPF_MAXINSNS,
					    &e),
			 0);
	for (int nr = 0; nr < 480; nr++) {
		static struct filter x86;
		char *name =
			seccomp_syscall_resolve_num_arch(SCMP_ARCH_AARCH64, nr);
		const int nr86 = name ? seccomp_syscall_resolve_name_arch(
						SCMP_ARCH_X86_64, name)
				      : -1;

		/* Same name, same decision; but for what only one of them has. */
		get_default(&x86, DEFAULT_CAPS);
		if (nr86 >= 0 &&
		    ask(&f, AUDIT_ARCH_AARCH64, (uint32_t)nr, 0) !=
			    ask64(&x86, nr86, 0) &&
		    strcmp(name, "sync_file_range2") != 0)
			fail_msg("%s differs on aarch64", name);
		free(name);
	}
	/* arm: set_tls lies far above; what is between is unknown. */
	assert_int_equal(ask(&f, AUDIT_ARCH_ARM, 0xf0005, 0), ALLOW);
	assert_int_equal(ask(&f, AUDIT_ARCH_ARM, 0xf0000, 0), NOSYS);
	assert_int_equal(ask(&f, AUDIT_ARCH_ARM, 467, 0), NOSYS);
	assert_int_equal(ask(&f, AUDIT_ARCH_X86_64, 0, 0),
			 SECCOMP_RET_KILL_PROCESS);
}

static void too_small_a_buffer(void **state)
{
	struct sock_filter few[10];
	struct err e = {0};
	size_t n = 77;

	(void)state;
	assert_int_equal(seccomp_default(0, few, 10, &n, &e), -1);
	assert_int_equal(e.kind, ERR_TOOBIG);
	assert_int_equal(n, 77);
}

/*
 * Where podman decides otherwise, and why we do not follow.
 */
static const char *const differences[] = {
	/* podman opens these to nest containers; Docker does not */
	"clone3",
	"unshare",
	"mount",
	"umount",
	"umount2",
	"pivot_root",
	"mount_setattr",
	"move_mount",
	"open_tree",
	"fsopen",
	"fsconfig",
	"fsmount",
	"fspick",
	"reboot",
	"setns",
	/* the keyring: namespaced since Linux 5.3 only */
	"keyctl",
	/* Docker asks for CAP_SYS_NICE, CAP_SYS_PTRACE, CAP_SYSLOG */
	"mbind",
	"get_mempolicy",
	"set_mempolicy",
	"set_mempolicy_home_node",
	"pidfd_getfd",
	"syslog",
	/* Docker lets CAP_BPF, CAP_PERFMON do for CAP_SYS_ADMIN */
	"bpf",
	"perf_event_open",
	/* needs CAP_SYS_ADMIN anyway: Docker gates it */
	"quotactl_fd",
	/* of i386 alone: never named by Docker */
	"signal",
	"sigaction",
	"sigsuspend",
	"sigpending",
	"readdir",
	/* harmless for Docker, of a family that podman allows in part */
	"vmsplice",
	"io_pgetevents",
	"io_pgetevents_time64",
	/* newer than podman's list */
	"futex_waitv",
	"cachestat",
	"fchmodat2",
	"map_shadow_stack",
	"futex_wake",
	"futex_wait",
	"futex_requeue",
	/* gone since Linux 2.6 */
	"query_module",
};

/* How often each of them was met. */
static unsigned int met[ARRAY_LEN(differences)];

static bool differs_on_purpose(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(differences); i++) {
		if (strcmp(differences[i], name) == 0) {
			met[i]++;
			return true;
		}
	}
	return false;
}

struct tally {
	unsigned int compared;
	unsigned int wrong;
};

static void compare_arch(const json_t *doc, const struct filter *f,
			 uint64_t caps, uint32_t arch, struct tally *t)
{
	for (int nr = 0; nr < 600; nr++) {
		const struct seccomp_data d = {.nr = nr, .arch = arch};
		char *name = seccomp_syscall_resolve_num_arch(arch, nr);
		bool ours;
		bool theirs;

		if (!name)
			continue;
		ours = run(f->v, f->n, &d) == ALLOW;
		theirs = judge(doc, name, caps, &d) == ALLOW;
		t->compared++;
		if (ours != theirs && !differs_on_purpose(name)) {
			print_error("%s (arch %x, caps %llx): ours %s\n", name,
				    arch, (unsigned long long)caps,
				    ours ? "allows" : "refuses");
			t->wrong++;
		}
		free(name);
	}
}

static void decisions_are_podmans(void **state)
{
	static struct filter f;
	json_t *doc = load_podman();
	struct tally t = {0};

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(cap_sets); c++) {
		get_default(&f, cap_sets[c]);
		/* libseccomp's names for these are the audit values. */
		compare_arch(doc, &f, cap_sets[c], AUDIT_ARCH_X86_64, &t);
		compare_arch(doc, &f, cap_sets[c], AUDIT_ARCH_I386, &t);
	}
	json_decref(doc);
	for (size_t i = 0; i < ARRAY_LEN(differences); i++) {
		if (!met[i])
			print_message("note: %s does not differ\n",
				      differences[i]);
	}
	assert_true(t.compared > ARRAY_LEN(cap_sets) * 700);
	assert_int_equal(t.wrong, 0);
}

/* ---- the kernel's opinion ----------------------------------------------- */

/* 0, or the number of the first expectation that failed. */
static int in_jail(const struct filter *f)
{
	const struct sock_fprog prog = {
		.len = (unsigned short)f->n,
		.filter = (struct sock_filter *)(uintptr_t)f->v,
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return 1;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return 2;
	if (mount("none", "/nonexistent", "tmpfs", 0, "") != -1 ||
	    errno != EPERM)
		return 3;
	if (unshare(CLONE_NEWUSER) != -1 || errno != EPERM)
		return 4;
	if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS)
		return 5;
	if (syscall(SYS_keyctl, 0, 0, 0) != -1 || errno != EPERM)
		return 6;
	if (personality(ADDR_NO_RANDOMIZE) != -1 || errno != EPERM)
		return 7;
	if (personality(0xffffffff) == -1)
		return 8;
	if (socket(AF_VSOCK, SOCK_STREAM, 0) != -1 || errno != EPERM)
		return 9;
	if (syscall(SYS_socket, BIT(32) | AF_VSOCK, SOCK_STREAM, 0) != -1 ||
	    errno != EPERM)
		return 10;
	if (socket(AF_UNIX, SOCK_STREAM, 0) < 0)
		return 11;
	if (syscall(5000) != -1 || errno != ENOSYS)
		return 12;
	if (syscall(SYS_io_uring_setup, 1, NULL) != -1 || errno != EPERM)
		return 13;
	if (open("/dev/null", O_RDONLY) < 0 || getpid() < 1)
		return 14;
	if (syscall(SYS_clone, CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0) != -1 ||
	    errno != EPERM)
		return 15;
	return 0;
}

static void kernel_takes_and_obeys_it(void **state)
{
	static struct filter f;
	int status = 0;
	pid_t pid;

	(void)state;
	get_default(&f, DEFAULT_CAPS);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(in_jail(&f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- cost ---------------------------------------------------------------- */

static void short_ways(void **state)
{
	static struct filter f;
	struct timespec a;
	struct timespec b;
	unsigned int total = 0;
	unsigned int worst = 0;

	(void)state;
	get_default(&f, DEFAULT_CAPS);
	for (int nr = 0; nr <= 466; nr++) {
		(void)ask64(&f, nr, 0);
		total += steps;
		if (steps > worst)
			worst = steps;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	for (int i = 0; i < 1000; i++)
		get_default(&f, DEFAULT_CAPS);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	print_message("%zu instructions; a call takes %u.%02u on average, %u "
		      "at worst; seccomp_default() %.2f us\n",
		      f.n, total / 467, total * 100 / 467 % 100, worst,
		      (double)((b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec -
			       a.tv_nsec) /
			      1e6);
	/* Loading costs about 0.3 us an instruction at each start. */
	assert_true(f.n <= 400);
	assert_true(worst <= 24);
	(void)ask64(&f, SYS_read, 0);
	assert_true(steps <= 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_calls),
		cmocka_unit_test(newer_calls_are_unknown),
		cmocka_unit_test(arguments),
		cmocka_unit_test(capabilities_open_calls),
		cmocka_unit_test(foreign_machines_are_killed),
		cmocka_unit_test(arm_table),
		cmocka_unit_test(too_small_a_buffer),
		cmocka_unit_test(decisions_are_podmans),
		cmocka_unit_test(kernel_takes_and_obeys_it),
		cmocka_unit_test(short_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	return 0; /* the numbers above are those of x86_64 */
}

#endif
