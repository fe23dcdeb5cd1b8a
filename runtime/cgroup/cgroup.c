#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/crash.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/trace.h"
#include "runtime/cgroup/devices.h"
#include "runtime/cgroup/impl.h"
#include "runtime/cgroup/limits.h"
#include "runtime/cgroup/place.h"
#include "runtime/cgroup/scope.h"

/* v1: no limit, but `stats` reads them; where they may be made. */
#define COUNTERS \
	(1U << CG_CPUACCT | 1U << CG_MEMORY | 1U << CG_PIDS | 1U << CG_IO)

bool cgroup_is_wanted(const struct run_spec *s)
{
	const struct limits_spec *const l = &s->limits;

	return l->memory_bytes || l->memory_reservation_bytes || l->nano_cpus ||
	       l->cpu_period_us || l->cpu_quota_us > 0 || l->cpu_shares ||
	       l->pids > 0 || l->blkio_weight || l->cpuset_cpus ||
	       l->cpuset_mems || l->cgroup_parent || l->has_swappiness ||
	       l->oom_kill_disable || l->read_bps.n || l->write_bps.n ||
	       l->read_iops.n || l->write_iops.n || l->weight_devices.n ||
	       devices_are_ruled(s);
}

bool cgroup_is_device_rule(const char *text, struct err *e)
{
	struct device_rule r;
	ERR_IN(e, "--device-cgroup-rule");

	return device_rule_parse(text, &r, e) == 0;
}

/* ---- the file ------------------------------------------------------------- */

void cgroup_text(const struct cgroup *g, struct buf *b)
{
	for (size_t i = 0; i < g->n; i++)
		buf_addf(b, "%d %u %u %s\n", g->v[i].version,
			 g->v[i].controllers, g->v[i].levels, g->v[i].path);
}

static bool parse_line(const char *p, const char *end, struct cgroup_dir *d)
{
	uint64_t n[3];

	for (size_t i = 0; i < ARRAY_LEN(n); i++) {
		const size_t k = strcspn(p, " \n");

		if (!str_to_u64n(p, k, UINT16_MAX, &n[i]) || p[k] != ' ')
			return false;
		p += k + 1;
	}
	/* The last part of the path is an id, or it is not ours to remove. */
	if (n[0] < 1 || n[0] > 2 || *p != '/' || end - p < 66 ||
	    end[-65] != '/' || strspn(end - 64, "0123456789abcdef") != 64)
		return false;
	*d = (struct cgroup_dir){.version = (int)n[0],
				 .controllers = (unsigned)n[1],
				 .levels = (unsigned)n[2],
				 .path = xstrndup(p, (size_t)(end - p)),
				 .fd = -1};
	return true;
}

int cgroup_parse(const char *text, struct cgroup *ret, struct err *e)
{
	*ret = (struct cgroup){0};
	for (const char *p = text; *p;) {
		const char *const end = p + strcspn(p, "\n");

		if (ret->n == HIERARCHIES_MAX ||
		    !parse_line(p, end, &ret->v[ret->n]))
			return err_set(e, ERR_INVALID,
				       "the container's file 'cgroup' is "
				       "damaged");
		ret->n++;
		p = end + (*end == '\n');
	}
	return 0;
}

/*
 * Nothing is made before it is written: one that was cut short is empty, and
 * there is nothing of it to remove.
 */
