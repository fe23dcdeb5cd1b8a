#include "untar_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/hash.h"
#include "base/own.h"
#include "base/path.h"

/*
 * A file's digest is over its content, holes included. A sparse file can claim
 * any size, so holes are hashed up to this much per layer (some seconds);
 * files beyond it are listed without a digest.
 */
#define HOLES_HASHED_MAX (UINT64_C(4) << 30)

/* ---- what was there before ----------------------------------------------- */

static int list_removed(struct untar *u, struct err *e)
{
	const struct list_rec gone = {.type = 'x', .path = u->at->path};

	return list_add(u->list, &gone, e);
}

/* The last entry of a path wins: make room for it. */
static int remove_old(struct untar *u, struct err *e)
{
	struct place *const p = u->at;
	struct tree_dir *const dir = tree_find(u->tree, p->path, p->len);

	u->sum.replaced++;
	if (!dir) {
		if (path_unlink(p->dirfd, p->leaf, LAYER_WAY, 0) < 0)
			return err_sys(e, "unlinkat", "%s", p->leaf);
		return 0;
	}
	tree_forget(u->tree, p->path, p->len);
	/* The cache may have been closed; the parent is still there. */
	p->dirfd = tree_dirfd(u->tree, p->parent, e);
	if (p->dirfd < 0 || fs_remove_tree_at(p->dirfd, p->leaf, e) < 0)
		return -1;
	return list_removed(u, e);
}

static int not_the_root(const struct untar *u, struct err *e)
{
	if (u->at->parent)
		return 0;
	return err_set(e, ERR_INVALID,
		       "the root of the layer is not a directory");
}

/* ---- owner, mode, time, xattrs ------------------------------------------- */

/* chown by fd, or by name without following. */
static int chown_any(int fd, int dirfd, const char *leaf, uid_t uid, gid_t gid)
{
	if (fd >= 0)
		return fchown(fd, uid, gid);
	return path_chown(dirfd, leaf, LAYER_WAY, uid, gid);
}

#define NO_ID UINT32_MAX

/*
 * EINVAL from chown: this user namespace has no such id. Which of the two it
 * is shows by trying one alone.
 */
static int unmapped(struct untar *u, int fd, int dirfd, const char *leaf,
		    struct err *e)
{
	uint32_t uid = u->rec.uid;
	uint32_t gid = u->rec.gid;
	const bool bad_uid = chown_any(fd, dirfd, leaf, uid, NO_ID) < 0;
	const bool bad_gid = chown_any(fd, dirfd, leaf, NO_ID, gid) < 0;

	if (!u->o->squash_unmapped) {
		(void)err_set(e, ERR_UNSUPPORTED,
			      "%s %u is outside the id map of this user",
			      bad_uid ? "uid" : "gid", bad_uid ? uid : gid);
		return err_hint(e, "give the user a larger range in "
				   "/etc/subuid and /etc/subgid");
	}
	u->rec.flags |= LIST_SQUASHED;
	u->st->ids_squashed++;
	untar_note(u, "%s %u of %s is outside the id map; 0 instead",
		   bad_uid ? "uid" : "gid", bad_uid ? uid : gid,
		   path_shown(u->clean, (char[SHOWN_MAX]){0}));
	if (chown_any(fd, dirfd, leaf, bad_uid ? 0 : uid, bad_gid ? 0 : gid) <
	    0)
		return err_sys(e, "fchownat", "%s", leaf);
	return 0;
}

/*
 * have_uid, have_gid: the owner that it has now. What we just made belongs to
 * 0:0; no directory has its setgid bit yet, so the group is not inherited.
 */
static int set_owner(struct untar *u, int fd, uint32_t have_uid,
		     uint32_t have_gid, struct err *e)
{
	const int dirfd = u->at->dirfd;
	const char *const leaf = u->at->leaf;
	uint32_t uid = u->rec.uid;
	uint32_t gid = u->rec.gid;

	if (u->o->squash && (uid != 0 || gid != 0)) {
		u->rec.flags |= LIST_SQUASHED;
		u->st->ids_squashed++;
		uid = 0;
		gid = 0;
	}
	if (uid == have_uid && gid == have_gid)
		return 0;
	if (chown_any(fd, dirfd, leaf, uid, gid) == 0)
		return 0;
	if (errno == EINVAL)
		return unmapped(u, fd, dirfd, leaf, e);
	return err_sys(e, "fchownat", "%s to %u:%u", leaf, uid, gid);
}

