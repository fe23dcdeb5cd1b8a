#include "skeleton.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/path.h"
#include "base/proc.h"
#include "confine.h"
#include "layerlist.h"
#include "skeleton_make.h"
#include "skeleton_move.h"
#include "skeleton_view.h"
#include "stack.h"

/*
 * How it works.
 * 1. The summaries of all lists: usually they say that nothing is to be done.
 * 2. The layers are piled up, bottom first, from the last opaque root on. For
 *    each, the implied directories are looked up in the pile below: where that
 *    shows a symlink to a directory, a patch right above the layer writes
 *    through.
 * 3. With the whole pile: implied directories on top of something that has an
 *    entry for them, and directories that only one level has and that hold
 *    whiteouts, are made in "top".
 * 4. The stack file names everything, top first.
 * 2 and 3 read lists and trees of an image and write what it says, so a worker
 * does them that sees the layers, the skeleton and nothing else of the machine.
 * The parent believes of its work only which directories stand there.
 */

struct one {
	struct list_summary sum;
	struct paths implied;
	struct paths white; /* whiteouts of the layer */
	struct paths moved; /* whiteouts of its patch */
	size_t level;       /* in the view */
	struct maker *patch;
};

struct job {
	const struct skeleton_layer *layer;
	struct one *one;
	size_t n;
	size_t bottom; /* layers below it are cut off */
	bool userxattr;
	int out_fd;
	struct view *view;
	struct maker *top; /* NULL until needed */
};

/* ---- 1. is there anything to do? ----------------------------------------- */

static int read_summaries(struct job *j, struct err *e)
{
	for (size_t i = 0; i < j->n; i++) {
		ERR_IN(e, "layer %s", DIGEST_SHORT(&j->layer[i].diff_id));
		if (list_summary_read(j->layer[i].list_fd, &j->one[i].sum, e) <
		    0)
			return -1;
		if (j->one[i].sum.opaque_root)
			j->bottom = i;
	}
	return 0;
}

/* Does the top layer's root show what the image means? */
static bool root_is_wrong(const struct job *j)
{
	size_t i = j->n;

	while (i > 0 && j->one[i - 1].sum.root_implied)
		i--;
	if (i == 0 || i == j->n)
		return false;
	/* An implied root is 0755 0:0; its time nobody sees: a container has
	   an upper directory of its own. */
	return j->one[i - 1].sum.root_mode != 0755 ||
	       j->one[i - 1].sum.root_uid || j->one[i - 1].sum.root_gid ||
	       j->one[i - 1].sum.root_xattrs;
}

static bool may_need(const struct job *j)
{
	bool any = j->bottom > 0 || root_is_wrong(j);

	for (size_t i = j->bottom; i < j->n; i++)
		any |= j->one[i].sum.whiteouts > 0 ||
		       (i > j->bottom && j->one[i].sum.implied > 0);
	return any;
}

int skeleton_is_needed(const struct skeleton_layer *layers, size_t n,
		       bool *ret_needed, struct err *e)
{
	autofree struct one *one = xcalloc(n ? n : 1, sizeof(*one));
	struct job j = {.layer = layers, .one = one, .n = n};

	if (read_summaries(&j, e) < 0)
		return -1;
	*ret_needed = may_need(&j);
	return 0;
}

/* ---- 2. the pile --------------------------------------------------------- */

static int read_list(int fd, struct one *o, struct err *e)
{
	struct list_reader *r;
	struct list_rec rec;
	int rc;

	if (o->sum.implied == 0 && o->sum.whiteouts == 0)
		return 0;
	if (list_open(fd, &r, e) < 0)
		return -1;
	list_only(r, "dw");
	while ((rc = list_next(r, &rec, e)) > 0) {
		if (rec.type == 'w')
			paths_add(&o->white, rec.path);
		else if ((rec.flags & LIST_IMPLIED) && strcmp(rec.path, "."))
			paths_add(&o->implied, rec.path);
	}
	list_close(r);
	paths_sort(&o->implied);
	paths_sort(&o->white);
	return rc;
}

