/*
 * restart - when a container whose program ended is started again
 *
 * As Docker has it: the first pause is 100 ms, each next one twice as long, at
 * most a minute; a program that ran for ten seconds or more begins anew. What
 * the user stopped stays stopped.
 */
#ifndef RUNTIME_RESTART_H
#define RUNTIME_RESTART_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum restart_when {
	RESTART_NO,
	RESTART_ON_FAILURE, /* exit code not 0; max_retries times, 0: ever */
	RESTART_ALWAYS,     /* also after a reboot, and if it was stopped */
	RESTART_UNLESS_STOPPED, /* also after a reboot, unless it was stopped */
};

struct restart_policy {
	enum restart_when when;
	uint32_t max_retries;
};

struct restart {
	struct restart_policy policy;
	uint32_t count;   /* restarts of this monitor */
	int64_t pause_ns; /* the next one */
};

/* "no", "always", "unless-stopped", "on-failure[:N]". */
int restart_policy_parse(const char *s, struct restart_policy *ret,
			 struct err *e);

/* "on-failure"; Docker's RestartPolicy.Name. */
const char *restart_when_name(enum restart_when w);

void restart_init(struct restart *r, const struct restart_policy *p);

/*
 * The program ended: how long to wait before the next start, in ns, or -1 for
 * the end. `stopped`: by the user.
 */
int64_t restart_decide(struct restart *r, int exit_code, int64_t ran_ns,
		       bool stopped);

#endif
