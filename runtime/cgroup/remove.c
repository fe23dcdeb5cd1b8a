/*
 * The end of a container's cgroups, and what the OOM killer did in them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crash.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "base/trace.h"
#include "base/units.h"
#include "base/walk.h"
#include "runtime/cgroup/cgroup.h"
#include "runtime/cgroup/impl.h"
#include "runtime/cgroup/place.h"

#define ROUNDS_MAX 200
#define PAUSE_NS   10000000

/* ---- removal -------------------------------------------------------------- */

static bool write_word(int dir_fd, const char *file, const char *word)
{
	autoclose int fd = openat(dir_fd, file, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, word, strlen(word)) > 0;
}

/* All in it: v2 by one write (5.14), else each by its pid. */
static void kill_all(int fd)
{
	autobuf struct buf b = buf_make(MIB(1));
	struct err ignored = {0};
	uint64_t pid;

	if (write_word(fd, "cgroup.kill", "1") ||
	    fs_read_at(fd, "cgroup.procs", &b, &ignored) < 0)
		return;
	for (const char *p = buf_str(&b); *p;) {
		const size_t n = strcspn(p, "\n");

		if (str_to_u64n(p, n, INT32_MAX, &pid) && pid > 1)
			(void)kill((pid_t)pid, SIGKILL);
		p += n + (p[n] == '\n');
	}
}

static bool has_processes(int fd)
{
	autobuf struct buf b = buf_make(MIB(1));
	struct err ignored = {0};

	return fs_read_at(fd, "cgroup.procs", &b, &ignored) == 0 && b.len > 0;
}