static bool is_below(const char *path, const char *dir)
{
	const size_t n = strlen(dir);

	return !strncmp(path, dir, n) && path[n] == '/';
}

struct through {
	struct paths link;
	struct paths dst;
};

/* Implied directories where the pile below shows a symlink to a directory. */
static int find_through(struct view *lower, const struct one *o,
			struct through *ret, struct err *e)
{
	for (size_t i = 0; i < o->implied.n; i++) {
		const char *const path = o->implied.v[i];
		const size_t n = ret->link.n;
		autofree char *dst = NULL;
		struct view_at at;

		if (n > 0 && is_below(path, ret->link.v[n - 1]))
			continue;
		if (view_lookup(lower, path, &at, e) < 0)
			return -1;
		if (at.kind != VIEW_LINK)
			continue;
		if (view_resolve(lower, path, &dst, e) < 0)
			return -1;
		if (!dst)
			continue;
		paths_add(&ret->link, path);
		paths_add(&ret->dst, dst);
	}
	return 0;
}

#define NAME_ROOM 32
#define TOP       "top"

static void patch_name(size_t i, char ret[NAME_ROOM])
{
	(void)snprintf(ret, NAME_ROOM, "patch-%zu", i);
}

static int make_patch(struct job *j, size_t i, struct view *lower,
		      const struct through *t, struct err *e)
{
	struct one *const o = &j->one[i];
	struct skeleton_move mv = {.lower = lower, .moved_white = &o->moved};
	char name[NAME_ROOM];

	if (t->link.n == 0)
		return 0;
	patch_name(i, name);
	if (maker_open(j->view, j->userxattr, j->out_fd, name, &o->patch, e) <
	    0)
		return -1;
	mv.patch = o->patch;
	mv.level = view_level(j->view, o->level);
	for (size_t k = 0; k < t->link.n; k++)
		if (skeleton_move(&mv, t->link.v[k], t->dst.v[k], e) < 0)
			return -1;
	paths_sort(&o->moved);
	/* Now, since what lies above takes its attributes from here. */
	return maker_finish(o->patch, e);
}

static void push_layer(struct job *j, size_t i)
{
	struct one *const o = &j->one[i];
	const struct level l = {
		.fd = j->layer[i].fs_fd,
		.implied = &o->implied,
		.root_implied = o->sum.root_implied,
	};

	o->level = view_levels(j->view);
	view_push(j->view, &l);
}

/* lower is the same pile, one layer behind. */
static int pile_up(struct job *j, size_t i, struct view *lower, struct err *e)
{
	struct one *const o = &j->one[i];
	struct through t = {0};
	int rc;

	if (read_list(j->layer[i].list_fd, o, e) < 0)
		return -1;
	rc = i > j->bottom ? find_through(lower, o, &t, e) : 0;
	push_layer(j, i);
	if (rc == 0)
		rc = make_patch(j, i, lower, &t, e);
	paths_free(&t.link);
	paths_free(&t.dst);
	view_push(lower, view_level(j->view, o->level));
	if (rc == 0 && o->patch) {
		const struct level p = {.fd = maker_fd(o->patch)};

		view_push(j->view, &p);
		view_push(lower, &p);
	}
	return rc;
}

static int pile_all(struct job *j, struct err *e)
{
	struct view *const lower = view_make();
	int rc = 0;

	for (size_t i = j->bottom; rc == 0 && i < j->n; i++)
		rc = pile_up(j, i, lower, e);
	view_free(lower);
	return rc;
}

/* ---- 3. the top ---------------------------------------------------------- */

static int need_dir(struct job *j, const char *path, struct err *e)
{
	if (!j->top &&
	    maker_open(j->view, j->userxattr, j->out_fd, TOP, &j->top, e) < 0)
		return -1;
	return maker_dir(j->top, path, e);
}

