#include "usable.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/proc.h"
#include "base/trace.h"
#include "base/userns.h"

#define SPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS)

static int make_namespaces(struct err *e)
{
	STEP(e, "namespaces", "make namespaces");

	if (unshare(SPACES | CLONE_NEWNET))
		return err_sys(e, "unshare", "mount, pid, ipc, uts, net");
	return 0;
}

static int open_overlay(struct err *e)
{
	STEP(e, "overlay", "open overlayfs");

	const int fd = (int)syscall(SYS_fsopen, "overlay", 0);

	if (fd < 0)
		return err_sys(e, "fsopen", "overlay");
	(void)close(fd);
	return 0;
}

static int try_all(void *arg, struct err *e)
{
	struct idmap map;

	(void)arg;
	if (userns_enter_for_store(&map, e) || make_namespaces(e))
		return -1;
	return open_overlay(e);
}

int usable_check(struct err *e)
{
	autoworker struct worker w = WORKER_NONE;

	if (proc_start(&w, "usable", try_all, NULL, e))
		return -1;
	return proc_wait(&w, e);
}