/* Remove the idle cgroups that the container made below, of any depth. */
static void remove_below(int fd)
{
	struct err ignored = {0};
	autowalk struct walk *w = walk_open(fd, "", WALK_NO_STAT, &ignored);
	struct walk_at at = {0};

	while (w) {
		const int event = walk_next(w, &at, &ignored);
		int sub;

		if (event <= 0)
			return;
		if (event == WALK_ENTRY)
			continue;
		if (path_unlink(at.dir, at.name, PATH_NO_LINKS, AT_REMOVEDIR) ==
		    0) {
			walk_skip(w);
			continue;
		}
		if (event == WALK_UP)
			continue;
		sub = path_open(at.dir, at.name, PATH_NO_LINKS,
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
		if (sub >= 0) {
			kill_all(sub);
			walk_into(w, sub);
		}
	}
}

/* The cgroup and those below it: 0, or an errno. */
static int remove_dir(const char *path)
{
	autoclose int fd = -1;

	if (rmdir(path) == 0 || errno == ENOENT)
		return 0;
	if (errno != EBUSY)
		return errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? 0 : errno;
	kill_all(fd);
	remove_below(fd);
	return rmdir(path) == 0 || errno == ENOENT ? 0 : errno;
}

/* The parents that were made for it, as far as nobody else uses them. */
static void remove_parents(const struct cgroup_dir *d)
{
	autofree char *path = xstrdup(d->path);
	unsigned levels = d->levels;

	*strrchr(path, '/') = '\0';
	/* Ours whoever made it. */
	if (levels == 0 && str_ends(path, "/" PLACE_PARENT))
		levels = 1;
	for (; levels; levels--) {
		char *const slash = strrchr(path, '/');

		if (!slash || slash == path || rmdir(path) < 0)
			return;
		*slash = '\0';
	}
}

static void pause_a_little(void)
{
	const struct timespec t = {.tv_nsec = PAUSE_NS};

	(void)nanosleep(&t, NULL);
}

/* The dead take a moment to leave: EBUSY until then. */
static int remove_one(const struct cgroup_dir *d, bool patient, struct err *e)
{
	int why = 0;

	for (int i = 0; i < (patient ? ROUNDS_MAX : 1); i++) {
		if (i)
			pause_a_little();
		why = remove_dir(d->path);
		if (why == 0) {
			remove_parents(d);
			return 0;
		}
		if (why != EBUSY)
			return err_sysno(e, why, "rmdir", "%s", d->path);
	}
	return 1;
}

int cgroup_remove(int dir_fd, bool patient, struct err *e)
{
	autobuf struct buf b = buf_make(KIB(64));
	struct cgroup *g;
	int rc = 0;

	if (fs_read_at(dir_fd, "cgroup", &b, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		err_clear(e);
		return 0;
	}
	g = xcalloc(1, sizeof(*g));
	rc = cgroup_parse(buf_str(&b), g, e);
	for (size_t i = 0; rc >= 0 && i < g->n; i++) {
		const int one = remove_one(&g->v[i], patient, e);

		rc = one < 0 ? -1 : rc | one;
		crash_point("cgroup-removed");
	}
	cgroup_free(g);
	if (rc == 0 && unlinkat(dir_fd, "cgroup", 0) < 0 && errno != ENOENT)
		return err_sys(e, "unlinkat", "cgroup");
	return rc;
}

/* ---- freezing ------------------------------------------------------------- */

static const struct cgroup_dir *freezer(const struct cgroup *g)
{
	const struct cgroup_dir *const d = cgroup_dir_of(g, CG_FREEZER);

	/* A frozen process of v1 cannot even be killed. */
	return d && d->version == 2 ? d : NULL;
}

bool cgroup_can_freeze(const struct cgroup *g)
{
	const struct cgroup_dir *const d = freezer(g);

	return d && faccessat(d->fd, "cgroup.freeze", W_OK, AT_EACCESS) == 0;
}

bool cgroup_is_frozen(const struct cgroup *g)
{
	const struct cgroup_dir *const d = freezer(g);
	autobuf struct buf b = buf_make(64);
	struct err ignored = {0};

	return d && fs_read_at(d->fd, "cgroup.freeze", &b, &ignored) == 0 &&
	       buf_str(&b)[0] == '1';
}

static bool is_frozen(int fd, bool frozen)
{
	autobuf struct buf b = buf_make(KIB(16));
	struct err ignored = {0};

	return fs_read_at(fd, "cgroup.events", &b, &ignored) == 0 &&
	       strstr(buf_str(&b), frozen ? "frozen 1" : "frozen 0");
}

int cgroup_freeze(const struct cgroup *g, bool frozen, struct err *e)
{
	const struct cgroup_dir *const d = freezer(g);
	STEP(e, "freezer", "%s", frozen ? "freeze" : "thaw");

	if (!d)
		return err_set(e, ERR_UNSUPPORTED, "no freezer");
	if (!write_word(d->fd, "cgroup.freeze", frozen ? "1" : "0"))
		return err_sys(e, "write", "%s/cgroup.freeze", d->path);
	for (int i = 0; i < ROUNDS_MAX; i++) {
		if (is_frozen(d->fd, frozen) || !has_processes(d->fd))
			return 0;
		pause_a_little();
	}
	return err_set(e, ERR_BUSY, "its processes do not come to rest");
}

/* ---- out of memory -------------------------------------------------------- */

/* The number behind a word at the beginning of a line; -1 without one. */
static int64_t number_after(const char *text, const char *word)
{
	const size_t n = strlen(word);

	for (const char *p = text; *p;) {
		const size_t len = strcspn(p, "\n");
		uint64_t v;

		if (len > n + 1 && !memcmp(p, word, n) && p[n] == ' ' &&
		    str_to_u64n(p + n + 1, len - n - 1, INT64_MAX, &v))
			return (int64_t)v;
		p += len + (p[len] == '\n');
	}
	return -1;
}

static bool read_text(const struct cgroup_dir *d, const char *v1,
		      const char *v2, struct buf *b)
{
	struct err ignored = {0};

	buf_reset(b);
	return fs_read_at(d->fd, d->version == 2 ? v2 : v1, b, &ignored) == 0;
}

static int64_t read_number(const struct cgroup_dir *d, const char *v1,
			   const char *v2)
{
	autobuf struct buf b = buf_make(KIB(16));
	int64_t n;

	if (!read_text(d, v1, v2, &b))
		return -1;
	b.p[strcspn(b.p, "\n")] = '\0';
	return units_i64(b.p, 0, INT64_MAX, &n) ? n : -1;
}

bool cgroup_oom(const struct cgroup *g, struct cgroup_oom *ret)
{
	const struct cgroup_dir *const d = cgroup_dir_of(g, CG_MEMORY);
	autobuf struct buf b = buf_make(KIB(16));
	int64_t kills;

	if (!d || !read_text(d, "memory.oom_control", "memory.events", &b))
		return false;
	kills = number_after(buf_str(&b), "oom_kill");
	if (kills < 0)
		return false;
	*ret = (struct cgroup_oom){
		.kills = (uint64_t)kills,
		.limit_bytes =
			read_number(d, "memory.limit_in_bytes", "memory.max"),
		.peak_bytes = read_number(d, "memory.max_usage_in_bytes",
					  "memory.peak"),
	};
	return true;
}

/* "6,123,456,-;oom-kill:...,task_memcg=/prism/ID,task=tail,pid=7,uid=0" */
static void victim_of(const char *line, const char *id, char ret[64])
{
	const char *const memcg = strstr(line, "task_memcg=");
	const char *const task = memcg ? strstr(memcg, ",task=") : NULL;
	const char *const pid = task ? strstr(task, ",pid=") : NULL;

	if (!strstr(line, "oom-kill:") || !pid || !strstr(memcg, id))
		return;
	(void)snprintf(ret, 64, "%.*s (pid %.*s)", (int)(pid - task - 6),
		       task + 6, (int)strspn(pid + 5, "0123456789"), pid + 5);
}

void cgroup_oom_victim(const struct cgroup *g, char ret[64])
{
	const struct cgroup_dir *const d = cgroup_dir_of(g, CG_MEMORY);
	autoclose int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	char line[8192];

	ret[0] = '\0';
	/* One record a read; EPIPE: some were overwritten meanwhile. */
	while (d && fd >= 0) {
		const ssize_t n = read(fd, line, sizeof(line) - 1);

		if (n < 0 && errno == EPIPE)
			continue;
		if (n <= 0)
			return;
		line[n] = '\0';
		victim_of(line, strrchr(d->path, '/'), ret);
	}
}