/* The topmost level has it without an entry, a lower one with. */
static int top_implied(struct job *j, const struct one *o, struct err *e)
{
	for (size_t i = 0; i < o->implied.n; i++) {
		const char *const path = o->implied.v[i];
		struct view_at at;
		int64_t from;

		if (view_lookup(j->view, path, &at, e) < 0)
			return -1;
		if (at.kind != VIEW_DIR || at.level[0] != o->level)
			continue;
		if (view_attr_level(j->view, path, &from, e) < 0)
			return -1;
		if (from >= 0 && need_dir(j, path, e) < 0)
			return -1;
	}
	return 0;
}

/* Whiteouts of one level in a directory that nothing else is merged into. */
static int top_ghosts(struct job *j, const struct paths *white, size_t level,
		      struct err *e)
{
	for (size_t i = 0; i < white->n; i++) {
		const char *const slash = strrchr(white->v[i], '/');
		autofree char *dir = xstrndup(
			white->v[i], slash ? (size_t)(slash - white->v[i]) : 0);
		struct view_at at;

		if (view_lookup(j->view, dir, &at, e) < 0)
			return -1;
		if (at.kind != VIEW_DIR || at.n != 1 || at.level[0] != level)
			continue;
		if (need_dir(j, dir, e) < 0)
			return -1;
	}
	return 0;
}

static int make_top(struct job *j, struct err *e)
{
	if (root_is_wrong(j) && need_dir(j, "", e) < 0)
		return -1;
	for (size_t i = j->bottom; i < j->n; i++) {
		const struct one *const o = &j->one[i];

		if (i > j->bottom && top_implied(j, o, e) < 0)
			return -1;
		if (top_ghosts(j, &o->white, o->level, e) < 0 ||
		    top_ghosts(j, &o->moved, o->level + 1, e) < 0)
			return -1;
	}
	return 0;
}

/* ---- the worker ---------------------------------------------------------- */

static void free_all(struct job *j)
{
	for (size_t i = 0; i < j->n; i++) {
		paths_free(&j->one[i].implied);
		paths_free(&j->one[i].white);
		paths_free(&j->one[i].moved);
		maker_free(j->one[i].patch);
	}
	maker_free(j->top);
	view_free(j->view);
}

static int fill(struct job *j, struct err *e)
{
	if (read_summaries(j, e) < 0)
		return -1;
	if (!may_need(j))
		return 0;
	if (pile_all(j, e) < 0 || make_top(j, e) < 0)
		return -1;
	return maker_finish(j->top, e);
}

int skeleton_fill(const struct skeleton_layer *layers, size_t n, bool userxattr,
		  int out_fd, struct err *e)
{
	autofree struct one *one = xcalloc(n ? n : 1, sizeof(*one));
	struct job j = {
		.layer = layers,
		.one = one,
		.n = n,
		.userxattr = userxattr,
		.out_fd = out_fd,
		.view = view_make(),
	};
	const mode_t mask = umask(0);
	int rc;

	rc = fill(&j, e);
	free_all(&j);
	(void)umask(mask);
	return rc;
}

/* The system calls of skeleton_fill. */
static const int FILL_CALLS[] = {
	PATH_CALLS_WRITE,    SYS_getdents64, SYS_statx,     SYS_fchown,
	SYS_fchmod,          SYS_fgetxattr,  SYS_fsetxattr, SYS_flistxattr,
	SYS_copy_file_range, SYS_ftruncate,  SYS_lseek,     SYS_pread64,
	SYS_fcntl,           SYS_umask,
};

