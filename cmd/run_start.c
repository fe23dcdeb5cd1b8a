#include "cmd/run_start.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/own.h"
#include "runtime/attach.h"
#include "runtime/attach_client.h"

int run_start_from(const struct run_opts *o, const struct run_spec *s,
		   struct run_start *ret, struct err *e)
{
	struct run_start r = {
		.job = {.client = -1, .keep = -1, .netns = -1},
		.survives = s->restart.when != RESTART_NO,
	};

	if (run_opts_attached(o, &r.attached, e) < 0 ||
	    run_opts_sig_proxy(o->sig_proxy, &r.sig_proxy, e) < 0)
		return -1;
	/* A signal that is not the program's ends the client alone. */
	r.survives = r.survives || !r.sig_proxy;
	/* By themselves they are off: ^P is the shell's. */
	if (o->detach_keys) {
		if (detach_keys_parse(o->detach_keys, &r.keys, e) < 0)
			return -1;
		r.survives = r.survives || r.keys.n > 0;
	}
	*ret = r;
	return 0;
}

static int by_client(struct run_start *r, int *ret_code, struct err *e)
{
	autoclose int sock = -1;
	autoclose int dir = -1;
	struct attach_client c = {
		.want_in =
			(r->attached & RUN_STDIN) && r->job.spec->interactive,
		.want_out = r->attached & RUN_STDOUT,
		.want_err = r->attached & RUN_STDERR,
		.sig_proxy = r->sig_proxy,
		.keys = r->keys,
	};
	int pair[2];

	if (attach_pair(pair, e) < 0)
		return -1;
	c.sock = sock = pair[0];
	r->job.client = pair[1];
	c.dir_fd = dir = fcntl(r->job.container->dir_fd, F_DUPFD_CLOEXEC, 3);
	/* Said before the start, so that no output is missed. */
	if (attach_client_hello(&c, e) < 0 ||
	    container_run_detached(&r->job, e) < 0)
		return -1;
	return attach_client_follow(&c, ret_code, e);
}

int run_start_attached(struct run_start *r, int *ret_code, struct err *e)
{
	if (r->survives)
		return by_client(r, ret_code, e);
	r->job.no_stdout = !(r->attached & RUN_STDOUT);
	r->job.no_stderr = !(r->attached & RUN_STDERR);
	return container_run(&r->job, ret_code, e);
}
