#include "runtime/user.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/io.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

/* Part of a text that is not ours to change. */
struct slice {
	const char *p;
	size_t n;
};

/* USER[:GROUP] taken apart. */
struct parts {
	struct slice user;
	struct slice group;
	bool has_group;
	bool user_is_id;
	bool group_is_id;
	uint32_t uid;
	uint32_t gid;
};

static bool slice_is(struct slice s, const char *p, size_t n)
{
	return s.n == n && (n == 0 || memcmp(s.p, p, n) == 0);
}

static bool slice_id(struct slice s, uint32_t *ret)
{
	uint64_t n = 0;

	if (!str_to_u64n(s.p, s.n, USER_ID_MAX, &n))
		return false;
	*ret = (uint32_t)n;
	return true;
}

/* Digits only: a number, whether or not it is a possible one. */
static bool is_number(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return s.n > 0;
}

/* ---- lines and fields -------------------------------------------------- */

#define FIELDS_MAX 7 /* passwd has seven, group four */

/* The next line without its end; false at the end of the text. */
static bool next_line(struct slice *text, struct slice *ret)
{
	const char *end;

	if (text->n == 0)
		return false;
	end = memchr(text->p, '\n', text->n);
	ret->p = text->p;
	ret->n = end ? (size_t)(end - text->p) : text->n;
	text->p += ret->n + (end ? 1 : 0);
	text->n -= ret->n + (end ? 1 : 0);
	return true;
}

/*
 * Cut a line at its colons. The last field takes the rest. Returns how many
 * there are; 0 for lines that hold a NUL, which no account has.
 */
static size_t cut_fields(struct slice line, struct slice *ret, size_t max)
{
	size_t n = 0;

	if (line.n == 0 || memchr(line.p, '\0', line.n))
		return 0;
	for (;;) {
		const char *colon = memchr(line.p, ':', line.n);
		const size_t len = colon ? (size_t)(colon - line.p) : line.n;

		if (!colon || n + 1 == max) {
			ret[n] = line;
			return n + 1;
		}
		ret[n++] = (struct slice){line.p, len};
		line.p += len + 1;
		line.n -= len + 1;
	}
}

struct passwd_entry {
	struct slice name;
	uint32_t uid;
	uint32_t gid;
	struct slice home;
};

static bool parse_passwd(struct slice line, struct passwd_entry *ret)
{
	struct slice f[FIELDS_MAX];
	const size_t n = cut_fields(line, f, 7);

	/* name:password:uid:gid:comment:home:shell; the shell may lack. */
	if (n < 4 || f[0].n == 0 || f[0].p[0] == '#')
		return false;
	ret->name = f[0];
	ret->home = n > 5 ? f[5] : (struct slice){"", 0};
	return slice_id(f[2], &ret->uid) && slice_id(f[3], &ret->gid);
}

struct group_entry {
	struct slice name;
	uint32_t gid;
	struct slice members; /* comma separated */
};

static bool parse_group(struct slice line, struct group_entry *ret)
{
	struct slice f[FIELDS_MAX];
	const size_t n = cut_fields(line, f, 4);

	/* name:password:gid:members */
	if (n < 3 || f[0].n == 0 || f[0].p[0] == '#')
		return false;
	ret->name = f[0];
	ret->members = n > 3 ? f[3] : (struct slice){"", 0};
	return slice_id(f[2], &ret->gid);
}

static bool lists_member(struct slice members, struct slice name)
{
	while (members.n) {
		const char *comma = memchr(members.p, ',', members.n);
		const size_t len =
			comma ? (size_t)(comma - members.p) : members.n;

		if (slice_is(name, members.p, len))
			return true;
		members.p += len + (comma ? 1 : 0);
		members.n -= len + (comma ? 1 : 0);
	}
	return false;
}

/* ---- looking up -------------------------------------------------------- */

static int split_wish(const char *text, struct parts *ret, struct err *e)
{
	const char *colon;

	*ret = (struct parts){.user_is_id = true};
	if (str_empty(text))
		return 0;
	colon = strchr(text, ':');
	ret->user.p = text;
	ret->user.n = colon ? (size_t)(colon - text) : strlen(text);
	if (colon) {
		ret->group = (struct slice){colon + 1, strlen(colon + 1)};
		ret->has_group = ret->group.n > 0;
	}
	ret->user_is_id = ret->user.n == 0 || slice_id(ret->user, &ret->uid);
	ret->group_is_id = slice_id(ret->group, &ret->gid);
	if ((!ret->user_is_id && is_number(ret->user)) ||
	    (!ret->group_is_id && is_number(ret->group)))
		return err_set(e, ERR_USAGE,
			       "user '%.64s': uids and gids must be in the "
			       "range 0-%u",
			       text, USER_ID_MAX);
	return 0;
}

/* The first entry that fits, by number or by name. */
static bool find_passwd(const struct user_files *f, const struct parts *p,
			struct passwd_entry *ret)
{
	struct slice text = {f->passwd, f->passwd ? f->passwd_len : 0};
	struct slice line;

	while (next_line(&text, &line)) {
		struct passwd_entry x;

		if (!parse_passwd(line, &x))
			continue;
		if (p->user_is_id ? x.uid == p->uid
				  : slice_is(p->user, x.name.p, x.name.n)) {
			*ret = x;
			return true;
		}
	}
	return false;
}

static bool find_group(const struct user_files *f, struct slice name,
		       uint32_t *ret)
{
	struct slice text = {f->group, f->group ? f->group_len : 0};
	struct slice line;

	while (next_line(&text, &line)) {
		struct group_entry x;

		if (parse_group(line, &x) &&
		    slice_is(name, x.name.p, x.name.n)) {
			*ret = x.gid;
			return true;
		}
	}
	return false;
}

