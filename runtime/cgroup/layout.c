#include "layout.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/str.h"

#define USUAL "/sys/fs/cgroup"
#define USUAL_ALL                                                         \
	(1U << CG_CPU | 1U << CG_CPUSET | 1U << CG_MEMORY | 1U << CG_IO | \
	 1U << CG_PIDS)

static const struct {
	const char *v1;
	const char *v2;
} names[CG_CONTROLLERS] = {
	[CG_CPU] = {"cpu", "cpu"},          [CG_CPUACCT] = {"cpuacct", NULL},
	[CG_CPUSET] = {"cpuset", "cpuset"}, [CG_MEMORY] = {"memory", "memory"},
	[CG_IO] = {"blkio", "io"},          [CG_PIDS] = {"pids", "pids"},
	[CG_DEVICES] = {"devices", NULL},   [CG_FREEZER] = {"freezer", NULL},
};

const char *controller_name(enum controller c, int version)
{
	const char *const name = version == 2 ? names[c].v2 : names[c].v1;

	return name ? name : names[c].v1;
}

static bool is_word(const char *p, size_t n, const char *word)
{
	return word && strlen(word) == n && !memcmp(p, word, n);
}

/* The bits of words that are separated by commas or blanks. */
static unsigned bits_of(const char *p, size_t n, int version)
{
	const char *const end = p + n;
	unsigned bits = 0;

	while (p < end) {
		size_t k = 0;

		while (p + k < end && !strchr(", \n", p[k]))
			k++;
		for (int i = 0; i < CG_CONTROLLERS; i++)
			if (is_word(p, k,
				    version == 2 ? names[i].v2 : names[i].v1))
				bits |= 1U << i;
		p += k + 1;
	}
	return bits;
}

unsigned layout_controllers(const char *words)
{
	return bits_of(words, strlen(words), 2);
}

/* ---- mountinfo ------------------------------------------------------------ */

/* Blanks and their like stand there as \040. */
static char *unescape(const char *p, size_t n)
{
	char *const s = xmalloc(n + 1);
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\\' && n - i > 3) {
			s[k++] =
				(char)((p[i + 1] - '0') * 64 +
				       (p[i + 2] - '0') * 8 + (p[i + 3] - '0'));
			i += 3;
			continue;
		}
		s[k++] = p[i];
	}
	s[k] = '\0';
	return s;
}

/* The text of the n-th field of a line, from 0; NULL if it has less. */
static const char *field(const char *p, const char *end, int n, size_t *ret)
{
	while (n-- > 0) {
		p = memchr(p, ' ', (size_t)(end - p));
		if (!p)
			return NULL;
		p++;
	}
	*ret = strcspn(p, " \n");
	return p;
}

struct mount_line {
	const char *root; /* what of the hierarchy is mounted */
	size_t n_root;
	const char *at;
	size_t n_at;
	const char *options; /* of the super block */
	size_t n_options;
	int version;
};

/* "36 35 98:0 /root /at rw - cgroup name options" */
static bool read_line(const char *p, const char *end, struct mount_line *ret)
{
	const char *tail = p;
	const char *type;
	size_t n;

	while (tail && !str_starts(tail, " - "))
		tail = memchr(tail + 1, ' ', (size_t)(end - tail - 1));
	if (!tail || end - tail < 4)
		return false;
	ret->root = field(p, end, 3, &ret->n_root);
	ret->at = field(p, end, 4, &ret->n_at);
	type = field(tail + 3, end, 0, &n);
	ret->options = field(tail + 3, end, 2, &ret->n_options);
	if (!ret->root || !ret->at || !type || !ret->options)
		return false;
	ret->version = is_word(type, n, "cgroup2")  ? 2
		       : is_word(type, n, "cgroup") ? 1
						    : 0;
	return ret->version != 0;
}

/* ---- /proc/self/cgroup ---------------------------------------------------- */

/* "4:memory:/a" or "0::/a": the path in the hierarchy that it speaks of. */
static char *own_path(const char *self, const struct hierarchy *h)
{
	for (const char *p = self; *p;) {
		const char *const end = p + strcspn(p, "\n");
		const char *const list = memchr(p, ':', (size_t)(end - p));
		const char *path =
			list ? memchr(list + 1, ':', (size_t)(end - list - 1))
			     : NULL;

		if (path) {
			const size_t n = (size_t)(path - list - 1);
			const bool v2 = n == 0;

			if (v2 ? h->version == 2
			       : h->version == 1 && (bits_of(list + 1, n, 1) &
						     h->controllers))
				return xstrndup(path + 1,
						(size_t)(end - path - 1));
		}
		p = end + (*end == '\n');
	}
	return NULL;
}

