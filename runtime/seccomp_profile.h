/*
 * seccomp_profile - which system calls a container may make by default
 *
 * The decisions are those that Docker and podman publish (moby/profiles,
 * containers/common); where these two differ, Docker's stand, since images are
 * tested with them. Everything that is not named here fails with EPERM, and
 * what is newer than the newest call named here with ENOSYS, so that a libc
 * falls back instead of giving up.
 *
 * The table is read by seccomp_gen.c when prism is built. Names that an
 * architecture does not have are skipped there. A call that stands in several
 * rows is allowed by any of them.
 */
#ifndef RUNTIME_SECCOMP_PROFILE_H
#define RUNTIME_SECCOMP_PROFILE_H

#include <linux/capability.h>
#include <stddef.h>
#include <stdint.h>

#define CAPBIT(c) (UINT64_C(1) << (c))

/* What a row is about: the call, or the call with some arguments. */
enum seccomp_check {
	CHECK_NONE,
	CHECK_CLONE,       /* no new namespaces, unless caps are kept */
	CHECK_SOCKET,      /* address families of seccomp_families */
	CHECK_PERSONALITY, /* values of seccomp_personalities */
	CHECK_NOSYS,       /* ENOSYS instead of EPERM, unless caps are kept */
};

/* Which native machine a row is for. */
enum seccomp_machine {
	ON_ANY,
	ON_X86, /* x86_64 with x32 and i386 */
	ON_ARM, /* aarch64 with arm */
};

struct seccomp_row {
	const char *names;
	uint64_t caps; /* one of these must be kept; 0: always */
	enum seccomp_check check;
	enum seccomp_machine machine;
};

