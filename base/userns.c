#include "userns.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fs.h"
#include "io.h"
#include "log.h"
#include "own.h"
#include "proc.h"
#include "str.h"
#include "whoami.h"

static bool to_outside(const struct idrange *r, size_t n, uint32_t id,
		       uint32_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (id >= r[i].inside && id - r[i].inside < r[i].count) {
			*ret = r[i].outside + (id - r[i].inside);
			return true;
		}
	return false;
}

static bool to_inside(const struct idrange *r, size_t n, uint32_t id,
		      uint32_t *ret)
{
	for (size_t i = 0; i < n; i++)
		if (id >= r[i].outside && id - r[i].outside < r[i].count) {
			*ret = r[i].inside + (id - r[i].outside);
			return true;
		}
	return false;
}

/* ---- subuid and subgid ------------------------------------------------- */

/* "name:start:count" into its three parts; false for anything else. */
static bool parse_line(const char *p, size_t n, size_t *ret_name,
		       struct idrange *r)
{
	const char *const c1 = memchr(p, ':', n);
	const char *c2 = NULL;
	uint64_t start, count;

	if (!c1)
		return false;
	c2 = memchr(c1 + 1, ':', n - (size_t)(c1 + 1 - p));
	if (!c2)
		return false;
	if (!str_to_u64n(c1 + 1, (size_t)(c2 - c1 - 1), UINT32_MAX - 1,
			 &start) ||
	    !str_to_u64n(c2 + 1, n - (size_t)(c2 + 1 - p), UINT32_MAX, &count))
		return false;
	if (count == 0 || start + count > UINT32_MAX)
		return false;
	*ret_name = (size_t)(c1 - p);
	*r = (struct idrange){.outside = (uint32_t)start,
			      .count = (uint32_t)count};
	return true;
}

static bool same(const char *p, size_t n, const char *s)
{
	return s && strlen(s) == n && memcmp(p, s, n) == 0;
}

int idmap_parse_ranges(const char *text, size_t len, const char *user,
		       uint32_t uid, struct idrange *ret, size_t max,
		       size_t *ret_n, struct err *e)
{
	const char *const end = text + len;
	char number[16];
	size_t n = 0;

	(void)snprintf(number, sizeof(number), "%u", uid);
	for (const char *p = text; p < end;) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		const char *const stop = nl ? nl : end;
		struct idrange r;
		size_t name_len;

		if (parse_line(p, (size_t)(stop - p), &name_len, &r) &&
		    (same(p, name_len, user) || same(p, name_len, number))) {
			if (n == max)
				return err_set(e, ERR_TOOBIG,
					       "more than %zu id ranges", max);
			ret[n++] = r;
		}
		p = nl ? nl + 1 : end;
	}
	*ret_n = n;
	return 0;
}

/*
 * The caller's name as /etc/passwd has it. Users who live only in a directory
 * service are found by $USER: newuidmap checks the name itself, so a wrong one
 * gains nothing.
 */
static char *name_of_uid(uid_t uid, struct err *e)
{
	autobuf struct buf b = buf_make(ETC_FILE_MAX);
	const char *env = getenv("USER");
	char number[16];

	(void)snprintf(number, sizeof(number), "%u", uid);
	if (fs_read_at(AT_FDCWD, "/etc/passwd", &b, e) < 0)
		err_clear(e);
	for (const char *p = buf_str(&b); *p;) {
		const size_t n = strcspn(p, "\n");
		const char *const c1 = memchr(p, ':', n);
		const char *const c2 =
			c1 ? memchr(c1 + 1, ':', n - (size_t)(c1 + 1 - p))
			   : NULL;

		if (c2 && same(c2 + 1, strcspn(c2 + 1, ":\n"), number))
			return xstrndup(p, (size_t)(c1 - p));
		p += n + (p[n] == '\n');
	}
	return xstrdup(env ? env : number);
}

static int ranges_of(const char *file, const char *user, uid_t uid,
		     struct idrange *ret, size_t *ret_n, struct err *e)
{
	autobuf struct buf b = buf_make(ETC_FILE_MAX);

