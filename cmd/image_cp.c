/*
 * cp - files and trees between a container and the host
 *
 * As a tar through a pipe, always: on the side of the container a worker goes
 * to where its files can be reached as it sees them (view.h), on the other side
 * we are who called us. So a container of other ids than ours needs no second
 * way, and neither side ever uses a path of the other. The worker in the
 * container keeps only its tree and the pipe (store/confine_tree.h). A
 * container may have written the tar that it sends, so the worker that unpacks
 * it on the host keeps only the target directory and the pipe.
 *
 * What goes where is Docker's table (place): it depends on whether the
 * destination exists, is a directory, and on "/." at the end of the source.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/proc.h"
#include "base/str.h"
#include "cmd/image_container.h"
#include "cmd/image_output.h"
#include "runtime/view.h"
#include "store/confine_tree.h"
#include "store/tarin.h"

struct cp_opts {
	bool archive;
	bool follow;
	bool quiet;
};

static const struct opt cp_options[] = {
	{'a', "archive", OPT_BOOL, offsetof(struct cp_opts, archive), NULL,
	 "What is copied in belongs to the container's user"},
	{'L', "follow-link", OPT_BOOL, offsetof(struct cp_opts, follow), NULL,
	 "If SRC is a link, copy what it leads to"},
	{'q', "quiet", OPT_BOOL, offsetof(struct cp_opts, quiet), NULL,
	 "Nothing is printed anyway"},
	{0},
};

/* What stands at a path of the container; shared with the worker. */
struct look {
	bool exists;
	bool is_dir;
	char link[PATH_MAX]; /* of a symlink; else empty */
};

struct cp {
	const struct cp_opts *o;
	struct subject s;
	const char *container; /* as typed */
	bool live;
};

/* ---- paths ------------------------------------------------------------------- */

/* The last component as a name: "a/b/" is b, "a/." and "/" are ".". */
static char *base_of(const char *path)
{
	size_t n = strlen(path);
	size_t at;

	if (str_ends(path, "/.") || !strcmp(path, "."))
		return xstrdup(".");
	while (n > 0 && path[n - 1] == '/')
		n--;
	for (at = n; at > 0 && path[at - 1] != '/';)
		at--;
	return n > at ? xstrndup(path + at, n - at) : xstrdup(".");
}

/* What stands before it: "a/b/" is a, "b" is "". Of "a/." it is a. */
static char *dir_of(const char *path)
{
	size_t n = strlen(path);

	if (str_ends(path, "/."))
		return xstrndup(path, n - 1);
	while (n > 0 && path[n - 1] == '/')
		n--;
	while (n > 0 && path[n - 1] != '/')
		n--;
	return xstrndup(path, n);
}

/* A link's text as a path, from the path of the link. */
static char *link_target(const char *path, const char *link)
{
	autofree char *dir = dir_of(path);

	return link[0] == '/' ? xstrdup(link) : xasprintf("%s%s", dir, link);
}

struct source {
	bool is_dir;
	const char *base;
};

struct target {
	const char *path; /* as given, or where its link leads */
	bool exists;
	bool is_dir;
};

/* Where the tar goes, and what its first entry is called there. */
static int place(const struct source *src, const struct target *dst,
		 char **ret_dir, char **ret_as, struct err *e)
{
	const size_t n = strlen(dst->path);

	if (dst->exists && dst->is_dir) {
		*ret_dir = xstrdup(dst->path);
		*ret_as = xstrdup(src->base);
		return 0;
	}
	if (dst->exists && src->is_dir)
		return err_set(e, ERR_USAGE,
			       "cannot copy a directory onto a file: '%s'",
			       dst->path);
	if (!src->is_dir && n > 0 && dst->path[n - 1] == '/')
		return err_set(e, dst->exists ? ERR_USAGE : ERR_NOTFOUND,
			       "no such directory: '%s'", dst->path);
	*ret_dir = dir_of(dst->path);
	*ret_as = base_of(dst->path);
	return 0;
}

