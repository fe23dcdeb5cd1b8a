#include "lend.h"

#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "runtime/mnt.h"
#include "runtime/mounts.h"
#include "runtime/sync.h"

/*
 * A detached mount becomes one as seen through the container's id map; nothing
 * is chowned. Takes the fd and gives it back.
 */
static int idmap_tree(int userns, int tree, const char *path, struct err *e)
{
	struct mount_attr attr = {
		.attr_set = MOUNT_ATTR_IDMAP,
		.userns_fd = (uint64_t)userns,
	};
	autoclose int fd = tree;

	if (fd < 0)
		return -1;
	if (syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attr,
		    sizeof(attr)) < 0) {
		(void)err_sys(e, "mount_setattr", "idmap %s", path);
		return err_hint(e, "its file system must support idmapped "
				   "mounts (ext4, xfs, btrfs, tmpfs on a "
				   "recent kernel)");
	}
	return take_fd(&fd);
}

static int lend_volumes(const struct run_spec *s, int userns, int *fds, int *n,
			struct err *e)
{
	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct mount_spec *const m = &s->mounts[i];

		if (mounts_give_root(s, m, e) < 0)
			return -1;
		if (!mounts_is_lent(s, m))
			continue;
		if (*n == SYNC_FDS_MAX)
			return err_set(e, ERR_UNSUPPORTED,
				       "--userns auto with more than %d layers "
				       "and volumes",
				       SYNC_FDS_MAX - 1);
		fds[*n] =
			idmap_tree(userns, mounts_copy(s, m, e), m->source, e);
		if (fds[*n] < 0)
			return -1;
		(*n)++;
	}
	return 0;
}

int lend_trees(const struct run_spec *s, const char *dir, int userns, int *fds,
	       int *n, struct err *e)
{
	*n = 0;
	if (s->lowers.n > SYNC_FDS_MAX - 1)
		return err_set(e, ERR_UNSUPPORTED,
			       "--userns auto with more than %d layers",
			       SYNC_FDS_MAX - 1);
	fds[*n] = mnt_clone(AT_FDCWD, dir, false, false, 0, e);
	if (fds[*n] < 0)
		return -1;
	(*n)++;
	for (size_t i = 0; i < (s->rootfs ? 1 : s->lowers.n); i++) {
		const char *const path = s->rootfs ? s->rootfs : s->lowers.v[i];

		fds[*n] = idmap_tree(
			userns, mnt_clone(AT_FDCWD, path, false, false, 0, e),
			path, e);
		if (fds[*n] < 0)
			return -1;
		(*n)++;
	}
	return lend_volumes(s, userns, fds, n, e);
}

int lend_take(const struct run_spec *s, const int *fds, int n,
	      struct host_trees *ret, struct err *e)
{
	const int layers = s->rootfs ? 1 : (int)s->lowers.n;

	if (n < 1 + layers)
		return err_set(e, ERR_INVALID, "layers are missing");
	ret->dir = fds[0];
	ret->lowers = xcalloc((size_t)n, sizeof(*ret->lowers));
	memcpy(ret->lowers, fds + 1, (size_t)(n - 1) * sizeof(*fds));
	ret->n_lowers = layers;
	ret->lent = ret->lowers + layers;
	ret->n_lent = n - 1 - layers;
	return 0;
}
