#include "store/tardirs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ladder.h"
#include "base/own.h"
#include "base/path.h"
#include "base/walk.h"

#define OPEN_DIR (O_RDONLY | O_DIRECTORY)

/* A directory that the tar has an entry for. */
struct known {
	dev_t dev;
	ino_t ino; /* 0: a free slot */
	mode_t mode;
	struct timespec mtime;
};

struct level {
	size_t path_len;
	size_t known; /* its index in the table plus 1; 0: no entry in the tar */
};

struct tardirs {
	const struct tarin_opts *o;
	int root;
	struct ladder dirs;
	struct level *levels; /* as many as rungs */
	size_t cap;
	char *path; /* of the lowest */
	size_t path_cap;
	struct known *known; /* a hash table, never full */
	size_t n_known;
	size_t cap_known;
};

static int fail(const char *call, const char *path, struct err *e)
{
	return err_sys(e, call, "%s", *path ? walk_tail(path) : ".");
}

/* ---- known directories -------------------------------------------------------- */

static size_t place(const struct known *v, size_t cap, const struct stat *st)
{
	const uint64_t mixed =
		((uint64_t)st->st_ino ^ (uint64_t)st->st_dev << 32) *
		UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(mixed >> 32) & (cap - 1);

	while (v[i].ino && (v[i].ino != st->st_ino || v[i].dev != st->st_dev))
		i = (i + 1) & (cap - 1);
	return i;
}

static size_t find_known(const struct tardirs *d, const struct stat *st)
{
	size_t i;

	if (!d->n_known)
		return 0;
	i = place(d->known, d->cap_known, st);
	return d->known[i].ino ? i + 1 : 0;
}

/* Levels hold table indices, so update them with the table. */
static void grow(struct tardirs *d)
{
	const size_t cap = d->cap_known ? 2 * d->cap_known : 64;
	struct known *const v = xcalloc(cap, sizeof(*v));
	size_t *const moved =
		xcalloc(d->cap_known ? d->cap_known : 1, sizeof(*moved));

	for (size_t i = 0; i < d->cap_known; i++) {
		const struct known *const k = &d->known[i];
		const struct stat st = {.st_dev = k->dev, .st_ino = k->ino};

		if (!k->ino)
			continue;
		moved[i] = place(v, cap, &st);
		v[moved[i]] = *k;
	}
	for (size_t i = 0; i < d->dirs.n; i++)
		if (d->levels[i].known)
			d->levels[i].known = moved[d->levels[i].known - 1] + 1;
	free(moved);
	free(d->known);
	d->known = v;
	d->cap_known = cap;
}

static size_t set_known(struct tardirs *d, const struct stat *st, mode_t mode,
			const struct timespec *mtime)
{
	size_t i;

	if (2 * (d->n_known + 1) > d->cap_known)
		grow(d);
	i = place(d->known, d->cap_known, st);
	d->n_known += !d->known[i].ino;
	d->known[i] = (struct known){st->st_dev, st->st_ino, mode, *mtime};
	return i + 1;
}

/* ---- down ---------------------------------------------------------------------- */

/* Takes the fd. name: NULL for the root. */
static int push(struct tardirs *d, const char *name, int fd, size_t known,
		struct err *e)
{
	const size_t above = d->dirs.n ? d->levels[d->dirs.n - 1].path_len : 0;
	const size_t n = name ? strlen(name) : 0;
	size_t len = above;

	if (above + 1 + n + 1 > d->path_cap) {
		d->path_cap = 2 * (above + 1 + n + 1);
		d->path = xrealloc(d->path, d->path_cap);
	}
	if (n > 0 && above > 0)
		d->path[len++] = '/';
	if (n > 0)
		memcpy(d->path + len, name, n);
	d->path[len + n] = '\0';
	if (ladder_down(&d->dirs, fd) < 0)
		return fail("fstat", d->path, e);
	if (d->dirs.n > d->cap) {
		d->cap = d->cap ? 2 * d->cap : LADDER_OPEN;
		d->levels = xrealloc(d->levels, d->cap * sizeof(*d->levels));
	}
	d->levels[d->dirs.n - 1] =
		(struct level){.path_len = len + n, .known = known};
	return 0;
}

