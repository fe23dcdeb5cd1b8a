/*
 * untarfix - unpack tars from memory into a temporary directory, and look
 *
 * For unit tests; every function is static inline.
 */
#ifndef TESTS_UNIT_UNTARFIX_H
#define TESTS_UNIT_UNTARFIX_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/own.h"
#include "store/layerlist.h"
#include "store/untar.h"
#include "tarmake.h"

#define TAR_MAX (64u << 20)

struct fix {
	char base[64]; /* holds "fs" and whatever a test puts beside it */
	int base_fd;
	int dir;  /* fs */
	int list; /* a memfd */
	struct untar_opts o;
	struct untar_stats stats;
	struct digest diff_id;
	uint64_t size;
	struct err e;
};

static inline void fix_make(struct fix *f)
{
	memset(f, 0, sizeof(*f));
	(void)snprintf(f->base, sizeof(f->base), "/tmp/prism-untar-XXXXXX");
	assert_non_null(mkdtemp(f->base));
	f->base_fd = open(f->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->base_fd >= 0);
	assert_int_equal(mkdirat(f->base_fd, "fs", 0700), 0);
	f->dir = openat(f->base_fd, "fs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->dir >= 0);
	f->list = memfd_create("list", MFD_CLOEXEC);
	assert_true(f->list >= 0);
}

static inline void fix_drop(struct fix *f)
{
	struct err e = {0};

	(void)close(f->dir);
	(void)close(f->list);
	(void)close(f->base_fd);
	assert_int_equal(fs_remove_tree_at(AT_FDCWD, f->base, &e), 0);
}

#define autofix __attribute__((cleanup(fix_drop)))

struct memory {
	const char *p;
	size_t n;
	size_t at;
	size_t step; /* bytes per read at most; 0: all */
};

static inline int64_t memory_read(void *ctx, void *p, size_t n, struct err *e)
{
	struct memory *const m = ctx;
	size_t take = m->n - m->at;

	(void)e;
	if (take > n)
		take = n;
	if (m->step && take > m->step)
		take = m->step;
	memcpy(p, m->p + m->at, take);
	m->at += take;
	return (int64_t)take;
}

/* 0 or -1 with f->e; the tar as it stands in b. */
static inline int fix_unpack(struct fix *f, const struct buf *b)
{
	struct memory m = {.p = buf_str(b), .n = b->len};
	autodecomp struct decomp *d =
		decomp_open(memory_read, &m, DIGEST_SHA256);

	assert_false(b->over);
	if (untar(d, f->dir, f->list, &f->o, &f->stats, &f->e) < 0) {
		assert_true(err_is(&f->e));
		return -1;
	}
	return decomp_finish(d, &f->diff_id, &f->size, &f->e);
}

static inline void fix_ok(struct fix *f, const struct buf *b)
{
	const int rc = fix_unpack(f, b);

	assert_string_equal(f->e.text, "");
	assert_int_equal(rc, 0);
}

static inline void fix_refused(struct fix *f, const struct buf *b,
			       const char *words)
{
	const int rc = fix_unpack(f, b);

	if (rc == 0)
		fail_msg("accepted; expected '%s'", words);
	if (!strstr(f->e.text, words))
		fail_msg("expected '%s' in '%s'", words, f->e.text);
}

/* ---- looking ------------------------------------------------------------- */

static inline struct stat stat_of(const struct fix *f, const char *path)
{
	struct stat st;

	if (fstatat(f->dir, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		fail_msg("%s: %s", path, strerror(errno));
	return st;
}

static inline bool is_there(const struct fix *f, const char *path)
{
	struct stat st;

	return fstatat(f->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline bool is_whiteout(const struct fix *f, const char *path)
{
	const struct stat st = stat_of(f, path);

	return S_ISCHR(st.st_mode) && st.st_rdev == 0;
}

static inline void assert_mode(const struct fix *f, const char *path,
			       mode_t mode)
{
	const struct stat st = stat_of(f, path);

	if ((st.st_mode & 07777) != mode)
		fail_msg("%s: mode %o, not %o", path, st.st_mode & 07777, mode);
}

static inline void assert_owner(const struct fix *f, const char *path,
				uid_t uid, gid_t gid)
{
	const struct stat st = stat_of(f, path);

	if (st.st_uid != uid || st.st_gid != gid)
		fail_msg("%s: owner %u:%u, not %u:%u", path, st.st_uid,
			 st.st_gid, uid, gid);
}

static inline void assert_mtime(const struct fix *f, const char *path,
				long long s, long ns)
{
	const struct stat st = stat_of(f, path);

	if (st.st_mtim.tv_sec != s || st.st_mtim.tv_nsec != ns)
		fail_msg("%s: mtime %lld.%09ld, not %lld.%09ld", path,
			 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, s,
			 ns);
}

static inline void assert_content(const struct fix *f, const char *path,
				  const char *want)
{
	autobuf struct buf b = buf_make(TAR_MAX);
	struct err e = {0};

	if (fs_read_at(f->dir, path, &b, &e) < 0)
		fail_msg("%s: %s", path, e.text);
	assert_string_equal(buf_str(&b), want);
}

static inline void assert_link(const struct fix *f, const char *path,
			       const char *want)
{
	char target[4096];
	const ssize_t n = readlinkat(f->dir, path, target, sizeof(target) - 1);

	if (n < 0)
		fail_msg("%s: %s", path, strerror(errno));
	target[n] = '\0';
	assert_string_equal(target, want);
}

/* The size of the xattr in *ret, or -1. */
static inline ssize_t xattr_of(const struct fix *f, const char *path,
			       const char *name, char ret[256])
{
	char full[4096];

	(void)snprintf(full, sizeof(full), "%s/fs/%s", f->base, path);
	return lgetxattr(full, name, ret, 256);
}

static inline bool is_opaque(const struct fix *f, const char *path)
{
	char v[256];

	return xattr_of(f, path,
			f->o.userxattr ? "user.overlay.opaque"
				       : "trusted.overlay.opaque",
			v) == 1 &&
	       v[0] == 'y';
}

/* The last record of a path; its strings are kept in buffers of its own. */
struct found {
	bool any;
	struct list_rec r;
	char target[4096];
};

static inline struct found record_of(const struct fix *f, const char *path)
{
	struct found ret = {0};
	struct list_reader *r = NULL;
	struct list_rec rec;
	struct err e = {0};
	int rc;

	if (list_open(f->list, &r, &e) < 0)
		fail_msg("%s", e.text);
	while ((rc = list_next(r, &rec, &e)) > 0) {
		if (strcmp(rec.path, path) != 0)
			continue;
		ret.any = true;
		ret.r = rec;
		if (rec.target)
			(void)snprintf(ret.target, sizeof(ret.target), "%s",
				       rec.target);
		ret.r.path = NULL;
		ret.r.target = ret.target;
	}
	assert_string_equal(e.text, "");
	list_close(r);
	return ret;
}

static inline struct list_summary summary_of(const struct fix *f)
{
	struct list_summary s;
	struct err e = {0};

	if (list_summary_read(f->list, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

/* Most of what a layer does needs root; say so where it is missing. */
#define NEED_ROOT()                                    \
	do {                                           \
		if (geteuid() != 0) {                  \
			print_message("needs root\n"); \
			skip();                        \
		}                                      \
	} while (0)

#define NEW_FIX(f)            \
	autofix struct fix f; \
	fix_make(&f)

#define NEW_TAR(b) autobuf struct buf b = buf_make(TAR_MAX)

#endif