/* Below the mount point: the part that is mounted is cut off in front. */
static char *own_dir(const char *mount, const char *root, const char *path)
{
	const char *rest = path;

	if (!path || str_starts(path, "/.."))
		return NULL;
	if (strcmp(root, "/") != 0) {
		rest = str_after(path, root);
		if (!rest || (*rest && *rest != '/'))
			return NULL;
	}
	if (!strcmp(rest, "/"))
		rest = "";
	return xasprintf("%s%s", mount, rest);
}

/* ---- both ----------------------------------------------------------------- */

/* The first mount of a hierarchy is the one. */
static bool is_known(const struct layout *l, const struct hierarchy *h)
{
	for (size_t i = 0; i < l->n; i++)
		if (h->version == 2 ? l->v[i].version == 2
				    : (l->v[i].version == 1 &&
				       (l->v[i].controllers & h->controllers)))
			return true;
	return false;
}

static void add(struct layout *l, const struct mount_line *m, const char *self)
{
	struct hierarchy h = {.version = m->version};
	autofree char *root = NULL;
	autofree char *path = NULL;

	if (h.version == 1)
		h.controllers = bits_of(m->options, m->n_options, 1);
	/* name=systemd and others that limit nothing. */
	if ((h.version == 1 && !h.controllers) || l->n == HIERARCHIES_MAX ||
	    is_known(l, &h))
		return;
	root = unescape(m->root, m->n_root);
	path = own_path(self, &h);
	h.mount = unescape(m->at, m->n_at);
	h.own = own_dir(h.mount, root, path);
	l->v[l->n++] = h;
}

void layout_parse(const char *mountinfo, const char *self, struct layout *ret)
{
	*ret = (struct layout){0};
	for (const char *p = mountinfo; *p;) {
		const char *const end = p + strcspn(p, "\n");
		struct mount_line m = {0};

		if (read_line(p, end, &m))
			add(ret, &m, self);
		p = end + (*end == '\n');
	}
}

static int ask_v2(struct hierarchy *h, struct err *e)
{
	autobuf struct buf b = buf_make(KIB(16));
	autofree char *path = xasprintf("%s/cgroup.controllers", h->mount);

	if (fs_read_at(AT_FDCWD, path, &b, e) < 0)
		return -1;
	h->controllers = layout_controllers(buf_str(&b));
	return 0;
}

/*
 * Most hosts have all in one hierarchy, whose root (inode 1) is where everybody
 * looks: there mountinfo, which costs more than to make a cgroup, need not be
 * read.
 */
static bool is_usual(const char *self, struct layout *l)
{
	struct hierarchy h = {.version = 2, .mount = xstrdup(USUAL)};
	struct err ignored = {0};
	autofree char *path = own_path(self, &h);
	struct statfs fs;
	struct stat st;

	if (statfs(USUAL, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC ||
	    stat(USUAL, &st) < 0 || st.st_ino != 1 ||
	    ask_v2(&h, &ignored) < 0 ||
	    (h.controllers & USUAL_ALL) != USUAL_ALL) {
		free(h.mount);
		return false;
	}
	h.controllers |= CG_V2_CORE;
	h.own = own_dir(h.mount, "/", path);
	l->v[l->n++] = h;
	return true;
}

int layout_read(struct layout *ret, struct err *e)
{
	autobuf struct buf mounts = buf_make(MIB(8));
	autobuf struct buf self = buf_make(KIB(64));
	autolayout struct layout l = {0};
	unsigned taken = 0;

	*ret = (struct layout){0};
	if (fs_read_at(AT_FDCWD, "/proc/self/cgroup", &self, e) < 0)
		return -1;
	if (is_usual(buf_str(&self), ret))
		return 0;
	if (fs_read_at(AT_FDCWD, "/proc/self/mountinfo", &mounts, e) < 0)
		return -1;
	layout_parse(buf_str(&mounts), buf_str(&self), &l);
	for (size_t i = 0; i < l.n; i++)
		if (l.v[i].version == 1)
			taken |= l.v[i].controllers;
	for (size_t i = 0; i < l.n; i++)
		if (l.v[i].version == 2) {
			if (ask_v2(&l.v[i], e) < 0)
				return -1;
			l.v[i].controllers |= CG_V2_CORE & ~taken;
		}
	*ret = l;
	l = (struct layout){0};
	return 0;
}

void layout_free(struct layout *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->v[i].mount);
		free(l->v[i].own);
	}
	*l = (struct layout){0};
}

const struct hierarchy *layout_of(const struct layout *l, enum controller c)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].controllers & 1U << c)
			return &l->v[i];
	return NULL;
}

const struct hierarchy *layout_v2(const struct layout *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].version == 2)
			return &l->v[i];
	return NULL;
}
