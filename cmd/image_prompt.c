#include "cmd/image_prompt.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "base/own.h"

#define LINE_SIZE 4096 /* what a terminal takes as one line */

struct prompt {
	const char *what;
	bool hidden;
	int signals; /* signalfd */
	sigset_t held;
	sigset_t before;
	struct termios saved;
};

static void show(const struct prompt *p)
{
	struct termios t = p->saved;

	if (p->hidden) {
		t.c_lflag &= ~(tcflag_t)ECHO;
		t.c_lflag |= ECHONL;
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &t);
	}
	(void)fprintf(stderr, "%s: ", p->what);
}

static void restore(const struct prompt *p)
{
	if (p->hidden)
		(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &p->saved);
}

/* Let a signal do what it does, with the terminal as it was. */
static void pass_on(const struct prompt *p)
{
	struct signalfd_siginfo s;

	if (read(p->signals, &s, sizeof(s)) != (ssize_t)sizeof(s))
		return;
	restore(p);
	(void)fputc('\n', stderr);
	(void)raise((int)s.ssi_signo);
	(void)sigprocmask(SIG_SETMASK, &p->before, NULL);
	/* Still here: it was ignored, or we were stopped and go on. */
	(void)sigprocmask(SIG_BLOCK, &p->held, NULL);
	show(p);
}

static ssize_t read_line(const struct prompt *p, char line[LINE_SIZE])
{
	struct pollfd fd[] = {
		{.fd = STDIN_FILENO, .events = POLLIN},
		{.fd = p->signals, .events = POLLIN},
	};

	for (;;) {
		if (poll(fd, 2, -1) < 0 && errno != EINTR)
			return -1;
		if (fd[1].revents)
			pass_on(p);
		else if (fd[0].revents)
			return read(STDIN_FILENO, line, LINE_SIZE);
	}
}

static int begin(struct prompt *p, struct err *e)
{
	static const int list[] = {SIGINT,  SIGTERM, SIGHUP,
				   SIGQUIT, SIGTSTP, SIGALRM};

	if (tcgetattr(STDIN_FILENO, &p->saved) < 0)
		return err_set(e, ERR_USAGE,
			       "standard input is no terminal to ask for the "
			       "%s at",
			       p->hidden ? "password" : "user name");
	(void)sigemptyset(&p->held);
	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		(void)sigaddset(&p->held, list[i]);
	(void)sigprocmask(SIG_BLOCK, &p->held, &p->before);
	p->signals = signalfd(-1, &p->held, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signals < 0)
		return err_sys(e, "signalfd", "prompt");
	return 0;
}

char *prompt_line(const char *what, bool hidden, struct err *e)
{
	struct prompt p = {.what = what, .hidden = hidden, .signals = -1};
	char line[LINE_SIZE];
	char *copy = NULL;
	ssize_t n;

	if (begin(&p, e) < 0)
		return NULL;
	show(&p);
	n = read_line(&p, line);
	restore(&p);
	(void)close(p.signals);
	(void)sigprocmask(SIG_SETMASK, &p.before, NULL);
	while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
		n--;
	if (n > 0)
		copy = xstrndup(line, (size_t)n);
	else
		(void)err_set(e, ERR_USAGE, "nothing was typed");
	explicit_bzero(line, sizeof(line));
	return copy;
}
