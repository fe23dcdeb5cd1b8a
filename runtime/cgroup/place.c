#include "place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"

#define HOST_LEAF "prism-host" /* for the processes of a delegated cgroup */

/* Others remove an empty parent while we make a child in it. */
#define ROUNDS_MAX 100

#define DELEGATE                                                               \
	"your own systemd gives one: it runs while you are logged in, or for " \
	"good after 'loginctl enable-linger %u' by root; or let root give "    \
	"you the cgroup: chown it, its cgroup.procs and its "                  \
	"cgroup.subtree_control"

/* ---- where ---------------------------------------------------------------- */

static bool may_write(const char *path)
{
	return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

/* "/a.slice/a-b.slice" of "a-b.slice" */
static char *slice_path(const char *name)
{
	struct buf b = buf_make(KIB(4));
	const size_t n = strlen(name) - strlen(".slice");

	for (size_t i = 1; i <= n; i++)
		if (i == n || name[i] == '-')
			buf_addf(&b, "/%.*s.slice", (int)i, name);
	return buf_take(&b);
}

char *place_parent_path(const char *cgroup_parent, struct err *e)
{
	const char *p = cgroup_parent + strspn(cgroup_parent, "/");
	size_t n = strlen(p);

	while (n && p[n - 1] == '/')
		n--;
	for (const char *part = p; part < p + n;) {
		const size_t k = strcspn(part, "/");

		if ((k == 1 && *part == '.') ||
		    (k == 2 && !memcmp(part, "..", 2))) {
			(void)err_set(e, ERR_USAGE,
				      "--cgroup-parent '%s': not a path "
				      "without . and ..",
				      cgroup_parent);
			return NULL;
		}
		part += k + strspn(part + k, "/");
	}
	if (p == cgroup_parent && str_ends(p, ".slice") && !strchr(p, '/'))
		return slice_path(p);
	return n ? xasprintf("/%.*s", (int)n, p) : xstrdup("");
}

/* Not the leaf that an earlier container made of it. */
static char *delegated(const struct hierarchy *h)
{
	autofree char *dir = h->own ? xstrdup(h->own) : NULL;

	if (dir && str_ends(dir, "/" HOST_LEAF))
		dir[strlen(dir) - strlen("/" HOST_LEAF)] = '\0';
	return dir && may_write(dir) ? take_ptr(&dir) : NULL;
}

bool place_is_given(const struct hierarchy *h)
{
	autofree char *dir = NULL;

	if (may_write(h->mount))
		return true;
	dir = delegated(h);
	return dir != NULL;
}

char *place_find(const struct hierarchy *h, const char *cgroup_parent,
		 struct err *e)
{
	char *dir;

	if (!str_empty(cgroup_parent)) {
		autofree char *path = place_parent_path(cgroup_parent, e);

		return path ? xasprintf("%s%s", h->mount, path) : NULL;
	}
	if (may_write(h->mount))
		return xasprintf("%s/" PLACE_PARENT, h->mount);
	if (errno == EROFS) {
		(void)err_sys(e, "access", "%s", h->mount);
		(void)err_hint(e, "cgroups are mounted read-only here; in a "
				  "container mount them writable, with a "
				  "cgroup namespace of its own");
		return NULL;
	}
	dir = delegated(h);
	if (!dir) {
		(void)err_set(e, ERR_UNSUPPORTED,
			      "no cgroup is delegated to you: %s is not yours "
			      "to write",
			      h->own ? h->own : h->mount);
		if (geteuid() == 0)
			(void)err_hint(e,
				       "root of a user namespace owns no "
				       "cgroup of the host: start prism "
				       "outside of it, or give the container "
				       "around a writable cgroup of its own");
		else if (h->version == 2)
			(void)err_hint(e, DELEGATE, (unsigned)geteuid());
		else
			(void)err_hint(e,
				       "cgroup v1 is delegated by root "
				       "alone: mkdir %.60s/you, chown it, "
				       "and write your shell's pid into its "
				       "cgroup.procs",
				       h->mount);
	}
	return dir;
}

/* ---- controllers ---------------------------------------------------------- */

static int read_bits(const char *dir, const char *file, unsigned *ret,
		     struct err *e)
{
	autobuf struct buf b = buf_make(KIB(16));
	autofree char *path = xasprintf("%s/%s", dir, file);

	if (fs_read_at(AT_FDCWD, path, &b, e) < 0)
		return -1;
	*ret = layout_controllers(buf_str(&b));
	return 0;
}

static int write_text(const char *path, const char *text, struct err *e)
{
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open", "%s", path);
	if (write(fd, text, strlen(text)) < 0)
		return err_sys(e, "write", "'%s' to %s", text, path);
	return 0;
}

/* One at a time: the file takes no more. */
static int move_all(const char *from, const char *to, struct err *e)
{
	for (int i = 0; i < ROUNDS_MAX; i++) {
		autobuf struct buf b = buf_make(MIB(1));
		const char *p;

		if (fs_read_at(AT_FDCWD, from, &b, e) < 0)
			return -1;
		p = buf_str(&b);
		if (!*p)
			return 0;
		while (*p) {
			const size_t n = strcspn(p, "\n");
			autofree char *pid = xstrndup(p, n);

			/* One that has ended meanwhile is no error. */
			if (write_text(to, pid, e) < 0 && e->sys != ESRCH)
				return -1;
			err_clear(e);
			p += n + (p[n] == '\n');
		}
	}
	return err_set(e, ERR_BUSY, "%s never gets empty", from);
}

/* Only of the cgroup that we are in ourselves. */
static int make_room(const struct hierarchy *h, const char *dir, struct err *e)
{
	autofree char *leaf = xasprintf("%s/" HOST_LEAF, dir);
	autofree char *from = xasprintf("%s/cgroup.procs", dir);
	autofree char *to = xasprintf("%s/cgroup.procs", leaf);
	const char *const rest = h->own ? str_after(h->own, dir) : NULL;

	if (!rest || (*rest && strcmp(rest, "/" HOST_LEAF) != 0))
		return err_set(e, ERR_BUSY,
			       "%s has processes of its own, so it cannot "
			       "pass on controllers",
			       dir);
	if (mkdir(leaf, 0755) < 0 && errno != EEXIST)
		return err_sys(e, "mkdir", "%s", leaf);
	return move_all(from, to, e);
}

/*
 * With processes in it and only controllers that may be threaded (cpu, cpuset,
 * pids) passed on, the kernel says nothing, but its children take no process
 * (EOPNOTSUPP). The root of all is different, and has no cgroup.type.
 */
static int clear_parent(const struct hierarchy *h, const char *dir,
			struct err *e)
{
	autobuf struct buf b = buf_make(MIB(1));
	autofree char *type = xasprintf("%s/cgroup.type", dir);
	autofree char *procs = xasprintf("%s/cgroup.procs", dir);

	if (faccessat(AT_FDCWD, type, F_OK, 0) < 0)
		return 0;
	if (fs_read_at(AT_FDCWD, procs, &b, e) < 0)
		return -1;
	return b.len ? make_room(h, dir, e) : 0;
}

static void words_of(unsigned bits, struct buf *b)
{
	for (int i = 0; i < CG_CONTROLLERS; i++)
		if (bits & 1U << i)
			buf_addf(b, "%s+%s", b->len ? " " : "",
				 controller_name((enum controller)i, 2));
}

static int not_passed_on(const char *dir, const char *words, struct err *e)
{
	/* ENOENT: it has not got them itself. */
	if (e->sys == EACCES || e->sys == EPERM || e->sys == ENOENT)
		return err_hint(e,
				"not delegated to you; root can: echo "
				"'%s' >%.90s/cgroup.subtree_control (with "
				"systemd: Delegate=yes in user@.service.d)",
				words, dir);
	return -1;
}

static int pass_on(const struct hierarchy *h, const char *dir, unsigned need,
		   struct err *e)
{
	autobuf struct buf words = buf_make(256);
	autofree char *file = xasprintf("%s/cgroup.subtree_control", dir);
	unsigned have = 0;

	if (read_bits(dir, "cgroup.subtree_control", &have, e) < 0)
		return -1;
	if (!(need & ~have))
		return 0;
	if (strlen(dir) > strlen(h->mount)) {
		autofree char *above = xstrdup(dir);

		*strrchr(above, '/') = '\0';
		if (pass_on(h, above, need & ~have, e) < 0)
			return -1;
	}
	if (clear_parent(h, dir, e) < 0)
		return -1;
	words_of(need & ~have, &words);
	if (write_text(file, buf_str(&words), e) < 0)
		return not_passed_on(dir, buf_str(&words), e);
	return 0;
}

/* ---- making --------------------------------------------------------------- */

unsigned place_missing(const struct hierarchy *h, const char *path)
{
	autofree char *part = xstrdup(path);
	unsigned n = 0;

	while (strlen(part) > strlen(h->mount) &&
	       faccessat(AT_FDCWD, part, F_OK, 0) < 0) {
		n++;
		*strrchr(part, '/') = '\0';
	}
	return n;
}

/* v1: a cpuset without processors and nodes takes no process. */
static int inherit_file(const char *dir, const char *name, struct err *e)
{
	autobuf struct buf have = buf_make(KIB(64));
	autobuf struct buf above = buf_make(KIB(64));
	autofree char *file = xasprintf("%s/%s", dir, name);
	autofree char *theirs = xasprintf("%s/../%s", dir, name);

	if (fs_read_at(AT_FDCWD, file, &have, e) < 0)
		return -1;
	if (buf_str(&have)[strspn(buf_str(&have), " \n")])
		return 0;
	if (fs_read_at(AT_FDCWD, theirs, &above, e) < 0)
		return -1;
	return write_text(file, buf_str(&above), e);
}

static int made(const struct hierarchy *h, const char *dir, struct err *e)
{
	if (h->version == 2 || !(h->controllers & 1U << CG_CPUSET))
		return 0;
	if (inherit_file(dir, "cpuset.cpus", e) < 0)
		return -1;
	return inherit_file(dir, "cpuset.mems", e);
}

static int mkdir_deep(const struct hierarchy *h, const char *path,
		      struct err *e)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST) {
		autofree char *above = xstrdup(path);

		if (errno != ENOENT || strlen(path) <= strlen(h->mount))
			return err_sys(e, "mkdir", "%s", path);
		*strrchr(above, '/') = '\0';
		if (mkdir_deep(h, above, e) < 0)
			return -1;
		if (mkdir(path, 0755) < 0 && errno != EEXIST)
			return err_sys(e, "mkdir", "%s", path);
	}
	return made(h, path, e);
}

static int make_once(const struct hierarchy *h, const char *parent,
		     const char *path, unsigned need, struct err *e)
{
	/* What needs no controller cannot be passed on. */
	const unsigned passed = need & ~CG_V2_CORE;

	if (mkdir_deep(h, path, e) < 0)
		return -1;
	if (h->version != 2 || !need)
		return 0;
	if (clear_parent(h, parent, e) < 0)
		return -1;
	return passed ? pass_on(h, parent, passed, e) : 0;
}

int place_make(const struct hierarchy *h, const char *parent, const char *path,
	       unsigned need, struct err *e)
{
	for (int i = 0; i < ROUNDS_MAX; i++) {
		err_clear(e);
		if (make_once(h, parent, path, need, e) == 0)
			return 0;
		if (e->sys != ENOENT || place_missing(h, path) == 0)
			break;
	}
	return -1;
}
