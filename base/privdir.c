#include "privdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs.h"
#include "log.h"
#include "own.h"
#include "str.h"
#include "whoami.h"

#define OVERFLOW_UID 65534 /* owners without an id in this user namespace */

/*
 * Root can do everything anyway. In our user namespace the host's root appears
 * as the overflow uid, like every user without an id, and is indistinguishable
 * from them.
 */
static bool is_ours_or_roots(uid_t uid)
{
	const uid_t me = geteuid();

	return uid == me || uid == 0 ||
	       (me == 0 && !whoami()->root && uid == OVERFLOW_UID);
}

/* what: an entry of the directory, "" for itself; cure: the path to chown. */
static int belongs(const char *what, const char *cure, uid_t uid, struct err *e)
{
	(void)err_set(e, ERR_INVALID,
		      "%s%sbelongs to user %u, and prism runs as user %u", what,
		      *what ? " " : "", (unsigned)uid, (unsigned)geteuid());
	return whoami()->root
		       ? err_hint(e,
				  "chown root: %.120s if no other user wrote "
				  "there; else name another directory",
				  cure)
		       : err_hint(e, "name a directory of your own, such as "
				     "a new one below it");
}

int privdir_is_ours(int fd, const char *what, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "fstat", "%s", what);
	return st.st_uid == geteuid() ? 0 : belongs(what, what, st.st_uid, e);
}

/* Others could write here: do not trust entries that they may have left. */
static int check_content(int fd, const char *path, unsigned mode, struct err *e)
{
	const int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *ent;

	if (!d) {
		(void)err_sys(e, "opendir", "%s", path);
		if (copy >= 0)
			(void)close(copy);
		return -1;
	}
	while ((ent = readdir(d))) {
		struct stat st;

		if (!strcmp(ent->d_name, ".") || !strcmp(ent->d_name, ".."))
			continue;
		if (fstatat(fd, ent->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "fstatat", "%s/%s", path,
				       ent->d_name);
		if (st.st_uid == geteuid() &&
		    (S_ISLNK(st.st_mode) || !(st.st_mode & 022)))
			continue;
		(void)err_set(e, ERR_INVALID,
			      "other users could write to it (mode %04o) and "
			      "may have left '%s' there",
			      mode, ent->d_name);
		return err_hint(e, "name another directory");
	}
	return 0;
}

/* A tmpfs made for a store has mode 1777 too, so compare with known paths. */
static bool is_for_all(const struct stat *st)
{
	static const char *const dirs[] = {"/tmp", "/var/tmp", "/dev/shm"};
	struct stat known;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
		if (stat(dirs[i], &known) == 0 && known.st_dev == st->st_dev &&
		    known.st_ino == st->st_ino)
			return true;
	return false;
}

int privdir_shut(int fd, const char *path, bool tell, struct err *e)
{
	struct stat st;
	unsigned mode;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "fstat", "%s", path);
	mode = st.st_mode & 07777;
	if (is_for_all(&st)) {
		(void)err_set(e, ERR_INVALID,
			      "is a shared directory (mode %04o)", mode);
		return err_hint(e, "name a new directory below it");
	}
	if ((mode & 022) && check_content(fd, path, mode, e) < 0)
		return -1;
	if (fchmod(fd, 0700) < 0) {
		(void)err_sys(e, "fchmod", "%s", path);
		(void)err_prefix(e, "other users have access to it (mode %04o)",
				 mode);
		return err_hint(e, "chmod 0700 %.150s", path);
	}
	if (tell)
		log_note("changed the mode of %s from %04o to 0700, because "
			 "other users could access the files of containers",
			 path, mode);
	return 0;
}

/* Follow a symlink only if it is ours or root's. */
static int follow(const char *path, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	struct stat st;
	int fd;

	if (fstatat(AT_FDCWD, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_sys(e, "fstatat", "%s", path);
	if (S_ISLNK(st.st_mode) && !is_ours_or_roots(st.st_uid)) {
		(void)err_set(e, ERR_INVALID,
			      "is a symlink of user %u, who can redirect it",
			      (unsigned)st.st_uid);
		return err_hint(e, "name the directory itself");
	}
	fd = openat(AT_FDCWD, path, flags);
	return fd < 0 ? err_sys(e, "open", "%s", path) : fd;
}

/* The sticky bit does not help: the directory's owner may rename any entry. */
static int check_place(const struct stat *up, struct err *e)
{
	if (!(up->st_mode & 002) || is_ours_or_roots(up->st_uid))
		return 0;
	(void)err_set(e, ERR_INVALID,
		      "is in a world-writable directory of user %u",
		      (unsigned)up->st_uid);
	return err_hint(e, "name a directory elsewhere");
}

int privdir_make(const char *path, struct err *e)
{
	autofree char *up = xstrdup(path);
	struct stat st;
	char *slash;

	do {
		slash = strrchr(up, '/');
		if (slash)
			slash[slash == up] = '\0';
		if (stat(slash ? up : ".", &st) == 0 && check_place(&st, e) < 0)
			return -1;
	} while (slash && slash != up && stat(up, &st) < 0);
	return fs_mkdirs_at(AT_FDCWD, path, 0700, e);
}

static int check(int fd, const char *path, bool *ret_shared, struct err *e)
{
	struct stat st;
	struct stat up;

	if (fstat(fd, &st) < 0 || fstatat(fd, "..", &up, 0) < 0)
		return err_sys(e, "fstat", "%s", path);
	if (st.st_uid != geteuid())
		return belongs("", path, st.st_uid, e);
	if (check_place(&up, e) < 0)
		return -1;
	*ret_shared = st.st_mode & 077;
	return 0;
}

int privdir_open(const char *path, bool *ret_shared, struct err *e)
{
	/* A trailing slash would follow a symlink. */
	autofree char *bare = xstrdup(path);
	size_t n = strlen(bare);
	int fd;

	while (n > 1 && bare[n - 1] == '/')
		bare[--n] = '\0';
	fd = openat(AT_FDCWD, bare,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return err_set(e, ERR_NOTFOUND, "%s does not exist", path);
	if (fd < 0 && (errno == ELOOP || errno == ENOTDIR))
		fd = follow(bare, e);
	else if (fd < 0)
		return err_sys(e, "open", "%s", path);
	if (fd >= 0 && check(fd, path, ret_shared, e) == 0)
		return fd;
	own_close(&fd);
	return -1;
}
