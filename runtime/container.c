#include "container.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/str.h"
#include "base/trace.h"
#include "runtime/container_volumes.h"

#define ID_LEN 64

/* In front of an id in tmp/: ended, and being removed. */
#define GONE "gone-"

/* Where the pid stands in spec.json. */
#define PID_BEFORE "{\"pid\":"
#define PID_WIDTH  10

static bool is_id(const char *s)
{
	return strlen(s) == ID_LEN && strspn(s, "0123456789abcdef") == ID_LEN;
}

/* Asked of the auxiliary vector: it costs no call. */
static bool is_root(void)
{
	return getauxval(AT_EUID) == 0;
}

/* ---- making --------------------------------------------------------------- */

static int write_new(int dirfd, const char *name, const char *text, size_t n,
		     struct err *e)
{
	autoclose int fd = openat(
		dirfd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		return err_sys(e, "openat", "%s", name);
	return io_write_all(fd, text, n, name, e);
}

static int write_hosts(const struct container *c, const char *hostname,
		       struct err *e)
{
	autobuf struct buf b = buf_make(KIB(4));

	buf_addf(&b,
		 "127.0.0.1\tlocalhost\n"
		 "::1\tlocalhost ip6-localhost ip6-loopback\n"
		 "fe00::0\tip6-localnet\n"
		 "ff00::0\tip6-mcastprefix\n"
		 "ff02::1\tip6-allnodes\n"
		 "ff02::2\tip6-allrouters\n"
		 "127.0.1.1\t%s\n",
		 hostname);
	return write_new(c->dir_fd, "hosts", buf_str(&b), b.len, e);
}

static int write_files(const struct container *c, const struct container_new *n,
		       struct err *e)
{
	char hostname[256];
	int len;

	len = n->hostname
		      ? snprintf(hostname, sizeof(hostname), "%.254s\n",
				 n->hostname)
		      : snprintf(hostname, sizeof(hostname), "%.12s\n", c->id);
	if (write_new(c->dir_fd, "hostname", hostname, (size_t)len, e) < 0)
		return -1;
	hostname[len - 1] = '\0';
	if ((n->hosts ? write_new(c->dir_fd, "hosts", n->hosts,
				  strlen(n->hosts), e)
		      : write_hosts(c, hostname, e)) < 0)
		return -1;
	if (n->volumes && write_new(c->dir_fd, "volumes", n->volumes,
				    strlen(n->volumes), e) < 0)
		return -1;
	if (!n->resolv)
		return 0;
	return write_new(c->dir_fd, "resolv.conf", n->resolv, strlen(n->resolv),
			 e);
}

static void json_text(struct buf *b, const char *s)
{
	buf_addc(b, '"');
	for (; *s; s++) {
		const unsigned char ch = (unsigned char)*s;

		if (ch == '"' || ch == '\\')
			buf_addf(b, "\\%c", ch);
		else if (ch < 0x20)
			buf_addf(b, "\\u%04x", ch);
		else
			buf_addc(b, *s);
	}
	buf_addc(b, '"');
}

/*
 * By arithmetic (days since 1970 to a date of the Gregorian calendar), because
 * gmtime(3) reads the local time zone first.
 */
static void rfc3339_now(char *buf, size_t n)
{
	struct timespec t;
	uint64_t days, secs, era_day, year, y_day, month;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	days = (uint64_t)t.tv_sec / 86400 + 719468; /* since 0000-03-01 */
	secs = (uint64_t)t.tv_sec % 86400;
	era_day = days % 146097;
	year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) /
	       365;
	y_day = era_day - (365 * year + year / 4 - year / 100);
	month = (5 * y_day + 2) / 153; /* from March */
	(void)snprintf(buf, n,
		       "%04" PRIu64 "-%02" PRIu64 "-%02" PRIu64 "T%02" PRIu64
		       ":%02" PRIu64 ":%02" PRIu64 ".%09ldZ",
		       year + days / 146097 * 400 + (month > 9),
		       month < 10 ? month + 3 : month - 9,
		       y_day - (153 * month + 2) / 5 + 1, secs / 3600,
		       secs / 60 % 60, secs % 60, t.tv_nsec);
}