/* ---- workers ------------------------------------------------------------------- */

struct job {
	struct cp *cp;
	const char *path; /* in the container */
	const char *as;
	struct look *look;
	int pipe[2];
	int out; /* the worker's stream, or -1 */
	int to;  /* on the host */
};

/*
 * In the worker: the root to read from, and from then on nothing else but the
 * stream.
 */
static int enter_to_read(const struct job *j, struct err *e)
{
	const struct cp *const cp = j->cp;
	autoclose int root = view_open(&cp->s.c, &cp->s.spec,
				       cp->live ? VIEW_LIVE : VIEW_READABLE, e);
	const int keep[] = {root, j->out};

	if (root < 0)
		return -1;
	proc_worker_keep(keep, ARRAY_LEN(keep));
	return confine_reader(&root, 1, e) < 0 ? -1 : take_fd(&root);
}

/* The same, to write to. */
static int enter_to_write(const struct job *j, struct err *e)
{
	const struct cp *const cp = j->cp;
	autoclose int root = view_open(&cp->s.c, &cp->s.spec,
				       cp->live ? VIEW_LIVE : VIEW_WRITABLE, e);
	const int keep[] = {root, j->pipe[0]};

	if (root < 0)
		return -1;
	proc_worker_keep(keep, ARRAY_LEN(keep));
	return confine_writer(root, e) < 0 ? -1 : take_fd(&root);
}

static int look_there(void *arg, struct err *e)
{
	const struct job *const j = arg;
	autoclose int root = enter_to_read(j, e);
	autofree char *leaf = NULL;
	autoclose int dir = root < 0 ? -1 : view_find(root, j->path, &leaf, e);
	struct stat st;
	ssize_t n = 0;

	if (root < 0)
		return -1;
	if (dir < 0 && e->kind != ERR_NOTFOUND)
		return -1;
	err_clear(e);
	if (dir < 0 || fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW))
		return 0;
	j->look->exists = true;
	j->look->is_dir = S_ISDIR(st.st_mode);
	if (S_ISLNK(st.st_mode))
		n = readlinkat(dir, leaf, j->look->link, PATH_MAX - 1);
	j->look->link[n > 0 ? n : 0] = '\0';
	return 0;
}

static int read_there(void *arg, struct err *e)
{
	struct job *const j = arg;
	const struct tarout_opts o = {0};
	autoclose int root = enter_to_read(j, e);
	autofree char *leaf = NULL;
	autoclose int dir = root < 0 ? -1 : view_find(root, j->path, &leaf, e);
	autotarout struct tarout *t = NULL;

	if (dir < 0)
		return -1;
	t = tarout_open(image_output_sink, &j->out, &o);
	if (tarout_add(t, dir, leaf, j->as, e))
		return -1;
	return tarout_end(t, e);
}

static int write_there(void *arg, struct err *e)
{
	struct job *const j = arg;
	struct tarin_opts o = {.dir_fd = -1, .path = j->path};
	autoclose int root = enter_to_write(j, e);

	if (root < 0)
		return -1;
	o.root_fd = root;
	/* What has one id can belong to nobody else. */
	o.no_owner = j->cp->s.spec.userns && j->cp->s.spec.map.single;
	o.all_of = j->cp->o->archive && !str_empty(j->cp->s.spec.user);
	if (o.all_of && view_user(root, &j->cp->s.spec, &o.uid, &o.gid, e))
		return -1;
	return tarin(j->pipe[0], &o, e);
}

static int look_in(struct cp *cp, const char *path, struct look *ret,
		   struct err *e)
{
	struct look *const shared =
		mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct job j = {.cp = cp, .path = path, .look = shared, .out = -1};
	autoworker struct worker w = WORKER_NONE;
	int rc;

