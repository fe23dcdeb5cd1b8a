/*
 * What the monitor of a container does beside: its log, restarts, time limits,
 * and who is attached to it.
 */
#include <strings.h>

#include <string.h>

#include "base/own.h"
#include "cmd/run_opts.h"

#define F(field) offsetof(struct run_opts, field)

const struct opt run_monitor_options[] = {
	{'a', "attach", OPT_LIST, F(attach), "stdin|stdout|stderr",
	 "Attach only these in the foreground"},
	{0, "cidfile", OPT_STR, F(cidfile), "FILE",
	 "Write the id of the container to a new file"},
	{0, "log-driver", OPT_STR, F(log_driver), "json-file|none",
	 "Whether to keep a log"},
	{0, "log-opt", OPT_LIST, F(log_opts), "K=V",
	 "max-size, max-file, compress; labels, env, tag"},
	{0, "replace", OPT_BOOL, F(replace), NULL,
	 "Remove the container that has the name"},
	{0, "restart", OPT_STR, F(restart), "POLICY",
	 "no, on-failure[:N], always, unless-stopped"},
	{0, "stop-timeout", OPT_STR, F(stop_timeout), "SECONDS",
	 "From the stop signal to SIGKILL (10; -1: for ever)"},
	{0, "timeout", OPT_STR, F(timeout), "SECONDS",
	 "Kill it after so long; the exit code is 124"},
	{.more = run_create_options},
};

/* "-1" is for ever. */
static int set_stop_timeout(const char *w, struct run_spec *s, struct err *e)
{
	if (!w)
		return 0;
	if (!strcmp(w, "-1")) {
		s->stop_timeout_s = UINT32_MAX;
		return 0;
	}
	if (!str_to_u32(w, INT32_MAX, &s->stop_timeout_s))
		return err_set(e, ERR_USAGE,
			       "--stop-timeout '%s': not a number of seconds",
			       w);
	s->stop_at_once = s->stop_timeout_s == 0;
	return 0;
}

static int set_restart(const struct run_opts *o, struct run_spec *s,
		       struct err *e)
{
	if (str_empty(o->restart))
		return 0;
	if (restart_policy_parse(o->restart, &s->restart, e) < 0)
		return -1;
	if (o->rm && s->restart.when != RESTART_NO)
		return err_set(e, ERR_USAGE,
			       "Conflicting options: --restart and --rm");
	return 0;
}

int run_opts_monitor(const struct run_opts *o, struct run_spec *s,
		     struct err *e)
{
	unsigned int attached;

	if (o->detach && o->attach.n)
		return err_set(e, ERR_USAGE, "Conflicting options: -a and -d");
	if (o->replace && !o->name) {
		(void)err_set(e, ERR_USAGE, "--replace needs --name");
		return err_hint(e, "it removes the container of that name");
	}
	if (o->timeout && !str_to_u32(o->timeout, INT32_MAX, &s->timeout_s))
		return err_set(e, ERR_USAGE,
			       "--timeout '%s': not a number of seconds",
			       o->timeout);
	if (log_conf_parse(o->log_driver, (const char *const *)o->log_opts.v,
			   o->log_opts.n, &s->log, e) < 0 ||
	    set_restart(o, s, e) < 0 ||
	    set_stop_timeout(o->stop_timeout, s, e) < 0 ||
	    run_opts_attached(o, &attached, e) < 0)
		return -1;
	s->detached = o->detach;
	s->stdin_once = o->interactive && !o->detach;
	return 0;
}

int run_opts_attached(const struct run_opts *o, unsigned int *ret,
		      struct err *e)
{
	static const char *const words[] = {"stdin", "stdout", "stderr"};
	unsigned int set = 0;

	for (size_t i = 0; i < o->attach.n; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(words) &&
		       strcasecmp(words[k], o->attach.v[i]) != 0)
			k++;
		if (k == ARRAY_LEN(words))
			return err_set(e, ERR_USAGE,
				       "-a '%s': not one of stdin, stdout, "
				       "stderr",
				       o->attach.v[i]);
		set |= 1U << k;
	}
	*ret = o->attach.n ? set : RUN_STDIN | RUN_STDOUT | RUN_STDERR;
	return 0;
}

int run_opts_sig_proxy(const char *w, bool *ret, struct err *e)
{
	*ret = true;
	if (str_empty(w) || !strcmp(w, "true") || !strcmp(w, "1"))
		return 0;
	if (strcmp(w, "false") != 0 && strcmp(w, "0") != 0)
		return err_set(e, ERR_USAGE,
			       "--sig-proxy: '%s' is neither true nor false",
			       w);
	*ret = false;
	return 0;
}