static int write_file(int dir_fd, const struct cgroup *g, struct err *e)
{
	autobuf struct buf b = buf_make(KIB(64));
	autoclose int fd =
		openat(dir_fd, "cgroup",
		       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	cgroup_text(g, &b);
	if (fd >= 0)
		return io_write_all(fd, buf_str(&b), b.len, "cgroup", e);
	if (errno != EEXIST)
		return err_sys(e, "openat", "cgroup");
	/* One of an earlier run that is still busy. */
	return fs_replace_at(dir_fd, "cgroup", buf_str(&b), b.len, 0600, false,
			     e);
}

const struct cgroup_dir *cgroup_dir_of(const struct cgroup *g,
				       enum controller c)
{
	for (size_t i = 0; g && i < g->n; i++)
		if (g->v[i].controllers & 1U << c)
			return &g->v[i];
	return NULL;
}

void cgroup_free(struct cgroup *g)
{
	if (!g)
		return;
	for (size_t i = 0; i < g->n; i++) {
		free(g->v[i].path);
		own_close(&g->v[i].fd);
	}
	free(g);
}

static int open_dirs(struct cgroup *g, struct err *e)
{
	for (size_t i = 0; i < g->n; i++) {
		if (g->v[i].fd >= 0)
			continue;
		g->v[i].fd =
			open(g->v[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (g->v[i].fd < 0)
			return err_sys(e, "open", "%s", g->v[i].path);
	}
	return 0;
}

int cgroup_open(int dir_fd, struct cgroup **ret, struct err *e)
{
	autobuf struct buf b = buf_make(KIB(64));
	struct cgroup *g;

	*ret = NULL;
	if (fs_read_at(dir_fd, "cgroup", &b, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		err_clear(e);
		return 0;
	}
	g = xcalloc(1, sizeof(*g));
	if (cgroup_parse(buf_str(&b), g, e) < 0 || open_dirs(g, e) < 0) {
		cgroup_free(g);
		return -1;
	}
	*ret = g;
	return 0;
}

/* ---- writing limits ------------------------------------------------------- */

static int refused(const struct cgroup_dir *d, const struct setting *s,
		   const char *file, const char *value, struct err *e)
{
	const int cause = errno;

	(void)err_sys(e, "write", "'%s' to %s/%s", value, d->path, file);
	if (cause == ENOENT)
		return err_hint(e, "this kernel has no such limit; "
				   "--limits=best-effort goes on without");
	if (cause == EBUSY)
		return err_hint(e, "more is in use than this");
	if (cause == ERANGE || cause == EINVAL)
		return err_hint(e,
				"the kernel does not take this value for "
				"%s, or a cgroup above allows less",
				s->flag);
	return -1;
}

static int read_back(int fd, const struct cgroup_dir *d, const char *file,
		     const char *value, enum setting_check how, struct err *e)
{
	char text[4096];
	const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return err_sys(e, "pread", "%s/%s", d->path, file);
	text[n] = '\0';
	if (setting_holds(how, value, text))
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return err_set(e, ERR_UNSUPPORTED,
		       "%s/%s: the kernel made '%.100s' of '%s'", d->path, file,
		       text, value);
}

static int write_setting(const struct cgroup_dir *d, const struct setting *s,
			 struct err *e)
{
	const char *file = s->file;
	const char *value = s->value;
	autoclose int fd = openat(d->fd, file, O_RDWR | O_CLOEXEC);
	STEP(e, "limit", "%s: '%s' to %s", s->flag, s->value, s->file);

	if (fd < 0 && errno == ENOENT && s->other_file) {
		file = s->other_file;
		value = s->other_value;
		fd = openat(d->fd, file, O_RDWR | O_CLOEXEC);
	}
	if (fd < 0 && errno == ENOENT && s->optional)
		return 0;
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return refused(d, s, file, value, e);
	return read_back(fd, d, file, value, s->check, e);
}

/* v1 keeps memory below memory and swap: raising both, the second is first. */
static bool swap_first(const struct settings *s, size_t i, const struct err *e)
{
	return e->sys == EINVAL && i + 1 < s->n &&
	       !strcmp(s->v[i].file, "memory.limit_in_bytes") &&
	       !strcmp(s->v[i + 1].file, "memory.memsw.limit_in_bytes");
}

static int write_one(const struct cgroup *g, const struct settings *s, size_t i,
		     struct err *e)
{
	const struct cgroup_dir *const d = cgroup_dir_of(g, s->v[i].controller);

	if (!d && s->v[i].optional)
		return 0;
	if (!d)
		return err_set(e, ERR_UNSUPPORTED,
			       "%s: the container's cgroup has no '%s'",
			       s->v[i].flag,
			       controller_name(s->v[i].controller, 2));
	if (write_setting(d, &s->v[i], e) == 0)
		return 0;
	if (!swap_first(s, i, e))
		return -1;
	err_clear(e);
	if (write_setting(d, &s->v[i + 1], e) < 0)
		return -1;
	return write_setting(d, &s->v[i], e);
}

static int write_all(const struct cgroup *g, const struct settings *s,
		     bool best_effort, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		if (write_one(g, s, i, e) == 0)
			continue;
		if (!best_effort)
			return -1;
		log_warn("ignoring %s", e->text);
		err_clear(e);
	}
	return 0;
}

/* ---- making --------------------------------------------------------------- */

struct making {
	const struct run_spec *spec;
	const char *id;
	struct layout layout;
	struct settings settings;
	unsigned need;            /* controllers with limits */
	bool begin;               /* by the monitor, before there is init */
	struct err no_scope;      /* why systemd gave none */
	const struct cgroup *old; /* of a running container; NULL: none */
};

static void versions_of(const struct layout *l, int version[CG_CONTROLLERS])
{
	for (int i = 0; i < CG_CONTROLLERS; i++) {
		const struct hierarchy *const h =
			layout_of(l, (enum controller)i);

		version[i] = h ? h->version : 0;
	}
}

static int plan(struct making *m, struct err *e)
{
	int version[CG_CONTROLLERS];

	if (layout_read(&m->layout, e) < 0)
		return -1;
	versions_of(&m->layout, version);
	if (settings_make(&m->spec->limits, version, &m->settings, e) < 0)
		return -1;
	for (size_t i = 0; i < m->settings.n; i++)
		if (!m->settings.v[i].optional)
			m->need |= 1U << m->settings.v[i].controller;
	if (!devices_are_ruled(m->spec))
		return 0;
	if (!version[CG_DEVICES])
		return err_set(e, ERR_UNSUPPORTED,
			       "--device-cgroup-rule: this host has no cgroup "
			       "that rules devices");
	m->need |= 1U << CG_DEVICES;
	return 0;
}

/*
 * An ordinary user in a session has nothing, but his systemd gives a scope to
 * whoever asks; once in it, all is as if we had been started there.
 */
static int find_scope(struct making *m, struct err *e)
{
	const struct hierarchy *const h = layout_v2(&m->layout);

	if (!m->begin || geteuid() == 0 || m->spec->limits.cgroup_parent ||
	    !h || !(h->controllers & m->need) || place_is_given(h) ||
	    scope_make(m->id, &m->no_scope) < 0)
		return 0;
	layout_free(&m->layout);
	return layout_read(&m->layout, e);
}

/* Does it get one in this hierarchy, and must it? */
static bool is_for(const struct making *m, const struct hierarchy *h,
		   bool *ret_must)
{
	*ret_must = (h->controllers & m->need) != 0;
	/* The one hierarchy of v2 counts anyway; a bare hybrid one is left. */
	if (h->version == 2)
		return *ret_must || (m->layout.n == 1);
	return *ret_must || (h->controllers & COUNTERS) != 0;
}

/* Where it is already in this hierarchy: another caller's place may differ. */
static bool keep_dir(const struct making *m, const struct hierarchy *h,
		     struct cgroup *g)
{
	for (size_t i = 0; m->old && i < m->old->n; i++) {
		const struct cgroup_dir *const d = &m->old->v[i];

		if (d->version != h->version ||
		    d->controllers != h->controllers)
			continue;
		g->v[g->n] = *d;
		g->v[g->n].path = xstrdup(d->path);
		g->v[g->n++].fd = -1;
		return true;
	}
	return false;
}

static int no_place(const struct making *m, struct err *e)
{
	if (err_is(&m->no_scope))
		return err_append(e, "; %s", m->no_scope.text);
	if (m->begin || geteuid() == 0)
		return -1;
	/* Those of another session may not even be moved to where we may. */
	e->hint[0] = '\0';
	return err_hint(e, "what runs without a cgroup of its own cannot get "
			   "one: 'prism stop' it, update it, 'prism start' it "
			   "(with --rm start it with a limit); then limits can "
			   "be changed while it runs");
}

static int plan_dirs(const struct making *m, struct cgroup *g, struct err *e)
{
	struct err why = {0};

	for (size_t i = 0; i < m->layout.n; i++) {
		const struct hierarchy *const h = &m->layout.v[i];
		autofree char *parent = NULL;
		bool must;

		if (keep_dir(m, h, g) || !is_for(m, h, &must))
			continue;
		parent = place_find(h, m->spec->limits.cgroup_parent, e);
		if (!parent && must)
			return no_place(m, e);
		if (!parent) {
			if (!err_is(&why))
				why = *e;
			err_clear(e);
			continue;
		}
		g->v[g->n++] = (struct cgroup_dir){
			.version = h->version,
			.controllers = h->controllers,
			.levels = place_missing(h, parent),
			.path = xasprintf("%s/%s", parent, m->id),
			.fd = -1,
		};
	}
	if (g->n > 0)
		return 0;
	if (!err_is(&why))
		return err_set(e, ERR_UNSUPPORTED,
			       "this host has no cgroups mounted");
	*e = why;
	return -1;
}

static int make_dirs(const struct making *m, const struct cgroup *g,
		     struct err *e)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct cgroup_dir *const d = &g->v[i];
		const struct hierarchy *h = NULL;
		autofree char *parent = xstrdup(d->path);
		STEP(e, "cgroup", "make %s", d->path);

		*strrchr(parent, '/') = '\0';
		for (size_t k = 0; k < m->layout.n; k++)
			if (m->layout.v[k].version == d->version &&
			    m->layout.v[k].controllers == d->controllers)
				h = &m->layout.v[k];
		if (h && place_make(h, parent, d->path,
				    d->controllers & m->need, e) < 0)
			return -1;
		crash_point("cgroup-made");
	}
	return 0;
}

static int rule_devices(const struct making *m, const struct cgroup *g,
			struct err *e)
{
	const struct cgroup_dir *const d = cgroup_dir_of(g, CG_DEVICES);
	autodevices struct device_rules r = {0};

	/* They are for ever: `update` has none. */
	if (!devices_are_ruled(m->spec) || !d || m->old)
		return 0;
	if (device_rules_make(m->spec, &r, e) < 0 ||
	    (d->version == 2 ? device_rules_attach(d->fd, &r, e)
			     : device_rules_write(d->fd, &r, e)) < 0) {
		if (e->sys == EPERM || e->sys == EACCES)
			return err_hint(e, "only root of the host may rule "
					   "devices; leave the rules out");
		return -1;
	}
	return 0;
}

static int make(struct making *m, int dir_fd, struct cgroup *g, struct err *e)
{
	if (plan(m, e) < 0 || find_scope(m, e) < 0)
		return -1;
	/* What was best effort, and could not be had. */
	if (plan_dirs(m, g, e) < 0)
		return -1;
	if (write_file(dir_fd, g, e) < 0)
		return -1;
	crash_point("cgroup-noted");
	if (make_dirs(m, g, e) < 0 || open_dirs(g, e) < 0 ||
	    rule_devices(m, g, e) < 0 ||
	    write_all(g, &m->settings, m->spec->limits.best_effort, e) < 0)
		return -1;
	crash_point("cgroup-limited");
	return 0;
}

int cgroup_make(int dir_fd, const char *id, const struct run_spec *s,
		struct cgroup **ret, struct err *e)
{
	struct making m = {.spec = s, .id = id, .begin = true};
	struct cgroup *g = xcalloc(1, sizeof(*g));
	struct err ignored = {0};
	int rc;
	STEP(e, "cgroup", "make it with its limits");

	/* Of an earlier run, that may have been elsewhere. */
	rc = cgroup_remove(dir_fd, true, e) < 0 ? -1 : make(&m, dir_fd, g, e);
	layout_free(&m.layout);
	settings_free(&m.settings);
	if (rc == 0) {
		*ret = g;
		return 0;
	}
	(void)cgroup_remove(dir_fd, false, &ignored);
	cgroup_free(g);
	/* Only what was asked for in so many words is worth an end. */
	if (s->limits.best_effort && !devices_are_ruled(s)) {
		log_warn("ignoring all limits: %s", e->text);
		err_clear(e);
		*ret = NULL;
		return 0;
	}
	return -1;
}

/* ---- entering ------------------------------------------------------------- */

bool cgroup_clone_into(const struct cgroup *g, struct clone_args *args)
{
	for (size_t i = 0; g && i < g->n; i++) {
		if (g->v[i].version != 2)
			continue;
		args->flags |= CLONE_INTO_CGROUP;
		args->cgroup = (__u64)g->v[i].fd;
		return true;
	}
	return false;
}

static int put(const struct cgroup_dir *d, const char *file, const char *pid,
	       struct err *e)
{
	autoclose int fd = openat(d->fd, file, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "openat", "%s/%s", d->path, file);
	if (write(fd, pid, strlen(pid)) < 0)
		return err_sys(e, "write", "%s to %s/%s", pid, d->path, file);
	return 0;
}

const char *cgroup_self_file(int version)
{
	return version == 2 ? "cgroup.procs" : "tasks";
}

int cgroup_enter(const struct cgroup *g, bool born, struct err *e)
{
	STEP(e, "cgroup", "enter %zu", g->n);

	for (size_t i = 0; i < g->n; i++)
		if (!(born && g->v[i].version == 2) &&
		    put(&g->v[i], cgroup_self_file(g->v[i].version), "0", e) <
			    0)
			return -1;
	crash_point("cgroup-entered");
	return 0;
}

int cgroup_move(const struct cgroup *g, pid_t pid, struct err *e)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < g->n; i++)
		if (put(&g->v[i], "cgroup.procs", text, e) < 0)
			return -1;
	return 0;
}

/* ---- other limits --------------------------------------------------------- */

int cgroup_update(int dir_fd, const char *id, const struct run_spec *s,
		  struct cgroup **ret, struct err *e)
{
	struct making m = {.spec = s, .id = id};
	struct cgroup *g = xcalloc(1, sizeof(*g));
	struct cgroup *old = NULL;
	struct err ignored = {0};
	int rc = cgroup_open(dir_fd, &old, e);
	STEP(e, "cgroup", "write them");

	m.old = old;
	if (rc == 0)
		rc = make(&m, dir_fd, g, e);
	layout_free(&m.layout);
	settings_free(&m.settings);
	/* Nobody is in a new one yet; in the old one the container lives. */
	if (rc < 0 && !old)
		(void)cgroup_remove(dir_fd, false, &ignored);
	cgroup_free(old);
	if (rc < 0)
		cgroup_free(g);
	else
		*ret = g;
	return rc;
}
