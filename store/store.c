#include "store/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/log.h"
#include "base/own.h"
#include "base/paths.h"
#include "base/privdir.h"
#include "base/str.h"
#include "base/whoami.h"

#define TRUSTED "trusted" /* overlay xattrs; "version" says so */

struct store {
	char *root;
	int dir[STORE_DIRS]; /* -1 until asked for */
	int lock;
	bool trusted; /* layers of the machine's root are in it */
	int *held;    /* entry locks */
	size_t n_held;
};

static const char *const dir_name[] = {
	[STORE_ROOT] = ".",          [STORE_BLOBS] = "blobs",
	[STORE_LAYERS] = "layers",   [STORE_SKELETONS] = "skeletons",
	[STORE_IMAGES] = "images",   [STORE_CONTAINERS] = "containers",
	[STORE_VOLUMES] = "volumes", [STORE_TMP] = "tmp",
};
_Static_assert(ARRAY_LEN(dir_name) == STORE_DIRS, "a folder has no name");

char *store_default_root(void)
{
	const char *const given = getenv("PRISM_ROOT");
	const char *const data = getenv("XDG_DATA_HOME");
	autofree char *home = NULL;

	if (!str_empty(given))
		return xstrdup(given);
	/* Root of a user namespace alone may find that it is not its own. */
	if (getauxval(AT_UID) == 0 &&
	    (whoami()->root || access("/var/lib", W_OK) == 0))
		return xstrdup("/var/lib/prism");
	/* The XDG specification: a relative path is to be ignored. */
	if (data && data[0] == '/')
		return xasprintf("%s/prism", data);
	home = user_home();
	return home ? xasprintf("%s/.local/share/prism", home) : NULL;
}

static int no_way(struct err *e)
{
	if (e->sys == EACCES)
		return err_hint(e, "each directory on the way to it must let "
				   "you through; --root or PRISM_ROOT names "
				   "another store");
	return -1;
}

static int open_root(const char *root, bool *ret_shared, struct err *e)
{
	int fd = privdir_open(root, ret_shared, e);

	if (fd >= 0 || e->kind != ERR_NOTFOUND)
		return fd >= 0 ? fd : no_way(e);
	err_clear(e);
	if (privdir_make(root, e))
		return no_way(e);
	fd = privdir_open(root, ret_shared, e);
	return fd >= 0 ? fd : no_way(e);
}

/*
 * A folder without a version is a new store only if nothing of somebody else's
 * is in it: `--root /home/me` must not strew our folders there.
 */
static int check_new(int root_fd, struct err *e)
{
	autodir DIR *d = NULL;
	const struct dirent *ent;
	const int fd = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "openat", ".");
	d = fdopendir(fd);
	if (!d) {
		(void)close(fd);
		return err_sys(e, "fdopendir", ".");
	}
	while ((ent = readdir(d))) {
		/* A dot: ".." and what a killed first start left. */
		if (ent->d_name[0] == '.' || !strcmp(ent->d_name, "lock") ||
		    !strcmp(ent->d_name, "version"))
			continue;
		(void)err_set(e, ERR_INVALID,
			      "not a prism store: it has no file 'version', "
			      "but other files ('%s')",
			      ent->d_name);
		return err_hint(e, "name an empty or a new directory");
	}
	return 0;
}

static int write_version(int root_fd, struct err *e)
{
	static const char trusted[] = "1 " TRUSTED "\n";
	static const char user[] = "1\n";
	const char *const now = whoami()->root ? trusted : user;

	_Static_assert(STORE_VERSION == 1, "write the right number");
	return fs_replace_at(root_fd, "version", now, strlen(now), 0600, true,
			     e);
}

/* Write the version only into a directory that is new and ours. */
static int new_store(const struct store *s, bool shared, struct err *e)
{
	if (check_new(s->dir[STORE_ROOT], e) ||
	    (shared && privdir_shut(s->dir[STORE_ROOT], s->root, false, e)))
		return -1;
	return write_version(s->dir[STORE_ROOT], e);
}