/*
 * Follow a link of the container's, as tarin.h promises: look up the whole path
 * from its root.
 */
static int open_through_link(const struct tardirs *d, const char *name)
{
	autofree char *whole = NULL;

	if (d->o->root_fd < 0) {
		errno = ELOOP;
		return -1;
	}
	whole = xasprintf("%s/%s/%s", d->o->path, d->path, name);
	return path_open(d->o->root_fd, whole, PATH_IN_ROOT, OPEN_DIR, 0);
}

/* Reopen a finished directory whose mode locks us out. */
static int open_closed(const struct tardirs *d, int dir, const char *name)
{
	struct stat st;

	if (path_stat(dir, name, PATH_NO_LINKS, &st) < 0)
		return -1;
	if (!find_known(d, &st)) {
		errno = EACCES;
		return -1;
	}
	if (path_chmod(dir, name, PATH_NO_LINKS, 0700) < 0)
		return -1;
	return path_open(dir, name, PATH_NO_LINKS, OPEN_DIR, 0);
}

static int open_next(const struct tardirs *d, const char *name, bool make)
{
	const int dir = ladder_fd(&d->dirs);
	int fd = path_open(dir, name, PATH_NO_LINKS, OPEN_DIR, 0);

	if (fd < 0 && errno == EACCES)
		fd = open_closed(d, dir, name);
	if (fd < 0 && errno == ELOOP)
		fd = open_through_link(d, name);
	if (fd >= 0 || errno != ENOENT || !make)
		return fd;
	if (path_mkdir(dir, name, PATH_NO_LINKS, 0755) < 0 && errno != EEXIST)
		return -1;
	return path_open(dir, name, PATH_NO_LINKS, OPEN_DIR, 0);
}

/* path: relative to the current directory. */
static int descend(struct tardirs *d, const char *path, bool make,
		   struct err *e)
{
	while (*path) {
		const size_t n = strcspn(path, "/");
		autofree char *name = xstrndup(path, n);
		autoclose int fd = open_next(d, name, make);
		struct stat st;
		size_t known;

		if (fd < 0 || fstat(fd, &st) < 0) {
			const int why = errno;

			return err_sysno(e, why, "openat2", "%s/%s",
					 walk_tail(d->path), name);
		}
		known = find_known(d, &st);
		if (known && geteuid() != 0)
			(void)fchmod(fd, d->known[known - 1].mode | 0700);
		if (push(d, name, take_fd(&fd), known, e) < 0)
			return -1;
		path += n + (path[n] == '/');
	}
	return 0;
}

/* ---- up ------------------------------------------------------------------------- */

static int finish(const struct tardirs *d, const struct level *l, struct err *e)
{
	const int fd = ladder_fd(&d->dirs);
	struct timespec t[2] = {{.tv_nsec = UTIME_NOW}};

	if (!l->known)
		return 0;
	t[1] = d->known[l->known - 1].mtime;
	if (fchmod(fd, d->known[l->known - 1].mode) < 0 || futimens(fd, t) < 0)
		return fail("fchmod", d->path, e);
	return 0;
}

static int begin_at_root(struct tardirs *d, struct err *e)
{
	const int fd = path_open(d->root, ".", PATH_NO_LINKS, OPEN_DIR, 0);

	ladder_free(&d->dirs);
	return fd < 0 ? fail("openat2", "", e) : push(d, NULL, fd, 0, e);
}

