/*
 * vforks - a parent that waits for its vfork(2), for the tests of pause
 *
 *	vforks FILE     says ready, and ends when there is FILE
 *
 * Until its child has ended it cannot stop: SIGSTOP waits, as it does for a
 * process that waits for a disk.
 */
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	/* Without its memory, which is not what the parent waits for. */
	const long pid = argc == 2 ? syscall(SYS_clone, CLONE_VFORK | SIGCHLD,
					     0, 0, 0, 0)
				   : -1;

	if (pid == 0) {
		(void)!write(STDOUT_FILENO, "ready\n", 6);
		while (access(argv[1], F_OK) < 0)
			(void)usleep(20000);
		_exit(0);
	}
	if (pid < 0)
		return 1;
	(void)!write(STDOUT_FILENO, "done\n", 5);
	return 0;
}