static int check_version(struct store *s, bool shared, struct err *e)
{
	const int root_fd = s->dir[STORE_ROOT];
	char text[32];
	uint64_t version = 0;
	const char *word;
	ssize_t n;
	autoclose int fd = openat(root_fd, "version", O_RDONLY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		if (new_store(s, shared, e) == 0)
			return 0;
		/* Another first command made it meanwhile, and went on? */
		fd = openat(root_fd, "version", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -1;
		err_clear(e);
	}
	if (fd < 0)
		return err_sys(e, "openat", "version");

	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return err_sys(e, "read", "version");

	while (n > 0 && text[n - 1] == '\n')
		n--;
	text[n] = '\0';
	word = text + strcspn(text, " ");
	if (!str_to_u64n(text, (size_t)(word - text), 1000000, &version) ||
	    version == 0)
		return err_set(e, ERR_INVALID,
			       "the file 'version' holds no number");
	if (version > STORE_VERSION)
		return err_set(e, ERR_UNSUPPORTED,
			       "version %" PRIu64 " of the store is newer than "
			       "this prism, which knows %d",
			       version, STORE_VERSION);
	s->trusted = !strcmp(word, " " TRUSTED);
	return shared ? privdir_shut(root_fd, s->root, true, e) : 0;
}

static int lock_wait(int fd, int mode)
{
	int r;

	do
		r = flock(fd, mode);
	while (r && errno == EINTR);
	return r;
}

static int take_lock(struct store *s, bool exclusive, struct err *e)
{
	const int mode = exclusive ? LOCK_EX : LOCK_SH;

	s->lock = openat(s->dir[STORE_ROOT], "lock",
			 O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock < 0)
		return err_sys(e, "openat", "lock");

	if (flock(s->lock, mode | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK && errno != EINTR)
		return err_sys(e, "flock", "lock");

	log_note("waiting for another prism that uses %s", s->root);
	if (lock_wait(s->lock, mode))
		return err_sys(e, "flock", "lock");
	return 0;
}

static int no_home(struct err *e)
{
	(void)err_set(e, ERR_INVALID,
		      "cannot choose a store: HOME is not set, and user "
		      "%u has no home directory in /etc/passwd",
		      (unsigned)getauxval(AT_UID));
	return err_hint(e, "set HOME, or name a directory with --root or "
			   "PRISM_ROOT");
}

int store_open(const char *root, bool exclusive, struct store **ret,
	       struct err *e)
{
	autostore struct store *s = xcalloc(1, sizeof(*s));
	bool shared = false;

	s->lock = -1;
	for (int i = 0; i < STORE_DIRS; i++)
		s->dir[i] = -1;
	s->root = root ? xstrdup(root) : store_default_root();
	if (!s->root)
		return no_home(e);
	ERR_IN(e, "store %s", s->root);

	s->dir[STORE_ROOT] = open_root(s->root, &shared, e);
	if (s->dir[STORE_ROOT] < 0)
		return -1;
	if (check_version(s, shared, e))
		return -1;
	if (take_lock(s, exclusive, e))
		return -1;

	*ret = take_ptr(&s);
	return 0;
}

bool store_is_unreadable(const struct store *s)
{
	return s->trusted && !whoami()->root;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	for (int i = 0; i < STORE_DIRS; i++)
		own_close(&s->dir[i]);
	store_forget_locks(s);
	free(s->held);
	free(s->root);
	free(s);
}

void own_store(struct store **s)
{
	store_close(*s);
}

int store_dirfd(struct store *s, enum store_dir which, struct err *e)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
	const int root = s->dir[STORE_ROOT];
	int fd;

	if (s->dir[which] >= 0)
		return s->dir[which];

	fd = openat(root, dir_name[which], flags);
	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(root, dir_name[which], 0700) && errno != EEXIST)
			return err_sys(e, "mkdirat", "%s/%s", s->root,
				       dir_name[which]);
		fd = openat(root, dir_name[which], flags);
	}
	if (fd < 0)
		return err_sys(e, "openat", "%s/%s", s->root, dir_name[which]);
	if (privdir_is_ours(fd, dir_name[which], e)) {
		(void)close(fd);
		return -1;
	}
	s->dir[which] = fd;
	return fd;
}

