/*
 * tracer - a hostile program attacks the processes of prism's that it can see
 *
 *	tracer refused       all ways into PID 1; 0 if each is refused
 *	tracer drive [CODE]  with CAP_SYS_PTRACE: make PID 1 call what it must
 *	                     not; 0 if each is refused. With CODE it then forges
 *	                     the message of its end, and a last call ends PID 1
 *	tracer watch FILE    attach to every new process until FILE exists; prints
 *	                     ready, then a line for each process of prism's that it
 *	                     caught (a program counts as one until its execve),
 *	                     then the number of programs; 1 if it caught prism
 *	tracer keys          name and number of its session keyring
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static int bad;

static int number(const char *s)
{
	int n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (*s - '0');
	return n;
}

/* ---- the ways into PID 1 ---------------------------------------------------- */

static void must_refuse(const char *what, long rc)
{
	const bool ok = rc < 0 && (errno == EPERM || errno == EACCES);

	(void)printf("%s: %s\n", what, rc < 0 ? strerror(errno) : "WORKED");
	bad += !ok;
}

static void refuse_open(const char *path, int flags)
{
	const int fd = open(path, flags);

	must_refuse(path, fd);
	if (fd >= 0)
		(void)close(fd);
}

static int refused(void)
{
	static char byte;
	struct iovec mine = {&byte, 1};
	/* The kernel checks permission before the address. */
	struct iovec theirs = {(void *)0x400000, 1};
	const int pidfd = (int)syscall(SYS_pidfd_open, 1, 0);

	must_refuse("PTRACE_ATTACH", ptrace(PTRACE_ATTACH, 1, NULL, NULL));
	must_refuse("PTRACE_SEIZE", ptrace(PTRACE_SEIZE, 1, NULL, NULL));
	must_refuse("process_vm_readv",
		    process_vm_readv(1, &mine, 1, &theirs, 1, 0));
	must_refuse("process_vm_writev",
		    process_vm_writev(1, &mine, 1, &theirs, 1, 0));
	for (int fd = 0; fd < 6; fd++)
		must_refuse("pidfd_getfd",
			    syscall(SYS_pidfd_getfd, pidfd, fd, 0));
	refuse_open("/proc/1/mem", O_RDONLY);
	refuse_open("/proc/1/mem", O_RDWR);
	refuse_open("/proc/1/environ", O_RDONLY);
	refuse_open("/proc/1/maps", O_RDONLY);
	refuse_open("/proc/1/root", O_PATH);
	refuse_open("/proc/1/exe", O_RDONLY);
	return bad != 0;
}

/* ---- PID 1 under a debugger ----------------------------------------------- */

static void must(const char *what, long rc)
{
	if (rc >= 0)
		return;
	(void)printf("cannot: %s: %s\n", what, strerror(errno));
	exit(2);
}

#if defined(__x86_64__)
static void set_call(struct user_regs_struct *r, long nr, const long *arg)
{
	r->rip -= 2;
	r->rax = (unsigned long long)nr;
	r->orig_rax = (unsigned long long)-1;
	r->rdi = (unsigned long long)arg[0];
	r->rsi = (unsigned long long)arg[1];
	r->rdx = (unsigned long long)arg[2];
	r->r10 = (unsigned long long)arg[3];
	r->r8 = 0;
	r->r9 = 0;
}

static long result(const struct user_regs_struct *r)
{
	return (long)r->rax;
}

static unsigned long stack_of(const struct user_regs_struct *r)
{
	return r->rsp;
}
#elif defined(__aarch64__)
static void set_call(struct user_regs_struct *r, long nr, const long *arg)
{
	r->pc -= 4;
	r->regs[8] = (unsigned long long)nr;
	for (int i = 0; i < 4; i++)
		r->regs[i] = (unsigned long long)arg[i];
	r->regs[4] = 0;
	r->regs[5] = 0;
}

static long result(const struct user_regs_struct *r)
{
	return (long)r->regs[0];
}

static unsigned long stack_of(const struct user_regs_struct *r)
{
	return r->sp;
}
#endif

static struct user_regs_struct before;

static void regs(int request, struct user_regs_struct *r)
{
	struct iovec io = {r, sizeof(*r)};

	must("registers of PID 1",
	     ptrace(request, 1, (void *)NT_PRSTATUS, &io));
}

/* PID 1 has just left a system call instruction: execute it again. */
static long call(long nr, long a, long b, long c, long d)
{
	const long arg[4] = {a, b, c, d};
	struct user_regs_struct r = before;
	int status = 0;

	set_call(&r, nr, arg);
	regs(PTRACE_SETREGSET, &r);
	/* The entry, then the exit. */
	for (int i = 0; i < 2; i++) {
		must("go on", ptrace(PTRACE_SYSCALL, 1, NULL, NULL));
		must("wait", waitpid(1, &status, __WALL));
		if (!WIFSTOPPED(status))
			return -ESRCH;
	}
	regs(PTRACE_GETREGSET, &r);
	return result(&r);
}

static void must_be_cut_off(const char *what, long nr, long a, long b, long c)
{
	const long rc = call(nr, a, b, c, 0);

	errno = rc < 0 ? (int)-rc : 0;
	must_refuse(what, rc < 0 ? -1 : 0);
}

