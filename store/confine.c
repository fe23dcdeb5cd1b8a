#include "confine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define NATIVE_ARCH AUDIT_ARCH_RISCV64
#else
#error "name this architecture's AUDIT_ARCH here"
#endif

/* ---- capabilities and flags ---------------------------------------------- */

int confine_caps(uint64_t keep, struct err *e)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return err_sys(e, "capget", "of the worker");
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	/*
	 * The bounding set needs SETPCAP; without it there is nothing to gain
	 * by an exec either, since no_new_privs follows.
	 */
	for (int cap = 0; cap < 64; cap++)
		if (!(keep & CONFINE_CAP(cap)))
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	for (int i = 0; i < 2; i++) {
		const uint32_t mask = (uint32_t)(keep >> (32 * i));

		data[i].permitted &= mask;
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &head, data) < 0)
		return err_sys(e, "capset", "of the worker");
	return 0;
}

int confine_privs(struct err *e)
{
	const struct rlimit none = {0, 0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(e, "prctl", "PR_SET_NO_NEW_PRIVS");
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return err_sys(e, "setrlimit", "RLIMIT_CORE");
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(e, "prctl", "PR_SET_DUMPABLE");
	return 0;
}

int confine_fds(int keep_a, int keep_b, struct err *e)
{
	const int low = keep_a < keep_b ? keep_a : keep_b;
	const int high = keep_a < keep_b ? keep_b : keep_a;
	unsigned int from = 3;
	const int keep[] = {low, high};

	for (size_t i = 0; i < ARRAY_LEN(keep); i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from &&
		    own_close_range(from, (unsigned int)keep[i] - 1, 0) < 0)
			return err_sys(e, "close_range", "of the worker");
		from = (unsigned int)keep[i] + 1;
	}
	if (close_range(from, ~0U, 0) < 0)
		return err_sys(e, "close_range", "of the worker");
	return 0;
}

/* ---- system calls -------------------------------------------------------- */

/* To compute, to allocate, to tell the parent, and to die loudly. */
static const int ALWAYS[] = {
	SYS_read,          SYS_write,          SYS_close,
	SYS_sendto,        SYS_recvfrom,       SYS_brk,
	SYS_munmap,        SYS_mremap,         SYS_madvise,
	SYS_futex,         SYS_exit,           SYS_exit_group,
	SYS_rt_sigreturn,  SYS_getpid,         SYS_gettid,
	SYS_tgkill,        SYS_rt_sigprocmask, SYS_rt_sigaction,
	SYS_clock_gettime, SYS_getrandom,      SYS_restart_syscall,
	SYS_sched_yield,
#ifdef __SANITIZE_ADDRESS__
	SYS_sigaltstack, /* at each noreturn call */
#endif
};

#define MAX_RULES 128
#define INS(c, k) ((struct sock_filter)BPF_STMT((c), (k)))
#define JEQ(k, t, f) \
	((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (t), (f)))
#define JSET(k, t, f)                                                       \
	((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (k), (t), \
				      (f)))
#define LOAD(field) \
	INS(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* Little-endian: the low half of an argument comes first. */
#define LOAD_ARG_LOW(i) LOAD(args[i])
#define RET(action)     INS(BPF_RET | BPF_K, (action))

struct filter {
	struct sock_filter v[8 + 2 * MAX_RULES];
	unsigned short n;
};

static void filter_add(struct filter *f, struct sock_filter ins)
{
	assert(f->n < ARRAY_LEN(f->v));
	f->v[f->n++] = ins;
}

static void filter_allow(struct filter *f, const int *nr, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		filter_add(f, JEQ((unsigned int)nr[i], 0, 1));
		filter_add(f, RET(SECCOMP_RET_ALLOW));
	}
}

/* mmap and mprotect without PROT_EXEC: no library can be loaded any more. */
static void filter_allow_noexec(struct filter *f, int nr)
{
	filter_add(f, JEQ((unsigned int)nr, 0, 4));
	filter_add(f, LOAD_ARG_LOW(2));
	filter_add(f, JSET(PROT_EXEC, 0, 1));
	filter_add(f, RET(SECCOMP_RET_ERRNO | EPERM));
	filter_add(f, RET(SECCOMP_RET_ALLOW));
}

int confine_syscalls(const int *allowed, size_t n, struct err *e)
{
	struct filter f = {.n = 0};
	struct sock_fprog prog;

	filter_add(&f, LOAD(arch));
	filter_add(&f, JEQ(NATIVE_ARCH, 1, 0));
	filter_add(&f, RET(SECCOMP_RET_KILL_PROCESS));
	filter_add(&f, LOAD(nr));
	filter_allow(&f, allowed, n);
	filter_allow(&f, ALWAYS, ARRAY_LEN(ALWAYS));
	filter_allow_noexec(&f, SYS_mmap);
	filter_allow_noexec(&f, SYS_mprotect);
	filter_add(&f, RET(SECCOMP_RET_ERRNO | EPERM));
	prog = (struct sock_fprog){.len = f.n, .filter = f.v};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) == 0)
		return 0;
	/* ENOSYS: no seccomp; EINVAL: no filters. */
	if (errno == ENOSYS || errno == EINVAL)
		return 0;
	return err_sys(e, "seccomp", "filter of the worker");
}

/* ---- the root ------------------------------------------------------------ */