	if (shared == MAP_FAILED)
		return err_sys(e, "mmap", "for the worker");
	rc = proc_start(&w, "look", look_there, &j, e) || proc_wait(&w, e);
	*ret = *shared;
	/* The worker is not trusted: a hostile container may control it. */
	ret->link[PATH_MAX - 1] = '\0';
	(void)munmap(shared, sizeof(*shared));
	return rc ? -1 : 0;
}

static int not_there(const struct cp *cp, const char *path, struct err *e)
{
	return err_set(e, ERR_NOTFOUND,
		       "Could not find the file %s in container %s", path,
		       cp->container);
}

/* ---- out of the container -------------------------------------------------------- */

static int look_local(const char *path, struct target *ret, struct err *e)
{
	autofree char *dir = dir_of(path);
	struct stat st;

	*ret = (struct target){.path = path};
	if (stat(path, &st) == 0) {
		ret->exists = true;
		ret->is_dir = S_ISDIR(st.st_mode);
		return 0;
	}
	if (errno != ENOENT)
		return err_sys(e, "stat", "%s", path);
	if (*dir && stat(dir, &st))
		return err_set(e, ERR_NOTFOUND,
			       "invalid output path: directory \"%s\" does not "
			       "exist",
			       dir);
	return 0;
}

/* On the host, with the caller's rights and ids. */
static int write_here(void *arg, struct err *e)
{
	const struct job *const j = arg;
	const struct tarin_opts o = {
		.root_fd = -1, .dir_fd = j->to, .no_owner = true};

	if (confine_writer(j->to, e) < 0)
		return -1;
	return tarin(j->pipe[0], &o, e);
}

static int start_writer(struct worker *w, struct job *j, struct err *e)
{
	const int keep[] = {j->to, j->pipe[0]};

	return proc_start_alone(w, "write", write_here, j, keep,
				ARRAY_LEN(keep), e);
}

static int pipe_out(struct cp *cp, const char *path, const char *dir,
		    const char *as, struct err *e)
{
	autoclose int to =
		open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct job j = {.cp = cp, .path = path, .as = as, .to = to};
	autoworker struct worker reader = WORKER_NONE;
	autoworker struct worker writer = WORKER_NONE;
	struct err there = {0};
	int rc;

	if (to < 0)
		return err_sys(e, "open", "%s", dir);
	if (pipe2(j.pipe, O_CLOEXEC))
		return err_sys(e, "pipe2", "for the tar");
	(void)signal(SIGPIPE, SIG_IGN);
	j.out = j.pipe[1];
	rc = proc_start(&reader, "read", read_there, &j, e);
	(void)close(j.pipe[1]);
	if (rc == 0)
		rc = start_writer(&writer, &j, e);
	(void)close(j.pipe[0]);
	if (rc == 0)
		rc = proc_wait(&writer, e);
	/* A tar that is cut has its cause on the other side. */
	if (reader.pid > 0 && proc_wait(&reader, &there) &&
	    there.sys != EPIPE) {
		*e = there;
		return -1;
	}
	return rc;
}

static int to_stdout(struct cp *cp, const char *path, struct err *e)
{
	autofree char *as = base_of(path);
	struct job j = {.cp = cp, .path = path, .as = as, .out = STDOUT_FILENO};
	autoworker struct worker w = WORKER_NONE;

	if (isatty(STDOUT_FILENO))
		return err_set(e, ERR_USAGE, "a tar is not for a terminal");
	return proc_start(&w, "read", read_there, &j, e) || proc_wait(&w, e)
		       ? -1
		       : 0;
}

static int copy_out(struct cp *cp, const char *src, const char *dst,
		    struct err *e)
{
	autofree char *base = base_of(src);
	autofree char *path = xstrdup(src);
	autofree char *dir = NULL;
	autofree char *as = NULL;
	struct look look = {0};
	struct source from = {.base = base};
	struct target to;

