#include "walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ladder.h"
#include "limits.h"
#include "own.h"
#include "path.h"

/* Bytes per read. A level has its own buffer while its directory is open. */
#define PIECE KIB(8)

/* Bytes of sorted names kept for closed levels; the rest is read again. */
#define NAMES_KEPT MIB(1)

#define OPEN_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW)

struct piece {
	_Alignas(struct dirent) char p[PIECE];
	size_t depth; /* of the level that uses it */
	size_t n;
	size_t at;
};

/* All names of a directory, each as a type byte, the name and a NUL. */
struct names {
	char *text;
	size_t len;
	size_t cap;
	uint32_t *at; /* in text, in order */
	size_t n;
	size_t next;
};

struct level {
	size_t path_len;     /* of the directory, without the names below it */
	int64_t off;         /* unsorted: the read position of the next entry */
	struct names *names; /* sorted: NULL until it is read */
	bool started;
	bool broken; /* reading it failed */
};

enum pending {
	PENDING_NONE,
	PENDING_ENTER, /* WALK_DOWN was given */
	PENDING_LEAVE, /* WALK_UP was given */
};

struct walk {
	unsigned int flags;
	struct ladder dirs;
	struct ladder others;
	struct level *levels; /* as many as rungs */
	size_t cap;
	char *path;
	size_t path_len;
	size_t path_cap;
	struct piece *pieces[LADDER_OPEN]; /* by depth, modulo */
	size_t kept;                       /* bytes of names in closed levels */
	enum pending pending;
	int into;  /* the directory to enter, or -1 */
	bool lost; /* the way back up failed */
	bool denied;
	size_t name_at; /* in path, of the entry that was given */
};

const char *walk_tail(const char *path)
{
	const size_t n = strlen(path);
	const char *slash;

	if (n <= 200)
		return path;
	slash = strchr(path + n - 200, '/');
	return slash ? slash + 1 : path + n - 200;
}

static int fail(const struct walk *w, const char *call, struct err *e)
{
	const char *const shown = walk_tail(w->path);
	const bool moved = errno == ESTALE;

	(void)err_sys(e, call, "%s", *shown ? shown : ".");
	return moved ? err_hint(e, "another process moved the directory; "
				   "try again")
		     : -1;
}

/* ---- the path ---------------------------------------------------------------- */

static void cut_path(struct walk *w, size_t len)
{
	w->path_len = len;
	w->path[len] = '\0';
}

/* Where a name starts in the path, below a directory path of this length. */
static size_t below_path(const struct walk *w, size_t len)
{
	return len > 0 && w->path[len - 1] != '/' ? len + 1 : len;
}

static void set_name(struct walk *w, const char *name)
{
	const size_t above = w->levels[w->dirs.n - 1].path_len;
	const size_t n = strlen(name);
	const size_t need = above + 1 + n + 1;

	w->name_at = below_path(w, above);
	if (need > w->path_cap) {
		w->path_cap = 2 * need;
		w->path = xrealloc(w->path, w->path_cap);
	}
	if (w->name_at > above)
		w->path[above] = '/';
	memcpy(w->path + w->name_at, name, n + 1);
	w->path_len = w->name_at + n;
}

/* ---- levels ------------------------------------------------------------------ */

static struct level *top(const struct walk *w)
{
	return &w->levels[w->dirs.n - 1];
}

static void free_names(struct level *l)
{
	if (!l->names)
		return;
	free(l->names->text);
	free(l->names->at);
	free(l->names);
	l->names = NULL;
}

static size_t names_size(const struct names *n)
{
	return sizeof(*n) + n->cap + n->n * sizeof(*n->at);
}

/* The level was closed: free its names if too many are kept. */
static void put_aside(struct walk *w, struct level *l)
{
	const size_t size = l->names ? names_size(l->names) : 0;

	if (w->kept + size > NAMES_KEPT)
		free_names(l);
	else
		w->kept += size;
}

static void take_back(struct walk *w, const struct level *l)
{
	if (l->names)
		w->kept -= names_size(l->names);
}

/* Takes the fd. */
static int push(struct walk *w, int fd, struct err *e)
{
	if (ladder_down(&w->dirs, fd) < 0)
		return fail(w, "fstat", e);
	if (w->dirs.n > w->cap) {
		w->cap = w->cap ? 2 * w->cap : LADDER_OPEN;
		w->levels = xrealloc(w->levels, w->cap * sizeof(*w->levels));
	}
	w->levels[w->dirs.n - 1] = (struct level){.path_len = w->path_len};
	if (w->dirs.n > LADDER_OPEN)
		put_aside(w, &w->levels[w->dirs.n - LADDER_OPEN - 1]);
	return 0;
}