	*ret_n = 0;
	if (fs_read_at(AT_FDCWD, file, &b, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		err_clear(e);
		return 0;
	}
	if (idmap_parse_ranges(buf_str(&b), b.len, user, uid, ret,
			       ID_RANGES_MAX, ret_n, e) < 0)
		return err_prefix(e, "%s", file);
	return 0;
}

/*
 * What of r is not in o: the kernel takes no id twice. Of what lies before and
 * behind it, the more.
 */
static void cut(struct idrange *r, const struct idrange *o)
{
	const uint64_t end = (uint64_t)r->outside + r->count;
	const uint64_t o_end = (uint64_t)o->outside + o->count;
	const uint64_t before =
		o->outside > r->outside ? o->outside - r->outside : 0;
	const uint64_t behind = end > o_end ? end - o_end : 0;

	if (end <= o->outside || r->outside >= o_end)
		return;
	if (behind > before)
		r->outside = (uint32_t)o_end;
	r->count = (uint32_t)(behind > before ? behind : before);
}

/* 0 -> own, then the ranges one behind the other. */
static size_t lay_out(struct idrange *r, size_t n, uint32_t own)
{
	uint64_t next = 1;
	size_t used = 1;

	memmove(r + 1, r, n * sizeof(*r));
	r[0] = (struct idrange){.inside = 0, .outside = own, .count = 1};
	for (size_t i = 1; i <= n; i++) {
		struct idrange one = r[i];

		for (size_t j = 0; j < used; j++)
			cut(&one, &r[j]);
		if (one.count == 0 || next + one.count > UINT32_MAX)
			continue;
		one.inside = (uint32_t)next;
		next += one.count;
		r[used++] = one;
	}
	return used;
}

static bool find_helper(const char *name)
{
	static const char *const dirs[] = {"/usr/bin", "/bin", "/usr/sbin",
					   "/usr/local/bin"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		autofree char *p = xasprintf("%s/%s", dirs[i], name);

		if (access(p, X_OK) == 0)
			return true;
	}
	return false;
}

static void go_single(struct idmap *m, const char *user, const char *why)
{
	m->single = true;
	m->helpers = false;
	m->n_uid = lay_out(m->uid, 0, getuid());
	m->n_gid = lay_out(m->gid, 0, getgid());
	(void)snprintf(m->why_single, sizeof(m->why_single), "%.100s%s%.24s",
		       why, user ? " for " : "", user ? user : "");
}

/* Numbers as the kernel writes them: "         0       1000          1\n". */
static const char *next_number(const char *p, uint64_t *ret)
{
	size_t n;

	p += strspn(p, " \n");
	n = strspn(p, "0123456789");
	*ret = 0;
	(void)str_to_u64n(p, n, UINT32_MAX, ret);
	return p + n;
}

/* All ids that there are here, each standing for itself. */
static int own_ids(const char *file, struct idrange *ret, size_t *ret_n,
		   struct err *e)
{
	autobuf struct buf b = buf_make(ETC_FILE_MAX);
	const char *p;
	size_t n = 0;

	if (fs_read_at(AT_FDCWD, file, &b, e) < 0)
		return -1;
	p = buf_str(&b);
	while (strchr(p, '\n')) {
		uint64_t first, outside, count;

		p = next_number(p, &first);
		p = next_number(p, &outside);
		p = next_number(p, &count);
		p += strspn(p, "\n");
		if (n == ID_RANGES_MAX)
			return err_set(e, ERR_TOOBIG,
				       "%s: more than %zu id ranges", file, n);
		ret[n++] = (struct idrange){.inside = (uint32_t)first,
					    .outside = (uint32_t)first,
					    .count = (uint32_t)count};
	}
	*ret_n = n;
	return 0;
}

/* Root, but not of the machine: all ids that it has itself. */
static int idmap_of_root(struct idmap *m, struct err *e)
{
	const uint64_t set_ids =
		UINT64_C(1) << CAP_SETUID | UINT64_C(1) << CAP_SETGID;

	if (own_ids("/proc/self/uid_map", m->uid, &m->n_uid, e) < 0 ||
	    own_ids("/proc/self/gid_map", m->gid, &m->n_gid, e) < 0)
		return -1;
	if ((whoami()->permitted & set_ids) != set_ids)
		go_single(m, NULL,
			  "CAP_SETUID and CAP_SETGID, to map others, are "
			  "missing");
	else if (m->n_uid == 1 && m->uid[0].count == 1)
		go_single(m, NULL, "the user namespace around has no other");
	return 0;
}

/* Are those of the files there, or did a container around leave them out? */
static bool have_ranges(const char *file, const struct idrange *r, size_t n)
{
	struct idrange own[ID_RANGES_MAX];
	struct err ignored = {0};
	size_t n_own = 0;
	uint32_t first, last;

	if (own_ids(file, own, &n_own, &ignored) < 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if (!to_inside(own, n_own, r[i].outside, &first) ||
		    !to_inside(own, n_own, r[i].outside + r[i].count - 1,
			       &last))
			return false;
	return true;
}

int idmap_of_caller(struct idmap *ret, struct err *e)
{
	autofree char *user = NULL;
	struct idmap m = {.helpers = true};

	if (geteuid() == 0) {
		*ret = (struct idmap){0};
		return idmap_of_root(ret, e);
	}
	user = name_of_uid(getuid(), e);
	if (ranges_of("/etc/subuid", user, getuid(), m.uid, &m.n_uid, e) < 0 ||
	    ranges_of("/etc/subgid", user, getuid(), m.gid, &m.n_gid, e) < 0)
		return -1;
	if (m.n_uid == 0 || m.n_gid == 0) {
		go_single(&m, user,
			  m.n_uid ? "no range in /etc/subgid"
				  : "no range in /etc/subuid");
	} else if (!find_helper("newuidmap") || !find_helper("newgidmap")) {
		go_single(&m, NULL,
			  "newuidmap and newgidmap (package uidmap) are not "
			  "installed");
	} else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
		go_single(&m, NULL,
			  "no_new_privs is set, with which newuidmap gains "
			  "nothing");
	} else if (!have_ranges("/proc/self/uid_map", m.uid, m.n_uid) ||
		   !have_ranges("/proc/self/gid_map", m.gid, m.n_gid)) {
		go_single(&m, NULL,
			  "the user namespace around lacks ids of /etc/subuid "
			  "or /etc/subgid");
	} else {
		m.n_uid = lay_out(m.uid, m.n_uid, getuid());
		m.n_gid = lay_out(m.gid, m.n_gid, getgid());
	}
	*ret = m;
	return 0;
}

/*
 * Range 0 is {0, own, 1}. The range that holds id is split around it; what was
 * behind id goes to 0.
 */
static int swap_with_zero(struct idrange *r, size_t *n, uint32_t id,
			  struct err *e)
{
	const uint32_t own = r[0].outside;
	size_t at = 1;
	struct idrange old;

