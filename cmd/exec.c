/*
 * exec - one more program in a container that runs
 */
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/own.h"
#include "cmd/cmd.h"
#include "cmd/run_opts.h"
#include "runtime/container.h"
#include "runtime/exec.h"
#include "store/store.h"

struct exec_opts {
	bool detach;
	bool interactive;
	bool tty;
	bool privileged;
	struct strv env;
	struct strv env_files;
	const char *workdir;
	const char *user;
	const char *detach_keys;
};

#define F(field) offsetof(struct exec_opts, field)

static const struct opt exec_options[] = {
	{'d', "detach", OPT_BOOL, F(detach), NULL,
	 "Let it run in the background"},
	{0, "detach-keys", OPT_STR, F(detach_keys), "KEYS",
	 "Keys that leave a program with a terminal (default: none)"},
	{'e', "env", OPT_LIST, F(env), "K[=V]", "Set or pass on a variable"},
	{0, "env-file", OPT_LIST, F(env_files), "FILE",
	 "Variables from a file, K[=V] a line"},
	{'i', "interactive", OPT_BOOL, F(interactive), NULL, "Keep stdin open"},
	{0, "privileged", OPT_BOOL, F(privileged), NULL,
	 "All capabilities, no seccomp filter"},
	{'t', "tty", OPT_BOOL, F(tty), NULL, "Give it a terminal"},
	{'u', "user", OPT_STR, F(user), "USER[:GROUP]", "Who it runs as"},
	{'w', "workdir", OPT_STR, F(workdir), "DIR", "Working directory"},
	{0},
};

/* ---- what it gets ----------------------------------------------------------- */

/* As `run --privileged`: all that the caller, or its user namespace, has. */
static int privileges(struct run_spec *s, struct err *e)
{
	const struct caps_wish wish = {.privileged = true};
	struct caps_caller c;

	if (caps_of_caller(&c, e) < 0)
		return -1;
	s->seccomp_off = true;
	s->new_privs = true;
	return caps_compute(&wish,
			    s->userns ? c.bounding : c.bounding & c.permitted,
			    c.last_cap, &s->caps, e);
}

static int fit_spec(const struct exec_opts *o, struct run_spec *s, char **args,
		    int n_args, struct err *e)
{
	if (o->workdir && o->workdir[0] != '/')
		return err_set(e, ERR_USAGE,
			       "--workdir '%s': must be an absolute path",
			       o->workdir);
	exec_spec(s, args, (size_t)n_args, o->workdir, o->user);
	s->tty = run_opts_tty(o->tty);
	s->interactive = o->interactive;
	if (s->tty && !strv_getenv(&s->env, "TERM"))
		strv_add(&s->env, "TERM=xterm");
	if (run_opts_add_env(&o->env_files, &o->env, &s->env, e) < 0)
		return -1;
	return o->privileged ? privileges(s, e) : 0;
}

/* In Docker's words; the hints are ours. */
static int check_runs(const struct container *c, struct err *e)
{
	autostate struct container_state st = {0};

	if (container_state_get(c, &st, e) < 0)
		return -1;
	switch ((enum container_status)st.status) {
	case CONTAINER_RUNNING:
		return 0;
	case CONTAINER_PAUSED:
		return err_set(e, ERR_BUSY,
			       "Container %s is paused, unpause the container "
			       "before exec",
			       c->id);
	case CONTAINER_RESTARTING:
		return err_set(e, ERR_BUSY,
			       "Container %s is restarting, wait until the "
			       "container is running",
			       c->id);
	default:
		(void)err_set(e, ERR_NOTFOUND, "Container %s is not running",
			      c->id);
		return err_hint(e, "'prism start %s' starts it", c->name);
	}
}

/* ---- running it -------------------------------------------------------------- */

static int run_it(const struct exec_opts *o, struct exec_request *r,
		  int *ret_code, struct err *e)
{
	struct detach_keys keys = {0};
	bool detached;

	if (o->detach) {
		struct exec_child c = EXEC_CHILD_NONE;

		r->outlive = true;
		if (exec_start(r, &c, e) < 0)
			return -1;
		*ret_code = 0;
		return 0;
	}
	r->stdio[0] = o->interactive ? STDIN_FILENO : -1;
	r->stdio[1] = STDOUT_FILENO;
	r->stdio[2] = STDERR_FILENO;
	if (detach_keys_parse(o->detach_keys ? o->detach_keys : "", &keys, e) <
	    0)
		return -1;
	return exec_foreground(r, &keys, &detached, ret_code, e);
}

static int exec_in(const struct container_home *h, const struct exec_opts *o,
		   char **argv, int argc, int *ret_code, struct err *e)
{
	autocontainer struct container c = CONTAINER_NONE;
	struct run_spec spec = {0};
	struct exec_request r = {
		.spec = &spec, .stdio = {-1, -1, -1}, .size_of = STDIN_FILENO};
	autoclose int pidfd = -1;
	int rc;

	if (container_open(h, argv[0], &c, e) < 0 || check_runs(&c, e) < 0)
		return -1;
	pidfd = container_pidfd(&c, &r.init, e);
	if (pidfd < 0 || container_load(h, &c, &spec, NULL, e) < 0)
		return -1;
	r.init_pidfd = pidfd;
	r.id = c.id;
	rc = fit_spec(o, &spec, argv + 1, argc - 1, e);
	if (rc == 0)
		rc = run_it(o, &r, ret_code, e);
	spec_free(&spec);
	return rc;
}

static int exec_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	const struct exec_opts *const o = fields;
	struct store *st = NULL;
	struct container_home home = {0};
	int code = 125;
	int rc;

	if (cmd_open_store(g, &st, e) < 0)
		return -1;
	home.root_path = store_root(st);
	home.root_fd = store_dirfd(st, STORE_ROOT, e);
	/* It runs: its own files say what it needs. */
	store_unlock(st);
	rc = exec_in(&home, o, argv, argc, &code, e);
	store_close(st);
	return rc < 0 ? -1 : code;
}

const struct command cmd_exec = {
	.name = "exec",
	.operands = "CONTAINER CMD...",
	.summary = "Run a program in a container that runs",
	.opts = exec_options,
	.fields_size = sizeof(struct exec_opts),
	.options_first = true,
	.min_operands = 2,
	.max_operands = -1,
	.fail_code = 125,
	.run = exec_run,
};