static int confine(const struct job *j, struct err *e)
{
	autofree int *look = xcalloc(j->n ? j->n : 1, sizeof(*look));
	uint64_t caps = CONFINE_CAP(CAP_CHOWN) | CONFINE_CAP(CAP_DAC_OVERRIDE) |
			CONFINE_CAP(CAP_FOWNER) | CONFINE_CAP(CAP_FSETID) |
			CONFINE_CAP(CAP_MKNOD) | CONFINE_CAP(CAP_SETFCAP);

	/* Needed for trusted.* xattrs, among them overlayfs's marks. */
	if (!j->userxattr)
		caps |= CONFINE_CAP(CAP_SYS_ADMIN);
	for (size_t i = 0; i < j->n; i++)
		look[i] = j->layer[i].fs_fd;
	if (confine_trees(look, j->n, j->out_fd, e) < 0 ||
	    confine_caps(caps, e) < 0 || confine_privs(e) < 0)
		return -1;
	return confine_syscalls(FILL_CALLS, ARRAY_LEN(FILL_CALLS), e);
}

static int work(void *arg, struct err *e)
{
	const struct job *const j = arg;

	if (confine(j, e) < 0)
		return -1;
	return skeleton_fill(j->layer, j->n, j->userxattr, j->out_fd, e);
}

/* ---- 4. the stack, by the parent ------------------------------------------ */

/* Is name a directory that the worker made? 1, 0 or -1. */
static int has_own(int out_fd, const char *name, struct err *e)
{
	struct stat st;

	if (path_stat(out_fd, name, PATH_NO_LINKS, &st) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "fstatat", "%s", name);
	return S_ISDIR(st.st_mode) ? 1
				   : err_set(e, ERR_INVALID,
					     "%s of the skeleton is not a "
					     "directory",
					     name);
}

static int write_stack(const struct job *j, bool *ret_made, struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);
	int own = has_own(j->out_fd, TOP, e);
	bool made = j->bottom > 0 || own > 0;
	char name[NAME_ROOM];

	buf_adds(&b, "prism-stack 1\n");
	if (own > 0)
		buf_adds(&b, "own " TOP "\n");
	for (size_t i = j->n; own >= 0 && i-- > j->bottom;) {
		patch_name(i, name);
		own = has_own(j->out_fd, name, e);
		if (own > 0)
			buf_addf(&b, "own %s\n", name);
		buf_addf(&b, "layer %s\n", DIGEST_TEXT(&j->layer[i].diff_id));
		made |= own > 0;
	}
	if (own < 0)
		return -1;
	buf_adds(&b, "end\n");
	if (made && fs_replace_at(j->out_fd, "stack", buf_str(&b), b.len, 0644,
				  false, e) < 0)
		return -1;
	*ret_made = made;
	return 0;
}

static int run_worker(struct job *j, struct err *e)
{
	autofree int *keep = xcalloc(2 * j->n + 1, sizeof(*keep));
	autoworker struct worker w = WORKER_NONE;

	for (size_t i = 0; i < j->n; i++) {
		keep[i] = j->layer[i].fs_fd;
		keep[j->n + i] = j->layer[i].list_fd;
	}
	keep[2 * j->n] = j->out_fd;
	return proc_start_alone(&w, "skeleton", work, j, keep, 2 * j->n + 1,
				e) < 0
		       ? -1
		       : proc_wait(&w, e);
}

int skeleton_build(const struct skeleton_layer *layers, size_t n,
		   bool userxattr, int out_fd, bool *ret_made, struct err *e)
{
	autofree struct one *one = xcalloc(n ? n : 1, sizeof(*one));
	struct job j = {
		.layer = layers,
		.one = one,
		.n = n,
		.userxattr = userxattr,
		.out_fd = out_fd,
	};

	if (n > LAYERS_MAX)
		return err_set(e, ERR_TOOBIG, "more than %d layers",
			       LAYERS_MAX);
	if (read_summaries(&j, e) < 0)
		return -1;
	if (!may_need(&j)) {
		*ret_made = false;
		return 0;
	}
	return run_worker(&j, e) < 0 ? -1 : write_stack(&j, ret_made, e);
}