/* By fd, or (fd -1) by name through the current directory. */
static int set_xattrs(struct untar *u, enum xattr_which which, int fd,
		      struct err *e)
{
	uint64_t dropped = 0;

	if (u->xattrs.n == 0)
		return 0;
	/*
	 * There is no setxattrat() before 6.13, and /proc is not there in the
	 * worker; leaf is looked up in the directory that is already open.
	 */
	if (fd < 0 && fchdir(u->at->dirfd) < 0)
		return err_sys(e, "fchdir", "parent directory");
	if (xattr_set_apply(&u->xattrs, which, fd, u->at->leaf, &dropped, e) <
	    0)
		return -1;
	u->st->xattrs_dropped += dropped;
	if (dropped > 0)
		untar_note(u, "the file system refuses xattrs of %s",
			   path_shown(u->clean, (char[SHOWN_MAX]){0}));
	xattr_set_digest(&u->xattrs, u->rec.xattrs);
	return 0;
}

static void times_of(const struct list_rec *r, struct timespec ret[2])
{
	ret[0].tv_sec = r->mtime_s;
	ret[0].tv_nsec = (long)r->mtime_ns;
	ret[1] = ret[0];
}

static int set_times_at(struct untar *u, struct err *e)
{
	struct timespec t[2];

	times_of(&u->rec, t);
	if (path_utimens(u->at->dirfd, u->at->leaf, LAYER_WAY, t) < 0)
		return err_sys(e, "utimensat", "%s", u->at->leaf);
	return 0;
}

/* ---- regular files ------------------------------------------------------- */

