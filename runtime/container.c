#include "container.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/crash.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/trace.h"
#include "base/whoami.h"
#include "runtime/name.h"
#include "runtime/netfiles.h"
#include "runtime/spec_file.h"

#define ID_LEN 64

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

static int write_hosts(const struct container *c, const struct run_spec *spec,
		       const char *hostname, struct err *e)
{
	char mem[1024];
	autobuf struct buf b = buf_on(mem, sizeof(mem), MIB(1));

	netfiles_hosts(spec, hostname, NULL, &b);
	return write_new(c->dir_fd, "hosts", buf_str(&b), b.len, e);
}

static int write_files(const struct container *c, const struct container_new *n,
		       struct err *e)
{
	char hostname[256];
	int len;

	len = n->spec->hostname
		      ? snprintf(hostname, sizeof(hostname), "%.254s\n",
				 n->spec->hostname)
		      : snprintf(hostname, sizeof(hostname), "%.12s\n", c->id);
	if (write_new(c->dir_fd, "hostname", hostname, (size_t)len, e) < 0)
		return -1;
	hostname[len - 1] = '\0';
	if ((n->hosts ? write_new(c->dir_fd, "hosts", n->hosts,
				  strlen(n->hosts), e)
		      : write_hosts(c, n->spec, hostname, e)) < 0)
		return -1;
	if (n->volumes && write_new(c->dir_fd, "volumes", n->volumes,
				    strlen(n->volumes), e) < 0)
		return -1;
	if (!n->resolv)
		return 0;
	return write_new(c->dir_fd, "resolv.conf", n->resolv, strlen(n->resolv),
			 e);
}