	if (look_in(cp, path, &look, e))
		return -1;
	if (cp->o->follow && look.link[0]) {
		char *const target = link_target(path, look.link);

		free(path);
		path = target;
		if (look_in(cp, path, &look, e))
			return -1;
	}
	if (!look.exists)
		return not_there(cp, path, e);
	if (!strcmp(dst, "-"))
		return to_stdout(cp, path, e);
	from.is_dir = look.is_dir;
	if (look_local(dst, &to, e) || place(&from, &to, &dir, &as, e))
		return -1;
	return pipe_out(cp, path, dir, as, e);
}

/* ---- into the container ------------------------------------------------------------ */

struct local {
	int dir;    /* the parent */
	char *leaf; /* in it */
	char *base; /* what it is called */
	bool is_dir;
};

static void local_close(struct local *l)
{
	own_close(&l->dir);
	free(l->leaf);
	free(l->base);
}

static int local_open(const char *path, bool follow, struct local *ret,
		      struct err *e)
{
	autofree char *real = NULL;
	autofree char *dir = NULL;
	struct stat st;

	ret->base = base_of(path);
	/* ".." has no name of its own. */
	if (follow || !strcmp(ret->base, "..")) {
		real = realpath(path, NULL);
		if (!real)
			return err_sys(e, "realpath", "%s", path);
		if (!strcmp(ret->base, "..")) {
			free(ret->base);
			ret->base = base_of(real);
		}
	}
	if (real && strcmp(ret->base, ".") != 0)
		path = real;
	ret->leaf =
		path[strlen(path) - 1] == '/' ? xstrdup(".") : base_of(path);
	dir = strcmp(ret->leaf, ".") != 0 ? dir_of(path) : xstrdup(path);
	ret->dir = open(*dir ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->dir < 0)
		return err_sys(e, "open", "%s", dir);
	if (fstatat(ret->dir, ret->leaf, &st, AT_SYMLINK_NOFOLLOW))
		return err_sys(e, "lstat", "%s", path);
	ret->is_dir = S_ISDIR(st.st_mode);
	return 0;
}

/* Where the destination's link leads, if it is one: once, as in Docker. */
static int look_target(struct cp *cp, const char *path, char **ret_path,
		       struct look *look, struct err *e)
{
	*ret_path = xstrdup(path);
	if (look_in(cp, path, look, e))
		return -1;
	if (!look->link[0])
		return 0;
	free(*ret_path);
	*ret_path = link_target(path, look->link);
	return look_in(cp, *ret_path, look, e);
}

/* The worker's words are better than our broken pipe. */
static int end_of_writer(struct worker *w, int rc, struct err *e)
{
	struct err there = {0};

	if (proc_wait(w, &there)) {
		*e = there;
		return -1;
	}
	return rc;
}

static int pipe_in(struct cp *cp, const struct local *from, const char *dir,
		   const char *as, struct err *e)
{
	/* What is mine belongs to whoever I am in the container. */
	const struct tarout_opts o = {.map = geteuid() != 0 && cp->s.spec.userns
						     ? &cp->s.spec.map
						     : NULL};
	struct job j = {.cp = cp, .path = dir};
	autoworker struct worker w = WORKER_NONE;
	autotarout struct tarout *t = NULL;
	int rc;

	if (pipe2(j.pipe, O_CLOEXEC))
		return err_sys(e, "pipe2", "for the tar");
	(void)signal(SIGPIPE, SIG_IGN);
	rc = proc_start(&w, "write", write_there, &j, e);
	(void)close(j.pipe[0]);
	if (rc == 0) {
		t = tarout_open(image_output_sink, &j.pipe[1], &o);
		rc = tarout_add(t, from->dir, from->leaf, as, e) ||
		     tarout_end(t, e);
	}
	/* A tar that we could not finish must not look like a whole one. */
	if (rc && w.pid > 0 && e->sys != EPIPE) {
		proc_kill(&w);
		(void)close(j.pipe[1]);
		return -1;
	}
	(void)close(j.pipe[1]);
	return w.pid > 0 ? end_of_writer(&w, rc ? -1 : 0, e) : -1;
}

