#include "tarfiles.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/path.h"
#include "base/proc.h"
#include "base/str.h"
#include "store/confine.h"
#include "store/tarpack.h"

/* Names, places and sizes: 100,000 files of a hundred bytes each. */
#define LIST_MAX  MIB(16)
#define LINKS_MAX 8

/* One file, as the worker tells it: this, its name, where it leads. */
struct record {
	uint64_t at;
	uint64_t size;
	uint32_t name_len;
	uint32_t link_len; /* 0: no link */
};

struct entry {
	uint64_t at;
	uint64_t size;
	char *name;
	char *link; /* or NULL */
};

struct tarfiles {
	int dir;  /* a directory instead, or -1 */
	int data; /* what the places are in: borrowed, or our copy */
	int copy; /* -1: none was needed */
	uint64_t data_size;
	struct entry *v;
	size_t n;
};

/* ---- the worker ------------------------------------------------------------- */

struct walk {
	int in;
	int copy; /* where to, if the bytes cannot be read where they are */
	int list;
	bool seekable;
	uint64_t base; /* where in `in` we begin */

	struct archive *a;
	struct archive_entry *entry;
	bool copies;
	uint64_t copied;
};

static int walk_failed(const struct walk *w, struct err *e)
{
	const char *const text = archive_error_string(w->a);

	return err_set(e, ERR_INVALID, "the archive: %s",
		       text ? text : "it cannot be read");
}

static int confine(struct err *e)
{
	static const int more[] = {SYS_lseek, SYS_fstat, SYS_newfstatat};

	if (confine_caps(0, e) < 0 || confine_privs(e) < 0)
		return -1;
	return confine_syscalls(more, ARRAY_LEN(more), e);
}

static int open_tar(struct walk *w, struct err *e)
{
	w->a = archive_read_new();
	if (!w->a)
		return err_set(e, ERR_SYS, "archive_read_new: no memory");
	return tarpack_open(w->a, w->in) ? walk_failed(w, e) : 0;
}

static int copy_data(struct walk *w, uint64_t size, struct err *e)
{
	const uint64_t end = w->copied + size;

	for (;;) {
		const void *p;
		size_t n;
		la_int64_t at;
		const int rc = archive_read_data_block(w->a, &p, &n, &at);

		if (rc == ARCHIVE_EOF)
			break;
		if (rc != ARCHIVE_OK)
			return walk_failed(w, e);
		if (io_write_all(w->copy, p, n, "tmp (a copy of the archive)",
				 e) < 0)
			return -1;
		w->copied += n;
	}
	if (w->copied != end)
		return err_set(e, ERR_INVALID,
			       "the archive: '%.200s' is cut off",
			       archive_entry_pathname(w->entry));
	return 0;
}

static int tell(const struct walk *w, const struct record *r, const char *name,
		const char *link, struct err *e)
{
	if (io_write_all(w->list, r, sizeof(*r), "the list", e) < 0 ||
	    io_write_all(w->list, name, r->name_len, "the list", e) < 0 ||
	    io_write_all(w->list, link, r->link_len, "the list", e) < 0)
		return -1;
	return 0;
}

static int one_entry(struct walk *w, struct err *e)
{
	const char *const name = archive_entry_pathname(w->entry);
	const char *link = archive_entry_hardlink(w->entry);
	const mode_t type = archive_entry_filetype(w->entry);
	struct record r = {.size = (uint64_t)archive_entry_size(w->entry)};

	if (type == AE_IFLNK)
		link = archive_entry_symlink(w->entry);
	/* A hardlink has a path in the archive, a symlink one beside it. */
	if (!name || (type != AE_IFREG && !link))
		return 0;
	r.name_len = (uint32_t)strlen(name);
	r.link_len = link ? (uint32_t)strlen(link) : 0;
	if (r.link_len > 0) {
		r.size = type == AE_IFLNK;
		return tell(w, &r, name, link, e);
	}
	if (archive_entry_sparse_count(w->entry) > 0)
		return err_set(e, ERR_UNSUPPORTED,
			       "the archive: '%.200s' is sparse", name);
	/* The header is consumed: what follows is the file. */
	r.at = w->copies ? w->copied
			 : w->base + (uint64_t)archive_filter_bytes(w->a, 0);
	if (w->copies && copy_data(w, r.size, e) < 0)
		return -1;
	return tell(w, &r, name, "", e);
}

