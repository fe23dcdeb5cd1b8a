#include "nsjoin.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/trace.h"
#include "runtime/mnt.h"

/* ---- whose ---------------------------------------------------------------------- */

bool nsjoin_is_wanted(const struct run_spec *s)
{
	return s->net == NET_JOIN || s->pid_ns == NS_JOIN ||
	       s->ipc_ns == NS_JOIN;
}

/* A pidfd of the init of a container that runs. */
static int open_init(const struct container_home *h, const char *id,
		     struct err *e)
{
	autocontainer struct container c = CONTAINER_NONE;
	pid_t pid;
	int fd;
	ERR_IN(e, "join container %.12s", id);

	if (container_open(h, id, &c, e) < 0)
		return -1;
	fd = container_pidfd(&c, &pid, e);
	if (fd < 0 && e->kind == ERR_NOTFOUND)
		(void)err_hint(e, "it must run: 'prism start %s'", c.name);
	return fd;
}

int nsjoin_open(const struct container *c, const struct run_spec *s,
		struct nsjoin *ret, struct err *e)
{
	/* <root>/containers/<id> */
	autofree char *root =
		xstrndup(c->dir, strlen(c->dir) - strlen("/containers/") -
					 strlen(c->id));
	autoclose int root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct container_home h = {.root_path = root, .root_fd = root_fd};
	struct nsjoin j = NSJOIN_NONE;
	const struct {
		bool wanted;
		const char *id;
		int *to;
	} all[] = {
		{s->net == NET_JOIN, s->net_of, &j.net},
		{s->pid_ns == NS_JOIN, s->pid_of, &j.pid},
		{s->ipc_ns == NS_JOIN, s->ipc_of, &j.ipc},
	};

	if (root_fd < 0)
		return err_sys(e, "open", "%s", root);
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (!all[i].wanted)
			continue;
		*all[i].to = open_init(&h, all[i].id, e);
		if (*all[i].to < 0) {
			nsjoin_close(&j);
			return -1;
		}
	}
	/* Root may join what belongs to any user namespace. */
	j.user = s->userns && !s->map_auto;
	j.lend = s->map_auto;
	*ret = j;
	return 0;
}

void nsjoin_close(struct nsjoin *j)
{
	own_close(&j->net);
	own_close(&j->pid);
	own_close(&j->ipc);
	own_close(&j->shm);
	own_close(&j->proc);
	own_close(&j->sys);
}

/* ---- the helper ------------------------------------------------------------------- */

static int enter(int pidfd, int flags, const char *what, struct err *e)
{
	if (pidfd >= 0 && setns(pidfd, flags) < 0)
		return err_sys(e, "setns", "%s of the other container", what);
	return 0;
}

/*
 * In the other container's mount namespace. Its program may have put links at
 * these names, even magic links of procfs; none is followed.
 */
static int clone_mount(const char *path)
{
	struct err ignored = {0};
	autoclose int fd = path_open(AT_FDCWD, path + 1, PATH_NO_LINKS,
				     O_PATH | O_DIRECTORY, 0);

	return fd < 0 ? -1
		      : mnt_clone(fd, "", true, false, MS_PRIVATE, &ignored);
}

/*
 * A mount that lives in the other's mount namespace: a child that shares our
 * fds goes there, and its exit code is the number of the fd.
 */
static int take_mount(int pidfd, const char *path, struct err *e)
{
	const pid_t pid =
		(pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	int status = 0;

	if (pid < 0)
		return err_sys(e, "clone", "for %s", path);
	if (pid == 0) {
		const int fd =
			setns(pidfd, CLONE_NEWNS) < 0 ? -1 : clone_mount(path);

		_exit(fd > 0 && fd < 255 ? fd : 255);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_sys(e, "waitpid", "for %s", path);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 255)
		return err_set(e, ERR_NOTFOUND,
			       "the other container has no %s to share", path);
	return WEXITSTATUS(status);
}

static int take_mounts(struct nsjoin *j, struct err *e)
{
	const struct {
		bool wanted;
		int of;
		const char *path;
		int *to;
	} all[] = {
		{j->ipc >= 0, j->ipc, "/dev/shm", &j->shm},
		{j->lend && j->pid >= 0, j->pid, "/proc", &j->proc},
		{j->lend && j->net >= 0, j->net, "/sys", &j->sys},
	};

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (!all[i].wanted)
			continue;
		*all[i].to = take_mount(all[i].of, all[i].path, e);
		if (*all[i].to < 0)
			return -1;
	}
	return 0;
}

static int join(struct nsjoin *j, struct err *e)
{
	const int any = j->net >= 0 ? j->net : j->pid >= 0 ? j->pid : j->ipc;

	if (j->user && enter(any, CLONE_NEWUSER, "user namespace", e) < 0)
		return -1;
	if (enter(j->net, CLONE_NEWNET, "network", e) < 0 ||
	    enter(j->ipc, CLONE_NEWIPC, "ipc namespace", e) < 0 ||
	    enter(j->pid, CLONE_NEWPID, "pid namespace", e) < 0)
		return -1;
	return take_mounts(j, e);
}

struct answer {
	int32_t pid; /* 0: err says why */
	struct err err;
};

/* Returns in init, the sibling; the helper itself ends. */
static void helper(struct nsjoin *j, uint64_t flags, int out)
{
	/* A sibling has no exit signal of its own: it gets ours. */
	struct clone_args args = {.flags = flags | CLONE_PARENT};
	struct answer a = {0};

	if (join(j, &a.err) == 0) {
		const long pid = syscall(SYS_clone3, &args, sizeof(args));

		if (pid == 0)
			return;
		if (pid < 0)
			(void)err_sys(&a.err, "clone3", "new namespaces");
		else
			a.pid = (int32_t)pid;
	}
	_exit(write(out, &a, sizeof(a)) != (ssize_t)sizeof(a));
}

pid_t nsjoin_clone(struct nsjoin *j, uint64_t flags, int *ret_pidfd,
		   struct err *e)
{
	int pipe_fds[2];
	struct answer a = {0};
	pid_t pid;
	ssize_t n;
	STEP(e, "join", "namespaces of another container");

	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2", "for the helper");
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		helper(j, flags, pipe_fds[1]);
		(void)close(pipe_fds[0]);
		(void)close(pipe_fds[1]);
		return 0;
	}
	(void)close(pipe_fds[1]);
	n = pid < 0 ? -1 : read(pipe_fds[0], &a, sizeof(a));
	(void)close(pipe_fds[0]);
	if (pid < 0)
		return err_sys(e, "clone", "the helper");
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(a))
		return err_set(e, ERR_GONE, "the helper died");
	if (a.pid == 0) {
		*e = a.err;
		return -1;
	}
	*ret_pidfd = (int)syscall(SYS_pidfd_open, a.pid, 0);
	if (*ret_pidfd < 0) {
		(void)err_sys(e, "pidfd_open", "init");
		own_kill(&a.pid);
		return -1;
	}
	return a.pid;
}