static int write_at(int fd, const void *p, size_t n, int64_t at, struct err *e)
{
	const char *from = p;

	while (n > 0) {
		const ssize_t got = pwrite(fd, from, n, at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_sys(e, "pwrite", "file content");
		from += got;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}

static void hash_hole(struct untar *u, struct hash *h, uint64_t n)
{
	static const unsigned char zeros[4096];

	u->holes += n;
	if (u->holes > HOLES_HASHED_MAX)
		return;
	while (n > 0) {
		const size_t part = n < sizeof(zeros) ? n : sizeof(zeros);

		hash_add(h, zeros, part);
		n -= part;
	}
}

/* The content; *ret_size is how far it reaches. */
static int copy_data(struct untar *u, int fd, struct hash *h,
		     uint64_t *ret_size, struct err *e)
{
	int64_t pos = 0;

	for (;;) {
		const void *p;
		size_t n;
		int64_t at;
		const int rc = archive_read_data_block(u->a, &p, &n, &at);

		if (rc == ARCHIVE_EOF && !err_is(&u->cause))
			break;
		if (rc != ARCHIVE_OK)
			return archive_failed(u, e);
		if (at < pos || at > INT64_MAX - (int64_t)n)
			return err_set(e, ERR_INVALID,
				       "tar: a sparse map out of order");
		if (at > pos)
			hash_hole(u, h, (uint64_t)(at - pos));
		decomp_hash_also(u->d, h, p, n);
		if (write_at(fd, p, n, at, e) < 0)
			return -1;
		pos = at + (int64_t)n;
	}
	*ret_size = (uint64_t)pos;
	return 0;
}

static int fill_file(struct untar *u, int fd, struct err *e)
{
	const int64_t size = archive_entry_size(u->ae);
	const uint64_t holes_before = u->holes;
	struct hash *h = hash_begin(DIGEST_SHA256);
	struct digest d;
	uint64_t end = 0;

	if (size > 0 && copy_data(u, fd, h, &end, e) < 0) {
		hash_drop(h);
		return -1;
	}
	if (end < (uint64_t)size) {
		hash_hole(u, h, (uint64_t)size - end);
		if (ftruncate(fd, size) < 0) {
			hash_drop(h);
			return err_sys(e, "ftruncate", "to %lld bytes",
				       (long long)size);
		}
	}
	hash_end(h, &d);
	u->rec.size = (uint64_t)size;
	u->st->file_bytes += (uint64_t)size;
	if (u->holes == holes_before || u->holes <= HOLES_HASHED_MAX)
		memcpy(u->rec.sha256, d.hex, LIST_HEX + 1);
	return 0;
}

static int create_file(struct untar *u, struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL;
	const mode_t mode = u->rec.mode & 0777;
	int fd = path_open(u->at->dirfd, u->at->leaf, LAYER_WAY, flags, mode);

	if (fd >= 0)
		return fd;
	if (errno == EEXIST) {
		if (remove_old(u, e) < 0)
			return -1;
		fd = path_open(u->at->dirfd, u->at->leaf, LAYER_WAY, flags,
			       mode);
	}
	if (fd < 0)
		return err_sys(e, "openat", "%s", u->at->leaf);
	return fd;
}

/*
 * Writing and chown take away setuid and file capabilities, so the order is:
 * content, owner, mode, xattrs, time.
 */
int write_file(struct untar *u, struct err *e)
{
	autoclose int fd = -1;
	struct timespec t[2];

	if (not_the_root(u, e) < 0)
		return -1;
	fd = create_file(u, e);
	if (fd < 0 || fill_file(u, fd, e) < 0 || set_owner(u, fd, 0, 0, e) < 0)
		return -1;
	if ((u->rec.mode & 07000) && fchmod(fd, u->rec.mode) < 0)
		return err_sys(e, "fchmod", "%s", u->at->leaf);
	if (set_xattrs(u, XATTR_ALL, fd, e) < 0)
		return -1;
	times_of(&u->rec, t);
	if (futimens(fd, t) < 0)
		return err_sys(e, "futimens", "%s", u->at->leaf);
	u->rec.type = 'f';
	return list_add(u->list, &u->rec, e);
}

/* ---- links and nodes ----------------------------------------------------- */

static int make_symlink(struct untar *u)
{
	return path_symlink(u->rec.target, u->at->dirfd, u->at->leaf,
			    LAYER_WAY);
}

static int make_node(struct untar *u)
{
	const mode_t type = u->rec.type == 'p'   ? S_IFIFO
			    : u->rec.type == 'c' ? S_IFCHR
						 : S_IFBLK;

	return path_mknod(u->at->dirfd, u->at->leaf, LAYER_WAY,
			  type | (u->rec.mode & 0777),
			  makedev(u->rec.major, u->rec.minor));
}

/* Make it, in place of what was there. 1: EPERM, which the caller judges. */
static int make_fresh(struct untar *u, int (*make)(struct untar *u),
		      const char *call, struct err *e)
{
	if (make(u) == 0)
		return 0;
	if (errno == EEXIST) {
		if (remove_old(u, e) < 0)
			return -1;
		if (make(u) == 0)
			return 0;
	}
	if (errno == EPERM)
		return 1;
	return err_sys(e, call, "%s", u->at->leaf);
}

int write_symlink(struct untar *u, struct err *e)
{
	int rc;

	u->rec.type = 'l';
	u->rec.target = archive_entry_symlink(u->ae);
	if (not_the_root(u, e) < 0)
		return -1;
	if (!u->rec.target || !u->rec.target[0])
		return err_set(e, ERR_INVALID, "a symlink to nothing");
	rc = make_fresh(u, make_symlink, "symlinkat", e);
	if (rc > 0)
		return err_sysno(e, EPERM, "symlinkat", "%s", u->at->leaf);
	if (rc < 0 || set_owner(u, -1, 0, 0, e) < 0 ||
	    set_xattrs(u, XATTR_ALL, -1, e) < 0 || set_times_at(u, e) < 0)
		return -1;
	u->rec.mode = 0777;
	return list_add(u->list, &u->rec, e);
}

static int skip_device(struct untar *u, struct err *e)
{
	u->st->devices_skipped++;
	untar_note(u, "device %s was left out: only root may make devices",
		   path_shown(u->clean, (char[SHOWN_MAX]){0}));
	u->rec.flags |= LIST_SKIPPED;
	return list_add(u->list, &u->rec, e);
}

static int begin_node(struct untar *u, struct err *e)
{
	const __LA_MODE_T type = archive_entry_filetype(u->ae);

	u->rec.type = type == AE_IFIFO ? 'p' : type == AE_IFCHR ? 'c' : 'b';
	if (u->rec.type == 'p')
		return 0;
	u->rec.major = (uint32_t)archive_entry_rdevmajor(u->ae);
	u->rec.minor = (uint32_t)archive_entry_rdevminor(u->ae);
	if (u->rec.type == 'c' && u->rec.major == 0 && u->rec.minor == 0)
		return err_set(e, ERR_INVALID,
			       "a character device 0:0, which would act as a "
			       "whiteout");
	return 0;
}

int write_node(struct untar *u, struct err *e)
{
	int rc;

	if (not_the_root(u, e) < 0 || begin_node(u, e) < 0)
		return -1;
	if (u->rec.type != 'p' && u->o->no_devices)
		return skip_device(u, e);
	rc = make_fresh(u, make_node, "mknodat", e);
	if (rc > 0 && u->rec.type != 'p')
		return skip_device(u, e);
	if (rc > 0)
		return err_sysno(e, EPERM, "mknodat", "%s", u->at->leaf);
	if (rc < 0 || set_owner(u, -1, 0, 0, e) < 0)
		return -1;
	if ((u->rec.mode & 07000) &&
	    path_chmod(u->at->dirfd, u->at->leaf, LAYER_WAY, u->rec.mode) < 0)
		return err_sys(e, "fchmodat", "%s", u->at->leaf);
	if (set_xattrs(u, XATTR_ALL, -1, e) < 0 || set_times_at(u, e) < 0)
		return -1;
	return list_add(u->list, &u->rec, e);
}

static int no_target(const char *target, struct err *e)
{
	(void)err_set(e, ERR_INVALID,
		      "a hardlink to '%s', which is not in this layer (or "
		      "comes later)",
		      path_shown(target, (char[SHOWN_MAX]){0}));
	return err_hint(e, "a hardlink into a lower layer has no meaning by "
			   "the image specification; rebuild the layer");
}

static int find_target(struct untar *u, const char *target, struct stat *ret,
		       struct err *e)
{
	autofree char *clean = xmalloc(TAR_NAME_MAX + 1);
	const int len = name_clean(target, clean, e);

	if (len < 0)
		return -1;
	if (tree_place(u->tree, clean, (size_t)len, false, u->link, e) < 0) {
		if (e->kind != ERR_NOTFOUND && e->kind != ERR_EXISTS)
			return -1;
		err_clear(e);
		return no_target(target, e);
	}
	if (path_stat(u->link->dirfd, u->link->leaf, LAYER_WAY, ret) < 0) {
		if (errno != ENOENT)
			return err_sys(e, "fstatat", "%s", u->link->leaf);
		return no_target(target, e);
	}
	if (S_ISDIR(ret->st_mode))
		return err_set(e, ERR_INVALID, "a hardlink to a directory");
	return 0;
}

static int make_hardlink(struct untar *u)
{
	return path_link(u->link->dirfd, u->link->leaf, u->at->dirfd,
			 u->at->leaf, LAYER_WAY);
}

/* Its owner, mode and time are those of its target, which has them. */
int write_hardlink(struct untar *u, struct err *e)
{
	const char *const target = archive_entry_hardlink(u->ae);
	struct stat to;
	struct stat old;
	int rc;

	if (not_the_root(u, e) < 0 || find_target(u, target, &to, e) < 0)
		return -1;
	if (path_stat(u->at->dirfd, u->at->leaf, LAYER_WAY, &old) == 0 &&
	    old.st_ino == to.st_ino && old.st_dev == to.st_dev)
		return 0; /* itself, or the same again */
	rc = make_fresh(u, make_hardlink, "linkat", e);
	if (rc > 0)
		return err_sysno(e, EPERM, "linkat", "%s", u->at->leaf);
	if (rc < 0)
		return -1;
	u->rec = (struct list_rec){
		.type = 'h',
		.path = u->at->path,
		.target = u->link->path,
	};
	return list_add(u->list, &u->rec, e);
}

/* ---- directories --------------------------------------------------------- */

/*
 * Until the end a directory is ours to enter, and has neither setgid (its
 * children would inherit the group) nor its ACLs (a default ACL would be
 * inherited).
 */
static mode_t working_mode(uint32_t mode)
{
	return (mode | 0700) & 01777;
}

/* 1: it is there now and new; 0: it was a directory before. */
static int make_dir(struct untar *u, struct err *e)
{
	struct place *const p = u->at;
	const mode_t mode = working_mode(u->rec.mode);

	if (path_mkdir(p->dirfd, p->leaf, LAYER_WAY, mode) == 0)
		return 1;
	if (errno != EEXIST)
		return err_sys(e, "mkdirat", "%s", p->leaf);
	if (tree_find(u->tree, p->path, p->len))
		return 0;
	if (remove_old(u, e) < 0 || list_removed(u, e) < 0)
		return -1;
	if (path_mkdir(p->dirfd, p->leaf, LAYER_WAY, mode) < 0)
		return err_sys(e, "mkdirat", "%s", p->leaf);
	return 1;
}

/* A directory named twice keeps only the attributes of the second time. */
static int drop_xattrs(int fd, struct err *e)
{
	char names[4096];
	const ssize_t n = flistxattr(fd, names, sizeof(names));

	if (n < 0 && errno == EOPNOTSUPP)
		return 0;
	if (n < 0)
		return err_sys(e, "flistxattr", "directory");
	for (const char *p = names; p < names + n; p += strlen(p) + 1)
		if (strcmp(p, "security.selinux") != 0)
			(void)fremovexattr(fd, p);
	return 0;
}

/* An existing directory gets this entry's owner and xattrs. */
static int again_dir(struct untar *u, struct tree_dir *d, int fd, struct err *e)
{
	const bool had_entry = !d->implied;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "fstat", "directory");
	if (had_entry)
		u->sum.replaced++;
	if (had_entry && drop_xattrs(fd, e) < 0)
		return -1;
	if (d->acls)
		xattr_set_reset(d->acls);
	d->squashed = false;
	if (fchmod(fd, working_mode(u->rec.mode)) < 0)
		return err_sys(e, "fchmod", "directory");
	return set_owner(u, fd, st.st_uid, st.st_gid, e);
}

/* Keep what is written at the end. */
static void keep_dir(struct untar *u, struct tree_dir *d)
{
	free(d->xattrs);
	d->xattrs = u->rec.xattrs[0] ? xstrdup(u->rec.xattrs) : NULL;
	d->mode = u->rec.mode;
	d->uid = u->rec.uid;
	d->gid = u->rec.gid;
	d->mtime_s = u->rec.mtime_s;
	d->mtime_ns = u->rec.mtime_ns;
	d->squashed = (u->rec.flags & LIST_SQUASHED) != 0;
	d->implied = false;
}

/* The set moves to the directory when an ACL is in it. */
static void keep_acls(struct untar *u, struct tree_dir *d)
{
	bool any = false;

	for (size_t i = 0; i < u->xattrs.n; i++)
		any |= strncmp(u->xattrs.v[i].name, "system.posix_acl_", 17) ==
		       0;
	if (!any)
		return;
	if (!d->acls)
		d->acls = xcalloc(1, sizeof(*d->acls));
	*d->acls = u->xattrs;
	u->xattrs = (struct xattr_set){0};
}

/* For what needs an fd: xattrs, and a directory that was there before. */
static int open_dir(struct untar *u, struct err *e)
{
	const int fd = path_open(u->at->dirfd, u->at->leaf, LAYER_WAY,
				 O_RDONLY | O_DIRECTORY, 0);

	if (fd < 0)
		return err_sys(e, "openat", "%s", u->at->leaf);
	return fd;
}

int write_dir(struct untar *u, struct err *e)
{
	struct place *const p = u->at;
	const int fresh = p->parent ? make_dir(u, e) : 0;
	struct tree_dir *d;
	autoclose int fd = -1;

	if (fresh < 0)
		return -1;
	d = fresh ? tree_add(u->tree, p->path, p->len)
		  : tree_find(u->tree, p->path, p->len);
	if (!fresh || u->xattrs.n > 0) {
		fd = open_dir(u, e);
		if (fd < 0)
			return -1;
	}
	if (fresh ? set_owner(u, fd, 0, 0, e) < 0 : again_dir(u, d, fd, e) < 0)
		return -1;
	if (set_xattrs(u, XATTR_NOT_ACL, fd, e) < 0)
		return -1;
	keep_dir(u, d);
	keep_acls(u, d);
	return 0;
}
