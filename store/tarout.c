#include "store/tarout.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <unistd.h>

#include "base/inodes.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "base/walk.h"
#include "store/untar_xattr.h"

#define PIECE KIB(64)

struct tarout {
	struct tarout_opts o;
	sink_fn sink;
	bool over; /* nobody takes bytes any more */
	void *ctx;
	struct archive *a;
	struct err cause; /* of the sink */
	const char *path; /* the entry's path in the tar */
	struct inodes links;
	char *data;
	char *xattr_names;
	char *xattr_value;
};

/* One name in a directory. */
struct entry {
	int dirfd;
	const char *leaf;
	int fd; /* files that can be read and directories: open; else -1 */
	struct stat st;
	bool opaque;
};

static ssize_t to_sink(struct archive *a, void *client, const void *p, size_t n)
{
	struct tarout *const t = client;

	(void)a;
	if (t->over)
		return (ssize_t)n;
	return t->sink(t->ctx, p, n, &t->cause) ? -1 : (ssize_t)n;
}

struct tarout *tarout_open(sink_fn sink, void *ctx, const struct tarout_opts *o)
{
	struct tarout *const t = xcalloc(1, sizeof(*t));

	t->o = *o;
	t->sink = sink;
	t->ctx = ctx;
	t->path = "";
	t->data = xmalloc(PIECE);
	t->xattr_names = xmalloc(XATTR_MAX);
	t->xattr_value = xmalloc(XATTR_MAX);
	t->a = archive_write_new();
	return t;
}

void tarout_free(struct tarout *t)
{
	if (!t)
		return;
	/*
	 * What is not finished by now shall not be: the end marker goes
	 * nowhere. archive_write_fail(3) would say so too, and then leak.
	 */
	t->over = true;
	if (t->a)
		(void)archive_write_free(t->a);
	inodes_free(&t->links);
	free(t->data);
	free(t->xattr_names);
	free(t->xattr_value);
	free(t);
}

void own_tarout(struct tarout **t)
{
	tarout_free(*t);
}

/* libarchive gave up: the sink's error, if it has one. */
static int failed(const struct tarout *t, const char *what, struct err *e)
{
	if (err_is(&t->cause)) {
		*e = t->cause;
		return -1;
	}
	return err_set(e, ERR_SYS, "write %s into the tar: %s", what,
		       archive_error_string(t->a) ? archive_error_string(t->a)
						  : "unknown");
}

/* Opened with the first entry, so that an error has somebody to tell. */
static int begin(struct tarout *t, struct err *e)
{
	if (archive_format(t->a) != 0)
		return 0;
	if (archive_write_set_format_pax(t->a) ||
	    /* Go, GNU tar and bsdtar read SCHILY's; libarchive's own is noise */
	    archive_write_set_option(t->a, "pax", "xattrheader", "SCHILY") ||
	    archive_write_set_bytes_per_block(t->a, PIECE) ||
	    archive_write_set_bytes_in_last_block(t->a, 1) ||
	    archive_write_open(t->a, t, NULL, to_sink, NULL))
		return failed(t, "the first entry", e);
	return 0;
}

/* ---- what an entry carries -------------------------------------------------- */

static ssize_t list_xattrs(const struct tarout *t, const struct entry *x)
{
	return x->fd >= 0 ? flistxattr(x->fd, t->xattr_names, XATTR_MAX)
			  : path_listxattr(x->dirfd, x->leaf, PATH_NO_LINKS,
					   t->xattr_names, XATTR_MAX);
}

static ssize_t get_xattr(const struct tarout *t, const struct entry *x,
			 const char *name)
{
	return x->fd >= 0 ? fgetxattr(x->fd, name, t->xattr_value, XATTR_MAX)
			  : path_getxattr(x->dirfd, x->leaf, PATH_NO_LINKS,
					  name, t->xattr_value, XATTR_MAX);
}

/* 1: overlay's own, dealt with; 0: the entry's. */
static int overlay_xattr(const struct tarout *t, struct entry *x,
			 const char *name, ssize_t n, struct err *e)
{
	if (!xattr_is_overlays(name, t->o.userxattr))
		return 0;
	if (str_ends(name, ".opaque"))
		x->opaque = n == 1 && t->xattr_value[0] == 'y';
	if (str_ends(name, ".redirect") || str_ends(name, ".metacopy")) {
		(void)err_set(e, ERR_UNSUPPORTED,
			      "%s: overlayfs left %s, which no layer can say",
			      walk_tail(t->path), name);
		return err_hint(e, "the overlay module of this host has "
				   "redirect_dir or metacopy on");
	}
	return 1;
}

