#include "autorange.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "base/privdir.h"

#define RANGE_IDS   65536U
#define SPACE_START 0x80000000U /* of the default */
#define SPACE_IDS   0x7fff0000U

static int space_of(const char *file, struct idrange *ret, struct err *e)
{
	static const char *const users[] = {"prism", "containers"};
	autobuf struct buf b = buf_make(ETC_FILE_MAX);

	*ret = (struct idrange){.outside = SPACE_START, .count = SPACE_IDS};
	if (fs_read_at(AT_FDCWD, file, &b, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		err_clear(e);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(users); i++) {
		struct idrange r[ID_RANGES_MAX];
		size_t n = 0;

		if (idmap_parse_ranges(buf_str(&b), b.len, users[i], UINT32_MAX,
				       r, ID_RANGES_MAX, &n, e) < 0)
			return -1;
		if (n > 0 && r[0].count >= RANGE_IDS) {
			*ret = r[0];
			return 0;
		}
	}
	return 0;
}

/*
 * The process that holds these locks decides which ids a container gets. So
 * the directory is not reached through a link of another user, who could point
 * it elsewhere.
 */
static int open_locks(const char *run_dir, struct err *e)
{
	autofree char *dir = xasprintf("%s/userns", run_dir);
	bool shared = false;
	int fd;
	ERR_IN(e, "%s", dir);

	fd = privdir_open(dir, &shared, e);
	if (fd < 0 && e->kind == ERR_NOTFOUND) {
		err_clear(e);
		if (privdir_make(dir, e) < 0)
			return -1;
		fd = privdir_open(dir, &shared, e);
	}
	if (fd < 0 || !shared || privdir_shut(fd, dir, false, e) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static struct idrange slice(const struct idrange *space, uint32_t n)
{
	return (struct idrange){.inside = 0,
				.outside = space->outside + n * RANGE_IDS,
				.count = RANGE_IDS};
}

int autorange_take(const char *run_dir, struct idmap *ret, struct err *e)
{
	autoclose int dir_fd = -1;
	struct idrange uids, gids;
	uint32_t n_ranges;
	ERR_IN(e, "--userns auto");

	if (space_of("/etc/subuid", &uids, e) < 0 ||
	    space_of("/etc/subgid", &gids, e) < 0)
		return -1;
	dir_fd = open_locks(run_dir, e);
	if (dir_fd < 0)
		return -1;
	n_ranges =
		(uids.count < gids.count ? uids.count : gids.count) / RANGE_IDS;
	for (uint32_t n = 0; n < n_ranges; n++) {
		char name[16];
		int fd;

		(void)snprintf(name, sizeof(name), "%u", n);
		fd = fs_lock_at(dir_fd, name, FS_LOCK_EXCLUSIVE, false, e);
		if (fd < 0 && e->kind != ERR_BUSY)
			return -1;
		err_clear(e);
		if (fd < 0)
			continue;
		*ret = (struct idmap){.n_uid = 1, .n_gid = 1};
		ret->uid[0] = slice(&uids, n);
		ret->gid[0] = slice(&gids, n);
		return fd;
	}
	return err_set(e, ERR_BUSY, "all %u ranges of ids are in use",
		       n_ranges);
}

int autorange_take_again(const char *run_dir, const struct idmap *map,
			 struct err *e)
{
	autoclose int dir_fd = -1;
	struct idrange uids;
	char name[16];
	int fd;
	ERR_IN(e, "--userns auto");

	if (space_of("/etc/subuid", &uids, e) < 0)
		return -1;
	if (map->uid[0].outside < uids.outside ||
	    (map->uid[0].outside - uids.outside) % RANGE_IDS)
		return err_set(e, ERR_INVALID,
			       "the ids from %u on are not prism's any more",
			       map->uid[0].outside);
	dir_fd = open_locks(run_dir, e);
	if (dir_fd < 0)
		return -1;
	(void)snprintf(name, sizeof(name), "%u",
		       (map->uid[0].outside - uids.outside) / RANGE_IDS);
	fd = fs_lock_at(dir_fd, name, FS_LOCK_EXCLUSIVE, false, e);
	if (fd < 0 && e->kind == ERR_BUSY)
		(void)err_hint(e, "another container has its range of ids now; "
				  "it can be started when that one ends");
	return fd;
}
