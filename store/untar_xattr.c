#include "untar_xattr.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "base/digest.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

#define SET_MAX 256 /* attributes of one file; ext4 holds less than a page */

const char *xattr_opaque(bool userxattr)
{
	return userxattr ? "user.overlay.opaque" : "trusted.overlay.opaque";
}

static const char *const OVERLAY[] = {
	"trusted.overlay.",
	"user.overlay.",
};

/* The name as it is stored, malloced. */
static char *stored_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(OVERLAY); i++) {
		const char *const rest = str_after(name, OVERLAY[i]);

		if (rest)
			return xasprintf("%soverlay.%s", OVERLAY[i], rest);
	}
	return xstrdup(name);
}

static void add_raw(struct xattr_set *s, char *name, const void *value,
		    size_t size)
{
	struct xattr x = {.name = name, .size = size};

	x.value = xmalloc(size + 1);
	if (size > 0)
		memcpy(x.value, value, size);
	s->v = xrealloc(s->v, (s->n + 1) * sizeof(*s->v));
	s->v[s->n++] = x;
}

int xattr_set_add(struct xattr_set *s, const char *name, const void *value,
		  size_t size, bool userxattr, struct err *e)
{
	autofree char *stored = NULL;

	if (!strcmp(name, "security.selinux") ||
	    !strcmp(name, "system.nfs4_acl"))
		return 0;
	if (userxattr && str_starts(name, "trusted."))
		return 2;
	if (size > XATTR_MAX || s->n == SET_MAX)
		return err_set(e, ERR_TOOBIG,
			       "too many or too large extended attributes");
	stored = stored_name(name);
	/* The last one of a name wins. */
	for (size_t i = 0; i < s->n; i++) {
		if (strcmp(s->v[i].name, stored) != 0)
			continue;
		free(s->v[i].name);
		free(s->v[i].value);
		s->v[i] = s->v[--s->n];
		break;
	}
	add_raw(s, take_ptr(&stored), value, size);
	return 1;
}

void xattr_set_reset(struct xattr_set *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->v[i].name);
		free(s->v[i].value);
	}
	free(s->v);
	*s = (struct xattr_set){0};
}

static bool wanted(const struct xattr *x, enum xattr_which which)
{
	const bool acl = str_starts(x->name, "system.posix_acl_");

	return which == XATTR_ALL || acl == (which == XATTR_ACL);
}

int xattr_set_apply(struct xattr_set *s, enum xattr_which which, int fd,
		    const char *leaf, uint64_t *dropped, struct err *e)
{
	for (size_t i = 0; i < s->n; i++) {
		struct xattr *const x = &s->v[i];
		int rc;

		if (!wanted(x, which))
			continue;
		rc = fd >= 0 ? fsetxattr(fd, x->name, x->value, x->size, 0)
			     : lsetxattr(leaf, x->name, x->value, x->size, 0);
		x->applied = rc == 0;
		if (rc == 0)
			continue;
		if (errno != EOPNOTSUPP && errno != EPERM)
			return err_sys(e, "setxattr", "%s", x->name);
		(*dropped)++;
	}
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct xattr *const x = a;
	const struct xattr *const y = b;

	return strcmp(x->name, y->name);
}

void xattr_set_digest(struct xattr_set *s, char ret[65])
{
	struct hash *h = NULL;
	struct digest d;

	ret[0] = '\0';
	if (s->n > 1)
		qsort(s->v, s->n, sizeof(*s->v), by_name);
	for (size_t i = 0; i < s->n; i++) {
		const struct xattr *const x = &s->v[i];
		unsigned char len[8];

		if (!x->applied)
			continue;
		for (size_t k = 0; k < sizeof(len); k++)
			len[k] = (unsigned char)(x->size >> (8 * k));
		if (!h)
			h = hash_begin(DIGEST_SHA256);
		hash_add(h, x->name, strlen(x->name) + 1);
		hash_add(h, len, sizeof(len));
		hash_add(h, x->value, x->size);
	}
	if (!h)
		return;
	hash_end(h, &d);
	memcpy(ret, d.hex, 65);
}

bool xattr_is_overlays(const char *name, bool userxattr)
{
	const char *const rest = str_after(name, OVERLAY[userxattr]);

	return rest && !str_starts(rest, "overlay.");
}

static int read_one(int dirfd, const char *path, const char *name,
		    struct xattr_set *ret, struct err *e)
{
	autofree char *value = xmalloc(XATTR_MAX);
	const ssize_t n = path_getxattr(dirfd, path, PATH_NO_LINKS, name, value,
					XATTR_MAX);

	if (n < 0)
		return err_sys(e, "lgetxattr", "%s of %s", name, path);
	add_raw(ret, xstrdup(name), value, (size_t)n);
	ret->v[ret->n - 1].applied = true;
	return 0;
}

/* The set of what is on disk, overlay's own ones left out. */
static int read_set(int dirfd, const char *path, bool userxattr,
		    struct xattr_set *ret, struct err *e)
{
	autofree char *names = xmalloc(XATTR_MAX);
	const ssize_t n =
		path_listxattr(dirfd, path, PATH_NO_LINKS, names, XATTR_MAX);

	if (n < 0 && errno == EOPNOTSUPP)
		return 0;
	if (n < 0)
		return err_sys(e, "llistxattr", "%s", path);
	for (const char *p = names; p < names + n; p += strlen(p) + 1) {
		/* The host's label is not the image's. */
		if (xattr_is_overlays(p, userxattr) ||
		    !strcmp(p, "security.selinux"))
			continue;
		if (read_one(dirfd, path, p, ret, e) < 0)
			return -1;
	}
	return 0;
}

int xattr_disk_digest(int dirfd, const char *name, bool userxattr, char ret[65],
		      struct err *e)
{
	struct xattr_set s = {0};
	int rc;

	rc = read_set(dirfd, name, userxattr, &s, e);
	if (rc == 0)
		xattr_set_digest(&s, ret);
	xattr_set_reset(&s);
	return rc;
}
