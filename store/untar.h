/*
 * untar - a plain tar stream into a directory of its own, in overlay form
 *
 * One layer becomes one directory, without the layers below it. libarchive
 * reads the tar (a guard in front of it refuses what libarchive would wave
 * through: unknown types, bad checksums, broken PAX records, absurd sizes);
 * the disk is written by us.
 *
 * What is always true:
 * - Every path is resolved inside the directory, symlinks that the layer itself
 *   made included (they are written through, as a chrooted tar would); names
 *   with ".." are refused. Nothing outside is touched.
 * - A whiteout .wh.X becomes a character device 0:0 named X; an opaque marker,
 *   and a directory that was whited out and made again in the same layer, gets
 *   the xattr trusted.overlay.opaque (user.overlay.opaque with userxattr).
 *   Whiteouts act on lower layers only: entries of this layer survive in
 *   whatever order. No whiteout is left inside an opaque directory.
 * - overlay xattrs in the tar do not act: they are stored escaped.
 * - A parent without an entry is made 0755 0:0 with time 0 and is marked
 *   implied in the list (see layerlist.h); skeleton.h gives it the attributes
 *   of the lower layers.
 * - The last entry of a path wins. A hardlink needs its target before it, in
 *   the same layer.
 * - Times of directories are set last. Nothing is synced; the caller does one
 *   syncfs.
 *
 * Life, in a worker of the caller:
 *
 *         decomp_open -> [decomp_fork] -> untar_confine -> untar ->
 *         decomp_finish -> compare the diff id
 *
 * Errors: ERR_INVALID for tars that are refused; ERR_SYS from the disk;
 * ERR_UNSUPPORTED for ids outside the id map.
 */
#ifndef STORE_UNTAR_H
#define STORE_UNTAR_H

#include "base/err.h"
#include "store/decomp.h"
#include <stdbool.h>
#include <stdint.h>

struct untar_opts {
	bool userxattr;  /* inside a user namespace: user.overlay.* xattrs, no
			    trusted.* ones */
	bool no_devices; /* device nodes are skipped, and counted */
	bool squash;     /* one id only: everything belongs to 0:0 */
	bool squash_unmapped; /* ids that the user namespace lacks become 0;
				 otherwise they are an error */
};

/*
 * What happened; plain data, so that it can come back through shared memory.
 * note is one sentence on the first thing that was left out, or empty.
 */
struct untar_stats {
	uint64_t entries;
	uint64_t file_bytes;
	uint64_t devices_skipped;
	uint64_t xattrs_dropped;
	uint64_t ids_squashed;
	char note[256];
};

/*
 * dir_fd: an empty directory (O_RDONLY|O_DIRECTORY) that only we know yet; its
 * own mode, owner and times become those of the layer's root. list_fd: an
 * empty file for the list. d is read up to the end of the tar, not further.
 */
int untar(struct decomp *d, int dir_fd, int list_fd, const struct untar_opts *o,
	  struct untar_stats *ret, struct err *e);

/*
 * Lock the calling process up before it meets untrusted bytes; it must be
 * single-threaded and about to do nothing but untar(). dir_fd keeps its number
 * but is opened anew inside.
 *
 * - own mount and network namespaces; the root becomes an empty read-only
 *   tmpfs, with the layer's directory as the only thing in it, mounted
 *   nosuid,nodev,noexec. Where mounting is not possible: chroot into the
 *   directory; where that is not possible either (no privilege at all): left
 *   out, the paths are still resolved inside by untar itself.
 * - all capabilities dropped but CHOWN, DAC_OVERRIDE, FOWNER, FSETID, MKNOD,
 *   SETFCAP and, unless userxattr, SYS_ADMIN: the kernel asks for it to write
 *   trusted.* xattrs. Never left out.
 * - no_new_privs, no core dumps. Never left out.
 * - a seccomp filter that allows what untar calls and nothing else (no exec,
 *   no sockets, no mounts, no executable memory). Left out only where the
 *   kernel has no seccomp.
 */
int untar_confine(int dir_fd, const struct untar_opts *o, struct err *e);

#endif
