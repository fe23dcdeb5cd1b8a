#include "untar.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "untar_impl.h"

#define WH_PREFIX ".wh."
#define WH_META   ".wh..wh." /* AUFS's own; ignored but for the next */
#define WH_OPAQUE ".wh..wh..opq"

/* ---- bytes for libarchive ------------------------------------------------ */

/* A piece, seen by the guard. */
static int64_t next_piece(struct untar *u, const void **ret, struct err *e)
{
	const int64_t n = decomp_next(u->d, ret, e);

	if (n < 0)
		return -1;
	if (n == 0)
		return guard_end(&u->guard, e);
	return guard_add(&u->guard, *ret, (size_t)n, e) < 0 ? -1 : n;
}

static la_ssize_t on_read(struct archive *a, void *ctx, const void **ret)
{
	struct untar *const u = ctx;
	int64_t n;

	(void)a;
	if (u->first_len > 0) {
		*ret = u->first;
		n = u->first_len;
		u->first_len = 0;
		return (la_ssize_t)n;
	}
	if (err_is(&u->cause))
		return ARCHIVE_FATAL;
	n = next_piece(u, ret, &u->cause);
	return n < 0 ? ARCHIVE_FATAL : (la_ssize_t)n;
}

/* The guard's or the source's reason is better than libarchive's. */
int archive_failed(struct untar *u, struct err *e)
{
	const char *const text = archive_error_string(u->a);

	if (err_is(&u->cause)) {
		*e = u->cause;
		return -1;
	}
	return err_set(e, ERR_INVALID, "tar: %s",
		       text ? text : "it cannot be read");
}

static int open_archive(struct untar *u, struct err *e)
{
	u->a = archive_read_new();
	if (!u->a)
		return err_set(e, ERR_SYS, "archive_read_new: no memory");
	if (archive_read_support_format_tar(u->a) != ARCHIVE_OK ||
	    archive_read_open(u->a, u, NULL, on_read, NULL) != ARCHIVE_OK)
		return archive_failed(u, e);
	return 0;
}

/*
 * A PAX name that is not ASCII cannot be converted to the C locale, says
 * libarchive, and gives the bytes as they are: just what we want. Any other
 * warning means that something was ignored.
 */
static bool is_harmless(struct archive *a)
{
	const char *const text = archive_error_string(a);

	return text && strstr(text, "can't be converted from");
}

/* 1: u->ae is the next entry; 0: the end. */
static int next_entry(struct untar *u, struct err *e)
{
	const int rc = archive_read_next_header(u->a, &u->ae);

	if (rc == ARCHIVE_EOF && !err_is(&u->cause))
		return 0;
	if (rc == ARCHIVE_OK || (rc == ARCHIVE_WARN && is_harmless(u->a)))
		return 1;
	return archive_failed(u, e);
}

/* ---- names --------------------------------------------------------------- */

const char *path_shown(const char *path, char *buf)
{
	size_t i = 0;

	for (; path[i] && i + 1 < SHOWN_MAX; i++) {
		const unsigned char c = (unsigned char)path[i];

		buf[i] = c < 0x20 || c == 0x7f ? '?' : path[i];
	}
	buf[i] = '\0';
	return buf;
}

void untar_note(struct untar *u, const char *fmt, ...)
{
	va_list ap;

	if (u->st->note[0])
		return;
	va_start(ap, fmt);
	(void)vsnprintf(u->st->note, sizeof(u->st->note), fmt, ap);
	va_end(ap);
}

/* What a name is to the layer format. */
enum name_kind {
	NAME_ENTRY,
	NAME_WHITEOUT,
	NAME_OPAQUE,
	NAME_META, /* AUFS's; not for us */
	NAME_BAD,
};

static enum name_kind leaf_kind(const char *leaf, size_t len)
{
	if (len < 4 || memcmp(leaf, WH_PREFIX, 4) != 0)
		return NAME_ENTRY;
	if (len == strlen(WH_OPAQUE) && !memcmp(leaf, WH_OPAQUE, len))
		return NAME_OPAQUE;
	if (len >= strlen(WH_META) && !memcmp(leaf, WH_META, strlen(WH_META)))
		return NAME_META;
	leaf += 4;
	len -= 4;
	if (len == 0 || (len <= 2 && leaf[0] == '.' && leaf[len - 1] == '.'))
		return NAME_BAD;
	return NAME_WHITEOUT;
}

static enum name_kind name_kind(const char *clean)
{
	/* Almost no name has it. */
	if (!strstr(clean, WH_PREFIX))
		return NAME_ENTRY;
	for (;;) {
		const char *const end = strchrnul(clean, '/');
		const enum name_kind k =
			leaf_kind(clean, (size_t)(end - clean));

		if (!*end || k == NAME_META)
			return k;
		/* A file inside a whiteout makes no sense. */
		if (k != NAME_ENTRY)
			return NAME_BAD;
		clean = end + 1;
	}
}

/* Keep the name for the end: the directory, or the name without ".wh.". */
static int keep_mark(struct untar *u, enum name_kind kind, struct err *e)
{
	char *const slash = strrchr(u->clean, '/');
	char *const leaf = slash ? slash + 1 : u->clean;

	if (kind == NAME_WHITEOUT) {
		memmove(leaf, leaf + 4, strlen(leaf + 4) + 1);
		return names_add(&u->whiteouts, u->clean, e);
	}
	*(slash ? slash : leaf) = '\0';
	return names_add(&u->opaques, u->clean, e);
}

