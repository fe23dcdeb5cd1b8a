/*
 * signals - those that a monitor reads instead of being interrupted by them
 *
 * All signals are blocked and read from a signalfd, so that none is lost
 * between two instructions; each goes on to the program.
 */
#ifndef RUNTIME_SIGNALS_H
#define RUNTIME_SIGNALS_H

#include "base/err.h"
#include <signal.h>
#include <stdbool.h>
#include <sys/signalfd.h>

/*
 * What callers or prism itself ignore and a container must not inherit: shells
 * ignore INT and QUIT for background jobs, Python PIPE, prism XFSZ. An ignored
 * HUP is nohup's, and meant.
 */
void signals_reset_ignored(void);

/*
 * Block all but those of our own mistakes, which must kill us at once.
 * ret_all is what is blocked, ret_old (may be NULL) the mask as it was.
 */
int signals_block(sigset_t *ret_all, sigset_t *ret_old, struct err *e);

/* A signalfd for them: non-blocking. What came meanwhile is pending. */
int signals_open(const sigset_t *all, struct err *e);

/*
 * Is this the SIGXFSZ of our own write, of the log or of copied output, past
 * RLIMIT_FSIZE? Such a signal must not be forwarded to the program.
 */
bool signals_is_own_write(const struct signalfd_siginfo *si);

#endif
