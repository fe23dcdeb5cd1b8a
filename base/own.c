#include "own.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

void own_close(int *fd)
{
	const int saved = errno;

	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
	errno = saved;
}

void own_free(void *p)
{
	void **const pp = p;

	free(*pp);
	*pp = NULL;
}

void own_closedir(DIR **d)
{
	const int saved = errno;

	if (*d)
		(void)closedir(*d);
	*d = NULL;
	errno = saved;
}

void own_fclose(FILE **f)
{
	const int saved = errno;

	if (*f)
		(void)fclose(*f);
	*f = NULL;
	errno = saved;
}

void own_kill(pid_t *pid)
{
	const int saved = errno;

	if (*pid > 0) {
		(void)kill(*pid, SIGKILL);
		while (waitpid(*pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	*pid = 0;
	errno = saved;
}

int own_close_range(unsigned int first, unsigned int last, int flags)
{
	return (int)syscall(SYS_close_range, first, last, flags);
}

int take_fd(int *fd)
{
	const int n = *fd;

	*fd = -1;
	return n;
}

pid_t take_pid(pid_t *pid)
{
	const pid_t n = *pid;

	*pid = 0;
	return n;
}

void *take_ptr_(void **p)
{
	void *const v = *p;

	*p = NULL;
	return v;
}

static void *must(void *p)
{
	static const char words[] = "prism: out of memory\n";

	if (p)
		return p;
	(void)!write(STDERR_FILENO, words, sizeof(words) - 1);
	abort();
}

void *xmalloc(size_t n)
{
	return must(malloc(n ? n : 1));
}

void *xcalloc(size_t n, size_t size)
{
	return must(calloc(n ? n : 1, size ? size : 1));
}

void *xrealloc(void *p, size_t n)
{
	return must(realloc(p, n ? n : 1));
}

char *xstrdup(const char *s)
{
	return must(strdup(s));
}

char *xstrndup(const char *s, size_t n)
{
	return must(strndup(s, n));
}

char *xvasprintf(const char *fmt, va_list ap)
{
	char *s = NULL;
	const int n = vasprintf(&s, fmt, ap);

	return must(n < 0 ? NULL : s);
}

char *xasprintf(const char *fmt, ...)
{
	char *s;
	va_list ap;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}
