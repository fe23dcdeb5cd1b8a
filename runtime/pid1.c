/*
 * pid1 - PID 1 of a container: makes the program, passes signals on, reaps
 *
 * See pid1.h for what it is given. It starts with all capabilities of its user
 * namespace and does, in this order:
 *
 *   1. read the conf; hide (pid1_lock.h): the container must not look into this
 *      process nor, before its execve, into the program
 *   2. drop the bounding set to what the program keeps; the joiner of an exec,
 *      also the ids and all other capabilities
 *   3. wait until the container is recorded (GO); fork, unless PID1_EXEC_ONLY
 *   4. child: session, terminal, ids, capabilities, no_new_privs, seccomp;
 *      wait until the parent is locked; execve. A failure goes to the monitor
 *      in the words of a struct err
 *   5. parent: lock itself (pid1_lock.h), wait; forward every signal to the
 *      child; when it ends, end with its status, and the kernel ends the rest
 *
 * The child has memory of its own: while it gives up its privileges, its
 * parent must not be a way to them, nor the other way round.
 *
 * Should: no memory allocation, no reading of anything in the container
 * except to explain a failed execve. Mustn't: outlive the monitor.
 */
#include "runtime/pid1.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/caps_apply.h"
#include "runtime/pid1_lock.h"
#include "runtime/sync.h"

/* Conf, groups and filter as they stand in the memfd. */
struct given {
	struct pid1_conf conf;
	unsigned char rest[4 * 1024 + 8 * 4096];
};

static _Noreturn void die(const struct err *why, int code)
{
	struct sync_msg m = {.step = SYNC_ERROR, .err = *why};

	(void)send(PID1_SYNC_FD, &m, sizeof(m), MSG_NOSIGNAL);
	_exit(code);
}

static _Noreturn void die_sys(const char *call, const char *object)
{
	struct err e = {0};

	(void)err_sys(&e, call, "%s", object);
	(void)snprintf(e.step, sizeof(e.step), "program");
	die(&e, 125);
}

/* ---- why execve failed -------------------------------------------------- */

static const char *machine_name(unsigned int m)
{
	switch (m) {
	case EM_X86_64:
		return "x86_64 (amd64)";
	case EM_386:
		return "i386 (386)";
	case EM_AARCH64:
		return "aarch64 (arm64)";
	case EM_ARM:
		return "arm";
	case EM_RISCV:
		return "riscv64";
	case EM_PPC64:
		return "ppc64le";
	case EM_S390:
		return "s390x";
	case EM_MIPS:
		return "mips";
	default:
		return "another architecture";
	}
}

#if defined(__x86_64__)
#define HOST_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define HOST_MACHINE EM_AARCH64
#elif defined(__riscv)
#define HOST_MACHINE EM_RISCV
#elif defined(__powerpc64__)
#define HOST_MACHINE EM_PPC64
#elif defined(__s390x__)
#define HOST_MACHINE EM_S390
#else
#define HOST_MACHINE EM_NONE
#endif

struct head {
	unsigned char b[4096];
	size_t n;
};

static int read_head(const char *path, struct head *h)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, h->b, sizeof(h->b) - 1);
	(void)close(fd);
	h->n = n > 0 ? (size_t)n : 0;
	h->b[h->n] = '\0';
	return 0;
}

static bool is_elf(const struct head *h)
{
	return h->n >= sizeof(Elf32_Ehdr) && !memcmp(h->b, ELFMAG, SELFMAG);
}

/* The PT_INTERP of a 64-bit ELF whose headers lie in the first page. */
static const char *elf_interp(const struct head *h)
{
	Elf64_Ehdr eh;

	if (h->b[EI_CLASS] != ELFCLASS64 || h->n < sizeof(eh))
		return NULL;
	memcpy(&eh, h->b, sizeof(eh));
	for (unsigned int i = 0; i < eh.e_phnum; i++) {
		const uint64_t at =
			eh.e_phoff + (uint64_t)i * sizeof(Elf64_Phdr);
		Elf64_Phdr ph;

		if (at > h->n || h->n - at < sizeof(ph))
			return NULL;
		memcpy(&ph, h->b + at, sizeof(ph));
		if (ph.p_type == PT_INTERP && ph.p_offset < h->n)
			return (const char *)h->b + ph.p_offset;
	}
	return NULL;
}

