/*
 * attach - the caller's terminal at a container that runs
 */
#include <stdlib.h>

#include "base/own.h"
#include "cmd/ctr.h"
#include "cmd/run_opts.h"
#include "runtime/attach.h"
#include "runtime/attach_client.h"

struct attach_opts {
	bool no_stdin;
	const char *sig_proxy;
	const char *detach_keys;
};

#define F(field) offsetof(struct attach_opts, field)

static const struct opt attach_options[] = {
	{0, "detach-keys", OPT_STR, F(detach_keys), "KEYS",
	 "Keys that leave it (ctrl-p,ctrl-q; '': none)"},
	{0, "no-stdin", OPT_BOOL, F(no_stdin), NULL, "Do not type into it"},
	{0, "sig-proxy", OPT_MAYBE, F(sig_proxy), "false",
	 "Signals end prism instead of going to the program"},
	{0},
};

static int connect_to(const struct container *c, struct err *e)
{
	autostate struct container_state s = {0};
	int fd;

	if (container_state_get(c, &s, e) < 0)
		return -1;
	if (s.status == CONTAINER_PAUSED)
		return err_set(e, ERR_BUSY,
			       "You cannot attach to a paused container, "
			       "unpause it first");
	fd = attach_connect(c->dir_fd, e);
	if (fd >= 0 || e->kind != ERR_NOTFOUND)
		return fd;
	err_clear(e);
	if (!s.alive)
		return err_set(e, ERR_NOTFOUND,
			       "You cannot attach to a stopped container, "
			       "start it first");
	(void)err_set(e, ERR_UNSUPPORTED,
		      "container %.12s runs in the foreground with --rm: its "
		      "output is that of the prism that started it",
		      c->id);
	return err_hint(e, "start it with -d, or without --rm, to attach");
}

static int attached(const struct attach_client *c, struct err *e)
{
	int code = 0;

	if (attach_client_hello(c, e) < 0 ||
	    attach_client_follow(c, &code, e) < 0)
		return -1;
	return code;
}

static int attach_run(const struct globals *g, void *fields, int argc,
		      char **argv, struct err *e)
{
	const struct attach_opts *const o = fields;
	autoctr struct ctr r = {0};
	autocontainer struct container c = CONTAINER_NONE;
	struct attach_client client = {
		.want_in = !o->no_stdin,
		.want_out = true,
		.want_err = true,
		.redraw = true,
	};
	autoclose int sock = -1;

	(void)argc;
	if (run_opts_sig_proxy(o->sig_proxy, &client.sig_proxy, e) < 0 ||
	    detach_keys_parse(o->detach_keys ? o->detach_keys
					     : DETACH_KEYS_DEFAULT,
			      &client.keys, e) < 0 ||
	    ctr_open_unswept(g, &r, e) < 0 ||
	    container_open(&r.home, argv[0], &c, e) < 0)
		return -1;
	sock = connect_to(&c, e);
	client.sock = sock;
	client.dir_fd = c.dir_fd;
	return sock < 0 ? -1 : attached(&client, e);
}

const struct command cmd_attach = {
	.name = "attach",
	.operands = "CONTAINER",
	.summary = "Attach to a running container",
	.opts = attach_options,
	.fields_size = sizeof(struct attach_opts),
	.min_operands = 1,
	.max_operands = 1,
	.run = attach_run,
};
