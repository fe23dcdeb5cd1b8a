#include "tune.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/trace.h"
#include "runtime/place.h"

/* The highest gid of a ping_group_range; the kernel takes no larger one. */
#define PING_GID_MAX 2147483647U

/* ---- sysctls ------------------------------------------------------------------ */

/*
 * proc: the root of a procfs. Close the file at once: a mount with a file open
 * for writing cannot be made read-only.
 */
static int write_file(int proc, const char *name, const char *text,
		      struct err *e)
{
	autoclose int fd = path_open(proc, name, PATH_BENEATH, O_WRONLY, 0);
	const size_t n = strlen(text);

	if (fd < 0)
		return err_sys(e, "open", "/proc/%s", name);
	if (write(fd, text, n) != (ssize_t)n)
		return err_sys(e, "write", "'%s' to /proc/%s", text, name);
	return 0;
}

/*
 * Groups must be mapped: all from 0 that are, without a gap. With one id that
 * is not 0 (keep-id) that one.
 */
static void ping_groups(const struct run_spec *s, char *buf, size_t n)
{
	uint64_t next = 0;

	for (size_t i = 0; s->userns && i < s->map.n_gid; i++)
		if (s->map.gid[i].inside == next)
			next += s->map.gid[i].count;
	if (!s->userns || next > PING_GID_MAX)
		next = PING_GID_MAX + UINT64_C(1);
	if (next > 0)
		(void)snprintf(buf, n, "0 %llu", (unsigned long long)next - 1);
	else
		(void)snprintf(buf, n, "%u %u", s->map.gid[0].inside,
			       s->map.gid[0].inside);
}

static int open_network(const struct run_spec *s, int proc, struct err *e)
{
	char range[32];

	ping_groups(s, range, sizeof(range));
	if (write_file(proc, "sys/net/ipv4/ip_unprivileged_port_start", "0",
		       e) < 0 ||
	    write_file(proc, "sys/net/ipv4/ping_group_range", range, e) < 0) {
		/*
		 * A kernel without IPv4 has no such files, and a /proc shared
		 * with an outer container may be read-only.
		 */
		if (e->sys != ENOENT && e->sys != EROFS)
			return -1;
		err_clear(e);
	}
	return 0;
}

static int set_sysctl(const char *text, int proc, struct err *e)
{
	autofree char *path = xasprintf("sys/%s", text);
	char *const eq = strchr(path, '=');

	*eq = '\0';
	for (char *p = path; *p; p++)
		if (*p == '.')
			*p = '/';
	if (write_file(proc, path, eq + 1, e) == 0)
		return 0;
	if (e->sys == ENOENT)
		(void)err_hint(e, "this kernel has no such sysctl, or its "
				  "module is not loaded");
	return -1;
}

void tune_user_net(void)
{
	struct err ignored = {0};
	autoclose int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	(void)write_file(proc, "sys/net/ipv6/conf/default/accept_dad", "0",
			 &ignored);
}

int tune_namespaces(const struct run_spec *s, int proc, struct err *e)
{
	STEP(e, "sysctl", "%zu asked for", s->sysctls.n);

	if (spec_own_net(s) && open_network(s, proc, e) < 0)
		return -1;
	for (size_t i = 0; i < s->sysctls.n; i++)
		if (set_sysctl(s->sysctls.v[i], proc, e) < 0)
			return -1;
	return 0;
}

/* ---- limits ----------------------------------------------------------------------- */

static void limit_text(uint64_t v, char *buf, size_t n)
{
	if (v == UINT64_MAX)
		(void)snprintf(buf, n, "unlimited");
	else
		(void)snprintf(buf, n, "%llu", (unsigned long long)v);
}

static int set_rlimit(const struct rlimit_spec *r, struct err *e)
{
	const struct rlimit want = {
		.rlim_cur = r->soft == UINT64_MAX ? RLIM_INFINITY : r->soft,
		.rlim_max = r->hard == UINT64_MAX ? RLIM_INFINITY : r->hard,
	};
	const char *const name = spec_rlimit_name(r->resource);
	struct rlimit have = {0};
	char soft[24], hard[24], mine[24];

	if (setrlimit(r->resource, &want) == 0)
		return 0;
	limit_text(r->soft, soft, sizeof(soft));
	limit_text(r->hard, hard, sizeof(hard));
	(void)err_sys(e, "setrlimit", "%s=%s:%s", name, soft, hard);
	if (e->sys == EPERM && getrlimit(r->resource, &have) == 0) {
		limit_text(have.rlim_max == RLIM_INFINITY ? UINT64_MAX
							  : have.rlim_max,
			   mine, sizeof(mine));
		(void)err_hint(e,
			       "the hard limit here is %s, and only "
			       "CAP_SYS_RESOURCE of the host may raise it; ask "
			       "for less, or raise it in "
			       "/etc/security/limits.conf",
			       mine);
	}
	return -1;
}

static int set_oom_score(int score, struct err *e)
{
	autoclose int proc = place_proc(e);
	char text[16];

	if (proc < 0)
		return -1;
	(void)snprintf(text, sizeof(text), "%d", score);
	if (write_file(proc, "self/oom_score_adj", text, e) == 0)
		return 0;
	if (e->sys == EACCES || e->sys == EPERM)
		(void)err_hint(e, "only CAP_SYS_RESOURCE of the host may go "
				  "below the value that it has");
	return -1;
}

int tune_process(const struct run_spec *s, struct err *e)
{
	if (s->umask & UMASK_GIVEN)
		(void)umask((mode_t)(s->umask & 0777));
	if (s->n_rlimits == 0 && !s->has_oom_score)
		return 0;
	STEP(e, "limits", "%zu rlimits", s->n_rlimits);
	if (s->has_oom_score && set_oom_score(s->oom_score_adj, e) < 0)
		return -1;
	for (size_t i = 0; i < s->n_rlimits; i++)
		if (set_rlimit(&s->rlimits[i], e) < 0)
			return -1;
	return 0;
}
