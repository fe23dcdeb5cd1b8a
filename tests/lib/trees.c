/*
 * trees - make and measure trees that are too deep for a shell
 *
 *   trees dig DIR DEPTH [MODE]   DEPTH nested directories "d" below DIR, and a file
 *                                "end" in the last; then set MODE on all of
 *                                them, deepest first
 *   trees fill DIR N             N empty files
 *   trees depth DIR              how many nested "d" there are
 *   trees peak FILE CMD...       run CMD; write to FILE the peak memory in KiB of
 *                                CMD and of the processes that it waited for
 *
 * Linked statically: it runs in any image.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "trees: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long number(const char *p, int base)
{
	long n = 0;

	for (; *p >= '0' && *p < '0' + base; p++)
		n = base * n + (*p - '0');
	return n;
}

static void dig(const char *dir, long depth, const char *mode)
{
	int fd;

	if (chdir(dir) < 0)
		die(dir);
	for (long i = 0; i < depth; i++)
		if (mkdir("d", 0755) < 0 || chdir("d") < 0)
			die("mkdir");
	fd = open("end", O_WRONLY | O_CREAT, 0644);
	if (fd < 0 || write(fd, "end\n", 4) != 4)
		die("end");
	for (long i = 0; mode && i < depth; i++)
		if (chdir("..") < 0 || chmod("d", (mode_t)number(mode, 8)) < 0)
			die("chmod");
}

static void fill(const char *dir, long n)
{
	char name[16];

	if (chdir(dir) < 0)
		die(dir);
	for (long i = 0; i < n; i++) {
		int fd;

		snprintf(name, sizeof(name), "%ld", i);
		fd = open(name, O_WRONLY | O_CREAT, 0644);
		if (fd < 0)
			die(name);
		close(fd);
	}
}

static void depth(const char *dir)
{
	long n = 0;

	if (chdir(dir) < 0)
		die(dir);
	while (chdir("d") == 0)
		n++;
	printf("%ld\n", n);
}

static int peak(const char *file, char **cmd)
{
	struct rusage used;
	FILE *to;
	int status = 0;
	const pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (pid == 0) {
		execvp(cmd[0], cmd);
		die(cmd[0]);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	getrusage(RUSAGE_CHILDREN, &used);
	to = fopen(file, "w");
	if (!to)
		die(file);
	fprintf(to, "%ld\n", used.ru_maxrss);
	fclose(to);
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

int main(int argc, char **argv)
{
	if (argc >= 4 && !strcmp(argv[1], "dig"))
		dig(argv[2], number(argv[3], 10), argv[4]);
	else if (argc == 4 && !strcmp(argv[1], "fill"))
		fill(argv[2], number(argv[3], 10));
	else if (argc == 3 && !strcmp(argv[1], "depth"))
		depth(argv[2]);
	else if (argc >= 4 && !strcmp(argv[1], "peak"))
		return peak(argv[2], argv + 3);
	else
		return 2;
	return 0;
}