/* A detached tmpfs, made the place where the layer's mount is attached. */
static int make_empty_root(struct err *e)
{
	autoclose int fs = (int)syscall(SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
	int mnt;

	if (fs < 0)
		return err_sys(e, "fsopen", "tmpfs");
	if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(e, "fsconfig", "tmpfs");
	mnt = (int)syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC,
			   MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
				   MOUNT_ATTR_NOEXEC);
	if (mnt < 0)
		return err_sys(e, "fsmount", "tmpfs");
	return mnt;
}

/*
 * The directory dirfd (AT_FDCWD: our cwd) as a detached mount; how:
 * AT_RECURSIVE to include the mounts below it.
 */
static int clone_dir(int dirfd, unsigned int how, uint64_t attrs, struct err *e)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    MOUNT_ATTR_NOEXEC | attrs,
		.propagation = MS_PRIVATE,
	};
	autoclose int tree = (int)syscall(SYS_open_tree, dirfd, "",
					  OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC |
						  AT_EMPTY_PATH | how);

	if (tree < 0)
		return err_sys(e, "open_tree", "layer directory");
	if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | how, &attr,
		    sizeof(attr)) < 0 &&
	    errno != ENOSYS)
		return err_sys(e, "mount_setattr", "layer directory");
	return take_fd(&tree);
}

static int move_mount_to(int mnt, int dirfd, const char *name, struct err *e)
{
	if (syscall(SYS_move_mount, mnt, "", dirfd, name,
		    MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_sys(e, "move_mount", "%s", name);
	return 0;
}

/*
 * The tmpfs is mounted over "/" (a mount must be attached before another can be
 * mounted in it) and becomes the root by chroot. The old root below is out of
 * reach: no path leads there, and the capabilities to mount and chroot are
 * dropped before the first untrusted byte.
 */
static int enter_root(int root, struct err *e)
{
	if (move_mount_to(root, AT_FDCWD, "/", e) < 0)
		return -1;
	if (fchdir(root) < 0 || chroot(".") < 0)
		return err_sys(e, "chroot", "into an empty root");
	return 0;
}

static void seal_root(int root)
{
	struct mount_attr ro = {.attr_set = MOUNT_ATTR_RDONLY};

	(void)syscall(SYS_mount_setattr, root, "", AT_EMPTY_PATH, &ro,
		      sizeof(ro));
}

/* The layer is mounted at /layer in the empty root. */
static int enter_empty_root(int dir_fd, struct err *e)
{
	autoclose int layer = clone_dir(AT_FDCWD, 0, 0, e);
	autoclose int root = layer < 0 ? -1 : make_empty_root(e);
	autoclose int fresh = -1;

	if (root < 0 || enter_root(root, e) < 0)
		return -1;
	if (mkdirat(root, "layer", 0700) < 0)
		return err_sys(e, "mkdirat", "layer");
	if (move_mount_to(layer, root, "layer", e) < 0)
		return -1;
	seal_root(root);
	fresh = openat(root, "layer", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fresh < 0)
		return err_sys(e, "openat", "layer");
	if (dup3(fresh, dir_fd, O_CLOEXEC) < 0)
		return err_sys(e, "dup3", "layer directory");
	return 0;
}

/* Kernels and sandboxes that let us not mount: EPERM, ENOSYS, EINVAL... */
static int chroot_only(int dir_fd, struct err *e)
{
	if (fchdir(dir_fd) < 0)
		return err_sys(e, "fchdir", "layer directory");
	if (chroot(".") == 0 || errno == EPERM)
		return 0;
	return err_sys(e, "chroot", "layer directory");
}

/* Our own mount namespace; later mounts stay invisible outside. */
static int leave_mounts(void)
{
	const struct mount_attr private = {.propagation = MS_PRIVATE};

	if (unshare(CLONE_NEWNS) < 0)
		return -1;
	return (int)syscall(SYS_mount_setattr, AT_FDCWD, "/", AT_RECURSIVE,
			    &private, sizeof(private));
}

int confine_root(int dir_fd, struct err *e)
{
	struct err why = {0};

	/* The cwd follows into the new mount namespace; an fd would not. */
	if (fchdir(dir_fd) < 0)
		return err_sys(e, "fchdir", "layer directory");
	(void)unshare(CLONE_NEWNET);
	if (leave_mounts() < 0 || enter_empty_root(dir_fd, &why) < 0)
		return chroot_only(dir_fd, e);
	return 0;
}

/* Clone before leaving the mount namespace: later it is not permitted. */
static int cut_loose(int fd, uint64_t attrs, struct err *e)
{
	autoclose int tree = clone_dir(fd, AT_RECURSIVE, attrs, e);

	if (tree < 0)
		return -1;
	if (dup3(tree, fd, O_CLOEXEC) < 0)
		return err_sys(e, "dup3", "layer directory");
	return 0;
}

void confine_cut(int look)
{
	struct err ignored = {0};

	(void)cut_loose(look, MOUNT_ATTR_RDONLY, &ignored);
}

int confine_trees(const int *look, size_t n, int change, struct err *e)
{
	const int any = change >= 0 ? change : look[0];
	autoclose int root = -1;
	struct err why = {0};

	(void)unshare(CLONE_NEWNET);
	for (size_t i = 0; i < n; i++)
		if (cut_loose(look[i], MOUNT_ATTR_RDONLY, &why) < 0)
			return chroot_only(any, e);
	if (change >= 0 && cut_loose(change, 0, &why) < 0)
		return chroot_only(any, e);
	if (leave_mounts() < 0)
		return chroot_only(any, e);
	root = make_empty_root(&why);
	if (root < 0 || enter_root(root, &why) < 0)
		return chroot_only(any, e);
	seal_root(root);
	return 0;
}