/* The name an escaped one has in the view of the container. */
static const char *unescaped(const char *name, bool userxattr, char *buf,
			     size_t n)
{
	const char *const ns = userxattr ? "user." : "trusted.";
	const char *const rest = str_after(name, ns);
	const char *const inner =
		rest ? str_after(rest, "overlay.overlay.") : NULL;

	if (!inner)
		return name;
	(void)snprintf(buf, n, "%soverlay.%s", ns, inner);
	return buf;
}

static int add_xattrs(struct tarout *t, struct entry *x,
		      struct archive_entry *ae, struct err *e)
{
	const ssize_t n = list_xattrs(t, x);

	for (const char *p = t->xattr_names; n > 0 && p < t->xattr_names + n;
	     p += strlen(p) + 1) {
		char name[XATTR_NAME_MAX + 1];
		ssize_t size;
		int own;

		if (!strcmp(p, "security.selinux"))
			continue;
		size = get_xattr(t, x, p);
		if (size < 0)
			continue; /* gone meanwhile */
		own = t->o.layer ? overlay_xattr(t, x, p, size, e) : 0;
		if (own < 0)
			return -1;
		if (own == 0)
			archive_entry_xattr_add_entry(
				ae,
				t->o.layer ? unescaped(p, t->o.userxattr, name,
						       sizeof(name))
					   : p,
				t->xattr_value, (size_t)size);
	}
	return 0;
}

/* Layers have the container's own ids already; they are never in a range. */
static void set_owner(const struct tarout *t, const struct stat *st,
		      struct archive_entry *ae)
{
	uint32_t uid = st->st_uid;
	uint32_t gid = st->st_gid;

	if (t->o.map) {
		(void)idmap_uid_inside(t->o.map, st->st_uid, &uid);
		(void)idmap_gid_inside(t->o.map, st->st_gid, &gid);
	}
	archive_entry_set_uid(ae, uid);
	archive_entry_set_gid(ae, gid);
}

/* Where data is: libarchive leaves the holes out. */
static void add_holes(const struct entry *x, struct archive_entry *ae)
{
	off_t at = 0;

	/* As many blocks as bytes: no hole. */
	if ((uint64_t)x->st.st_blocks * 512 >= (uint64_t)x->st.st_size)
		return;
	for (;;) {
		const off_t data = lseek(x->fd, at, SEEK_DATA);
		off_t hole;

		if (data < 0) {
			/* Nothing but a hole: how libarchive says it. */
			if (at == 0)
				archive_entry_sparse_add_entry(ae, 0, 0);
			return;
		}
		hole = lseek(x->fd, data, SEEK_HOLE);
		if (hole < 0)
			return;
		archive_entry_sparse_add_entry(ae, data, hole - data);
		if (hole >= x->st.st_size)
			return;
		at = hole;
	}
}

/* ---- writing ------------------------------------------------------------------ */

static int put_header(struct tarout *t, struct archive_entry *ae, struct err *e)
{
	const int rc = archive_write_header(t->a, ae);

	/* WARN: a name that is no UTF-8, written as the bytes it is. */
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
		return failed(t, walk_tail(t->path), e);
	return 0;
}