/* Written by hand: jansson would cost a start more than all its fields. */
static int write_spec(const struct container *c, const struct container_new *n,
		      struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);
	char now[64];

	rfc3339_now(now, sizeof(now));
	/* A fixed width, so that the pid can be put in later, in one write. */
	buf_addf(
		&b,
		"{\"pid\":%*d,\"id\":\"%s\",\"created\":\"%s\",\"keep\":%s,\"name\":",
		PID_WIDTH, 0, c->id, now, n->keep ? "true" : "false");
	json_text(&b, c->name);
	buf_adds(&b, ",\"image\":");
	json_text(&b, n->image ? n->image : "");
	buf_adds(&b, ",\"manifest\":");
	json_text(&b, n->manifest ? n->manifest : "");
	buf_adds(&b, ",\"args\":[");
	for (size_t i = 0; n->args && n->args[i]; i++) {
		if (i)
			buf_addc(&b, ',');
		json_text(&b, n->args[i]);
	}
	buf_adds(&b, "]}\n");
	if (b.over)
		return err_set(e, ERR_TOOBIG,
			       "spec.json: larger than %zu bytes", b.max);
	return io_write_all(c->lock_fd, buf_str(&b), b.len, "spec.json", e);
}

static int make_dirs(const struct container *c, const struct container_new *n,
		     struct err *e)
{
	/* The root of an overlay has the attributes of its upper directory. */
	if (mkdirat(c->dir_fd, "upper", n->root_mode & 07777) < 0 ||
	    mkdirat(c->dir_fd, "work", 0700) < 0)
		return err_sys(e, "mkdirat", "upper and work");
	return 0;
}

/* With a range of its own, or an image whose root is not root's. */
static int give_away(const struct container *c, const struct container_new *n,
		     struct err *e)
{
	static const char *const names[] = {"upper", "work", "hosts",
					    "hostname", "resolv.conf"};

	if (!is_root() || (n->root_uid == 0 && n->root_gid == 0))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (fchownat(c->dir_fd, names[i], n->root_uid, n->root_gid, 0) <
			    0 &&
		    errno != ENOENT)
			return err_sys(e, "fchownat", "%s", names[i]);
	return 0;
}

static int lock_new(const struct container_home *h, struct container *c,
		    const char *tmp, struct err *e)
{
	if (mkdirat(h->root_fd, tmp, 0711) < 0 &&
	    (errno != ENOENT || fs_mkdirs_at(h->root_fd, tmp, 0711, e) < 0))
		return err_is(e) ? -1 : err_sys(e, "mkdirat", "%s", tmp);
	c->dir_fd = fs_opendir_at(h->root_fd, tmp, e);
	if (c->dir_fd < 0)
		return -1;
	c->lock_fd =
		fs_lock_at(c->dir_fd, "spec.json", FS_LOCK_EXCLUSIVE, false, e);
	return c->lock_fd < 0 ? -1 : 0;
}

/* ---- names ---------------------------------------------------------------- */

/* Who holds a name: its id, or an empty string. */
static void name_holder(const struct container_home *h, const char *name,
			char id[CONTAINER_ID_MAX])
{
	autofree char *path = xasprintf("containers/by-name/%s", name);
	char to[128];
	const ssize_t n = readlinkat(h->root_fd, path, to, sizeof(to) - 1);

	id[0] = '\0';
	if (n < 4)
		return;
	to[n] = '\0';
	if (!strncmp(to, "../", 3) && is_id(to + 3))
		(void)snprintf(id, CONTAINER_ID_MAX, "%s", to + 3);
}