static unsigned int elf_machine(const struct head *h)
{
	/* e_machine stands at the same place in both classes. */
	if (h->b[EI_DATA] == ELFDATA2MSB)
		return ((unsigned int)h->b[18] << 8) | h->b[19];
	return h->b[18] | ((unsigned int)h->b[19] << 8);
}

/* "#!/bin/sh\r" -> "/bin/sh"; *crlf says what stood behind it. */
static const char *shebang(struct head *h, bool *crlf)
{
	char *p = (char *)h->b + 2;
	size_t n;

	if (h->n < 3 || h->b[0] != '#' || h->b[1] != '!')
		return NULL;
	while (*p == ' ' || *p == '\t')
		p++;
	n = strcspn(p, " \t\r\n");
	*crlf = p[n] == '\r';
	p[n] = '\0';
	return p;
}

static void explain_noent(struct err *e, const char *path)
{
	struct head h = {.n = 0};
	const char *interp = NULL;
	bool crlf = false;

	if (read_head(path, &h) < 0)
		return;
	interp = is_elf(&h) ? elf_interp(&h) : shebang(&h, &crlf);
	if (!interp)
		return;
	(void)err_append(e,
			 "; the file is there, its interpreter '%.120s%s' is "
			 "missing",
			 interp, crlf ? "\\r" : "");
	if (crlf)
		(void)err_hint(e,
			       "the first line of %.80s ends with CRLF: "
			       "save it with Unix line ends (dos2unix)",
			       path);
	else if (is_elf(&h))
		(void)err_hint(e,
			       "%.80s is linked for another libc (glibc or "
			       "musl): install that loader in the image, or "
			       "link statically",
			       path);
	else
		(void)err_hint(e,
			       "install %.80s in the image, or change the "
			       "first line of %.80s",
			       interp, path);
}

static void explain_noexec(struct err *e, const char *path)
{
	struct head h = {.n = 0};
	bool crlf = false;
	const char *interp = NULL;

	if (read_head(path, &h) < 0)
		return;
	if (h.n == 0) {
		(void)err_append(e, "; the file is empty");
		return;
	}
	interp = shebang(&h, &crlf);
	if (interp && read_head(interp, &h) < 0)
		return;
	if (is_elf(&h) && elf_machine(&h) != HOST_MACHINE) {
		(void)err_append(e,
				 "; %.120s is built for %s, this machine "
				 "is %s",
				 interp ? interp : path,
				 machine_name(elf_machine(&h)),
				 machine_name(HOST_MACHINE));
		(void)err_hint(e, "pull the image for this machine (--platform)"
				  ", or register an emulator (binfmt_misc, "
				  "package qemu-user-static)");
		return;
	}
	if (!is_elf(&h) && !interp)
		(void)err_hint(e,
			       "neither an ELF file nor a script with a "
			       "'#!' line; run it with its interpreter: sh "
			       "%.80s",
			       path);
}

