/*
 * rootwatch PATH UNTIL - what a hostile program tries with the processes that it
 * sees: until there is UNTIL, read PATH below the root of each new process. Says
 * ready, then "got COMM" each time that it read it, and how many it looked at.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BEHIND 30
#define AHEAD  6

static ssize_t content(const char *path, char *ret, size_t size)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, ret, size - 1);
	(void)close(fd);
	ret[n > 0 ? n : 0] = '\0';
	return n;
}

static int newest(void)
{
	char text[256] = "";
	const char *at;
	int n = 0;

	(void)content("/proc/loadavg", text, sizeof(text));
	at = strrchr(text, ' ');
	while (at && *++at >= '0' && *at <= '9')
		n = n * 10 + (*at - '0');
	return n;
}

static void look(int pid, const char *path)
{
	char name[4096];
	char text[64];

	(void)snprintf(name, sizeof(name), "/proc/%d/root%s", pid, path);
	if (content(name, text, sizeof(text)) < 0)
		return;
	(void)snprintf(name, sizeof(name), "/proc/%d/comm", pid);
	(void)content(name, text, sizeof(text));
	(void)printf("got %s", text);
}

int main(int argc, char **argv)
{
	const int first = newest();

	if (argc != 3)
		return 2;
	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	(void)printf("ready\n");
	while (access(argv[2], F_OK) != 0) {
		const int last = newest();

		for (int pid = last > BEHIND ? last - BEHIND : 1;
		     pid < last + AHEAD; pid++)
			look(pid, argv[1]);
	}
	(void)printf("looked at %d\n", newest() - first);
	return 0;
}