static void pop(struct walk *w)
{
	if (w->others.n == w->dirs.n)
		ladder_up(&w->others);
	free_names(top(w));
	ladder_up(&w->dirs);
	if (w->dirs.n >= LADDER_OPEN)
		take_back(w, &w->levels[w->dirs.n - LADDER_OPEN]);
}

/* ---- reading ----------------------------------------------------------------- */

static bool is_dots(const char *name)
{
	return name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]));
}

/* The number of bytes; 0 at the end or in a removed directory. */
static ssize_t read_piece(const struct walk *w, struct piece *p, struct err *e)
{
	const long n = syscall(SYS_getdents64, ladder_fd(&w->dirs), p->p,
			       sizeof(p->p));

	if (n < 0 && errno == ENOENT)
		return 0;
	return n < 0 ? fail(w, "getdents64", e) : n;
}

static struct piece *piece_of(struct walk *w, size_t depth)
{
	struct piece **const p = &w->pieces[depth % LADDER_OPEN];

	if (!*p) {
		*p = xmalloc(sizeof(**p));
		(*p)->depth = 0;
	}
	return *p;
}

/*
 * A deeper level has used the buffer since. With WALK_REMOVES read from the
 * beginning, because the caller removed the entries that were returned before.
 */
static int seek(struct walk *w, struct piece *p, struct err *e)
{
	const struct level *const l = top(w);

	p->depth = w->dirs.n;
	p->n = p->at = 0;
	if (l->started &&
	    lseek(ladder_fd(&w->dirs), w->flags & WALK_REMOVES ? 0 : l->off,
		  SEEK_SET) < 0)
		return fail(w, "lseek", e);
	return 0;
}

/* 1: type and name of the next entry; 0: no more. */
static int next_unsorted(struct walk *w, unsigned char *ret_type,
			 const char **ret_name, struct err *e)
{
	struct level *const l = top(w);
	struct piece *const p = piece_of(w, w->dirs.n);

	if (p->depth != w->dirs.n || !l->started) {
		if (seek(w, p, e) < 0)
			return -1;
		l->started = true;
	}
	for (;;) {
		const struct dirent *const de = (const void *)(p->p + p->at);

		if (p->at >= p->n) {
			const ssize_t n = read_piece(w, p, e);

			if (n <= 0)
				return (int)n;
			p->n = (size_t)n;
			p->at = 0;
			continue;
		}
		p->at += de->d_reclen;
		l->off = de->d_off;
		if (is_dots(de->d_name))
			continue;
		*ret_type = de->d_type;
		*ret_name = de->d_name;
		return 1;
	}
}

static void add_name(struct names *to, const struct dirent *de)
{
	const size_t n = strlen(de->d_name) + 1;

	if (to->len + 1 + n > to->cap) {
		to->cap = 2 * (to->cap + 1 + n);
		to->text = xrealloc(to->text, to->cap);
	}
	to->text[to->len] = (char)de->d_type;
	memcpy(to->text + to->len + 1, de->d_name, n);
	to->len += 1 + n;
	to->n++;
}

static int by_name(const void *a, const void *b, void *text)
{
	const uint32_t *const x = a;
	const uint32_t *const y = b;

	return strcmp((const char *)text + *x + 1, (const char *)text + *y + 1);
}

static void sort_names(struct names *names)
{
	uint32_t at = 0;

	names->at = xmalloc((names->n ? names->n : 1) * sizeof(*names->at));
	for (size_t i = 0; i < names->n; i++) {
		names->at[i] = at;
		at += (uint32_t)strlen(names->text + at + 1) + 2;
	}
	if (names->n > 1)
		qsort_r(names->at, names->n, sizeof(*names->at), by_name,
			names->text);
}

