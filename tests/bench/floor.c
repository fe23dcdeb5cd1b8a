/*
 * floor - the least that a start with these isolations costs the kernel
 *
 *   floor LAYER DIR PROGRAM
 *
 * Six new namespaces, a writable overlay on LAYER (its directories in DIR, made
 * and removed again), pivot_root, /proc and a /dev, execve. No image, no
 * record, no capabilities, no seccomp, no masks, no PID 1: what a run tool adds
 * is its distance from this. Compiled by tests/bench/run, static, with musl.
 */
#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *const made[] = {"m", "u", "w"};
static const char *const left[] = {"w/work/incompat/volatile/dirty",
				   "w/work/incompat/volatile",
				   "w/work/incompat",
				   "w/work",
				   "w",
				   "u",
				   "m"};

static int child(void *arg)
{
	char **const argv = arg;
	char options[1024];

	(void)snprintf(options, sizeof(options),
		       "lowerdir=%s,upperdir=u,workdir=w,volatile", argv[1]);
	if (mount(NULL, "/", NULL, MS_SLAVE | MS_REC, NULL) ||
	    mount("overlay", "m", "overlay", 0, options) || chdir("m") ||
	    syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) ||
	    chdir("/"))
		err(125, "root");
	if (mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("tmpfs", "/dev", "tmpfs", 0, NULL))
		err(125, "mount");
	(void)execl(argv[3], argv[3], (char *)NULL);
	err(127, "%s", argv[3]);
}

int main(int argc, char **argv)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status = 0;
	pid_t pid;

	if (argc != 4)
		errx(125, "usage: floor LAYER DIR PROGRAM");
	if (chdir(argv[2]))
		err(125, "%s", argv[2]);
	for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++)
		if (mkdir(made[i], 0755))
			err(125, "%s", made[i]);
	pid = clone(child, stack + sizeof(stack),
		    CLONE_VM | CLONE_VFORK | CLONE_NEWNS | CLONE_NEWPID |
			    CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
			    CLONE_NEWCGROUP | SIGCHLD,
		    argv);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		err(125, "clone");
	for (size_t i = 0; i < sizeof(left) / sizeof(*left); i++)
		if (remove(left[i]))
			err(125, "%s", left[i]);
	return WEXITSTATUS(status);
}
