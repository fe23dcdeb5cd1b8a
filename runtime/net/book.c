#include "book.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/own.h"
#include "base/trace.h"
#include "runtime/state.h"

#define TEXT_MAX 4096 /* of a symlink (PATH_MAX) */
#define ID_LEN   64
#define ID_PLAIN 13 /* 51 are left: 17 times 3 */
#define ID_SHORT (ID_PLAIN + (ID_LEN - ID_PLAIN) / 3 * 2)

/* ---- the place ---------------------------------------------------------------- */

static int open_used(int root_fd, const char *network, bool make, struct err *e)
{
	autofree char *path = xasprintf("networks/%s/used", network);
	const int fd =
		openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return err_sys(e, "openat", "%s", path);
	if (make)
		return fs_mkdir_open_at(root_fd, path, 0700, e);
	return err_set(e, ERR_NOTFOUND, "network %s is not in use", network);
}

int book_lock(int root_fd, const char *network, struct err *e)
{
	autofree char *path = xasprintf("networks/%s/lock", network);

	return fs_lock_at(root_fd, path, FS_LOCK_EXCLUSIVE, true, e);
}

/* What was given last; none when nobody knows. */
struct last {
	struct ip ip;
	struct ip ip6;
};

static void read_last(int lock, const struct netdef *d, struct last *ret)
{
	if (pread(lock, ret, sizeof(*ret), 0) != (ssize_t)sizeof(*ret) ||
	    (ret->ip.len && !ip_net_has(&d->v4.subnet, &ret->ip)) ||
	    (ret->ip6.len && !ip_net_has(&d->v6.subnet, &ret->ip6)))
		*ret = (struct last){0};
}

/* ---- ids ------------------------------------------------------------------------ */

/*
 * A text of less than 60 bytes stands in the symlink's inode. A longer one has
 * a block of the disk, and to give that back takes 0.4 ms on ext4 with discard.
 * So of an id's digits those by which people know it stay as they are, and of
 * the others two stand for three.
 */
static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz"
			     "ABCDEFGHIJKLMNOPQRSTUVWXYZ-_";

static unsigned int value_of(char c)
{
	const char *const p = memchr(digits, c, sizeof(digits) - 1);

	return p ? (unsigned int)(p - digits) : 0;
}

static void shorten(const char *id, char ret[ID_SHORT + 1])
{
	char *to = ret + ID_PLAIN;

	memcpy(ret, id, ID_PLAIN);
	for (const char *p = id + ID_PLAIN; p < id + ID_LEN; p += 3) {
		const unsigned int n = (value_of(p[0]) & 15) << 8 |
				       (value_of(p[1]) & 15) << 4 |
				       (value_of(p[2]) & 15);

		*to++ = digits[n >> 6];
		*to++ = digits[n & 63];
	}
	*to = '\0';
}

static void lengthen(const char *text, char ret[ID_LEN + 1])
{
	char *to = ret + ID_PLAIN;

	memcpy(ret, text, ID_PLAIN);
	for (const char *p = text + ID_PLAIN; p < text + ID_SHORT; p += 2) {
		const unsigned int n = value_of(p[0]) << 6 | value_of(p[1]);

		*to++ = digits[n >> 8];
		*to++ = digits[n >> 4 & 15];
		*to++ = digits[n & 15];
	}
	*to = '\0';
}

/* ---- owners -------------------------------------------------------------------- */

struct entry {
	char id[ID_LEN + 1];
	const char *names; /* in text */
	char text[TEXT_MAX];
};

/* False: none. */
static bool read_entry(int used, const char *address, struct entry *ret)
{
	const ssize_t n =
		readlinkat(used, address, ret->text, sizeof(ret->text) - 1);

	if (n < ID_SHORT)
		return false;
	ret->text[n] = '\0';
	if (strcspn(ret->text, " ") != ID_SHORT)
		return false;
	lengthen(ret->text, ret->id);
	ret->names = ret->text + ID_SHORT;
	ret->names += *ret->names == ' ';
	return true;
}

/* It has a directory, and somebody who holds its lock. */
static bool is_alive(int root_fd, const char *id)
{
	autofree char *path = xasprintf("containers/%s/spec.json", id);
	autoclose int fd = openat(root_fd, path, O_RDONLY | O_CLOEXEC);

	return fd >= 0 && lock_is_held(fd);
}

/* True when it is free now. */
static bool drop_dead(int root_fd, int used, const char *address)
{
	struct entry x;

	if (read_entry(used, address, &x) && is_alive(root_fd, x.id))
		return false;
	return unlinkat(used, address, 0) == 0 || errno == ENOENT;
}