static bool alive_at(const struct container_home *h, const char *dir,
		     const char *id)
{
	autofree char *path = xasprintf("%s/%s/spec.json", dir, id);
	autoclose int fd = openat(h->root_fd, path, O_RDWR | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 &&
	       errno == EWOULDBLOCK;
}

static bool exists_at(const struct container_home *h, const char *id)
{
	autofree char *path = xasprintf("containers/%s", id);

	return faccessat(h->root_fd, path, F_OK, 0) == 0;
}

static int reserve_name(const struct container_home *h, struct container *c,
			struct err *e)
{
	autofree char *path = xasprintf("containers/by-name/%s", c->name);
	autofree char *to = xasprintf("../%s", c->id);
	char holder[CONTAINER_ID_MAX];

	for (int i = 0; i < 3; i++) {
		if (symlinkat(to, h->root_fd, path) == 0)
			return 0;
		if (errno == ENOENT) {
			if (fs_mkdirs_at(h->root_fd, "containers/by-name", 0711,
					 e) < 0)
				return -1;
			continue;
		}
		if (errno != EEXIST)
			return err_sys(e, "symlinkat", "%s", path);
		/* A dead one that was not to be kept gives its name back. */
		if (container_sweep(h, e) < 0)
			return -1;
		name_holder(h, c->name, holder);
		if (holder[0] && !exists_at(h, holder) &&
		    !alive_at(h, "tmp", holder))
			(void)unlinkat(h->root_fd, path, 0);
		else if (holder[0])
			break;
	}
	(void)err_set(e, ERR_EXISTS,
		      "the name '%s' is in use by container %.12s (%s)",
		      c->name, holder,
		      alive_at(h, "containers", holder) ? "running"
							: "stopped");
	return err_hint(e, "'prism rm %s%s' frees it, or choose another name",
			alive_at(h, "containers", holder) ? "-f " : "",
			c->name);
}

static int make_name_valid(const char *name, struct container *c, struct err *e)
{
	const size_t n = strlen(name);

	if (n < 1 || n >= sizeof(c->name) || !isalnum((unsigned char)name[0]) ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			 "0123456789_.-") != n)
		return err_set(e, ERR_USAGE,
			       "--name '%.127s': only [a-zA-Z0-9][a-zA-Z0-9_.-]"
			       "* is allowed",
			       name);
	memcpy(c->name, name, n + 1);
	return 0;
}

static int create_in(const struct container_home *h,
		     const struct container_new *n, struct container *c,
		     const char *tmp, struct err *e)
{
	autofree char *final = xasprintf("containers/%s", c->id);

	if (lock_new(h, c, tmp, e) < 0)
		return -1;
	crash_point("container-locked");
	if (make_dirs(c, n, e) < 0 || write_files(c, n, e) < 0 ||
	    write_spec(c, n, e) < 0 || give_away(c, n, e) < 0)
		return -1;
	/* What the gc must keep, in one call: a link that names it. */
	if (n->manifest && symlinkat(n->manifest, c->dir_fd, "image") < 0)
		return err_sys(e, "symlinkat", "image");
	crash_point("container-written");
	if (c->name[0] && reserve_name(h, c, e) < 0)
		return -1;
	crash_point("container-named");
	if (renameat(h->root_fd, tmp, h->root_fd, final) == 0)
		return 0;
	if (errno == EXDEV) {
		(void)err_sys(e, "renameat", "%s", final);
		return err_hint(e,
				"containers/ and tmp/ of the store must lie "
				"on one file system: nothing may be mounted "
				"on %.100s/containers",
				h->root_path);
	}
	if (errno != ENOENT)
		return err_sys(e, "renameat", "%s", final);
	if (fs_mkdirs_at(h->root_fd, "containers", 0711, e) < 0)
		return -1;
	if (renameat(h->root_fd, tmp, h->root_fd, final) < 0)
		return err_sys(e, "renameat", "%s", final);
	return 0;
}

int container_create(const struct container_home *h,
		     const struct container_new *n, struct container *ret,
		     struct err *e)
{
	struct container c = {.dir_fd = -1,
			      .lock_fd = -1,
			      .has_resolv = n->resolv != NULL,
			      .has_volumes = n->volumes != NULL,
			      .keep = n->keep};
	autofree char *tmp = NULL;
	STEP(e, "container", "make its directory");

	str_random_hex(c.id, ID_LEN / 2);
	if (n->name && make_name_valid(n->name, &c, e) < 0)
		return -1;
	tmp = xasprintf("tmp/%s", c.id);
	if (create_in(h, n, &c, tmp, e) < 0) {
		struct err ignored = {0};

		(void)fs_remove_tree_at(h->root_fd, tmp, &ignored);
		container_close(&c);
		return -1;
	}
	c.dir = xasprintf("%s/containers/%s", h->root_path, c.id);
	crash_point("container-made");
	*ret = c;
	return 0;
}