	if (id == 0)
		return 0;
	while (at < *n &&
	       (id < r[at].inside || id - r[at].inside >= r[at].count))
		at++;
	r[0].inside = id;
	if (at == *n)
		return 0; /* nothing stood there, and nothing stands at 0 */
	if (*n + 2 > ID_RANGES_MAX + 1)
		return err_set(e, ERR_TOOBIG, "more than %d id ranges",
			       ID_RANGES_MAX - 2);
	old = r[at];
	r[at] = (struct idrange){.outside = old.outside + (id - old.inside),
				 .count = 1};
	if (id > old.inside)
		r[(*n)++] = (struct idrange){.inside = old.inside,
					     .outside = old.outside,
					     .count = id - old.inside};
	if (id - old.inside + 1 < old.count)
		r[(*n)++] = (struct idrange){
			.inside = id + 1,
			.outside = old.outside + (id - old.inside) + 1,
			.count = old.count - (id - old.inside) - 1};
	assert(r[0].outside == own);
	return 0;
}

int idmap_keep_id(struct idmap *m, uint32_t uid, uint32_t gid, struct err *e)
{
	if (swap_with_zero(m->uid, &m->n_uid, uid, e) < 0)
		return -1;
	return swap_with_zero(m->gid, &m->n_gid, gid, e);
}

/* ---- lookups ----------------------------------------------------------- */

bool idmap_uid_outside(const struct idmap *m, uint32_t inside, uint32_t *ret)
{
	return to_outside(m->uid, m->n_uid, inside, ret);
}

bool idmap_gid_outside(const struct idmap *m, uint32_t inside, uint32_t *ret)
{
	return to_outside(m->gid, m->n_gid, inside, ret);
}

bool idmap_uid_inside(const struct idmap *m, uint32_t outside, uint32_t *ret)
{
	return to_inside(m->uid, m->n_uid, outside, ret);
}

bool idmap_gid_inside(const struct idmap *m, uint32_t outside, uint32_t *ret)
{
	return to_inside(m->gid, m->n_gid, outside, ret);
}

/* ---- writing ----------------------------------------------------------- */

static int write_file(pid_t pid, const char *file, const char *text, size_t n,
		      struct err *e)
{
	autofree char *path = xasprintf("/proc/%d/%s", (int)pid, file);
	autoclose int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "open", "%s", path);
	/* The kernel takes a map in one write or not at all. */
	if (write(fd, text, n) == (ssize_t)n)
		return 0;
	(void)err_sys(e, "write", "%s", path);
	/* Of a capability that it would gain on files (5.12). */
	if (e->sys == EPERM && geteuid() == 0)
		(void)err_hint(e, "uid 0 is passed on only by who has "
				  "CAP_SETFCAP, and other ids by who has "
				  "CAP_SETUID and CAP_SETGID: an outer "
				  "container takes them away, or gives them "
				  "with --cap-add");
	else if (e->sys == EPERM)
		(void)err_hint(e, "these ids are not ours to give: was the "
				  "container made in another user namespace?");
	return -1;
}

