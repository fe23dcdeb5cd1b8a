#include "store/confine_tree.h"

#include <linux/capability.h>
#include <sys/syscall.h>

#include "base/own.h"
#include "base/path.h"
#include "store/confine.h"

/* base/path, base/walk, and what libarchive asks of a stream. */
static const int READ_CALLS[] = {
	PATH_CALLS_READ, SYS_getdents64, SYS_statx,     SYS_lseek,
	SYS_pread64,     SYS_flistxattr, SYS_fgetxattr, SYS_faccessat,
	SYS_faccessat2,  SYS_fcntl,      SYS_geteuid,   SYS_umask,
};

static const int WRITE_CALLS[] = {
	PATH_CALLS_WRITE, SYS_pwrite64,  SYS_getdents64, SYS_statx,
	SYS_lseek,        SYS_pread64,   SYS_ftruncate,  SYS_fchown,
	SYS_fchmod,       SYS_fsetxattr, SYS_flistxattr, SYS_fgetxattr,
	SYS_fcntl,        SYS_geteuid,   SYS_umask,
};

/*
 * CAP_SYS_ADMIN is for trusted.* xattrs, which a layer may have. The filter
 * refuses the system calls for which it would allow anything else.
 */
#define READ_CAPS                                                           \
	(CONFINE_CAP(CAP_DAC_READ_SEARCH) | CONFINE_CAP(CAP_DAC_OVERRIDE) | \
	 CONFINE_CAP(CAP_SYS_ADMIN))
#define WRITE_CAPS                                                      \
	(READ_CAPS | CONFINE_CAP(CAP_CHOWN) | CONFINE_CAP(CAP_FOWNER) | \
	 CONFINE_CAP(CAP_FSETID) | CONFINE_CAP(CAP_MKNOD) |             \
	 CONFINE_CAP(CAP_SETFCAP))

static int give_up(uint64_t caps, const int *calls, size_t n, struct err *e)
{
	if (confine_caps(caps, e) < 0 || confine_privs(e) < 0)
		return -1;
	return confine_syscalls(calls, n, e);
}

int confine_reader(const int *trees, size_t n, struct err *e)
{
	if (confine_trees(trees, n, -1, e) < 0)
		return -1;
	return give_up(READ_CAPS, READ_CALLS, ARRAY_LEN(READ_CALLS), e);
}

int confine_writer(int tree, struct err *e)
{
	if (confine_trees(NULL, 0, tree, e) < 0)
		return -1;
	return give_up(WRITE_CAPS, WRITE_CALLS, ARRAY_LEN(WRITE_CALLS), e);
}