/* Read the names that sort after `after`, the last one returned; NULL: all. */
static int read_names(struct walk *w, const char *after, struct err *e)
{
	struct piece *const p = piece_of(w, 0);
	struct level *const l = top(w);
	struct names *const names = xcalloc(1, sizeof(*names));

	l->names = names;
	if (after && lseek(ladder_fd(&w->dirs), 0, SEEK_SET) < 0)
		return fail(w, "lseek", e);
	for (;;) {
		const ssize_t n = read_piece(w, p, e);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		for (size_t at = 0; at < (size_t)n;) {
			const struct dirent *const de =
				(const void *)(p->p + at);

			at += de->d_reclen;
			if (!is_dots(de->d_name) &&
			    (!after || strcmp(de->d_name, after) > 0))
				add_name(names, de);
		}
		/* at[] holds 32-bit offsets; no directory is that large. */
		if (names->len > UINT32_MAX - KIB(64))
			return err_set(e, ERR_TOOBIG, "%s: too many entries",
				       walk_tail(w->path));
	}
	sort_names(names);
	return 0;
}

static int next_sorted(struct walk *w, unsigned char *ret_type,
		       const char **ret_name, struct err *e)
{
	struct level *const l = top(w);
	struct names *names;
	const char *x;

	/* The path still ends in the name that was returned last. */
	if (!l->names &&
	    read_names(w, l->started ? w->path + w->name_at : NULL, e) < 0)
		return -1;
	l->started = true;
	names = l->names;
	if (names->next == names->n)
		return 0;
	x = names->text + names->at[names->next++];
	*ret_type = (unsigned char)x[0];
	*ret_name = x + 1;
	return 1;
}

static int next_name(struct walk *w, unsigned char *ret_type,
		     const char **ret_name, struct err *e)
{
	if (top(w)->broken)
		return 0;
	return w->flags & WALK_SORTED ? next_sorted(w, ret_type, ret_name, e)
				      : next_unsorted(w, ret_type, ret_name, e);
}

/* ---- up and down --------------------------------------------------------------- */

static int open_below(const struct walk *w, int dir, const char *name)
{
	return path_open(dir, name,
			 PATH_NO_LINKS |
				 (w->flags & WALK_NO_XDEV ? PATH_NO_XDEV : 0),
			 OPEN_DIR, 0);
}

/* Open a directory for removal: its owner needs mode 0700 for that. */
static int open_to_remove(const struct walk *w, int dir, const char *name)
{
	autoclose int fd = open_below(w, dir, name);
	struct stat st;

	if (fd < 0 && errno == EACCES &&
	    path_chmod(dir, name, PATH_NO_LINKS, 0700) == 0)
		fd = open_below(w, dir, name);
	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 0700) != 0700)
		(void)fchmod(fd, 0700);
	return take_fd(&fd);
}

/* 1: entered; 0: there is nothing to enter. */
static int enter(struct walk *w, struct err *e)
{
	const char *const name = w->path + w->name_at;
	const int dir = ladder_fd(&w->dirs);
	autoclose int fd = take_fd(&w->into);
	autoclose int other = -1;

	if (fd < 0)
		fd = w->flags & WALK_REMOVES ? open_to_remove(w, dir, name)
					     : open_below(w, dir, name);
	if (fd < 0 && errno == EACCES && (w->flags & WALK_DENIED_OK)) {
		w->denied = true;
		return 0;
	}
	/* It vanished, was replaced, or is a mount point. */
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP ||
		       errno == EXDEV))
		return 0;
	if (fd < 0)
		return fail(w, "openat2", e);
	if (w->others.n == w->dirs.n) {
		other = path_open(ladder_fd(&w->others), name, PATH_NO_LINKS,
				  OPEN_DIR, 0);
		if (other < 0 && errno != ENOENT && errno != ENOTDIR &&
		    errno != ELOOP)
			return fail(w, "openat2", e);
		if (other >= 0 && ladder_down(&w->others, take_fd(&other)) < 0)
			return fail(w, "fstat", e);
	}
	return push(w, take_fd(&fd), e) < 0 ? -1 : 1;
}

static int companion(struct walk *w, size_t depth)
{
	return w->others.n == depth ? ladder_fd(&w->others) : -1;
}

static void fill(struct walk *w, struct walk_at *ret)
{
	ret->dir = ladder_fd(&w->dirs);
	ret->other = companion(w, w->dirs.n);
	ret->name = w->path + w->name_at;
	ret->path = w->path;
	ret->path_len = w->path_len;
	ret->depth = w->dirs.n;
	ret->fd = -1;
	ret->other_fd = -1;
}

static int lose(struct walk *w, struct err *e)
{
	w->lost = true;
	return fail(w, "openat ..", e);
}