static int write_direct(pid_t pid, const char *file, const struct idrange *r,
			size_t n, struct err *e)
{
	autobuf struct buf b = buf_make(KIB(4));

	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%u %u %u\n", r[i].inside, r[i].outside,
			 r[i].count);
	return write_file(pid, file, buf_str(&b), b.len, e);
}

static int write_by_helper(pid_t pid, const char *helper,
			   const struct idrange *r, size_t n, struct err *e)
{
	autostrv struct strv argv = {0};

	strv_add(&argv, helper);
	strv_take(&argv, xasprintf("%d", (int)pid));
	for (size_t i = 0; i < n; i++) {
		strv_take(&argv, xasprintf("%u", r[i].inside));
		strv_take(&argv, xasprintf("%u", r[i].outside));
		strv_take(&argv, xasprintf("%u", r[i].count));
	}
	if (proc_run((const char *const *)argv.v, e) < 0)
		return err_hint(e,
				"check that %s is setuid root (or has "
				"cap_set%cid) and that /etc/sub%cid names "
				"this range for you",
				helper, helper[3], helper[3]);
	return 0;
}

int idmap_write(pid_t pid, const struct idmap *m, struct err *e)
{
	if (m->helpers) {
		if (write_by_helper(pid, "newuidmap", m->uid, m->n_uid, e) < 0)
			return -1;
		return write_by_helper(pid, "newgidmap", m->gid, m->n_gid, e);
	}
	/* Without privilege a gid map is taken only when setgroups is off. */
	if (m->single && write_file(pid, "setgroups", "deny", 4, e) < 0)
		return -1;
	if (write_direct(pid, "uid_map", m->uid, m->n_uid, e) < 0)
		return -1;
	return write_direct(pid, "gid_map", m->gid, m->n_gid, e);
}

/* ---- entering ---------------------------------------------------------- */

void userns_explain(struct err *e)
{
	whoami_explain(e); /* the first hint is kept */
	if (e->sys == ENOSPC || e->sys == EUSERS)
		(void)err_hint(e, "not a matter of disk space: a limit on "
				  "namespaces; see sysctl user.max_user_"
				  "namespaces and its siblings user.max_*_"
				  "namespaces");
	else if (e->sys == EPERM || e->sys == EACCES)
		(void)err_hint(
			e, "user namespaces are refused here: look at sysctl "
			   "kernel.unprivileged_userns_clone and "
			   "kernel.apparmor_restrict_unprivileged_userns");
	else if (e->sys == EINVAL || e->sys == ENOSYS)
		(void)err_hint(e, "this kernel is built without one of the "
				  "namespaces (CONFIG_USER_NS and others)");
}

struct map_job {
	const struct idmap *map;
	pid_t target;
	int go; /* one byte says that the target is in its new namespace */
};

static int map_parent(void *arg, struct err *e)
{
	const struct map_job *const job = arg;
	char c;

	if (read(job->go, &c, 1) != 1)
		return 0; /* the target failed and says why itself */
	return idmap_write(job->target, job->map, e);
}

/*
 * A process cannot run newuidmap for itself once it is inside, so a child that
 * stays outside does it.
 */
int userns_enter(const struct idmap *m, struct err *e)
{
	autoworker struct worker w = WORKER_NONE;
	autoclose int read_end = -1;
	autoclose int write_end = -1;
	struct map_job job = {.map = m, .target = getpid()};
	int p[2];

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2", "for the id map");
	read_end = job.go = p[0];
	write_end = p[1];
	if (proc_start(&w, "idmap", map_parent, &job, e) < 0)
		return -1;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) {
		(void)err_sys(e, "unshare", "CLONE_NEWUSER|CLONE_NEWNS");
		userns_explain(e);
		return -1;
	}
	if (io_write_all(write_end, "", 1, "id map pipe", e) < 0)
		return -1;
	if (proc_wait(&w, e) < 0)
		return -1;
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_sys(e, "setresuid", "0 in the user namespace");
	/* What is mounted here later must not reach the outer namespace. */
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(e, "mount", "/ as private");
	return 0;
}

bool userns_is_entered(void)
{
	return whoami()->root || (geteuid() == 0 && getauxval(AT_EUID) != 0);
}

int userns_enter_for_store(struct idmap *ret_map, struct err *e)
{
	*ret_map = (struct idmap){0};
	if (userns_is_entered())
		return 0;
	if (idmap_of_caller(ret_map, e) < 0)
		return -1;
	return geteuid() == 0 ? 0 : userns_enter(ret_map, e);
}