static int unknown_group(struct slice name, struct err *e)
{
	return err_set(e, ERR_NOTFOUND,
		       "unable to find group %.*s: no matching entries in "
		       "group file",
		       name.n > 64 ? 64 : (int)name.n, name.p);
}

static int add_group(struct user *u, uint32_t gid, struct err *e)
{
	for (size_t i = 0; i < u->n_groups; i++) {
		if (u->groups[i] == gid)
			return 0;
	}
	if (u->n_groups == GROUPS_MAX)
		return err_set(e, ERR_TOOBIG,
			       "uid %u is in more than %d groups", u->uid,
			       GROUPS_MAX);
	u->groups[u->n_groups++] = gid;
	return 0;
}

static int add_memberships(const struct user_files *f, struct slice name,
			   struct user *u, struct err *e)
{
	struct slice text = {f->group, f->group ? f->group_len : 0};
	struct slice line;

	while (next_line(&text, &line)) {
		struct group_entry x;

		if (parse_group(line, &x) && lists_member(x.members, name) &&
		    add_group(u, x.gid, e) < 0)
			return -1;
	}
	return 0;
}

static int add_wished_groups(const struct user_files *f,
			     const struct user_wish *w, struct user *u,
			     struct err *e)
{
	for (size_t i = 0; i < w->n_group_add; i++) {
		const struct slice s = {w->group_add[i],
					strlen(w->group_add[i])};
		uint32_t gid = 0;

		if (!slice_id(s, &gid) && is_number(s))
			return err_set(e, ERR_USAGE,
				       "--group-add %.64s: gids must be in the "
				       "range 0-%u",
				       s.p, USER_ID_MAX);
		if (!is_number(s) && !find_group(f, s, &gid))
			return unknown_group(s, e);
		if (add_group(u, gid, e) < 0)
			return -1;
	}
	return 0;
}

static void set_home(struct user *u, struct slice home)
{
	if (home.n == 0 || home.n >= sizeof(u->home))
		home = (struct slice){"/", 1};
	memcpy(u->home, home.p, home.n);
	u->home[home.n] = '\0';
}

static int resolve(const struct user_files *f, const struct user_wish *w,
		   const struct parts *p, struct user *u, struct err *e)
{
	struct passwd_entry pw = {0};

	*u = (struct user){.uid = p->uid};
	u->known = find_passwd(f, p, &pw);
	if (!u->known && !p->user_is_id)
		return err_set(e, ERR_NOTFOUND,
			       "unable to find user %.*s: no matching entries "
			       "in passwd file",
			       p->user.n > 64 ? 64 : (int)p->user.n, p->user.p);
	if (u->known) {
		u->uid = pw.uid;
		u->gid = pw.gid;
	}
	set_home(u, pw.home);
	if (p->has_group && p->group_is_id)
		u->gid = p->gid;
	else if (p->has_group && !find_group(f, p->group, &u->gid))
		return unknown_group(p->group, e);
	if (add_group(u, u->gid, e) < 0)
		return -1;
	if (u->known && !p->has_group && add_memberships(f, pw.name, u, e) < 0)
		return -1;
	return add_wished_groups(f, w, u, e);
}

int user_resolve_text(const struct user_files *f, const struct user_wish *w,
		      struct user *ret, struct err *e)
{
	struct parts p;

	if (split_wish(w->user, &p, e) < 0)
		return -1;
	return resolve(f, w, &p, ret, e);
}

/* ---- files ------------------------------------------------------------- */

/*
 * Do not open a FIFO, a device or a file of procfs (which may contain the
 * caller's environment): treat it as a missing file.
 */
static int read_file(int root_fd, const char *path, struct buf *b,
		     struct err *e)
{
	autoclose int fd =
		path_open_type(root_fd, path, PATH_IN_ROOT, S_IFREG, O_RDONLY);

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EBADF ||
		       errno == EISDIR))
		return 0;
	if (fd < 0)
		return err_sys(e, "openat2", "%s in the container", path);
	return io_read_file(fd, b, path, e);
}

static bool names_a_group(const struct user_wish *w)
{
	for (size_t i = 0; i < w->n_group_add; i++) {
		const struct slice s = {w->group_add[i],
					strlen(w->group_add[i])};

		if (!is_number(s))
			return true;
	}
	return false;
}

int user_resolve(int root_fd, const struct user_wish *w, struct user *ret,
		 struct err *e)
{
	char mem[2][2048];
	autobuf struct buf passwd =
		buf_on(mem[0], sizeof(mem[0]), ETC_FILE_MAX);
	autobuf struct buf group = buf_on(mem[1], sizeof(mem[1]), ETC_FILE_MAX);
	struct user_files f = {0};
	struct parts p;

	if (split_wish(w->user, &p, e) < 0)
		return -1;
	if (!p.user_is_id || !p.has_group || !w->has_home) {
		if (read_file(root_fd, "etc/passwd", &passwd, e) < 0)
			return -1;
		f.passwd = buf_str(&passwd);
		f.passwd_len = passwd.len;
	}
	/* Memberships need the name that passwd gives to the user. */
	if ((!p.has_group && passwd.len) || (p.has_group && !p.group_is_id) ||
	    names_a_group(w)) {
		if (read_file(root_fd, "etc/group", &group, e) < 0)
			return -1;
		f.group = buf_str(&group);
		f.group_len = group.len;
	}
	return resolve(&f, w, &p, ret, e);
}