static const struct seccomp_row seccomp_rows[] = {
	/* descriptors and what goes through them */
	{"read write readv writev pread64 pwrite64 preadv pwritev preadv2 "
	 "pwritev2 lseek _llseek close close_range dup dup2 dup3 pipe pipe2 "
	 "fcntl fcntl64 ioctl flock sendfile sendfile64 splice tee vmsplice "
	 "copy_file_range readahead sync_file_range sync syncfs fsync "
	 "fdatasync fallocate fadvise64 fadvise64_64 ftruncate ftruncate64 "
	 "truncate truncate64 memfd_create memfd_secret"},
	/* names in file systems, and what is known about them */
	{"open openat openat2 creat access faccessat faccessat2 stat stat64 "
	 "lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs "
	 "statfs64 fstatfs fstatfs64 getcwd chdir fchdir getdents "
	 "getdents64 mkdir mkdirat rmdir link linkat symlink symlinkat "
	 "unlink unlinkat rename renameat renameat2 readlink readlinkat "
	 "mknod mknodat chmod fchmod fchmodat fchmodat2 chown chown32 fchown "
	 "fchown32 lchown lchown32 fchownat umask utime utimes futimesat "
	 "utimensat utimensat_time64 name_to_handle_at"},
	{"getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr "
	 "fsetxattr setxattrat listxattr llistxattr flistxattr listxattrat "
	 "removexattr lremovexattr fremovexattr removexattrat"},
	/* reading the mount table is not changing it */
	{"listmount statmount"},
	{"inotify_init inotify_init1 inotify_add_watch inotify_rm_watch "
	 "fanotify_mark"},
	/* memory */
	{"brk mmap mmap2 munmap mremap mprotect madvise mincore msync mlock "
	 "mlock2 mlockall munlock munlockall remap_file_pages membarrier "
	 "pkey_alloc pkey_free pkey_mprotect mseal map_shadow_stack "
	 "cachestat process_mrelease"},
	/* processes and threads; clone and clone3 have rows of their own */
	{"fork vfork execve execveat exit exit_group wait4 waitid waitpid "
	 "getpid getppid gettid getpgid getpgrp setpgid getsid setsid "
	 "set_tid_address set_thread_area get_thread_area set_robust_list "
	 "get_robust_list rseq prctl seccomp pidfd_open "
	 "pidfd_send_signal restart_syscall uretprobe riscv_hwprobe"},
	{"futex futex_time64 futex_waitv futex_wait futex_wake "
	 "futex_requeue"},
	/* landlock and seccomp only take away */
	{"landlock_create_ruleset landlock_add_rule landlock_restrict_self"},
	/* identities: what may be set is for capabilities to say */
	{"getuid getuid32 geteuid geteuid32 getgid getgid32 getegid "
	 "getegid32 getresuid getresuid32 getresgid getresgid32 getgroups "
	 "getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32 "
	 "setregid setregid32 setresuid setresuid32 setresgid setresgid32 "
	 "setfsuid setfsuid32 setfsgid setfsgid32 setgroups setgroups32 "
	 "capget capset"},
	/* signals */
	{"kill tkill tgkill pause sigaltstack sigprocmask sigreturn "
	 "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo "
	 "rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64 "
	 "rt_tgsigqueueinfo signalfd signalfd4"},
	/* clocks and timers; clock_adjtime without CAP_SYS_TIME only reads */
	{"time gettimeofday clock_gettime clock_gettime64 clock_getres "
	 "clock_getres_time64 clock_nanosleep clock_nanosleep_time64 "
	 "nanosleep adjtimex clock_adjtime clock_adjtime64 alarm getitimer "
	 "setitimer timer_create timer_delete timer_getoverrun timer_gettime "
	 "timer_gettime64 timer_settime timer_settime64 timerfd_create "
	 "timerfd_gettime timerfd_gettime64 timerfd_settime "
	 "timerfd_settime64 times"},
	/* waiting for many */
	{"poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 "
	 "epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait "
	 "epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2"},
	/* asynchronous I/O of the old kind; io_uring goes past every filter */
	{"io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents "
	 "io_pgetevents_time64 ioprio_get ioprio_set"},
	/* sockets; socket itself has a row of its own */
	{"bind listen accept accept4 connect shutdown socketpair socketcall "
	 "getsockname getpeername getsockopt setsockopt send sendto sendmsg "
	 "sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64"},
	/* System V and POSIX messages, semaphores, shared memory */
	{"ipc msgctl msgget msgrcv msgsnd semctl semget semop semtimedop "
	 "semtimedop_time64 shmat shmctl shmdt shmget mq_open mq_unlink "
	 "mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 "
	 "mq_timedreceive mq_timedreceive_time64"},
	/* scheduling and limits */
	{"sched_yield sched_getaffinity sched_setaffinity sched_getattr "
	 "sched_setattr sched_getparam sched_setparam sched_getscheduler "
	 "sched_setscheduler sched_get_priority_max sched_get_priority_min "
	 "sched_rr_get_interval sched_rr_get_interval_time64 getpriority "
	 "setpriority getrlimit ugetrlimit setrlimit prlimit64 getrusage "
	 "getcpu"},
	/* the machine */
	{"uname sysinfo getrandom"},
	/*
	 * A tracer could change a call after the filter had seen it before
	 * Linux 4.8; prism needs a newer kernel than that anyway.
	 */
	{"ptrace process_vm_readv process_vm_writev"},
	{"arch_prctl modify_ldt", .machine = ON_X86},
	{"arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint "
	 "cacheflush set_tls",
	 .machine = ON_ARM},

	/* with arguments */
	{"socket", .check = CHECK_SOCKET},
	{"personality", .check = CHECK_PERSONALITY},
	{"clone", CAPBIT(CAP_SYS_ADMIN), .check = CHECK_CLONE},
	/* its flags lie behind a pointer: unseen by a filter, so refused */
	{"clone3", CAPBIT(CAP_SYS_ADMIN), .check = CHECK_NOSYS},

	/* with capabilities */
	{"fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie "
	 "lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount "
	 "mount_setattr move_mount open_tree quotactl quotactl_fd "
	 "setdomainname sethostname setns umount umount2 unshare",
	 CAPBIT(CAP_SYS_ADMIN)},
	{"bpf", CAPBIT(CAP_SYS_ADMIN) | CAPBIT(CAP_BPF)},
	{"perf_event_open", CAPBIT(CAP_SYS_ADMIN) | CAPBIT(CAP_PERFMON)},
	{"syslog", CAPBIT(CAP_SYS_ADMIN) | CAPBIT(CAP_SYSLOG)},
	{"open_by_handle_at", CAPBIT(CAP_DAC_READ_SEARCH)},
	{"reboot", CAPBIT(CAP_SYS_BOOT)},
	{"chroot", CAPBIT(CAP_SYS_CHROOT)},
	{"init_module finit_module delete_module", CAPBIT(CAP_SYS_MODULE)},
	{"acct", CAPBIT(CAP_SYS_PACCT)},
	{"kcmp pidfd_getfd process_madvise", CAPBIT(CAP_SYS_PTRACE)},
	{"iopl ioperm", CAPBIT(CAP_SYS_RAWIO)},
	{"settimeofday stime clock_settime clock_settime64",
	 CAPBIT(CAP_SYS_TIME)},
	{"vhangup", CAPBIT(CAP_SYS_TTY_CONFIG)},
	{"get_mempolicy mbind set_mempolicy set_mempolicy_home_node",
	 CAPBIT(CAP_SYS_NICE)},
};