int container_started(struct container *c, pid_t init, struct err *e)
{
	char text[16];
	const int n = snprintf(text, sizeof(text), "%*d", PID_WIDTH, (int)init);

	if (pwrite(c->lock_fd, text, (size_t)n, sizeof(PID_BEFORE) - 1) != n)
		return err_sys(e, "pwrite", "spec.json of container %.12s",
			       c->id);
	return 0;
}

void container_close(struct container *c)
{
	own_close(&c->dir_fd);
	own_close(&c->lock_fd);
	free(c->dir);
	c->dir = NULL;
}

/* ---- the end -------------------------------------------------------------- */

struct removal {
	int root_fd;
	int userns_fd;
	const char *name;
};

static int remove_inside(void *arg, struct err *e)
{
	const struct removal *const r = arg;
	struct idmap map;

	if (r->userns_fd >= 0) {
		if (setns(r->userns_fd, CLONE_NEWUSER) < 0)
			return err_sys(e, "setns",
				       "the container's user "
				       "namespace");
	} else if (userns_enter_for_store(&map, e) < 0) {
		return -1;
	}
	return fs_remove_tree_at(r->root_fd, r->name, e);
}

/*
 * Files of an ordinary user's container belong to ids that only the user
 * namespace can touch. Often there are none, so the plain way is tried first.
 */
int container_remove_files(const struct container_home *h, const char *name,
			   int userns_fd, struct err *e)
{
	struct removal r = {
		.root_fd = h->root_fd, .userns_fd = userns_fd, .name = name};
	struct worker w = WORKER_NONE;

	if (fs_remove_tree_at(h->root_fd, name, e) == 0)
		return 0;
	if (is_root() || (e->sys != EACCES && e->sys != EPERM))
		return -1;
	err_clear(e);
	if (proc_start(&w, "remove", remove_inside, &r, e) < 0)
		return -1;
	return proc_wait(&w, e);
}

static char *gone_path(const char *id)
{
	return xasprintf("tmp/" GONE "%s", id);
}

/* The name first, then out of sight in one step. */
static int hide(const struct container_home *h, const char *id,
		const char *name, struct err *e)
{
	autofree char *dir = xasprintf("containers/%s", id);
	autofree char *gone = gone_path(id);
	STEP(e, "teardown", "hide container %.12s", id);

	if (name[0]) {
		autofree char *link = xasprintf("containers/by-name/%s", name);
		char holder[CONTAINER_ID_MAX];

		name_holder(h, name, holder);
		if (!strcmp(holder, id) && unlinkat(h->root_fd, link, 0) < 0 &&
		    errno != ENOENT)
			return err_sys(e, "unlinkat", "%s", link);
	}
	crash_point("teardown-unnamed");
	if (renameat(h->root_fd, dir, h->root_fd, gone) < 0 && errno != ENOENT)
		return err_sys(e, "renameat", "%s", dir);
	crash_point("teardown-moved");
	return 0;
}

/* Out of sight, then the files. */
static int teardown(const struct container_home *h, const char *id,
		    const char *name, int userns_fd, struct err *e)
{
	autofree char *gone = gone_path(id);
	STEP(e, "teardown", "remove container %.12s", id);

	if (hide(h, id, name, e) < 0)
		return -1;
	return container_remove_files(h, gone, userns_fd, e);
}

struct gone {
	const struct container_home *home;
	char *name;
	int userns_fd;
};