static int walk_entries(struct walk *w, struct err *e)
{
	bool first = true;

	for (;;) {
		const int rc = archive_read_next_header(w->a, &w->entry);

		if (first) {
			/* One filter is the one that does nothing. */
			w->copies =
				!w->seekable || archive_filter_count(w->a) > 1;
			if (io_write_all(w->list, w->copies ? "c" : "d", 1,
					 "the list", e) < 0)
				return -1;
		}
		first = false;
		if (rc == ARCHIVE_EOF)
			return 0;
		if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN)
			return walk_failed(w, e);
		if (one_entry(w, e) < 0)
			return -1;
	}
}

static int walk_main(void *arg, struct err *e)
{
	struct walk *const w = arg;
	int rc;

	if (confine(e) < 0)
		return -1;
	rc = open_tar(w, e);
	if (rc == 0)
		rc = walk_entries(w, e);
	(void)archive_read_free(w->a);
	return rc;
}

/* ---- the list ---------------------------------------------------------------- */

/* "./a" -> "a" */
static const char *plain_name(const char *name)
{
	while (str_starts(name, "./"))
		name += 2;
	return name;
}

static int take_record(struct tarfiles *t, const char *p, size_t left,
		       size_t *ret_used, struct err *e)
{
	struct record r;
	struct entry *x;

	if (left < sizeof(r))
		return err_set(e, ERR_INVALID, "the list is cut off");
	memcpy(&r, p, sizeof(r));
	if ((uint64_t)r.name_len + r.link_len > left - sizeof(r))
		return err_set(e, ERR_INVALID, "the list is cut off");
	if (r.link_len == 0 &&
	    (r.at > t->data_size || r.size > t->data_size - r.at))
		return err_set(e, ERR_INVALID, "the archive: '%.*s' is cut off",
			       r.name_len < 200 ? (int)r.name_len : 200,
			       p + sizeof(r));
	t->v = xrealloc(t->v, (t->n + 1) * sizeof(*t->v));
	x = &t->v[t->n++];
	*x = (struct entry){.at = r.at, .size = r.size};
	p += sizeof(r);
	x->name = xstrndup(p, r.name_len);
	if (r.link_len > 0)
		x->link = xstrndup(p + r.name_len, r.link_len);
	*ret_used = sizeof(r) + r.name_len + r.link_len;
	return 0;
}

static int take_list(struct tarfiles *t, const struct walk *w,
		     const struct buf *list, struct err *e)
{
	const char *const p = buf_str(list);
	struct stat st;
	size_t used = 0;

	if (list->len == 0)
		return err_set(e, ERR_INVALID, "the list is cut off");
	if (*p == 'c')
		t->data = t->copy;
	else
		t->data = w->in;
	if (fstat(t->data, &st) < 0)
		return err_sys(e, "fstat", "the archive");
	t->data_size = (uint64_t)st.st_size;
	for (size_t at = 1; at < list->len; at += used)
		if (take_record(t, p + at, list->len - at, &used, e) < 0)
			return -1;
	if (t->n == 0)
		return err_set(e, ERR_INVALID, "the archive holds no file");
	return 0;
}

/* ---- opening ------------------------------------------------------------------ */

static int list_tar(struct tarfiles *t, struct walk *w, struct err *e)
{
	autobuf struct buf list = buf_make(LIST_MAX);
	autoworker struct worker worker = WORKER_NONE;
	autoclose int ours = -1;
	autoclose int theirs = -1;
	int keep[3];
	int p[2];
	int rc;

	if (pipe2(p, O_CLOEXEC) < 0)
		return err_sys(e, "pipe2", "for the list");
	ours = p[0];
	theirs = w->list = p[1];
	keep[0] = w->in;
	keep[1] = w->copy;
	keep[2] = w->list;
	if (proc_start_alone(&worker, "archive", walk_main, w, keep,
			     ARRAY_LEN(keep), e) < 0)
		return -1;
	own_close(&theirs);
	rc = io_read_all(ours, &list, "the list of the archive", e);
	if (rc < 0)
		return -1;
	if (proc_wait(&worker, e) < 0)
		return -1;
	return take_list(t, w, &list, e);
}

static int open_any(struct store *s, struct tarfiles *t, int fd, struct err *e)
{
	struct walk w = {.in = fd};
	struct stat st;
	off_t base;

	if (fstat(fd, &st) < 0)
		return err_sys(e, "fstat", "the archive");
	if (S_ISDIR(st.st_mode)) {
		t->dir = fd;
		return 0;
	}
	t->copy = w.copy = store_tmpfile(s, e);
	if (w.copy < 0)
		return -1;
	base = lseek(fd, 0, SEEK_CUR);
	w.seekable = S_ISREG(st.st_mode) && base >= 0;
	w.base = w.seekable ? (uint64_t)base : 0;
	return list_tar(t, &w, e);
}