/* Asked for so often that they deserve the short way through the tree. */
static const char seccomp_hot[] =
	"read write close openat newfstatat fstat mmap munmap mprotect brk "
	"futex rt_sigprocmask rt_sigaction poll ppoll epoll_wait epoll_pwait "
	"recvfrom sendto recvmsg sendmsg clock_gettime nanosleep getpid "
	"lseek fcntl ioctl stat pread64 pwrite64 readv writev madvise "
	"sched_yield getdents64 statx";

/*
 * Address families for socket(2), as ranges. Left out are those without a
 * reason to be reached from a container: AF_ALG (the kernel's own crypto, a
 * source of privilege escalations), AF_VSOCK (the hypervisor; it knows no
 * network namespaces), and what Linux has removed: DECnet, Econet, ATM SVC,
 * IrDA, WANPIPE, ISDN, CAIF.
 */
static const struct {
	uint32_t first, last;
} seccomp_families[] = {
	{0, 11},  /* UNSPEC UNIX INET AX25 .. X25 INET6 ROSE */
	{13, 18}, /* NETBEUI SECURITY KEY NETLINK PACKET ASH */
	{21, 22}, /* RDS SNA */
	{24, 24}, /* PPPOX */
	{26, 33}, /* LLC IB MPLS CAN TIPC BLUETOOTH IUCV RXRPC */
	{35, 36}, /* PHONET IEEE802154 */
	{39, 39}, /* NFC */
	{41, 45}, /* KCM QIPCRTR SMC XDP MCTP */
};

/*
 * PER_LINUX and PER_LINUX32, each with or without UNAME26, and the question
 * what it is now.
 */
static const uint32_t seccomp_personalities[] = {0, 0x8, 0x20000, 0x20008,
						 0xffffffff};

/* CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
#define SECCOMP_CLONE_MASK 0x7e020000

/*
 * Calls that are too new for the libseccomp of some distributions. Since
 * Linux 5.2 all architectures number new calls alike.
 */
static const struct {
	const char *name;
	int nr;
} seccomp_new_names[] = {
	{"process_mrelease", 448},
	{"futex_waitv", 449},
	{"set_mempolicy_home_node", 450},
	{"cachestat", 451},
	{"fchmodat2", 452},
	{"map_shadow_stack", 453},
	{"futex_wake", 454},
	{"futex_wait", 455},
	{"futex_requeue", 456},
	{"statmount", 457},
	{"listmount", 458},
	{"lsm_get_self_attr", 459},
	{"lsm_set_self_attr", 460},
	{"lsm_list_modules", 461},
	{"mseal", 462},
	{"setxattrat", 463},
	{"getxattrat", 464},
	{"listxattrat", 465},
	{"removexattrat", 466},
};

#endif
