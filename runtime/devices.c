#include "devices.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "base/trace.h"
#include "base/whoami.h"
#include "runtime/mnt.h"
#include "runtime/place.h"

#define DEPTH_MAX 8 /* of directories below /dev */

struct device {
	char *target;
	struct stat st;
	int tree; /* the host's node as a mount; -1: make one */
};

struct devices {
	struct device *v;
	size_t n;
};

bool devices_are_lent(const struct run_spec *s)
{
	return s->userns || !whoami()->mknod;
}

static bool is_device(const struct stat *st)
{
	return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

static int add(const struct run_spec *s, struct devices *d, const char *source,
	       const char *target, const struct stat *st, struct err *e)
{
	struct device one = {.st = *st, .tree = -1};

	if (devices_are_lent(s)) {
		one.tree = mnt_clone(AT_FDCWD, source, false, false, 0, e);
		if (one.tree < 0)
			return -1;
	}
	one.target = xstrdup(target);
	d->v = xrealloc(d->v, (d->n + 1) * sizeof(*d->v));
	d->v[d->n++] = one;
	return 0;
}

/* ---- --privileged ------------------------------------------------------------------ */

/* What the container has of its own, or must not have. */
static bool is_own(const char *path)
{
	static const char *const own[] = {
		"/dev/pts",     "/dev/shm",   "/dev/mqueue",  "/dev/fd",
		"/dev/null",    "/dev/zero",  "/dev/full",    "/dev/random",
		"/dev/urandom", "/dev/tty",   "/dev/console", "/dev/ptmx",
		"/dev/.lxc",    "/dev/.udev",
	};

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (!strcmp(path, own[i]))
			return true;
	return false;
}

/* A user gets what opens for it: the mode says so, also of absent media. */
static bool may_have(const struct run_spec *s, const char *path)
{
	return !s->userns || access(path, R_OK) == 0 || access(path, W_OK) == 0;
}

static int add_below(const struct run_spec *s, struct devices *d,
		     const char *dir, int depth, struct err *e)
{
	autodir DIR *dp = opendir(dir);

	/* One that is closed to us, or gone, has nothing for us. */
	while (dp && depth < DEPTH_MAX) {
		const struct dirent *const de = readdir(dp);
		autofree char *path = NULL;
		struct stat st;

		if (!de)
			break;
		if (!strcmp(de->d_name, ".") || !strcmp(de->d_name, ".."))
			continue;
		path = xasprintf("%s/%s", dir, de->d_name);
		if (is_own(path) || lstat(path, &st) < 0)
			continue;
		if (S_ISDIR(st.st_mode)) {
			if (add_below(s, d, path, depth + 1, e) < 0)
				return -1;
		} else if (is_device(&st) && may_have(s, path) &&
			   add(s, d, path, path, &st, e) < 0) {
			return -1;
		}
	}
	return 0;
}

/* ---- all ------------------------------------------------------------------------------ */

int devices_prepare(const struct run_spec *s, struct devices **ret,
		    struct err *e)
{
	struct devices *d;

	*ret = NULL;
	if (!s->privileged && s->n_devices == 0)
		return 0;
	STEP(e, "devices", "look at the host's");
	d = xcalloc(1, sizeof(*d));
	*ret = d;
	if (s->privileged && add_below(s, d, "/dev", 0, e) < 0)
		return -1;
	for (size_t i = 0; i < s->n_devices; i++) {
		const struct device_spec *const x = &s->devices[i];
		struct stat st;

		if (stat(x->source, &st) < 0)
			return err_sys(e, "stat", "%s", x->source);
		if (!is_device(&st))
			return err_set(e, ERR_USAGE, "%s is not a device node",
				       x->source);
		if (add(s, d, x->source, x->target, &st, e) < 0)
			return -1;
	}
	return 0;
}

void devices_fds(const struct devices *d, struct fd_list *ret)
{
	for (size_t i = 0; d && i < d->n; i++)
		fd_list_add(ret, d->v[i].tree);
}

/*
 * A target below /dev is made in the tmpfs that prism mounted there, which has
 * no links; any other target is made in the root.
 */
struct spot {
	int root;
	unsigned int way;
	const char *path;
};

static struct spot spot_of(const char *target, int dev)
{
	if (str_starts(target, "/dev/"))
		return (struct spot){dev, PATH_NO_LINKS,
				     target + strlen("/dev/")};
	return (struct spot){AT_FDCWD, PATH_IN_ROOT, target};
}

static int make_node(const struct spot *at, const struct stat *st,
		     struct err *e)
{
	const char *name;
	autoclose int dir = place_parent(at->root, at->path, at->way, &name, e);

	if (dir < 0)
		return -1;
	/* The umask is 0. */
	if (path_mknod(dir, name, PATH_NO_LINKS, st->st_mode, st->st_rdev) <
	    0) {
		if (errno == EEXIST)
			(void)path_unlink(dir, name, PATH_NO_LINKS, 0);
		if (path_mknod(dir, name, PATH_NO_LINKS, st->st_mode,
			       st->st_rdev) < 0)
			return err_sys(e, "mknodat", "%s", at->path);
	}
	if (path_chown(dir, name, PATH_NO_LINKS, st->st_uid, st->st_gid) < 0)
		return err_sys(e, "fchownat", "%s", at->path);
	return 0;
}

/* As a mount of its own it works where other nodes do not. */
static int mount_node(const struct device *x, const struct spot *at, int dev,
		      struct err *e)
{
	static const char name[] = ".prism-device";
	const struct spot own = {dev, PATH_NO_LINKS, name};
	autoclose int tree = -1;
	int rc;

	if (make_node(&own, &x->st, e) < 0)
		return -1;
	tree = mnt_clone(dev, name, false, false, 0, e);
	rc = tree < 0 ? -1
		      : place_attach(at->root, tree, at->path, at->way, false,
				     e);
	/* Only then: a file without a name is not mounted. */
	(void)path_unlink(dev, name, PATH_NO_LINKS, 0);
	return rc;
}

int devices_make(const struct run_spec *s, const struct devices *d, int dev,
		 struct err *e)
{
	if (!d)
		return 0;
	STEP(e, "devices", "make %zu nodes", d->n);
	for (size_t i = 0; i < d->n; i++) {
		const struct device *const x = &d->v[i];
		const struct spot at = spot_of(x->target, dev);
		int rc;

		if (place_check_path(x->target, e) < 0)
			return -1;
		if (x->tree >= 0)
			rc = place_attach(at.root, x->tree, at.path, at.way,
					  false, e);
		else if (spec_no_devices(s))
			rc = mount_node(x, &at, dev, e);
		else
			rc = make_node(&at, &x->st, e);
		if (rc < 0)
			return -1;
	}
	return 0;
}
