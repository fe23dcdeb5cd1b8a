#include "signals.h"

#include <unistd.h>

#include "base/own.h"

void signals_reset_ignored(void)
{
	static const int signals[] = {SIGINT, SIGQUIT, SIGPIPE, SIGXFSZ};
	const struct sigaction dfl = {.sa_handler = SIG_DFL};

	for (size_t i = 0; i < ARRAY_LEN(signals); i++)
		(void)sigaction(signals[i], &dfl, NULL);
}

int signals_block(sigset_t *ret_all, sigset_t *ret_old, struct err *e)
{
	static const int own_faults[] = {SIGSEGV, SIGBUS,  SIGFPE,
					 SIGILL,  SIGABRT, SIGTRAP};

	(void)sigfillset(ret_all);
	for (size_t i = 0; i < ARRAY_LEN(own_faults); i++)
		(void)sigdelset(ret_all, own_faults[i]);
	if (sigprocmask(SIG_SETMASK, ret_all, ret_old) < 0)
		return err_sys(e, "sigprocmask", "block all");
	return 0;
}

int signals_open(const sigset_t *all, struct err *e)
{
	const int fd = signalfd(-1, all, SFD_CLOEXEC | SFD_NONBLOCK);

	return fd < 0 ? err_sys(e, "signalfd", "all") : fd;
}

bool signals_is_own_write(const struct signalfd_siginfo *si)
{
	return si->ssi_signo == SIGXFSZ && (pid_t)si->ssi_pid == getpid();
}