/* One remover at a time; a second one has nothing to do. */
static int remove_gone(void *arg, struct err *e)
{
	const struct gone *const g = arg;
	autoclose int fd = openat(g->home->root_fd, g->name,
				  O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
		return 0;
	return container_remove_files(g->home, g->name, g->userns_fd, e);
}

/*
 * The same without waiting for the files: a directory that is removed from a
 * file system mounted with discard waits for the disk, and there are six.
 * Whoever is killed in the middle leaves what sweep_gone() removes.
 */
static int teardown_later(const struct container_home *h, const char *id,
			  const char *name, int userns_fd, struct err *e)
{
	autofree char *path = gone_path(id);
	struct gone g = {.home = h, .name = path, .userns_fd = userns_fd};
	const int keep[] = {h->root_fd, userns_fd};

	if (hide(h, id, name, e) < 0)
		return -1;
	if (proc_leave(remove_gone, &g, keep, userns_fd < 0 ? 1 : 2, e) == 0)
		return 0;
	err_clear(e);
	return remove_gone(&g, e);
}

static int write_state(int dir_fd, const char *status, int exit_code,
		       struct err *e)
{
	char now[64];
	char text[256];
	int n;

	rfc3339_now(now, sizeof(now));
	n = snprintf(text, sizeof(text),
		     "{\"status\":\"%s\",\"exit_code\":%d,\"finished\":\"%s\"}"
		     "\n",
		     status, exit_code, now);
	return fs_replace_at(dir_fd, "state.json", text, (size_t)n, 0644, false,
			     e);
}

int container_finish(const struct container_home *h, struct container *c,
		     int exit_code, int userns_fd, struct err *e)
{
	int rc;

	crash_point("container-ended");
	if (c->keep)
		rc = write_state(c->dir_fd, "exited", exit_code, e);
	else if (c->has_volumes &&
		 container_volumes_drop(h, c->id, userns_fd, e) < 0)
		rc = -1;
	else
		rc = teardown_later(h, c->id, c->name, userns_fd, e);
	container_close(c);
	return rc;
}

/* ---- those of the dead ---------------------------------------------------- */

struct found {
	int dir_fd;
	int lock_fd;
	bool keep;
	char name[128];
};

static int read_spec(struct found *f, struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);
	autojson json_t *doc = NULL;
	struct jval v;
	const char *name = NULL;

	if (fs_read_at(f->dir_fd, "spec.json", &b, e) < 0)
		return -1;
	doc = json_parse(buf_str(&b), b.len, "spec.json", e);
	if (!doc)
		return -1;
	v = jval_root(doc, "spec.json");
	if (jget_bool_opt(&v, "keep", true, &f->keep, e) < 0 ||
	    jget_str_opt(&v, "name", &name, e) < 0)
		return -1;
	(void)snprintf(f->name, sizeof(f->name), "%s", name ? name : "");
	return 0;
}

/* 1: found dead and locked by us; 0: alive or gone; -1. */
static int find_dead(const struct container_home *h, const char *id,
		     struct found *f, struct err *e)
{
	autofree char *path = xasprintf("containers/%s", id);

