#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/trace.h"
#include "runtime/mounts.h"
#include "runtime/passwd.h"
#include "runtime/pid1.h"
#include "runtime/seccomp.h"
#include "runtime/signals.h"
#include "runtime/tune.h"
#include "runtime/user.h"

/* Since 6.3; older kernels refuse the flag and need none. */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static const unsigned char pid1_elf[] = {
#include "runtime/pid1_blob.h"
};
_Static_assert(sizeof(pid1_elf) < PID1_CONF_AT, "PID 1 outgrew its place");

struct program {
	const struct run_spec *spec;
	struct pid1_conf conf;
	uint32_t groups[GROUPS_MAX];
	struct sock_filter filter[4096];
	char home[USER_HOME_MAX + 16];
	bool known; /* the image has an entry for the user */
};

/* ---- who it is and what it may -------------------------------------------- */

static int fill_filter(const struct caps_sets *sets, struct program *p,
		       struct err *e)
{
	const struct run_spec *const s = p->spec;
	size_t n = 0;

	if (s->seccomp_off)
		return 0;
	if (s->filter) {
		p->conf.flags |= PID1_OWN_FILTER;
		if (s->n_filter > ARRAY_LEN(p->filter))
			return err_set(e, ERR_TOOBIG,
				       "seccomp filter of %zu instructions",
				       s->n_filter);
		memcpy(p->filter, s->filter, s->n_filter * sizeof(*s->filter));
		n = s->n_filter;
	} else if (seccomp_default(sets->bounding, p->filter,
				   ARRAY_LEN(p->filter), &n, e) < 0) {
		return -1;
	}
	p->conf.n_filter = (uint32_t)n;
	return 0;
}

static uint32_t spec_flags(const struct run_spec *s)
{
	const bool shared = s->pid_ns != NS_OWN;

	/* Without a pid namespace somebody has to end what is left over. */
	return (s->no_init && !shared ? PID1_EXEC_ONLY : 0U) |
	       (shared ? PID1_SHARED_PIDS : 0U) | (s->tty ? PID1_CTTY : 0U) |
	       (s->new_privs ? PID1_NEW_PRIVS : 0U) |
	       (s->keep_groups || (s->userns && s->map.single)
			? PID1_NO_SETGROUPS
			: 0U);
}

static int no_such_id(const char *kind, uint32_t id, struct err *e)
{
	(void)err_set(e, ERR_INVALID,
		      "%s %u: the container's user namespace has no such id",
		      kind, id);
	return err_hint(e, "it has those of /proc/self/uid_map and gid_map; "
			   "/etc/subuid and /etc/subgid give an ordinary user "
			   "more");
}

/* The kernel would say EINVAL alone. */
static int check_ids(const struct run_spec *s, const struct user *u,
		     struct err *e)
{
	const bool no_groups = spec_flags(s) & PID1_NO_SETGROUPS;
	uint32_t id;

	if (!s->userns)
		return 0;
	if (!idmap_uid_outside(&s->map, u->uid, &id))
		return no_such_id("user", u->uid, e);
	if (!idmap_gid_outside(&s->map, u->gid, &id))
		return no_such_id("group", u->gid, e);
	for (size_t i = 0; !no_groups && i < u->n_groups; i++)
		if (!idmap_gid_outside(&s->map, u->groups[i], &id))
			return no_such_id("group", u->groups[i], e);
	return 0;
}

int program_prepare(const struct run_spec *s, uint32_t flags,
		    struct program **ret, struct err *e)
{
	/* One in each process, which is about to become it. */
	static struct program the_program;
	struct program *const p = &the_program;
	struct user user = {0};
	struct user *const u = &user;
	const struct user_wish wish = {
		.user = s->user,
		.group_add = (const char *const *)s->groups.v,
		.n_group_add = s->groups.n,
		/* Of one who may need a line the entry is looked up. */
		.has_home = strv_getenv(&s->env, "HOME") != NULL &&
			    (s->no_passwd || !s->user),
	};
	struct caps_sets sets;
	STEP(e, "user", "look up '%s'", s->user ? s->user : "root");

	*ret = p;
	p->spec = s;
	if (user_resolve(AT_FDCWD, &wish, u, e) < 0 || check_ids(s, u, e) < 0)
		return -1;
	caps_for_user(&s->caps, u->uid, &sets);
	p->conf = (struct pid1_conf){
		.magic = PID1_MAGIC,
		.flags = spec_flags(s) | flags,
		.uid = u->uid,
		.gid = u->gid,
		.n_groups = (uint32_t)u->n_groups,
		.bounding = sets.bounding,
		.permitted = sets.permitted,
		.inheritable = sets.inheritable,
		.ambient = sets.ambient,
		.last_cap = -1,
	};
	memcpy(p->groups, u->groups, u->n_groups * sizeof(*p->groups));
	(void)snprintf(p->home, sizeof(p->home), "HOME=%s", u->home);
	p->known = u->known;
	return fill_filter(&sets, p, e);
}

int program_name_user(const struct program *p, int dev, struct err *e)
{
	const char *const home = strv_getenv(&p->spec->env, "HOME");

	/* Of root an image without a line for it must not be told. */
	if (p->known || p->spec->no_passwd || p->conf.uid == 0)
		return 0;
	return passwd_add(
		&(struct passwd_line){
			.name = p->spec->user_name,
			.uid = p->conf.uid,
			.gid = p->conf.gid,
			.home = home && !strpbrk(home, ":\n") ? home : "/"},
		dev, p->spec->readonly_root, e);
}

int program_own_mounts(const struct program *p, const int *trees, struct err *e)
{
	return mounts_chown(p->spec, trees, p->conf.uid, p->conf.gid, e);
}

