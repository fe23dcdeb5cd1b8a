#include "runtime/container_volumes.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"

void container_volumes_add(const struct run_spec *s, struct buf *b)
{
	for (size_t i = 0; i < s->n_mounts; i++)
		if (s->mounts[i].type == MOUNT_VOLUME)
			buf_addf(b, "%s%s\n", s->mounts[i].anonymous ? "-" : "",
				 s->mounts[i].volume);
}

static int read_lines(int dirfd, const char *path, struct strv *ret,
		      struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);

	if (fs_read_at(dirfd, path, &b, e) < 0) {
		if (e->kind != ERR_NOTFOUND && e->sys != ENOTDIR)
			return -1;
		err_clear(e);
		return 0;
	}
	for (const char *p = buf_str(&b); *p;) {
		const size_t n = strcspn(p, "\n");

		if (n > 0)
			strv_take(ret, xstrndup(p, n));
		p += n + (p[n] == '\n');
	}
	return 0;
}

static bool names(const struct strv *lines, const char *name)
{
	for (size_t i = 0; i < lines->n; i++)
		if (!strcmp(lines->v[i] + (lines->v[i][0] == '-'), name))
			return true;
	return false;
}

int container_volumes_users(const struct container_home *h, const char *name,
			    struct strv *ret_ids, struct err *e)
{
	const int fd = openat(h->root_fd, "containers",
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *de;

	if (!d)
		return errno == ENOENT ? 0
				       : err_sys(e, "opendir", "containers");
	while ((de = readdir(d))) {
		autofree char *path = xasprintf("%s/volumes", de->d_name);
		autostrv struct strv lines = {0};

		if (de->d_name[0] == '.' || !strcmp(de->d_name, "by-name"))
			continue;
		if (read_lines(dirfd(d), path, &lines, e) < 0)
			return -1;
		if (names(&lines, name))
			strv_add(ret_ids, de->d_name);
	}
	return 0;
}

static bool used_by_others(const struct strv *users, const char *id)
{
	for (size_t i = 0; i < users->n; i++)
		if (strcmp(users->v[i], id) != 0)
			return true;
	return false;
}

static int drop_one(const struct container_home *h, const char *id,
		    const char *name, int userns_fd, struct err *e)
{
	autofree char *path = xasprintf("volumes/%s", name);
	autostrv struct strv users = {0};
	autofree char *gone = NULL;
	char unique[17];

	if (container_volumes_users(h, name, &users, e) < 0)
		return -1;
	if (used_by_others(&users, id))
		return 0;
	str_random_hex(unique, 8);
	gone = xasprintf("tmp/volume-%s", unique);
	if (renameat(h->root_fd, path, h->root_fd, gone) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "renameat", "%s", path);
	crash_point("teardown-volume-gone");
	return container_remove_files(h, gone, userns_fd, e);
}

int container_volumes_drop(const struct container_home *h, const char *id,
			   int userns_fd, struct err *e)
{
	autofree char *path = xasprintf("containers/%s/volumes", id);
	autostrv struct strv lines = {0};
	autoclose int lock = -1;

	if (read_lines(h->root_fd, path, &lines, e) < 0)
		return -1;
	for (size_t i = 0; i < lines.n; i++) {
		if (lines.v[i][0] != '-')
			continue;
		if (lock < 0)
			lock = fs_lock_at(h->root_fd, "volumes/.lock",
					  FS_LOCK_EXCLUSIVE, true, e);
		if (lock < 0 ||
		    drop_one(h, id, lines.v[i] + 1, userns_fd, e) < 0)
			return -1;
	}
	return 0;
}
