/*
 * wait - until containers end, and with which code
 *
 * The code stands in the head of spec.json, which stays readable through our
 * fd when the container itself is removed. A container that is to be started
 * again ends for us when its program does: its monitor then writes state.json,
 * which is why the directory is watched.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/own.h"
#include "cmd/common_out.h"
#include "cmd/ctr.h"

/* Nobody holds it any more: the head, or who wrote none was killed. */
static int code_of_ended(const struct container *c, int *ret, struct err *e)
{
	struct container_head h = {0};

	if (container_wait_unlocked(c, e) < 0 ||
	    head_read(c->lock_fd, &h, e) < 0)
		return -1;
	/* One that never ran has a code only of a start that failed. */
	*ret = h.exit_code >= 0 ? h.exit_code : h.run == 0 ? 0 : 137;
	return 0;
}

/* Until something changes in the directory or the lock is free. */
static void look_again(int watch)
{
	char events[4096];
	struct pollfd p = {.fd = watch, .events = POLLIN};

	/* A monitor that was killed writes nothing: look now and then. */
	if (poll(&p, 1, 1000) > 0)
		(void)!read(watch, events, sizeof(events));
}

static int wait_restarting(const struct container *c, int *ret, struct err *e)
{
	autoclose int watch = inotify_init1(IN_CLOEXEC);
	char path[40];
	const uint32_t run = c->head.run;
	int init = container_pidfd(c, NULL, e);
	struct pollfd p = {.fd = init, .events = POLLIN};

	err_clear(e);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", c->dir_fd);
	if (watch < 0 ||
	    inotify_add_watch(watch, path, IN_MOVED_TO | IN_DELETE) < 0) {
		own_close(&init);
		return err_sys(e, "inotify_add_watch", "%s", path);
	}
	while (init >= 0 && poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	own_close(&init);
	for (;;) {
		autostate struct container_state s = {0};

		if (container_state_get(c, &s, e) < 0)
			return -1;
		if (!s.alive)
			return code_of_ended(c, ret, e);
		if (s.status == CONTAINER_RESTARTING || s.run != run) {
			*ret = s.exit_code;
			return 0;
		}
		look_again(watch);
	}
}

static int wait_one(const struct ctr *r, const char *text, int *ret,
		    struct err *e)
{
	autocontainer struct container c = CONTAINER_NONE;
	struct run_spec s = {0};
	bool restarts;

	if (container_open(&r->home, text, &c, e) < 0 ||
	    container_load(&r->home, &c, &s, NULL, e) < 0)
		return -1;
	restarts = s.restart.when != RESTART_NO;
	spec_free(&s);
	return restarts && lock_is_held(c.lock_fd) ? wait_restarting(&c, ret, e)
						   : code_of_ended(&c, ret, e);
}

static int wait_run(const struct globals *g, void *fields, int argc,
		    char **argv, struct err *e)
{
	autoctr struct ctr r = {0};
	int code = 0;

	(void)fields;
	if (ctr_open(g, &r, e) < 0)
		return -1;
	for (int i = 0; i < argc; i++) {
		int n = 0;

		if (wait_one(&r, argv[i], &n, e) == 0) {
			out_line("%d", n);
			(void)out_flush();
			continue;
		}
		cmd_print_error("wait", e);
		err_clear(e);
		code = 1;
	}
	return code;
}

extern const struct command cmd_wait;
const struct command cmd_wait = {
	.name = "wait",
	.operands = "CONTAINER...",
	.summary = "Wait for the end of containers, and print their exit codes",
	.min_operands = 1,
	.max_operands = -1,
	.run = wait_run,
};