/* Leave the lowest directory for the one above it. */
static int leave(struct tardirs *d, struct err *e)
{
	const size_t above = d->levels[d->dirs.n - 2].path_len;
	autofree char *path = NULL;

	if (finish(d, &d->levels[d->dirs.n - 1], e) < 0)
		return -1;
	if (ladder_above(&d->dirs) >= 0) {
		ladder_up(&d->dirs);
		d->path[above] = '\0';
		return 0;
	}
	/*
	 * We entered through a link, or it was moved: go by name from the root.
	 */
	path = xstrndup(d->path, above);
	return begin_at_root(d, e) < 0 ? -1 : descend(d, path, false, e);
}

/* ---- the calls -------------------------------------------------------------------- */

/* How many open levels lead to path. */
static size_t shared_levels(const struct tardirs *d, const char *path)
{
	size_t at = 0;
	size_t n = 1;

	while (n < d->dirs.n) {
		const size_t len = d->levels[n].path_len;

		if (strncmp(path + at, d->path + at, len - at) != 0 ||
		    (path[len] != '/' && path[len] != '\0'))
			break;
		at = len;
		n++;
	}
	return n;
}

int tardirs_at(struct tardirs *d, const char *path, struct err *e)
{
	const size_t shared = shared_levels(d, path);
	size_t len;

	while (d->dirs.n > shared)
		if (leave(d, e) < 0)
			return -1;
	len = d->levels[shared - 1].path_len;
	path += len;
	if (descend(d, path + (len > 0 && *path == '/'), true, e) < 0)
		return -1;
	return ladder_fd(&d->dirs);
}

/* Open in steps that fit into PATH_MAX. */
static int open_long(int root, const char *path)
{
	autoclose int at = path_open(root, ".", PATH_NO_LINKS, OPEN_DIR, 0);

	while (at >= 0 && *path) {
		size_t n = strlen(path);
		autofree char *part = NULL;
		int next;

		if (n >= PATH_MAX) {
			n = PATH_MAX - 1;
			while (n > 0 && path[n] != '/')
				n--;
		}
		part = xstrndup(path, n);
		next = path_open(at, part, PATH_NO_LINKS, OPEN_DIR, 0);
		(void)close(at);
		at = next;
		path += n + (path[n] == '/');
	}
	return take_fd(&at);
}

int tardirs_find(struct tardirs *d, const char *path, struct err *e)
{
	int fd = open_long(d->root, path);

	/* A link, or a locked directory, on the path: take the slow way. */
	if (fd < 0 && (errno == ELOOP || errno == EACCES)) {
		if (tardirs_at(d, path, e) < 0)
			return -1;
		fd = fcntl(ladder_fd(&d->dirs), F_DUPFD_CLOEXEC, 3);
	}
	return fd < 0 ? fail("openat2", path, e) : fd;
}

int tardirs_enter(struct tardirs *d, const char *leaf, int fd, mode_t mode,
		  const struct timespec *mtime, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0) {
		own_close(&fd);
		return fail("fstat", leaf, e);
	}
	return push(d, leaf, fd, set_known(d, &st, mode, mtime), e);
}

int tardirs_end(struct tardirs *d, struct err *e)
{
	while (d->dirs.n > 1)
		if (leave(d, e) < 0)
			return -1;
	return 0;
}

struct tardirs *tardirs_open(const struct tarin_opts *o, struct err *e)
{
	struct tardirs *d = xcalloc(1, sizeof(*d));

	d->o = o;
	d->root = o->root_fd >= 0 ? path_open(o->root_fd, o->path, PATH_IN_ROOT,
					      OPEN_DIR, 0)
				  : path_open(o->dir_fd, ".", PATH_NO_LINKS,
					      OPEN_DIR, 0);
	if (d->root < 0)
		(void)fail("openat2", o->root_fd >= 0 ? o->path : "", e);
	if (d->root < 0 || begin_at_root(d, e) < 0) {
		tardirs_close(d);
		return NULL;
	}
	return d;
}

void tardirs_close(struct tardirs *d)
{
	if (!d)
		return;
	ladder_free(&d->dirs);
	own_close(&d->root);
	free(d->levels);
	free(d->path);
	free(d->known);
	free(d);
}