static _Noreturn void exec_failed(const char *path, int why)
{
	struct err e = {0};
	struct stat st;

	(void)err_sysno(&e, why, "execve", "'%.300s'", path);
	(void)snprintf(e.step, sizeof(e.step), "exec");
	e.kind = why == ENOENT || why == ENOTDIR ? ERR_NOPROG : ERR_NOEXEC;
	if (why == ENOENT)
		explain_noent(&e, path);
	else if (why == ENOEXEC)
		explain_noexec(&e, path);
	else if (why == EACCES && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		(void)err_append(&e, "; it is a directory");
	else if (why == EACCES && stat(path, &st) == 0 && !(st.st_mode & 0111))
		(void)err_hint(&e, "no execute permission: chmod +x it in the "
				   "image");
	die(&e, e.kind == ERR_NOPROG ? 127 : 126);
}

/* ---- finding and executing the program ---------------------------------- */

static const char *path_of(char *const *env)
{
	for (; *env; env++)
		if (!strncmp(*env, "PATH=", 5))
			return *env + 5;
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* Like execvpe(3), but a script without "#!" is not given to a shell. */
static _Noreturn void exec_program(char **argv, char **env)
{
	const char *const name = argv[0];
	bool denied = false;
	char found[4096];

	if (strchr(name, '/')) {
		(void)execve(name, argv, env);
		exec_failed(name, errno);
	}
	for (const char *p = path_of(env); *name;) {
		const size_t n = strcspn(p, ":");
		char path[4096];

		if (snprintf(path, sizeof(path), "%.*s%s%s", (int)n, p,
			     n ? "/" : "", name) < (int)sizeof(path)) {
			(void)execve(path, argv, env);
			if (errno == EACCES) {
				if (!denied)
					memcpy(found, path, sizeof(found));
				denied = true;
			} else if (errno != ENOENT && errno != ENOTDIR) {
				exec_failed(path, errno);
			} else if (access(path, F_OK) == 0) {
				/* There, but its interpreter is not. */
				exec_failed(path, ENOENT);
			}
		}
		if (!p[n])
			break;
		p += n + 1;
	}
	if (denied)
		exec_failed(found, EACCES);
	{
		struct err e = {0};

		(void)err_set(&e, ERR_NOPROG,
			      "execve '%.200s': not found in PATH=%.300s: "
			      "ENOENT (%s)",
			      name, path_of(env), strerror(ENOENT));
		(void)snprintf(e.step, sizeof(e.step), "exec");
		die(&e, 127);
	}
}

/* ---- becoming the program ------------------------------------------------ */

static void load_filter(const struct given *g)
{
	const unsigned char *const at =
		g->rest + sizeof(uint32_t) * g->conf.n_groups;
	struct sock_fprog prog = {
		.len = (unsigned short)g->conf.n_filter,
		.filter = (struct sock_filter *)(uintptr_t)at,
	};

	if (g->conf.n_filter == 0)
		return;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		die_sys("seccomp", "SECCOMP_SET_MODE_FILTER");
}

/*
 * Programs open /dev/stdout and the terminal by name, where the mode of the
 * inode counts. Only what has no place in a file system is given away.
 */
static void give_stdio(const struct pid1_conf *c)
{
	for (int fd = 0; fd < 3; fd++) {
		struct statfs fs;

		if ((c->flags & PID1_CTTY) ||
		    (fstatfs(fd, &fs) == 0 && fs.f_type == PIPEFS_MAGIC))
			(void)!fchown(fd, c->uid, (gid_t)-1);
	}
}

static void become_user(const struct given *g)
{
	const struct pid1_conf *const c = &g->conf;
	gid_t groups[1024];

	for (uint32_t i = 0; i < c->n_groups; i++)
		memcpy(&groups[i], g->rest + sizeof(uint32_t) * i,
		       sizeof(uint32_t));
	/* Raw calls: there is one thread, and musl would ask the kernel. */
	if (!(c->flags & PID1_NO_SETGROUPS) &&
	    syscall(SYS_setgroups, (size_t)c->n_groups, groups) < 0)
		die_sys("setgroups", "supplementary groups");
	if (c->gid != 0 && syscall(SYS_setresgid, c->gid, c->gid, c->gid) < 0)
		die_sys("setresgid", "the program's group");
	if (c->uid == 0)
		return;
	give_stdio(c);
	/* Keep permitted over the change, to set it exactly afterwards. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		die_sys("prctl", "PR_SET_KEEPCAPS");
	if (syscall(SYS_setresuid, c->uid, c->uid, c->uid) < 0)
		die_sys("setresuid", "the program's user");
}

/*
 * After the change of ids, which clears it. A caller that died before is seen
 * by its end of the socket.
 */
static void tie(void)
{
	struct pollfd p = {.fd = PID1_SYNC_FD};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		die_sys("prctl", "PR_SET_PDEATHSIG");
	if (poll(&p, 1, 0) > 0 && (p.revents & POLLHUP))
		_exit(137);
}

static bool filters_before_fork(const struct pid1_conf *c)
{
	return (c->flags & PID1_JOINED) && !(c->flags & PID1_OWN_FILTER);
}

/*
 * The joiner of an exec is invisible to the container, but its child is not:
 * from its birth the child must have no more privileges than the program, or a
 * container with CAP_SYS_PTRACE would take them over. So the joiner takes on
 * the program's ids and capabilities and adds only CAP_KILL. prism's own filter
 * permits what a joiner does. A user's filter may not, so the child loads that
 * one; without no_new_privs this takes CAP_SYS_ADMIN until then.
 */
static void join_as_program(const struct given *g)
{
	const struct pid1_conf *const c = &g->conf;
	const bool early = filters_before_fork(c);
	uint64_t keep = c->permitted | CAP_BIT(CAP_KILL);

	if (early && (c->flags & PID1_NEW_PRIVS))
		load_filter(g);
	if (!early && (c->flags & PID1_NEW_PRIVS))
		keep |= CAP_BIT(CAP_SYS_ADMIN);
	keep &= caps_apply_permitted();
	become_user(g);
	if (caps_apply_sets(keep, keep, c->inheritable, 0) < 0)
		die_sys("capset", "the joiner's capabilities");
	if (c->flags & PID1_TIED)
		tie();
	if (early && !(c->flags & PID1_NEW_PRIVS))
		load_filter(g);
}

struct birth {
	const struct given *given;
	char **argv;
	char **env;
};

static void take_session(const struct pid1_conf *c)
{
	if (setsid() < 0 && errno != EPERM)
		die_sys("setsid", "new session");
	if ((c->flags & PID1_CTTY) && ioctl(0, TIOCSCTTY, 0) < 0)
		die_sys("ioctl", "TIOCSCTTY on the terminal");
}

/* Last, since the filter may refuse what waiting needs. */
static void filter_when_locked(const struct given *g)
{
	if (!(g->conf.flags & PID1_EXEC_ONLY) && pid1_lock_wait() < 0)
		die_sys("fcntl", "wait until PID 1 is locked");
	if (!filters_before_fork(&g->conf))
		load_filter(g);
}

static _Noreturn void be_program(const struct birth *b)
{
	const struct given *const g = b->given;
	const struct pid1_conf *const c = &g->conf;
	sigset_t none;

	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		die_sys("prctl", "PR_SET_DUMPABLE");
	/* End of file on the second tells the monitor that execve worked. */
	if (fcntl(PID1_CONF_FD, F_SETFD, FD_CLOEXEC) < 0 ||
	    fcntl(PID1_SYNC_FD, F_SETFD, FD_CLOEXEC) < 0)
		die_sys("fcntl", "FD_CLOEXEC");
	take_session(c);
	/* Without no_new_privs only CAP_SYS_ADMIN may load a filter. */
	if (c->flags & PID1_NEW_PRIVS)
		filter_when_locked(g);
	if (!(c->flags & PID1_JOINED))
		become_user(g);
	if (caps_apply_sets(c->permitted, c->permitted, c->inheritable,
			    c->ambient) < 0)
		die_sys("capset", "the program's capabilities");
	if (c->flags & PID1_TIED)
		tie();
	/* The end of PID 1 is not the end of all here; at least of this one. */
	else if ((c->flags & PID1_SHARED_PIDS) && !(c->flags & PID1_JOINED))
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (!(c->flags & PID1_NEW_PRIVS))
		filter_when_locked(g);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	exec_program(b->argv, b->env);
}

/* ---- being PID 1 ---------------------------------------------------------- */

static int code_of(int status)
{
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

/*
 * In a pid namespace of others nobody ends what the program leaves: all
 * orphans are ours (subreaper), and go until there are none.
 */
static void end_children(int children_fd)
{
	char text[4096];

	for (;;) {
		const ssize_t n = pread(children_fd, text, sizeof(text), 0);
		pid_t pid = 0;

		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
			} else {
				if (pid > 1)
					(void)kill(pid, SIGKILL);
				pid = 0;
			}
		}
		if (n < 0 || waitpid(-1, NULL, 0) < 0)
			return;
	}
}

/* Reap all that is dead; ends with the program. */
static void reap(pid_t program, int children_fd)
{
	for (;;) {
		int status = 0;
		const pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid <= 0)
			return;
		if (pid != program)
			continue;
		if (children_fd >= 0)
			end_children(children_fd);
		_exit(code_of(status));
	}
}

static _Noreturn void be_init(pid_t program, const struct pid1_conf *c)
{
	const int children_fd = c->flags & PID1_SHARED_PIDS
					? open("/proc/thread-self/children",
					       O_RDONLY | O_CLOEXEC)
					: -1;
	sigset_t all;

	if (pid1_lock(program, children_fd, c->bounding) < 0)
		die_sys("seccomp", "the filter of PID 1");
	(void)sigfillset(&all);
	for (;;) {
		const int sig = sigwaitinfo(&all, NULL);

		if (sig == SIGCHLD)
			reap(program, children_fd);
		else if (sig > 0)
			(void)kill(program, sig);
	}
}

/* The monitor, when it is dead, has taken us with it already, or is about to. */
static void wait_for_go(void)
{
	uint32_t step = 0;

	if (recv(PID1_SYNC_FD, &step, sizeof(step), 0) !=
		    (ssize_t)sizeof(step) ||
	    step != SYNC_GO)
		_exit(125);
}

static void read_conf(struct given *g)
{
	const ssize_t n = pread(PID1_CONF_FD, g, sizeof(*g), PID1_CONF_AT);
	const struct pid1_conf *const c = &g->conf;

	if (n < (ssize_t)sizeof(*c) || c->magic != PID1_MAGIC ||
	    c->n_groups > 1024 || c->n_filter > 4096)
		die_sys("pread", "the conf of PID 1");
}

/* clone(2), because prism's filter refuses clone3(2). */
static pid_t fork_program(const struct birth *b)
{
	const long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid < 0)
		die_sys("clone", "the program");
	if (pid == 0)
		be_program(b);
	return (pid_t)pid;
}