/* All entries of the lowest directory were returned. */
static int end_of_dir(struct walk *w, struct walk_at *ret, struct err *e)
{
	const size_t depth = w->dirs.n;

	cut_path(w, top(w)->path_len);
	if (depth == 1)
		return WALK_END;
	w->name_at = below_path(w, w->levels[depth - 2].path_len);
	ret->dir = ladder_above(&w->dirs);
	if (ret->dir < 0 || (!(w->flags & WALK_NO_STAT) &&
			     fstat(ladder_fd(&w->dirs), &ret->st) < 0))
		return lose(w, e);
	ret->other = companion(w, depth - 1);
	if (w->others.n == depth) {
		ret->other = ladder_above(&w->others);
		if (ret->other < 0)
			return lose(w, e);
	}
	ret->fd = ladder_fd(&w->dirs);
	ret->other_fd = companion(w, depth);
	ret->name = w->path + w->name_at;
	ret->path = w->path;
	ret->path_len = w->path_len;
	ret->depth = depth - 1;
	w->pending = PENDING_LEAVE;
	return WALK_UP;
}

/* 1: it vanished, or is unreadable. */
static int look(struct walk *w, unsigned char type, struct walk_at *ret,
		struct err *e)
{
	if ((w->flags & WALK_NO_STAT) && type != DT_UNKNOWN) {
		ret->st.st_mode = DTTOIF(type);
		return 0;
	}
	if (path_stat(ret->dir, ret->name, PATH_NO_LINKS, &ret->st) == 0)
		return 0;
	if (errno == EACCES && (w->flags & WALK_DENIED_OK))
		w->denied = true;
	else if (errno != ENOENT)
		return fail(w, "fstatat", e);
	return 1;
}

int walk_next(struct walk *w, struct walk_at *ret, struct err *e)
{
	const enum pending pending = w->pending;

	w->pending = PENDING_NONE;
	if (pending == PENDING_LEAVE)
		pop(w);
	if (w->lost)
		return WALK_END;
	if (pending == PENDING_ENTER && enter(w, e) < 0)
		return -1;
	for (;;) {
		unsigned char type = DT_UNKNOWN;
		const char *name = NULL;
		const int more = next_name(w, &type, &name, e);
		int gone;

		if (more < 0) {
			top(w)->broken = true;
			return -1;
		}
		if (more == 0)
			return end_of_dir(w, ret, e);
		set_name(w, name);
		fill(w, ret);
		gone = look(w, type, ret, e);
		if (gone < 0)
			return -1;
		if (gone)
			continue;
		if (!S_ISDIR(ret->st.st_mode))
			return WALK_ENTRY;
		w->pending = PENDING_ENTER;
		return WALK_DOWN;
	}
}

void walk_skip(struct walk *w)
{
	own_close(&w->into);
	w->pending = PENDING_NONE;
}

void walk_into(struct walk *w, int fd)
{
	w->into = fd;
}

bool walk_denied(const struct walk *w)
{
	return w->denied;
}

/* ---- begin and end --------------------------------------------------------------- */

static int reopen(int fd)
{
	return path_open(fd, ".", PATH_NO_LINKS, O_RDONLY | O_DIRECTORY, 0);
}

struct walk *walk_open(int fd, const char *prefix, unsigned int flags,
		       struct err *e)
{
	struct walk *w = xcalloc(1, sizeof(*w));
	const int root = reopen(fd);

	w->flags = flags;
	w->into = -1;
	w->path = xstrdup(prefix);
	w->path_len = strlen(prefix);
	w->path_cap = w->path_len + 1;
	if (root < 0 ? fail(w, "openat2", e) : push(w, root, e)) {
		walk_close(w);
		return NULL;
	}
	return w;
}

int walk_with(struct walk *w, int fd, struct err *e)
{
	const int root = reopen(fd);

	if (root < 0)
		return fail(w, "openat2", e);
	return ladder_down(&w->others, root) < 0 ? fail(w, "fstat", e) : 0;
}

void walk_close(struct walk *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->dirs.n; i++)
		free_names(&w->levels[i]);
	ladder_free(&w->dirs);
	ladder_free(&w->others);
	own_close(&w->into);
	for (size_t i = 0; i < LADDER_OPEN; i++)
		free(w->pieces[i]);
	free(w->levels);
	free(w->path);
	free(w);
}

void own_walk(struct walk **w)
{
	const int kept = errno;

	walk_close(*w);
	errno = kept;
}