int tarfiles_open(struct store *s, int fd, struct tarfiles **ret, struct err *e)
{
	struct tarfiles *t = xcalloc(1, sizeof(*t));

	t->dir = t->data = t->copy = -1;
	if (open_any(s, t, fd, e) < 0) {
		tarfiles_free(t);
		return -1;
	}
	*ret = t;
	return 0;
}

void tarfiles_free(struct tarfiles *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n; i++) {
		free(t->v[i].name);
		free(t->v[i].link);
	}
	free(t->v);
	own_close(&t->copy);
	free(t);
}

/* ---- looking up ---------------------------------------------------------------- */

/* As in an unpacked tar, the last one of a name counts. */
static const struct entry *entry_at(const struct tarfiles *t, const char *name)
{
	for (size_t i = t->n; i-- > 0;)
		if (!strcmp(plain_name(t->v[i].name), name))
			return &t->v[i];
	return NULL;
}

/* Where a link of this name leads: "b/x" + "../c" -> "c"; malloced, or NULL. */
static char *link_target(const struct entry *x)
{
	const bool symlink = x->size == 1;
	const char *const name = plain_name(x->name);
	const char *const slash = symlink ? strrchr(name, '/') : NULL;
	autofree char *dir = xstrndup(name, slash ? (size_t)(slash - name) : 0);
	const char *to = plain_name(x->link);

	if (!symlink)
		return xstrdup(to);
	for (; str_starts(to, "../"); to += 3) {
		char *const up = strrchr(dir, '/');

		if (!*dir)
			return NULL;
		*(up ? up : dir) = '\0';
	}
	return *dir ? xasprintf("%s/%s", dir, to) : xstrdup(to);
}

static const struct entry *lookup(const struct tarfiles *t, const char *name)
{
	const struct entry *x = entry_at(t, name);

	for (int i = 0; x && x->link && i < LINKS_MAX; i++) {
		autofree char *to = link_target(x);

		x = to ? entry_at(t, to) : NULL;
	}
	return x && !x->link ? x : NULL;
}

static int open_in_dir(const struct tarfiles *t, const char *name,
		       struct tarfile *ret)
{
	autoclose int fd =
		path_open_type(t->dir, name, PATH_IN_ROOT, S_IFREG, O_RDONLY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	*ret = (struct tarfile){.size = (uint64_t)st.st_size};
	ret->fd = take_fd(&fd);
	return 0;
}

int tarfiles_find(const struct tarfiles *t, const char *name,
		  struct tarfile *ret, struct err *e)
{
	const struct entry *x;

	if (t->dir >= 0) {
		if (open_in_dir(t, name, ret) == 0)
			return 0;
		return err_set(e, ERR_NOTFOUND, "there is no %.200s in it",
			       name);
	}
	x = lookup(t, name);
	if (!x)
		return err_set(e, ERR_NOTFOUND, "there is no %.200s in it",
			       name);
	*ret = (struct tarfile){.fd = t->data, .at = x->at, .size = x->size};
	return 0;
}

void tarfile_close(const struct tarfiles *t, struct tarfile *f)
{
	if (t->dir >= 0)
		own_close(&f->fd);
}

bool tarfiles_has(const struct tarfiles *t, const char *name)
{
	struct tarfile f;
	struct err none = {0};

	if (tarfiles_find(t, name, &f, &none) < 0)
		return false;
	tarfile_close(t, &f);
	return true;
}

int64_t tarfile_pread(const struct tarfile *f, void *p, size_t n, uint64_t from,
		      struct err *e)
{
	size_t have = 0;

	if (from >= f->size)
		return 0;
	if (n > f->size - from)
		n = (size_t)(f->size - from);
	while (have < n) {
		const ssize_t k = pread(f->fd, (char *)p + have, n - have,
					(off_t)(f->at + from + have));

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, "pread", "the archive");
		if (k == 0)
			return err_set(e, ERR_INVALID,
				       "the archive became shorter");
		have += (size_t)k;
	}
	return (int64_t)have;
}

int tarfiles_read(const struct tarfiles *t, const char *name, struct buf *b,
		  struct err *e)
{
	struct tarfile f;
	void *room;
	int64_t n = -1;

	if (tarfiles_find(t, name, &f, e) < 0)
		return -1;
	room = f.size > b->max ? NULL : buf_room(b, (size_t)f.size);
	if (!room)
		(void)err_set(e, ERR_TOOBIG,
			      "%.200s: %" PRIu64 " bytes, at most %zu are read",
			      name, f.size, b->max);
	else
		n = tarfile_pread(&f, room, (size_t)f.size, 0, e);
	if (n >= 0)
		buf_grew(b, (size_t)n);
	tarfile_close(t, &f);
	return n < 0 ? -1 : 0;
}
