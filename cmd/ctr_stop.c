#include "cmd/ctr_stop.h"

#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/own.h"
#include "base/signame.h"
#include "runtime/stop.h"

#define TIMEOUT_MS 10000

const struct opt ctr_stop_options[] = {
	{'s', "signal", OPT_STR, offsetof(struct ctr_stop, signal), "SIGNAL",
	 "Instead of the container's stop signal"},
	{'t', "time", OPT_STR, offsetof(struct ctr_stop, time), "SECONDS",
	 "Until it is killed (default: the container's, 10; -1: never)"},
	{0, "timeout", OPT_STR, offsetof(struct ctr_stop, time), "SECONDS",
	 "The same"},
	{0},
};

/* "10", "-1": for ever. */
static int parse_time(const char *s, int64_t *ret_ms, struct err *e)
{
	uint32_t n;

	if (str_to_u32(s, INT32_MAX, &n)) {
		*ret_ms = (int64_t)n * 1000;
		return 0;
	}
	if (s[0] == '-' && str_to_u32(s + 1, INT32_MAX, &n)) {
		*ret_ms = -1;
		return 0;
	}
	return err_set(e, ERR_USAGE, "--time '%s': seconds are needed", s);
}

static void from_spec(const struct ctr *r, struct stop_job *j)
{
	struct run_spec s = {0};

	/* What cannot be read cannot be asked: it is stopped all the same. */
	if (container_load(&r->home, j->c, &s, NULL, &j->err) < 0)
		err_clear(&j->err);
	j->no_init = s.no_init;
	j->sig = s.stop_signal ? s.stop_signal : SIGTERM;
	j->timeout_ms = s.stop_at_once     ? 0
			: s.stop_timeout_s ? (int64_t)s.stop_timeout_s * 1000
					   : TIMEOUT_MS;
	spec_free(&s);
}

static void say_deaf(const struct stop_job *j)
{
	char name[SIGNAME_MAX];

	if (j->deaf)
		log_note("%s has no handler for %s: killed at once", j->c->name,
			 signame_text(j->sig, name));
}

int ctr_stop(const struct ctr *r, const struct ctr_stop *how,
	     struct ctr_list *l, struct err *ret_errs, struct err *e)
{
	autofree struct stop_job *v = xcalloc(l->n, sizeof(*v));
	int64_t ms = 0;
	int sig = 0;

	if (how->time && parse_time(how->time, &ms, e) < 0)
		return -1;
	if (how->signal && !signame_parse(how->signal, &sig))
		return err_set(e, ERR_USAGE, "Invalid signal: %s", how->signal);
	for (size_t i = 0; i < l->n; i++) {
		v[i].c = &l->v[i];
		from_spec(r, &v[i]);
		if (how->time)
			v[i].timeout_ms = ms;
		if (sig)
			v[i].sig = sig;
	}
	stop_all(v, l->n);
	for (size_t i = 0; i < l->n; i++) {
		say_deaf(&v[i]);
		ret_errs[i] = v[i].err;
	}
	return 0;
}