int main(int argc, char **argv, char **env)
{
	static struct given g;
	const struct birth b = {.given = &g, .argv = argv + 1, .env = env};

	if (argc < 2)
		return 125;
	read_conf(&g);
	if (pid1_hide(g.conf.flags & PID1_JOINED) < 0)
		die_sys("prctl", "PR_SET_DUMPABLE");
	(void)prctl(PR_SET_NAME, "prism-init", 0, 0, 0);
	/*
	 * The kernel clears PDEATHSIG if an execve changes the AppArmor
	 * profile.
	 */
	if (g.conf.flags & PID1_TIE_AGAIN)
		tie();
	/* The bounding set needs CAP_SETPCAP, so it goes first. */
	if (caps_apply_bounding(g.conf.bounding, g.conf.last_cap) < 0)
		die_sys("prctl", "PR_CAPBSET_DROP");
	if (!(g.conf.flags & PID1_NEW_PRIVS) &&
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		die_sys("prctl", "PR_SET_NO_NEW_PRIVS");
	if (g.conf.flags & PID1_WAIT_GO)
		wait_for_go();
	if (g.conf.flags & PID1_EXEC_ONLY)
		be_program(&b);
	if (g.conf.flags & PID1_SHARED_PIDS)
		(void)prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (g.conf.flags & PID1_JOINED)
		join_as_program(&g);
	if (pid1_lock_begin() < 0)
		die_sys("fcntl", "lock of the conf");
	/* All signals are blocked: by the monitor, before it made us. */
	be_init(fork_program(&b), &g.conf);
}