/* ---- choosing ------------------------------------------------------------------- */

struct choice {
	int root_fd;
	int used;
	const struct netdef_pool *pool;
	const char *text; /* of the symlink */
};

/* 1: it is somebody's. */
static int take(const struct choice *c, const struct ip *a, struct err *e)
{
	char name[IP_TEXT_MAX];

	if (symlinkat(c->text, c->used, ip_text(a, name)) == 0)
		return 0;
	return errno == EEXIST ? 1 : err_sys(e, "symlinkat", "used/%s", name);
}

static int take_wanted(const struct choice *c, const struct ip *want,
		       struct err *e)
{
	char name[IP_TEXT_MAX];
	char net[IP_TEXT_MAX];
	struct entry x;
	int rc;

	(void)ip_text(want, name);
	if (!ip_net_has(&c->pool->subnet, want))
		return err_set(e, ERR_USAGE,
			       "address %s is not in the subnet %s", name,
			       ip_net_text(&c->pool->subnet, net));
	if (netdef_reserved(c->pool, want))
		return err_set(e, ERR_USAGE, "address %s is the network's own",
			       name);
	rc = take(c, want, e);
	if (rc > 0 && drop_dead(c->root_fd, c->used, name))
		rc = take(c, want, e);
	if (rc <= 0)
		return rc;
	return err_set(e, ERR_BUSY, "address %s is in use by container %.12s",
		       name, read_entry(c->used, name, &x) ? x.id : "");
}

/* One round from the one behind last on; 1: all are somebody's. */
static int take_next(const struct choice *c, const struct ip *last, bool dead,
		     struct ip *ret, struct err *e)
{
	const struct ip_net *const range =
		c->pool->range.ip.len ? &c->pool->range : &c->pool->subnet;
	const struct ip first = ip_net_first(range);
	struct ip a = ip_net_has(range, last) ? *last : ip_net_last(range);
	const struct ip end = a;
	char name[IP_TEXT_MAX];

	do {
		int rc;

		if (!ip_add(&a, 1) || !ip_net_has(range, &a))
			a = first;
		if (netdef_reserved(c->pool, &a))
			continue;
		if (dead && !drop_dead(c->root_fd, c->used, ip_text(&a, name)))
			continue;
		rc = take(c, &a, e);
		if (rc <= 0) {
			*ret = a;
			return rc;
		}
	} while (ip_cmp(&a, &end) != 0);
	return 1;
}

static int choose(const struct choice *c, const struct ip *want,
		  struct ip *last, struct ip *ret, struct err *e)
{
	char text[IP_TEXT_MAX];
	int rc;

	*ret = *want;
	if (!c->pool->subnet.ip.len)
		return want->len ? err_set(e, ERR_USAGE,
					   "address %s: the network has no %s",
					   ip_text(want, text),
					   want->len == 4 ? "IPv4" : "IPv6")
				 : 0;
	if (want->len)
		return take_wanted(c, want, e);
	rc = take_next(c, last, false, ret, e);
	if (rc > 0)
		rc = take_next(c, last, true, ret, e);
	if (rc > 0)
		return err_set(e, ERR_BUSY, "no address of %s is free",
			       ip_net_text(&c->pool->subnet, text));
	if (rc == 0)
		*last = *ret;
	return rc;
}

static int choose_both(const struct book_ask *a, struct choice *c, int lock,
		       struct ip *ret_ip, struct ip *ret_ip6, struct err *e)
{
	char name[IP_TEXT_MAX];
	struct last last = {0};
	struct last before;

	read_last(lock, a->net, &last);
	before = last;
	c->pool = &a->net->v4;
	if (choose(c, &a->ip, &last.ip, ret_ip, e) < 0)
		return -1;
	c->pool = &a->net->v6;
	if (choose(c, &a->ip6, &last.ip6, ret_ip6, e) < 0) {
		if (ret_ip->len)
			(void)unlinkat(c->used, ip_text(ret_ip, name), 0);
		return -1;
	}
	/* Lost, it costs a few looks more. */
	if (memcmp(&before, &last, sizeof(last)) != 0)
		(void)!pwrite(lock, &last, sizeof(last), 0);
	return 0;
}

int book_reserve(int root_fd, const struct book_ask *a, struct ip *ret_ip,
		 struct ip *ret_ip6, struct err *e)
{
	char id[ID_SHORT + 1];
	autofree char *text = NULL;
	autoclose int used = -1;
	autoclose int lock = -1;
	struct choice c = {.root_fd = root_fd};
	STEP(e, "address", "in network %s", a->net->name);

