#include "runtime/view.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "base/path.h"
#include "runtime/hide.h"
#include "runtime/mnt.h"
#include "runtime/stopped.h"
#include "runtime/user.h"

/* ---- one that runs ----------------------------------------------------------- */

static int enter_userns_of(int pidfd, struct err *e)
{
	(void)hide_begin();
	if (setns(pidfd, CLONE_NEWUSER) < 0)
		return err_sys(e, "setns", "the container's user namespace");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, "setresuid", "0 in the user namespace");
	return 0;
}

/*
 * pidfd is known to be the container's; if its process still lives after the
 * path was opened, then the number was not another's meanwhile.
 */
static int open_live(const struct container *c, const struct run_spec *s,
		     struct err *e)
{
	pid_t pid = 0;
	autoclose int pidfd = container_pidfd(c, &pid, e);
	autoclose int root = -1;
	char path[40];

	if (pidfd < 0)
		return -1;
	if (s->userns && enter_userns_of(pidfd, e) < 0)
		return -1;
	(void)snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "open", "%s", path);
	if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
		return err_set(e, ERR_GONE, "the container ended meanwhile");
	/*
	 * Only from inside can a copy of its mounts be made, which keeps us in
	 * it. Where that is not allowed the fd will do.
	 */
	(void)setns(pidfd, CLONE_NEWNS);
	return take_fd(&root);
}

/* ---- one that does not -------------------------------------------------------- */

static int open_layers(const struct container *c, const struct run_spec *s,
		       enum view_kind kind, struct err *e)
{
	autofree char *upper = xasprintf("%s/upper", c->dir);
	autostrv struct strv lowers = {0};
	struct mnt_overlay o = {.userxattr = s->userns};
	int fd;

	if (kind == VIEW_MERGED)
		strv_add(&lowers, upper);
	for (size_t i = 0; i < s->lowers.n; i++)
		strv_add(&lowers, s->lowers.v[i]);
	if (stopped_enter(s, e) < 0)
		return -1;
	o.lower_paths = lowers.v;
	o.n_lowers = (int)lowers.n;
	if (lowers.n == 1) {
		/* Overlayfs wants two; one is itself. */
		fd = open(lowers.v[0], O_PATH | O_DIRECTORY | O_CLOEXEC);
		return fd < 0 ? err_sys(e, "open", "%s", lowers.v[0]) : fd;
	}
	if (mnt_overlay(&o, c->dir, e) < 0)
		return -1;
	fd = open(c->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open", "%s", c->dir) : fd;
}

static int open_rootfs(const struct run_spec *s, enum view_kind kind,
		       struct err *e)
{
	int fd;

	if (kind == VIEW_IMAGE)
		return err_set(e, ERR_UNSUPPORTED,
			       "it was made with --rootfs: there is no image "
			       "to compare it with");
	if (stopped_enter(s, e) < 0)
		return -1;
	fd = open(s->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "open", "%s", s->rootfs) : fd;
}

int view_open(const struct container *c, const struct run_spec *s,
	      enum view_kind kind, struct err *e)
{
	switch (kind) {
	case VIEW_LIVE:
		return open_live(c, s, e);
	case VIEW_READABLE:
	case VIEW_WRITABLE:
		return stopped_open(c, s, kind == VIEW_WRITABLE, e);
	case VIEW_MERGED:
	case VIEW_IMAGE:
		break;
	}
	return s->rootfs ? open_rootfs(s, kind, e) : open_layers(c, s, kind, e);
}

int view_user(int root, const struct run_spec *s, uint32_t *ret_uid,
	      uint32_t *ret_gid, struct err *e)
{
	const struct user_wish w = {.user = s->user, .has_home = true};
	autofree struct user *u = xcalloc(1, sizeof(*u));

	if (user_resolve(root, &w, u, e) < 0)
		return -1;
	*ret_uid = u->uid;
	*ret_gid = u->gid;
	return 0;
}

int view_upper(const struct container *c, struct err *e)
{
	return fs_opendir_at(c->dir_fd, "upper", e);
}

/* ---- paths --------------------------------------------------------------------- */

static bool is_directory_itself(const char *path)
{
	const size_t n = strlen(path);

	return n == 0 || path[n - 1] == '/' || !strcmp(path, ".") ||
	       !strcmp(path, "..") || (n > 1 && !strcmp(path + n - 2, "/.")) ||
	       (n > 2 && !strcmp(path + n - 3, "/.."));
}

int view_find(int root, const char *path, char **ret_leaf, struct err *e)
{
	const char *const slash = strrchr(path, '/');
	const bool whole = is_directory_itself(path);
	autofree char *dir = whole || !slash
				     ? xstrdup(whole ? path : "")
				     : xstrndup(path, (size_t)(slash - path));
	int fd = path_open(root, dir, PATH_IN_ROOT, O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		const int why = errno;

		return err_set(e, ERR_NOTFOUND, "%s: %s", path,
			       why == ENOENT ? "no such file or directory"
					     : "not a directory");
	}
	if (fd < 0)
		return err_sys(e, "openat2", "%s", path);
	*ret_leaf = xstrdup(whole ? "." : slash ? slash + 1 : path);
	return fd;
}
