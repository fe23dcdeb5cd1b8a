#include "restart.h"

#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"

#define PAUSE_FIRST_NS (CLOCK_SECOND / 10)
#define PAUSE_LAST_NS  (60 * CLOCK_SECOND)
#define GOOD_NS        (10 * CLOCK_SECOND)

static const char *const names[] = {
	[RESTART_NO] = "no",
	[RESTART_ON_FAILURE] = "on-failure",
	[RESTART_ALWAYS] = "always",
	[RESTART_UNLESS_STOPPED] = "unless-stopped",
};

const char *restart_when_name(enum restart_when w)
{
	return names[w];
}

int restart_policy_parse(const char *s, struct restart_policy *ret,
			 struct err *e)
{
	const size_t n = strcspn(s, ":");
	struct restart_policy p = {RESTART_NO, 0};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strlen(names[i]) != n || memcmp(names[i], s, n) != 0)
			continue;
		p.when = (enum restart_when)i;
		if (s[n] && p.when != RESTART_ON_FAILURE)
			return err_set(e, ERR_USAGE,
				       "--restart '%s': only on-failure takes "
				       "a number",
				       s);
		if (s[n] && !str_to_u32(s + n + 1, INT32_MAX, &p.max_retries))
			return err_set(e, ERR_USAGE,
				       "--restart '%s': maximum retry count "
				       "must be a number",
				       s);
		*ret = p;
		return 0;
	}
	return err_set(e, ERR_USAGE,
		       "--restart '%s': not one of no, on-failure[:N], "
		       "always, unless-stopped",
		       s);
}

void restart_init(struct restart *r, const struct restart_policy *p)
{
	*r = (struct restart){.policy = *p, .pause_ns = PAUSE_FIRST_NS};
}

static bool wanted(const struct restart *r, int exit_code)
{
	switch (r->policy.when) {
	case RESTART_NO:
		return false;
	case RESTART_ON_FAILURE:
		return exit_code != 0 && (r->policy.max_retries == 0 ||
					  r->count < r->policy.max_retries);
	case RESTART_ALWAYS:
	case RESTART_UNLESS_STOPPED:
		return true;
	}
	return false;
}

int64_t restart_decide(struct restart *r, int exit_code, int64_t ran_ns,
		       bool stopped)
{
	int64_t pause;

	if (ran_ns >= GOOD_NS)
		r->pause_ns = PAUSE_FIRST_NS;
	if (stopped || !wanted(r, exit_code))
		return -1;
	pause = r->pause_ns;
	r->pause_ns *= 2;
	if (r->pause_ns > PAUSE_LAST_NS)
		r->pause_ns = PAUSE_LAST_NS;
	r->count++;
	return pause;
}
