#include "exec_held.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/trace.h"
#include "runtime/attach.h"
#include "runtime/attach_client.h"
#include "runtime/hub.h"
#include "runtime/signals.h"
#include "runtime/stdfds.h"
#include "runtime/sync.h"

/* ---- the holder ------------------------------------------------------------- */

struct holder {
	struct exec_request request; /* its stdio is the program's */
	struct stdfds stdio;         /* unless it has a terminal */
	struct exec_child child;
	struct hub *hub;
	int code;
};

static int start(struct holder *h, int client, struct err *e)
{
	const struct hub_conf conf = {.own_in = -1,
				      .own_out = -1,
				      .own_err = -1,
				      .stdin_once = true,
				      .dir_fd = -1};
	struct hub_ends ends;

	if (!h->request.outlive && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return err_sys(e, "prctl", "PR_SET_PDEATHSIG");
	if (!h->request.spec->tty) {
		if (stdfds_make(h->request.stdio, &h->stdio, e) < 0)
			return -1;
		memcpy(h->request.stdio, h->stdio.theirs,
		       sizeof(h->stdio.theirs));
	}
	if (exec_start(&h->request, &h->child, e) < 0)
		return -1;
	stdfds_ends(&h->stdio, &ends);
	ends.master = take_fd(&h->child.master);
	h->hub = hub_make(&conf);
	hub_add_client(h->hub, client);
	return hub_connect(h->hub, &ends, e);
}

static void forward(const struct holder *h, uint64_t signals)
{
	for (int sig = 1; sig < 64; sig++)
		if (signals >> sig & 1)
			(void)syscall(SYS_pidfd_send_signal, h->child.pidfd,
				      sig, NULL, 0);
}

/* False when poll failed, which it does not. */
static bool turn(struct holder *h)
{
	struct pollfd p[HUB_FDS_MAX + 1];
	struct hub_wish wish;
	const int n = hub_fds(h->hub, p + 1);

	p[0] = (struct pollfd){.fd = h->child.pidfd, .events = POLLIN};
	if (poll(p, (nfds_t)n + 1, hub_timeout_ms(h->hub)) < 0)
		return errno == EINTR;
	hub_handle(h->hub, p + 1, n, &wish);
	forward(h, wish.signals);
	if (p[0].revents & POLLIN) {
		struct err ignored = {0};

		(void)exec_wait(&h->child, &h->code, &ignored);
		hub_ended(h->hub);
	}
	return true;
}

/* All that was written before the end comes before the code. */
static void see_through(struct holder *h)
{
	while (h->child.pidfd >= 0)
		if (!turn(h))
			return;
	while (!hub_done(h->hub)) {
		/* What it left in the background may hold its pipes for ever. */
		if (hub_timeout_ms(h->hub) == 0)
			hub_give_up(h->hub);
		else if (!turn(h))
			return;
	}
	hub_tell_exit(h->hub, h->code);
}

static _Noreturn void holder_main(const struct exec_request *r, int client,
				  int sync)
{
	struct holder h = {
		.request = *r,
		.stdio = STDFDS_NONE,
		.child = EXEC_CHILD_NONE,
		.code = 137,
	};
	struct err e = {0};
	sigset_t all;

	trace_role("holder");
	/* ^C and ^Z of the caller's terminal are not for us. */
	(void)setsid();
	if (signals_block(&all, NULL, &e) < 0 || start(&h, client, &e) < 0) {
		exec_kill(&h.child);
		sync_die(sync, &e);
	}
	(void)sync_send(sync, SYNC_GO, &e);
	for (int i = 0; i < 3; i++)
		(void)close(i);
	(void)close(sync);
	see_through(&h);
	exec_kill(&h.child);
	hub_free(h.hub);
	_exit(0);
}

/* ---- the caller ---------------------------------------------------------------- */

static int talk(const struct attach_client *c, enum attach_end *ret_end,
		int *ret_code, struct err *e)
{
	if (attach_client_run(c, ret_end, ret_code, e) < 0)
		return -1;
	if (*ret_end != ATTACH_LOST)
		return 0;
	return err_set(e, ERR_GONE, "the process that held the program died");
}

int exec_held(const struct exec_request *r, const struct detach_keys *keys,
	      bool *ret_detached, int *ret_code, struct err *e)
{
	struct exec_request held = *r;
	struct attach_client c = {
		.dir_fd = -1,
		.want_in = r->spec->interactive && r->stdio[0] >= 0,
		.want_out = true,
		.want_err = true,
		.sig_proxy = true,
		.keys = *keys,
	};
	enum attach_end end = ATTACH_LOST;
	autoclose int sync = -1;
	autoclose int sock = -1;
	pid_t pid;
	int pair[2], client[2];
	int rc;

	held.outlive = keys->n > 0;
	if (sync_pair(pair, e) < 0)
		return -1;
	sync = pair[0];
	if (attach_pair(client, e) < 0) {
		own_close(&pair[1]);
		return -1;
	}
	c.sock = sock = client[0];
	pid = fork();
	if (pid == 0) {
		(void)close(sync);
		(void)close(sock);
		holder_main(&held, client[1], pair[1]);
	}
	own_close(&client[1]);
	own_close(&pair[1]);
	if (pid < 0)
		return err_sys(e, "fork", "the holder");
	/* Greeted before it starts: no output is missed. */
	rc = attach_client_hello(&c, e);
	if (rc == 0)
		rc = sync_wait(sync, SYNC_GO, e);
	if (rc == 0)
		rc = talk(&c, &end, ret_code, e);
	*ret_detached = rc == 0 && end == ATTACH_DETACHED && *ret_code == 0;
	if (rc == 0 && end == ATTACH_EXITED)
		(void)waitpid(pid, NULL, 0);
	else if (!*ret_detached)
		own_kill(&pid);
	return rc;
}