const char *store_root(const struct store *s)
{
	return s->root;
}

int store_tmpfile(struct store *s, struct err *e)
{
	const int tmp = store_dirfd(s, STORE_TMP, e);
	int fd;

	if (tmp < 0)
		return -1;
	fd = openat(tmp, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd < 0 ? err_sys(e, "openat", "tmp (O_TMPFILE)") : fd;
}

void store_unlock(struct store *s)
{
	own_close(&s->lock);
}

bool store_try_exclusive(struct store *s)
{
	if (s->lock < 0)
		return false;
	if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
		return true;
	/* A conversion that fails has dropped the old lock (flock(2)). */
	(void)lock_wait(s->lock, LOCK_SH);
	return false;
}

void store_share(struct store *s)
{
	if (s->lock >= 0)
		(void)lock_wait(s->lock, LOCK_SH);
}

/*
 * Whoever finishes removes (or renames) the file while holding its lock, so a
 * lock that was waited for may be one of a file without a name: try again.
 */
static int lock_named(int tmp, const char *name, bool wait, struct err *e)
{
	for (;;) {
		struct err lost = {0};
		struct stat mine;
		struct stat named;
		autoclose int fd =
			fs_lock_at(tmp, name, FS_LOCK_EXCLUSIVE, wait, &lost);

		if (fd < 0) {
			*e = lost;
			return -1;
		}
		if (fstat(fd, &mine))
			return err_sys(e, "fstat", "tmp/%s", name);
		if (fstatat(tmp, name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		    mine.st_ino == named.st_ino)
			return take_fd(&fd);
	}
}

int store_entry_lock(struct store *s, const char *name, bool wait,
		     struct err *e)
{
	const int tmp = store_dirfd(s, STORE_TMP, e);
	int fd;

	if (tmp < 0)
		return -1;
	fd = lock_named(tmp, name, wait, e);
	if (fd < 0)
		return -1;

	s->held = xrealloc(s->held, (s->n_held + 1) * sizeof(*s->held));
	s->held[s->n_held++] = fd;
	return fd;
}

void store_entry_unlock(struct store *s, int fd, const char *remove_name)
{
	if (fd < 0)
		return;
	if (remove_name)
		(void)unlinkat(s->dir[STORE_TMP], remove_name, 0);
	for (size_t i = 0; i < s->n_held; i++) {
		if (s->held[i] != fd)
			continue;
		s->held[i] = s->held[--s->n_held];
		(void)close(fd);
		return;
	}
}

void store_forget_locks(struct store *s)
{
	while (s->n_held > 0)
		(void)close(s->held[--s->n_held]);
	own_close(&s->lock);
}

int store_sync(struct store *s, struct err *e)
{
	if (syncfs(s->dir[STORE_ROOT]))
		return err_sys(e, "syncfs", "%s", s->root);
	return 0;
}

void store_explain(struct store *s, struct err *e)
{
	struct statfs fs;

	if (e->kind != ERR_SYS || (e->sys != ENOSPC && e->sys != EDQUOT))
		return;
	if (fstatfs(s->dir[STORE_ROOT], &fs))
		return;

	(void)err_hint(e,
		       "the file system of %s has %" PRIu64 " MB and %" PRIu64
		       " inodes free; remove images with 'prism rmi', or put "
		       "the store elsewhere with --root",
		       s->root,
		       (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize / 1000000,
		       (uint64_t)fs.f_ffree);
}