static int from_stdin(struct cp *cp, const char *dir, struct err *e)
{
	struct job j = {.cp = cp, .path = dir, .pipe = {STDIN_FILENO, -1}};
	autoworker struct worker w = WORKER_NONE;

	return proc_start(&w, "write", write_there, &j, e) || proc_wait(&w, e)
		       ? -1
		       : 0;
}

static int check_writable(struct cp *cp, struct err *e)
{
	if (cp->live)
		return 0;
	if (cp->s.spec.readonly_root)
		return err_set(e, ERR_USAGE,
			       "container rootfs is marked read-only");
	/* It shall not start while we write below it. */
	return container_lock(&cp->s.c, e);
}

static int copy_in(struct cp *cp, const char *src, const char *dst,
		   struct err *e)
{
	__attribute__((cleanup(local_close))) struct local from = {.dir = -1};
	autofree char *path = NULL;
	autofree char *dir = NULL;
	autofree char *as = NULL;
	struct look look = {0};
	struct source what;
	struct target to;

	if (check_writable(cp, e) || look_target(cp, dst, &path, &look, e))
		return -1;
	if (!strcmp(src, "-")) {
		if (!look.is_dir)
			return err_set(e, ERR_USAGE,
				       "destination \"%s:%s\" must be a "
				       "directory",
				       cp->container, dst);
		return from_stdin(cp, path, e);
	}
	if (local_open(src, cp->o->follow, &from, e))
		return -1;
	what = (struct source){.is_dir = from.is_dir, .base = from.base};
	to = (struct target){
		.path = path, .exists = look.exists, .is_dir = look.is_dir};
	if (place(&what, &to, &dir, &as, e))
		return -1;
	if (!look.exists) {
		if (look_in(cp, *dir ? dir : "/", &look, e))
			return -1;
		if (!look.exists)
			return not_there(cp, dir, e);
	}
	return pipe_in(cp, &from, dir, as, e);
}

/* ---- the command ----------------------------------------------------------------- */

/* CONTAINER:PATH, or NULL: a path of the host ("./a:b", "/a:b" too). */
static char *container_of(const char *arg, const char **ret_path)
{
	const char *const colon = strchr(arg, ':');

	*ret_path = arg;
	if (!colon || colon == arg || arg[0] == '/' || arg[0] == '.' ||
	    memchr(arg, '/', (size_t)(colon - arg)))
		return NULL;
	*ret_path = colon + 1;
	return xstrndup(arg, (size_t)(colon - arg));
}

static int cp_run(const struct globals *g, void *fields, int argc, char **argv,
		  struct err *e)
{
	struct cp cp = {.o = fields, .s = SUBJECT_NONE};
	const char *src;
	const char *dst;
	autofree char *from = container_of(argv[0], &src);
	autofree char *to = container_of(argv[1], &dst);
	struct container_state state = {0};
	int rc;

	(void)argc;
	if (from && to)
		return err_set(e, ERR_USAGE,
			       "copying between containers is not supported");
	if (!from && !to)
		return err_set(e, ERR_USAGE,
			       "must specify at least one container source");
	if (!*src || !*dst)
		return err_set(e, ERR_USAGE, "a path is missing");
	cp.container = from ? from : to;
	if (subject_open(g, cp.container, false, &cp.s, e))
		return -1;
	rc = container_state_get(&cp.s.c, &state, e);
	cp.live = state.pid > 0;
	state_free(&state);
	if (rc == 0)
		rc = from ? copy_out(&cp, src, dst, e)
			  : copy_in(&cp, src, dst, e);
	subject_close(&cp.s);
	return rc;
}

extern const struct command cmd_cp;
const struct command cmd_cp = {
	.name = "cp",
	.operands = "CONTAINER:SRC DST|-  |  SRC|- CONTAINER:DST",
	.summary = "Copy files between a container and the host",
	.opts = cp_options,
	.fields_size = sizeof(struct cp_opts),
	.min_operands = 2,
	.max_operands = 2,
	.run = cp_run,
};