	*f = (struct found){.dir_fd = -1, .lock_fd = -1};
	f->dir_fd =
		openat(h->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (f->dir_fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "openat", "%s", path);
	f->lock_fd = openat(f->dir_fd, "spec.json", O_RDWR | O_CLOEXEC);
	if (f->lock_fd < 0)
		return errno == ENOENT
			       ? 0
			       : err_sys(e, "openat", "%s/spec.json", path);
	if (flock(f->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? 0
					    : err_sys(e, "flock", "%s", path);
	/* It may have been moved away between open and lock. */
	if (!exists_at(h, id))
		return 0;
	return read_spec(f, e) < 0 ? -1 : 1;
}

static void found_close(struct found *f)
{
	own_close(&f->dir_fd);
	own_close(&f->lock_fd);
}

static int sweep_one(const struct container_home *h, const char *id,
		     struct err *e)
{
	__attribute__((cleanup(found_close))) struct found f;
	const int rc = find_dead(h, id, &f, e);

	if (rc <= 0)
		return rc;
	if (!f.keep)
		return container_volumes_drop(h, id, -1, e) < 0
			       ? -1
			       : teardown(h, id, f.name, -1, e);
	if (faccessat(f.dir_fd, "state.json", F_OK, 0) == 0)
		return 0;
	/* Its monitor was killed, and it with it. */
	return write_state(f.dir_fd, "exited", 137, e);
}

/* What a killed remover left: nobody uses it, anybody may remove it. */
static void sweep_gone(const struct container_home *h)
{
	const int fd =
		openat(h->root_fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = fd < 0 ? NULL : fdopendir(fd);

	while (d) {
		const struct dirent *const de = readdir(d);
		autofree char *path = NULL;
		struct gone g = {.home = h, .userns_fd = -1};
		struct err e = {0};

		if (!de)
			break;
		if (!str_starts(de->d_name, GONE) ||
		    !is_id(de->d_name + strlen(GONE)))
			continue;
		path = xasprintf("tmp/%s", de->d_name);
		g.name = path;
		if (remove_gone(&g, &e) < 0)
			log_warn("ignoring: %s", e.text);
	}
}

int container_sweep(const struct container_home *h, struct err *e)
{
	const int fd = openat(h->root_fd, "containers",
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = fd < 0 ? NULL : fdopendir(fd);

	sweep_gone(h);
	if (!d)
		return fd < 0 && errno == ENOENT
			       ? 0
			       : err_sys(e, "opendir", "containers");
	for (;;) {
		const struct dirent *const de = readdir(d);

		if (!de)
			return 0;
		if (!is_id(de->d_name) || sweep_one(h, de->d_name, e) == 0)
			continue;
		/* One that cannot be ended must not stop the others. */
		log_warn("ignoring container %.12s: %s", de->d_name, e->text);
		err_clear(e);
	}
}

static int resolve_prefix(const struct container_home *h, const char *text,
			  char id[CONTAINER_ID_MAX], struct err *e)
{
	const int fd = openat(h->root_fd, "containers",
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int n = 0;

	while (d) {
		const struct dirent *const de = readdir(d);

		if (!de)
			break;
		if (is_id(de->d_name) && str_starts(de->d_name, text)) {
			(void)snprintf(id, CONTAINER_ID_MAX, "%s", de->d_name);
			n++;
		}
	}
	if (n == 1)
		return 0;
	if (n > 1)
		return err_set(e, ERR_USAGE, "'%s' fits %d containers", text,
			       n);
	return err_set(e, ERR_NOTFOUND, "No such container: %s", text);
}

static int resolve(const struct container_home *h, const char *text,
		   char id[CONTAINER_ID_MAX], struct err *e)
{
	if (!*text || strchr(text, '/'))
		return err_set(e, ERR_USAGE, "'%s' is not a container name",
			       text);
	name_holder(h, text, id);
	if (id[0])
		return 0;
	return resolve_prefix(h, text, id, e);
}

/* SIGKILL to init; the monitor then ends it as always, and lets go. */
static int kill_and_wait(const struct container_home *h, const char *id,
			 struct err *e)
{
	autofree char *path = xasprintf("containers/%s/spec.json", id);
	autoclose int fd = openat(h->root_fd, path, O_RDWR | O_CLOEXEC);
	char text[PID_WIDTH + 1] = "";
	uint32_t pid;

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "openat", "%s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (pread(fd, text, PID_WIDTH, sizeof(PID_BEFORE) - 1) == PID_WIDTH &&
	    str_to_u32(text + strspn(text, " "), INT32_MAX, &pid) && pid > 1)
		(void)kill((pid_t)pid, SIGKILL);
	if (flock(fd, LOCK_EX) < 0)
		return err_sys(e, "flock", "%s", path);
	return 0;
}

int container_remove(const struct container_home *h, const char *text,
		     bool force, bool volumes, char ret_id[CONTAINER_ID_MAX],
		     struct err *e)
{
	__attribute__((cleanup(found_close))) struct found f = {.dir_fd = -1,
								.lock_fd = -1};
	int rc;

	if (resolve(h, text, ret_id, e) < 0)
		return -1;
	if (force && kill_and_wait(h, ret_id, e) < 0)
		return -1;
	rc = find_dead(h, ret_id, &f, e);
	if (rc < 0)
		return -1;
	if (rc == 0 && !exists_at(h, ret_id))
		return 0;
	if (rc == 0) {
		(void)err_set(e, ERR_BUSY, "container %.12s is running",
			      ret_id);
		return err_hint(e, "stop it before, or use -f");
	}
	if (volumes && container_volumes_drop(h, ret_id, -1, e) < 0)
		return -1;
	return teardown(h, ret_id, f.name, -1, e);
}