/* The file may shrink or grow while it is read: the tar keeps its promise. */
static int put_data(struct tarout *t, const struct entry *x, struct err *e)
{
	uint64_t left = (uint64_t)x->st.st_size;
	off_t at = 0;

	while (left > 0) {
		const size_t want = left < PIECE ? (size_t)left : PIECE;
		ssize_t n = pread(x->fd, t->data, want, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read", "%s", walk_tail(t->path));
		if (n == 0) {
			memset(t->data, 0, want);
			n = (ssize_t)want;
		}
		if (archive_write_data(t->a, t->data, (size_t)n) < 0)
			return failed(t, walk_tail(t->path), e);
		at += n;
		left -= (uint64_t)n;
	}
	return 0;
}

static int put_symlink(const struct tarout *t, const struct entry *x,
		       struct archive_entry *ae, struct err *e)
{
	char to[PATH_MAX];

	if (path_readlink(x->dirfd, x->leaf, PATH_NO_LINKS, to, sizeof(to)) < 0)
		return err_sys(e, "readlinkat", "%s", walk_tail(t->path));
	archive_entry_set_symlink(ae, to);
	return 0;
}

/* An empty file that only its name says something about: .wh.x */
static int put_marker(struct tarout *t, const char *path, struct err *e)
{
	struct archive_entry *const ae = archive_entry_new();
	int rc;

	archive_entry_set_pathname(ae, path);
	archive_entry_set_filetype(ae, AE_IFREG);
	archive_entry_set_perm(ae, 0);
	archive_entry_set_size(ae, 0);
	archive_entry_set_mtime(ae, 0, 0);
	rc = put_header(t, ae, e);
	archive_entry_free(ae);
	return rc;
}

static int put_whiteout(struct tarout *t, const char *leaf, struct err *e)
{
	const int dir = (int)(strlen(t->path) - strlen(leaf));
	autofree char *path = xasprintf("%.*s.wh.%s", dir, t->path, leaf);

	return put_marker(t, path, e);
}

static int fill_entry(struct tarout *t, struct entry *x,
		      struct archive_entry *ae, struct err *e)
{
	const struct stat *const st = &x->st;
	const char *const link = inodes_seen(&t->links, st, t->path);

	archive_entry_set_mode(ae, st->st_mode);
	archive_entry_set_mtime(ae, st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	set_owner(t, st, ae);
	if (link) {
		archive_entry_set_hardlink(ae, link);
		return 0;
	}
	if (S_ISLNK(st->st_mode) && put_symlink(t, x, ae, e))
		return -1;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		archive_entry_set_rdevmajor(ae, major(st->st_rdev));
		archive_entry_set_rdevminor(ae, minor(st->st_rdev));
	}
	if (S_ISREG(st->st_mode)) {
		archive_entry_set_size(ae, st->st_size);
		add_holes(x, ae);
	}
	return add_xattrs(t, x, ae, e);
}

static int put_entry(struct tarout *t, struct entry *x, struct err *e)
{
	struct archive_entry *const ae = archive_entry_new();
	autofree char *dir =
		S_ISDIR(x->st.st_mode) ? xasprintf("%s/", t->path) : NULL;
	int rc;

	archive_entry_set_pathname(ae, dir ? dir : t->path);
	rc = fill_entry(t, x, ae, e);
	if (rc == 0)
		rc = put_header(t, ae, e);
	if (rc == 0 && S_ISREG(x->st.st_mode) && !archive_entry_hardlink(ae))
		rc = put_data(t, x, e);
	archive_entry_free(ae);
	if (rc == 0 && x->opaque) {
		autofree char *opq = xasprintf("%s/.wh..wh..opq", t->path);

		rc = put_marker(t, opq, e);
	}
	return rc;
}

/* ---- the walk ------------------------------------------------------------------ */

/*
 * Open the content of an entry. Neither waits for nor reads a FIFO or a device
 * that replaced the file since it was checked. 1: it is gone.
 */
static int open_entry(struct entry *x, const char *what, struct err *e)
{
	const int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW;
	mode_t type;

	if (path_stat(x->dirfd, x->leaf, PATH_NO_LINKS, &x->st) < 0)
		return errno == ENOENT ? 1 : err_sys(e, "fstatat", "%s", what);
	type = x->st.st_mode & S_IFMT;
	if (type != S_IFREG && type != S_IFDIR)
		return 0;
	x->fd = path_open(x->dirfd, x->leaf, PATH_NO_LINKS,
			  flags | (type == S_IFDIR ? O_DIRECTORY : 0), 0);
	if (x->fd < 0)
		return errno == ENOENT ? 1 : err_sys(e, "openat2", "%s", what);
	if (fstat(x->fd, &x->st) < 0)
		return err_sys(e, "fstat", "%s", what);
	if ((x->st.st_mode & S_IFMT) != type)
		return err_sysno(e, ESTALE, "openat2", "%s", what);
	return 0;
}

/*
 * silent: write the directory's entries without the directory itself. ret_dir:
 * a directory whose entries come next, or -1.
 */
static int put_name(struct tarout *t, int dirfd, const char *leaf, bool silent,
		    int *ret_dir, struct err *e)
{
	struct entry x = {.dirfd = dirfd, .leaf = leaf, .fd = -1};
	autoclose int fd = -1;
	const int rc = open_entry(&x, walk_tail(t->path), e);

	fd = x.fd;
	/* 1: gone between readdir and now. */
	if (rc)
		return rc < 0 ? -1 : 0;
	if (S_ISSOCK(x.st.st_mode))
		return 0;
	if (t->o.layer && S_ISCHR(x.st.st_mode) && x.st.st_rdev == 0)
		return put_whiteout(t, leaf, e);
	if (!silent && put_entry(t, &x, e))
		return -1;
	if (S_ISDIR(x.st.st_mode))
		*ret_dir = take_fd(&fd);
	return 0;
}

static int put_walked(struct tarout *t, struct walk *w,
		      const struct walk_at *at, struct err *e)
{
	autoclose int dir = -1;

	t->path = at->path;
	if ((!t->o.skip ||
	     !t->o.skip(t->o.skip_ctx, at->path, at->dir, at->name)) &&
	    put_name(t, at->dir, at->name, false, &dir, e))
		return -1;
	if (dir < 0)
		walk_skip(w);
	else
		walk_into(w, take_fd(&dir));
	return 0;
}

static int put_below(struct tarout *t, int dir, const char *as, struct err *e)
{
	autowalk struct walk *w =
		walk_open(dir, as, WALK_SORTED | WALK_NO_STAT, e);
	struct walk_at at = {0};
	int event = w ? 0 : -1;

	while (w) {
		event = walk_next(w, &at, e);
		if (event > 0 && event != WALK_UP &&
		    put_walked(t, w, &at, e) < 0)
			event = -1;
		if (event <= 0)
			break;
	}
	/* The path belonged to the walk. */
	t->path = "";
	return event;
}

int tarout_add(struct tarout *t, int dirfd, const char *leaf, const char *as,
	       struct err *e)
{
	autoclose int dir = -1;

	if (begin(t, e))
		return -1;
	t->path = as;
	if (put_name(t, dirfd, leaf, !*as, &dir, e))
		return -1;
	return dir < 0 ? 0 : put_below(t, dir, as, e);
}

/* ---- files that are made for the archive ------------------------------------- */

static int put_made_header(struct tarout *t, const char *name, uint64_t size,
			   struct err *e)
{
	struct archive_entry *const ae = archive_entry_new();
	int rc;

	if (!ae)
		return err_set(e, ERR_SYS, "archive_entry_new: no memory");
	t->path = name;
	archive_entry_set_pathname(ae, name);
	archive_entry_set_filetype(ae, AE_IFREG);
	archive_entry_set_perm(ae, 0644);
	archive_entry_set_size(ae, (la_int64_t)size);
	archive_entry_set_mtime(ae, 0, 0);
	rc = begin(t, e) || put_header(t, ae, e) ? -1 : 0;
	archive_entry_free(ae);
	return rc;
}

int tarout_text(struct tarout *t, const char *name, const void *p, size_t n,
		struct err *e)
{
	if (put_made_header(t, name, n, e))
		return -1;
	return archive_write_data(t->a, p, n) < 0 ? failed(t, name, e) : 0;
}

int tarout_file(struct tarout *t, const char *name, int fd, uint64_t size,
		struct err *e)
{
	if (put_made_header(t, name, size, e))
		return -1;
	for (uint64_t at = 0; at < size;) {
		const size_t want =
			size - at < PIECE ? (size_t)(size - at) : PIECE;
		const ssize_t n = pread(fd, t->data, want, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "pread", "%s", name);
		if (n == 0)
			return err_set(e, ERR_INVALID, "%s became shorter",
				       name);
		if (archive_write_data(t->a, t->data, (size_t)n) < 0)
			return failed(t, name, e);
		at += (uint64_t)n;
	}
	return 0;
}

int tarout_end(struct tarout *t, struct err *e)
{
	if (begin(t, e) || archive_write_close(t->a))
		return failed(t, "the end", e);
	return 0;
}