/* ---- where it starts ------------------------------------------------------- */

/*
 * Open the working directory inside the root and go there by fd: a WORKDIR
 * like /proc/self/fd/7 must not lead to a directory of the host
 * (CVE-2024-21626).
 */
int program_workdir(const struct run_spec *s, bool make, struct err *e)
{
	const char *const cwd = s->cwd ? s->cwd : "/";
	autoclose int fd = -1;
	STEP(e, "workdir", "enter %s", cwd);

	if (!strcmp(cwd, "/"))
		return 0;
	fd = path_open(AT_FDCWD, cwd, PATH_IN_ROOT, O_PATH | O_DIRECTORY, 0);
	if (fd < 0 && errno == ENOENT) {
		if (!make)
			return err_set(e, ERR_NOTFOUND,
				       "no such directory in the container");
		fd = path_make_dirs(AT_FDCWD, cwd, PATH_IN_ROOT, 0755);
	}
	if (fd < 0 && errno == ENOTDIR) {
		e->kind = ERR_NONE;
		(void)err_set(e, ERR_NOEXEC,
			      "working directory %s: ENOTDIR (a part of it is "
			      "not a directory)",
			      cwd);
		return -1;
	}
	if (fd < 0)
		return err_sys(e, "openat2", "%s", cwd);
	if (fchdir(fd) < 0)
		return err_sys(e, "fchdir", "%s", cwd);
	return 0;
}

/* ---- PID 1 ---------------------------------------------------------------- */

/* ELF, padding and what it is told in one write. */
int program_memfd(const struct program *p, struct err *e)
{
	static const char zeros[PID1_CONF_AT];
	const struct iovec iov[] = {
		{(void *)(uintptr_t)pid1_elf, sizeof(pid1_elf)},
		{(void *)(uintptr_t)zeros, PID1_CONF_AT - sizeof(pid1_elf)},
		{(void *)(uintptr_t)&p->conf, sizeof(p->conf)},
		{(void *)(uintptr_t)p->groups,
		 p->conf.n_groups * sizeof(p->groups[0])},
		{(void *)(uintptr_t)p->filter,
		 p->conf.n_filter * sizeof(p->filter[0])},
	};
	autoclose int fd = memfd_create("prism-init", MFD_CLOEXEC | MFD_EXEC);
	size_t want = 0;
	ssize_t n;

	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("prism-init", MFD_CLOEXEC);
	if (fd < 0) {
		(void)err_sys(e, "memfd_create", "prism-init");
		return err_hint(e, "sysctl vm.memfd_noexec=2 forbids it");
	}
	for (size_t i = 0; i < ARRAY_LEN(iov); i++)
		want += iov[i].iov_len;
	n = writev(fd, iov, (int)ARRAY_LEN(iov));
	/* What fits below RLIMIT_FSIZE is written. */
	if (n != (ssize_t)want)
		return err_sysno(e, n < 0 ? errno : EFBIG, "writev",
				 "memfd prism-init");
	return take_fd(&fd);
}

/*
 * Bring sync and memfd to the two numbers that PID 1 expects; nothing else
 * may pass. One that has the number of the other steps aside first.
 */
static int place_fds(int sync, int memfd, struct err *e)
{
	if (sync == PID1_CONF_FD)
		sync = fcntl(sync, F_DUPFD_CLOEXEC, PID1_SYNC_FD + 1);
	if (memfd == PID1_SYNC_FD)
		memfd = fcntl(memfd, F_DUPFD_CLOEXEC, PID1_SYNC_FD + 1);
	if (sync < 0 || memfd < 0)
		return err_sys(e, "fcntl", "F_DUPFD_CLOEXEC");
	if (dup2(sync, PID1_SYNC_FD) < 0 || dup2(memfd, PID1_CONF_FD) < 0)
		return err_sys(e, "dup2", "fds of PID 1");
	/* dup2 of a number to itself leaves CLOEXEC on. */
	if ((sync == PID1_SYNC_FD || memfd == PID1_CONF_FD) &&
	    (fcntl(PID1_SYNC_FD, F_SETFD, 0) < 0 ||
	     fcntl(PID1_CONF_FD, F_SETFD, 0) < 0))
		return err_sys(e, "fcntl", "F_SETFD");
	if (own_close_range(PID1_SYNC_FD + 1, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(e, "close_range", "all but PID 1's");
	return 0;
}

static char **pid1_argv(const struct run_spec *s)
{
	char **const v = xcalloc(s->args.n + 2, sizeof(*v));

	v[0] = xstrdup("prism-init");
	memcpy(v + 1, s->args.v, s->args.n * sizeof(*v));
	return v;
}

/* HOME of the user, unless the image or the caller set one. */
static char **pid1_env(const struct run_spec *s, char *home)
{
	char **const v = xcalloc(s->env.n + 2, sizeof(*v));

	memcpy(v, s->env.v, s->env.n * sizeof(*v));
	if (!strv_getenv(&s->env, "HOME"))
		v[s->env.n] = home;
	return v;
}

int program_execute(const struct program *p, int sync, int memfd, struct err *e)
{
	char *home = xstrdup(p->home);

	if (tune_process(p->spec, e) < 0 || place_fds(sync, memfd, e) < 0)
		return -1;
	signals_reset_ignored();
	trace_mark("pid1", "execute PID 1");
	(void)syscall(SYS_execveat, PID1_CONF_FD, "", pid1_argv(p->spec),
		      pid1_env(p->spec, home), AT_EMPTY_PATH);
	free(home);
	return err_sys(e, "execveat", "prism-init");
}