/* ---- one entry ----------------------------------------------------------- */

static bool id_is_ok(int64_t id)
{
	return id >= 0 && id < UINT32_MAX; /* (uid_t)-1 means "none" */
}

static int begin_record(struct untar *u, struct err *e)
{
	const int64_t uid = archive_entry_uid(u->ae);
	const int64_t gid = archive_entry_gid(u->ae);
	long ns = archive_entry_mtime_nsec(u->ae);

	if (!id_is_ok(uid) || !id_is_ok(gid))
		return err_set(e, ERR_INVALID,
			       "owner %lld:%lld is out of range",
			       (long long)uid, (long long)gid);
	if (ns < 0 || ns > 999999999)
		ns = 0;
	u->rec = (struct list_rec){
		.mode = (uint32_t)archive_entry_perm(u->ae) & 07777,
		.uid = (uint32_t)uid,
		.gid = (uint32_t)gid,
		.mtime_s = archive_entry_mtime(u->ae),
		.mtime_ns = (uint32_t)ns,
		.path = u->at->len > 0 ? u->at->path : ".",
	};
	return 0;
}

static int collect_xattrs(struct untar *u, struct err *e)
{
	const char *name;
	const void *value;
	size_t size;

	xattr_set_reset(&u->xattrs);
	if (archive_entry_xattr_reset(u->ae) == 0)
		return 0;
	while (archive_entry_xattr_next(u->ae, &name, &value, &size) ==
	       ARCHIVE_OK) {
		const int rc = xattr_set_add(&u->xattrs, name, value, size,
					     u->o->userxattr, e);

		if (rc < 0)
			return -1;
		if (rc != 2)
			continue;
		u->st->xattrs_dropped++;
		untar_note(u,
			   "xattr %s of %s cannot be set in a user "
			   "namespace",
			   name, path_shown(u->clean, (char[SHOWN_MAX]){0}));
	}
	return 0;
}

static int write_entry(struct untar *u, const char *name, struct err *e)
{
	const size_t len = strlen(name);

	if (archive_entry_hardlink(u->ae))
		return write_hardlink(u, e);
	switch (archive_entry_filetype(u->ae)) {
	case AE_IFDIR:
		return write_dir(u, e);
	case AE_IFREG:
		/* So did old tars write directories. */
		if (len > 0 && name[len - 1] == '/')
			return write_dir(u, e);
		return write_file(u, e);
	case AE_IFLNK:
		return write_symlink(u, e);
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
		return write_node(u, e);
	default:
		return err_set(e, ERR_INVALID, "an entry of unknown type");
	}
}

static int one_entry(struct untar *u, const char *name, struct err *e)
{
	enum name_kind kind;
	int len;

	if (!name || !*name)
		return err_set(e, ERR_INVALID, "tar: an entry without a name");
	len = name_clean(name, u->clean, e);
	if (len < 0)
		return -1;
	kind = name_kind(u->clean);
	if (kind == NAME_META)
		return 0;
	if (kind == NAME_BAD)
		return err_set(e, ERR_INVALID,
			       "a whiteout of nothing, or a name inside one");
	if (kind != NAME_ENTRY)
		return keep_mark(u, kind, e);
	if (tree_place(u->tree, u->clean, (size_t)len, true, u->at, e) < 0 ||
	    begin_record(u, e) < 0 || collect_xattrs(u, e) < 0)
		return -1;
	u->st->entries++;
	return write_entry(u, name, e);
}

static int all_entries(struct untar *u, struct err *e)
{
	for (;;) {
		const int rc = next_entry(u, e);
		const char *name;

		if (rc <= 0)
			return rc;
		name = archive_entry_pathname(u->ae);
		if (one_entry(u, name, e) < 0)
			return err_prefix(e, "'%s'",
					  path_shown(name ? name : "",
						     (char[SHOWN_MAX]){0}));
	}
}

/* ---- the whole ----------------------------------------------------------- */

static int unpack(struct untar *u, struct err *e)
{
	u->first_len = next_piece(u, &u->first, e);
	if (u->first_len < 0)
		return -1;
	/* No byte at all: libarchive would not know it for a tar. */
	if (u->first_len > 0 &&
	    (open_archive(u, e) < 0 || all_entries(u, e) < 0))
		return -1;
	if (finish_tree(u, e) < 0)
		return -1;
	return list_end(u->list, &u->sum, e);
}

int untar(struct decomp *d, int dir_fd, int list_fd, const struct untar_opts *o,
	  struct untar_stats *ret, struct err *e)
{
	struct untar u = {.o = o, .st = ret, .d = d};
	const mode_t mask = umask(0);
	int rc;

	*ret = (struct untar_stats){0};
	u.tree = tree_open(dir_fd);
	u.list = list_writer_open(list_fd);
	u.at = xcalloc(1, sizeof(*u.at));
	u.link = xcalloc(1, sizeof(*u.link));
	u.clean = xmalloc(TAR_NAME_MAX + 1);
	rc = unpack(&u, e);
	(void)archive_read_free(u.a);
	xattr_set_reset(&u.xattrs);
	names_free(&u.whiteouts);
	names_free(&u.opaques);
	guard_free(&u.guard);
	list_writer_free(u.list);
	tree_free(u.tree);
	free(u.clean);
	free(u.link);
	free(u.at);
	(void)umask(mask);
	return rc;
}