	shorten(a->id, id);
	text = xasprintf("%s%s%s", id, *a->names ? " " : "", a->names);
	c.text = text;
	if (strlen(text) >= TEXT_MAX)
		return err_set(e, ERR_TOOBIG, "too many aliases");
	lock = book_lock(root_fd, a->net->name, e);
	if (lock < 0)
		return -1;
	used = open_used(root_fd, a->net->name, true, e);
	if (used < 0)
		return -1;
	c.used = used;
	return choose_both(a, &c, lock, ret_ip, ret_ip6, e);
}

/* ---- letting go ------------------------------------------------------------------ */

int book_release(int root_fd, const char *network, const char *id,
		 const char *address, struct err *e)
{
	autofree char *path =
		xasprintf("networks/%s/used/%s", network, address);
	struct entry x;

	if (!read_entry(root_fd, path, &x) || strcmp(x.id, id) != 0)
		return 0;
	if (unlinkat(root_fd, path, 0) < 0 && errno != ENOENT)
		return err_sys(e, "unlinkat", "%s", path);
	return 0;
}

int book_each(int root_fd, const char *network, book_fn fn, void *ctx,
	      struct err *e)
{
	const int fd = open_used(root_fd, network, false, e);
	autodir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	int rc = 0;

	if (!d && err_is(e) && e->kind == ERR_NOTFOUND) {
		err_clear(e);
		return 0;
	}
	if (!d)
		return err_is(e) ? -1 : err_sys(e, "fdopendir", "used");
	while (rc == 0) {
		const struct dirent *const de = readdir(d);
		struct entry x;

		if (!de)
			break;
		if (de->d_name[0] != '.' && read_entry(fd, de->d_name, &x))
			rc = fn(ctx, de->d_name, x.id, x.names, e);
	}
	return rc;
}

struct letting_go {
	int root_fd;
	const char *network;
	const char *id;
};

static int let_go_of(void *ctx, const char *address, const char *id,
		     const char *names, struct err *e)
{
	const struct letting_go *const l = ctx;

	(void)names;
	if (strcmp(id, l->id) != 0)
		return 0;
	return book_release(l->root_fd, l->network, id, address, e);
}

int book_release_in(int root_fd, const char *network, const char *id,
		    struct err *e)
{
	struct letting_go l = {root_fd, network, id};

	return book_each(root_fd, network, let_go_of, &l, e);
}

int book_release_all(int root_fd, const char *id, struct err *e)
{
	autostrv struct strv names = {0};

	if (netdef_names(root_fd, &names, e) < 0)
		return -1;
	for (size_t i = 0; i < names.n; i++)
		if (book_release_in(root_fd, names.v[i], id, e) < 0)
			return -1;
	return 0;
}

/* ---- other names ----------------------------------------------------------------- */

struct renaming {
	const char *id;
	const char *name;
	int used;
};

/* In place of the old one by one rename: it is never without an owner. */
static int rename_one(void *ctx, const char *address, const char *id,
		      const char *names, struct err *e)
{
	const struct renaming *const r = ctx;
	const size_t n = strcspn(names, " ");
	autofree char *temporary = xasprintf(".%s", address);
	autofree char *text = NULL;
	char owner[ID_SHORT + 1];

	if (strcmp(id, r->id) != 0 || !n ||
	    (strlen(r->name) == n && !memcmp(r->name, names, n)))
		return 0;
	shorten(id, owner);
	text = xasprintf("%s %s%s", owner, r->name, names + n);
	if (strlen(text) >= TEXT_MAX)
		return err_set(e, ERR_TOOBIG, "too many aliases");
	/* Of one that was killed. */
	(void)unlinkat(r->used, temporary, 0);
	if (symlinkat(text, r->used, temporary) < 0)
		return err_sys(e, "symlinkat", "used/%s", temporary);
	crash_point("net-renaming");
	return renameat(r->used, temporary, r->used, address) < 0
		       ? err_sys(e, "renameat", "used/%s", address)
		       : 0;
}

int book_rename(int root_fd, const char *network, const char *id,
		const char *name, struct err *e)
{
	struct renaming r = {.id = id, .name = name};
	autoclose int lock = book_lock(root_fd, network, e);
	autoclose int used = -1;

	if (lock < 0)
		return -1;
	used = open_used(root_fd, network, true, e);
	if (used < 0)
		return -1;
	r.used = used;
	return book_each(root_fd, network, rename_one, &r, e);
}