static void forge_end(uint32_t code)
{
	const unsigned long at = (stack_of(&before) - 4096) & ~7UL;
	/* SYNC_ENDED, as it once was, and the code. */
	const uint32_t said[2] = {5, code};
	uint64_t word;

	memcpy(&word, said, sizeof(word));
	must("write to its stack",
	     ptrace(PTRACE_POKEDATA, 1, (void *)at, (void *)word));
	for (int fd = 0; fd < 8; fd++)
		must_be_cut_off("sendto", SYS_sendto, fd, (long)at, 8);
}

static int drive(const char *code)
{
	int status = 0;

	must("PTRACE_SEIZE", ptrace(PTRACE_SEIZE, 1, NULL, NULL));
	must("PTRACE_INTERRUPT", ptrace(PTRACE_INTERRUPT, 1, NULL, NULL));
	must("wait", waitpid(1, &status, __WALL));
	/* Let it leave the call that it waited in. */
	regs(PTRACE_GETREGSET, &before);
	/* With arguments that are invalid if no filter refuses the call. */
	must_be_cut_off("io_uring_setup", SYS_io_uring_setup, 0, 0, 0);
	must_be_cut_off("userfaultfd", SYS_userfaultfd, -1, 0, 0);
	must_be_cut_off("keyctl", SYS_keyctl, 0, -3, 0);
	must_be_cut_off("vsock", SYS_socket, AF_VSOCK, SOCK_STREAM, 0);
	must_be_cut_off("unshare", SYS_unshare, -1, 0, 0);
	must_be_cut_off("setns", SYS_setns, 0, 0, 0);
	must_be_cut_off("execve", SYS_execve, 0, 0, 0);
	must_be_cut_off("clone", SYS_clone, CLONE_THREAD, 0, 0);
	must_be_cut_off("openat", SYS_openat, AT_FDCWD, 0, 0);
	must_be_cut_off("mount", SYS_mount, 0, 0, 0);
	must_be_cut_off("bpf", SYS_bpf, 0, 0, 0);
	must_be_cut_off("setuid", SYS_setuid, 0, 0, 0);
	must_be_cut_off("capset", SYS_capset, 0, 0, 0);
	must_be_cut_off("prctl", SYS_prctl, 0, 0, 0);
	must_be_cut_off("seccomp", SYS_seccomp, -1, 0, 0);
	must_be_cut_off("ptrace", SYS_ptrace, -1, 0, 0);
	must_be_cut_off("mmap", SYS_mmap, 0, 0, 7);
	must_be_cut_off("kill of us", SYS_kill, getpid(), 0, 0);
	if (code) {
		forge_end((uint32_t)number(code));
		(void)printf("forged, %d calls worked\n", bad);
		(void)fflush(stdout);
		(void)sleep(1);
		(void)call(SYS_exit_group, number(code), 0, 0, 0);
	}
	regs(PTRACE_SETREGSET, &before);
	must("detach", ptrace(PTRACE_DETACH, 1, NULL, NULL));
	return bad != 0;
}

/* ---- every new process ----------------------------------------------------------- */

/* A program has the name of its PID 1 until its execve. */
static void name_of(pid_t pid, char *ret, size_t size)
{
	char path[40];
	FILE *f;

	(void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	ret[0] = '\0';
	if (!f)
		return;
	(void)!fgets(ret, (int)size, f);
	ret[strcspn(ret, "\n")] = '\0';
	(void)fclose(f);
}

static long programs;

static void seize(pid_t pid)
{
	char name[64];

	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0)
		return;
	name_of(pid, name, sizeof(name));
	if (!strncmp(name, "prism", 5)) {
		(void)printf("caught %s, %d\n", name, (int)pid);
		bad++;
	} else {
		programs++;
	}
}

/* Handle all events of the traced processes. */
static void let_go_on(void)
{
	for (;;) {
		int status = 0;
		const pid_t pid = waitpid(-1, &status, WNOHANG | __WALL);

		if (pid <= 0)
			return;
		if (!WIFSTOPPED(status))
			continue;
		(void)ptrace(
			PTRACE_CONT, pid, NULL,
			(void *)(long)(status >> 16 ? 0 : WSTOPSIG(status)));
	}
}

static pid_t newest(void)
{
	char text[256];
	const int fd = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	char *last;

	(void)close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	last = strrchr(text, ' ');
	return last ? number(last + 1) : 0;
}

/* Pids are assigned in order: try those that come next. */
static int watch(const char *until)
{
	pid_t known = newest();

	(void)printf("ready\n");
	(void)fflush(stdout);
	for (long round = 0;; round++) {
		if (round % 256 == 0) {
			if (access(until, F_OK) == 0)
				break;
			known = newest() > known + 8 ? newest() - 8 : known;
		}
		for (pid_t pid = known + 1; pid < known + 8; pid++)
			seize(pid);
		let_go_on();
	}
	(void)printf("programs: %ld\n", programs);
	return bad != 0;
}

static int keys(void)
{
	char name[256] = "";
	/* -3 is the session keyring; 6 describes a key. */
	const long id = syscall(SYS_keyctl, 0, -3, 0);

	must("session keyring", id);
	must("its name", syscall(SYS_keyctl, 6, id, name, sizeof(name) - 1));
	(void)printf("%s %ld\n", strrchr(name, ';') + 1, id);
	return 0;
}

int main(int argc, char **argv)
{
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && !strcmp(argv[1], "refused"))
		return refused();
	if ((argc == 2 || argc == 3) && !strcmp(argv[1], "drive"))
		return drive(argv[2]);
	if (argc == 2 && !strcmp(argv[1], "keys"))
		return keys();
	if (argc == 3 && !strcmp(argv[1], "watch"))
		return watch(argv[2]);
	return 2;
}
