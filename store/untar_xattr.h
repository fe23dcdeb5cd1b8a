/*
 * untar_xattr - which extended attributes of a layer reach the disk, and how
 *
 * A set is what one entry carries, after the rules:
 * - trusted.overlay.X and user.overlay.X would steer overlayfs: they are stored
 *   escaped, as trusted.overlay.overlay.X, which overlayfs shows unescaped;
 * - security.selinux and system.nfs4_acl belong to the host they came from:
 *   left out without a word;
 * - trusted.* inside a user namespace, and what the file system refuses with
 *   EOPNOTSUPP or EPERM: left out and counted.
 *
 * Life: {0} -> xattr_set_add ... -> xattr_set_apply -> xattr_set_digest ->
 * xattr_set_reset.
 */
#ifndef STORE_UNTAR_XATTR_H
#define STORE_UNTAR_XATTR_H

#include "base/err.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xattr {
	char *name; /* as on disk */
	void *value;
	size_t size;
	bool applied;
};

struct xattr_set {
	struct xattr *v;
	size_t n;
};

/* "trusted.overlay.opaque" or "user.overlay.opaque". */
const char *xattr_opaque(bool userxattr);

/* overlay's own, as we set it; the escaped ones of the image are not. */
bool xattr_is_overlays(const char *name, bool userxattr);

/*
 * Add one as the tar has it. 1: added; 0: left out silently; 2: left out and
 * worth counting.
 */
int xattr_set_add(struct xattr_set *s, const char *name, const void *value,
		  size_t size, bool userxattr, struct err *e);
void xattr_set_reset(struct xattr_set *s);

/* Only ACLs, everything but ACLs, or all. */
enum xattr_which {
	XATTR_ALL,
	XATTR_NOT_ACL,
	XATTR_ACL,
};

/*
 * Write them to fd, or, with fd -1, to leaf in the current directory, not
 * following a symlink. *dropped counts what the file system refuses.
 */
int xattr_set_apply(struct xattr_set *s, enum xattr_which which, int fd,
		    const char *leaf, uint64_t *dropped, struct err *e);

/*
 * sha256 in hex over those applied: sorted by name; name, NUL, size as eight
 * bytes little-endian, value. Empty string for an empty set.
 */
void xattr_set_digest(struct xattr_set *s, char ret[65]);

/*
 * The same over what is on disk at name in a directory; overlay's own
 * attributes (opaque) are not counted.
 */
int xattr_disk_digest(int dirfd, const char *name, bool userxattr, char ret[65],
		      struct err *e);

#endif