/* Written by hand: a JSON library would cost a start more than all of it. */
static int write_spec(const struct container_home *h, const struct container *c,
		      const struct container_new *n, struct err *e)
{
	char mem[4096];
	autobuf struct buf b = buf_on(mem, sizeof(mem), STATE_MAX);

	spec_file_text(&b, c->id, h->root_path, n->spec, n->info);
	if (b.over)
		return err_set(e, ERR_TOOBIG,
			       "spec.json: larger than %zu bytes", b.max);
	if (spec_file_write_filter(c->dir_fd, n->spec, e) < 0)
		return -1;
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

	if (!whoami()->root || (n->root_uid == 0 && n->root_gid == 0))
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
	c->lock_fd = openat(c->dir_fd, "spec.json",
			    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (c->lock_fd < 0)
		return err_sys(e, "openat", "spec.json");
	return lock_take(c->lock_fd, "spec.json", e);
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
	    write_spec(h, c, n, e) < 0 || give_away(c, n, e) < 0)
		return -1;
	crash_point("container-written");
	if (c->named && name_reserve(h, c->name, c->id, e) < 0)
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

/*
 * As memory has none before Linux 6.6: overlayfs says it to the kernel's log
 * alone, and EIO to whoever removes a directory of the image.
 */
static void warn_no_xattrs(const struct run_spec *s, const struct container *c)
{
	if (s->userns && !s->map_auto && !s->rootfs &&
	    fsetxattr(c->dir_fd, "user.prism", "", 0, 0) < 0 &&
	    errno == EOPNOTSUPP)
		log_warn("the file system of the store has no user xattrs: in "
			 "the container no directory of the image can be "
			 "removed (EIO); --root or PRISM_ROOT names another "
			 "store");
}

void container_new_id(char ret[CONTAINER_ID_MAX])
{
	str_random_hex(ret, ID_LEN / 2);
}

int container_create(const struct container_home *h,
		     const struct container_new *n, struct container *ret,
		     struct err *e)
{
	struct container c = {
		.dir_fd = -1,
		.lock_fd = -1,
		.has_resolv = n->resolv != NULL,
		.has_volumes = n->volumes != NULL,
		.keep = n->spec->keep,
		.named = n->name != NULL,
		.head = {.exit_code = -1, .keep = n->spec->keep},
	};
	autofree char *tmp = NULL;
	STEP(e, "container", "make its directory");

	if (n->name && name_check(n->name, e) < 0)
		return -1;
	if (n->id)
		memcpy(c.id, n->id, sizeof(c.id));
	else
		container_new_id(c.id);
	if (n->name)
		(void)snprintf(c.name, sizeof(c.name), "%s", n->name);
	else
		name_derive(c.id, c.name);
	tmp = xasprintf("tmp/%s", c.id);
	if (create_in(h, n, &c, tmp, e) < 0) {
		struct err ignored = {0};

		(void)fs_remove_tree_at(h->root_fd, tmp, &ignored);
		container_close(&c);
		return -1;
	}
	c.dir = xasprintf("%s/containers/%s", h->root_path, c.id);
	warn_no_xattrs(n->spec, &c);
	crash_point("container-made");
	*ret = c;
	return 0;
}

/* ---- finding -------------------------------------------------------------- */

int container_open_id(const struct container_home *h, const char *id,
		      struct container *ret, struct err *e)
{
	struct container c = CONTAINER_NONE;
	autofree char *path = xasprintf("containers/%s", id);

	(void)snprintf(c.id, sizeof(c.id), "%s", id);
	c.dir_fd = openat(h->root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c.dir_fd < 0)
		return errno == ENOENT ? 1 : err_sys(e, "openat", "%s", path);
	c.lock_fd = openat(c.dir_fd, "spec.json", O_RDWR | O_CLOEXEC);
	if (c.lock_fd < 0 && errno == ENOENT) {
		/* Half removed. */
		container_close(&c);
		return 1;
	}
	if (c.lock_fd < 0)
		(void)err_sys(e, "openat", "%s/spec.json", path);
	if (c.lock_fd < 0 || head_read(c.lock_fd, &c.head, e) < 0) {
		container_close(&c);
		return err_prefix(e, "container %.12s", id);
	}
	c.keep = c.head.keep;
	c.dir = xasprintf("%s/%s", h->root_path, path);
	*ret = c;
	return 0;
}

int container_open(const struct container_home *h, const char *text,
		   struct container *ret, struct err *e)
{
	return container_open_among(h, NULL, text, ret, e);
}

int container_open_among(const struct container_home *h,
			 const struct name_list *names, const char *text,
			 struct container *ret, struct err *e)
{
	char id[CONTAINER_ID_MAX];
	char name[CONTAINER_NAME_MAX];
	char derived[CONTAINER_NAME_MAX];
	int rc;

	if (name_resolve(h, names, text, id, name, e) < 0)
		return -1;
	rc = container_open_id(h, id, ret, e);
	if (rc > 0)
		return err_set(e, ERR_NOTFOUND, "No such container: %s", text);
	if (rc < 0)
		return -1;
	name_derive(id, derived);
	ret->named = strcmp(name, derived) != 0;
	memcpy(ret->name, name, sizeof(name));
	return 0;
}

static int each_one(const struct container_home *h, const char *id,
		    const struct name_list *names, container_fn fn, void *ctx,
		    struct err *e)
{
	autocontainer struct container c = CONTAINER_NONE;
	const int opened = container_open_id(h, id, &c, e);
	const int settled = opened ? 0 : container_settle(h, &c, e);

	if (opened < 0 || settled < 0) {
		log_warn("ignoring: %s", e->text);
		err_clear(e);
	}
	if (opened || settled > 0)
		return 0;
	name_of(names, id, c.name);
	c.named = name_is_reserved(names, id);
	return fn(ctx, &c, e);
}

int container_each(const struct container_home *h, container_fn fn, void *ctx,
		   struct err *e)
{
	const int fd = openat(h->root_fd, "containers",
			      O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	autodir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	autonames struct name_list names = {0};
	int rc = 0;

	if (!d)
		return errno == ENOENT ? 0
				       : err_sys(e, "opendir", "containers");
	if (name_list_read(h, &names, e) < 0)
		return -1;
	while (rc == 0) {
		const struct dirent *const de = readdir(d);

		if (!de)
			break;
		if (name_is_id(de->d_name))
			rc = each_one(h, de->d_name, &names, fn, ctx, e);
	}
	return rc;
}

int container_load(const struct container_home *h, const struct container *c,
		   struct run_spec *ret_spec, struct container_info *ret_info,
		   struct err *e)
{
	ERR_IN(e, "container %.12s", c->id);

	return spec_file_read(c->dir_fd, c->lock_fd, h->root_path, ret_spec,
			      ret_info, e);
}

int container_state_get(const struct container *c, struct container_state *ret,
			struct err *e)
{
	ERR_IN(e, "container %.12s", c->id);

	return state_get(c->dir_fd, c->lock_fd, ret, e);
}

/* Field 22 of /proc/PID/stat: when it was born, in ticks since boot. */
static int64_t birth_ns(pid_t pid)
{
	autobuf struct buf b = buf_make(KIB(4));
	const char *p = proc_stat(pid, &b);
	uint64_t ticks = 0;

	for (int i = 3; p && i < 22; i++)
		p = strchr(p + 1, ' ');
	if (!p ||
	    !str_to_u64n(p + 1, strcspn(p + 1, " "), INT64_MAX / 100, &ticks))
		return -1;
	return (int64_t)ticks * (1000000000 / sysconf(_SC_CLK_TCK));
}

static int pidfd_of(const struct container *c, bool starting, pid_t *ret_pid,
		    struct err *e)
{
	struct container_head h = {0};
	autoclose int fd = -1;
	int64_t birth;

	if (head_read(c->lock_fd, &h, e) < 0)
		return -1;
	if (!starting && head_settle(c->lock_fd, &h, e) < 0)
		return -1;
	if (starting && h.pid < 0)
		h.pid = -h.pid;
	if (h.pid > 1 && lock_is_held(c->lock_fd))
		fd = (int)syscall(SYS_pidfd_open, h.pid, 0);
	birth = fd < 0 ? -1 : birth_ns(h.pid);
	/* Whoever was born after the start was recorded is somebody else. */
	if (birth < 0 || birth > h.boot_ns)
		return err_set(e, ERR_NOTFOUND, "container %s is not running",
			       c->name);
	if (ret_pid)
		*ret_pid = h.pid;
	return take_fd(&fd);
}

int container_pidfd(const struct container *c, pid_t *ret_pid, struct err *e)
{
	return pidfd_of(c, false, ret_pid, e);
}

int container_init_pidfd(const struct container *c, pid_t *ret_pid,
			 struct err *e)
{
	return pidfd_of(c, true, ret_pid, e);
}

/* ---- living --------------------------------------------------------------- */

static int look_again(struct container *c, struct err *e)
{
	if (faccessat(AT_FDCWD, c->dir, F_OK, 0) < 0)
		return err_set(e, ERR_NOTFOUND, "it is being removed");
	c->has_resolv = faccessat(c->dir_fd, "resolv.conf", F_OK, 0) == 0;
	c->has_volumes = faccessat(c->dir_fd, "volumes", F_OK, 0) == 0;
	return head_read(c->lock_fd, &c->head, e);
}

int container_lock(struct container *c, struct err *e)
{
	ERR_IN(e, "container %.12s", c->id);

	if (lock_take(c->lock_fd, "spec.json", e) < 0)
		return -1;
	return look_again(c, e);
}

int container_lock_dead(struct container *c, struct err *e)
{
	ERR_IN(e, "container %.12s", c->id);

	if (lock_take_dead(c->lock_fd, "spec.json", e) < 0)
		return -1;
	return look_again(c, e);
}

int container_started(struct container *c, pid_t init, struct err *e)
{
	c->head.pid = -init;
	c->head.run++;
	c->head.exit_code = -1;
	c->head.started_ns = clock_now();
	c->head.boot_ns = clock_boottime();
	return head_write(c->lock_fd, &c->head, e);
}

int container_runs(struct container *c, struct err *e)
{
	c->head.pid = -c->head.pid;
	return head_write(c->lock_fd, &c->head, e);
}

int container_state_put(const struct container *c, struct container_state *s,
			struct err *e)
{
	s->run = c->head.run;
	s->started_ns = c->head.started_ns;
	return state_put(c->dir_fd, s, e);
}

int container_finish_state(const struct container_home *h, struct container *c,
			   struct container_state *s, int userns_fd,
			   struct err *e)
{
	int rc;

	c->head.pid = 0;
	c->head.exit_code = s->exit_code;
	rc = head_write(c->lock_fd, &c->head, e);
	crash_point("container-ended");
	if (rc == 0 && c->keep) {
		const bool ran = c->head.run != 0;

		s->status = ran ? CONTAINER_EXITED : CONTAINER_CREATED;
		s->finished_ns = ran ? clock_now() : 0;
		rc = container_state_put(c, s, e);
		container_cgroup_end(c);
	} else if (rc == 0) {
		rc = container_teardown_later(h, c, c->has_volumes, userns_fd,
					      e);
	}
	/* Its starter may still have the lock, too. */
	lock_drop(c->lock_fd);
	container_close(c);
	return rc;
}

int container_finish(const struct container_home *h, struct container *c,
		     int exit_code, int userns_fd, struct err *e)
{
	struct container_state s = {.exit_code = exit_code};

	return container_finish_state(h, c, &s, userns_fd, e);
}

void container_close(struct container *c)
{
	own_close(&c->dir_fd);
	own_close(&c->lock_fd);
	free(c->dir);
	c->dir = NULL;
}

/* ---- stopping ------------------------------------------------------------- */

int container_mark_stopping(const struct container *c, bool on, struct err *e)
{
	int fd;

	if (!on) {
		if (unlinkat(c->dir_fd, "stopping", 0) < 0 && errno != ENOENT)
			return err_sys(e, "unlinkat", "stopping");
		return 0;
	}
	fd = openat(c->dir_fd, "stopping", O_WRONLY | O_CREAT | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return err_sys(e, "openat", "stopping");
	(void)close(fd);
	return 0;
}

bool container_is_stopping(const struct container *c)
{
	return faccessat(c->dir_fd, "stopping", F_OK, 0) == 0;
}

int container_wait_unlocked(const struct container *c, struct err *e)
{
	ERR_IN(e, "container %.12s", c->id);

	return lock_wait(c->lock_fd, "spec.json", e);
}
