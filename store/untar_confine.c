#include <linux/capability.h>
#include <sys/syscall.h>

#include "base/hash.h"
#include "base/own.h"
#include "confine.h"
#include "untar.h"

/*
 * What untar calls, the frequent ones first: the filter is walked in order.
 * The last group has old forms that not every architecture has.
 */
static const int UNTAR_CALLS[] = {
	SYS_pwrite64,
	SYS_openat,
	SYS_utimensat,
	SYS_close,
	SYS_fchown,
	SYS_openat2,
	SYS_fchownat,
	SYS_fchmod,
	SYS_mkdirat,
	SYS_symlinkat,
	SYS_linkat,
	SYS_newfstatat,
	SYS_unlinkat,
	SYS_mknodat,
	SYS_fchmodat,
	SYS_readlinkat,
	SYS_ftruncate,
	SYS_fsetxattr,
	SYS_lsetxattr,
	SYS_flistxattr,
	SYS_fchdir,
	SYS_fremovexattr,
	SYS_getdents64,
	SYS_fcntl,
	SYS_fstat,
	SYS_lseek,
	SYS_pread64,
	SYS_umask,
	SYS_statx,
	SYS_wait4,
	SYS_pidfd_send_signal,
};

/* Files of any owner and mode are made and changed; nothing else. */
static uint64_t needed_caps(const struct untar_opts *o)
{
	uint64_t keep = CONFINE_CAP(CAP_CHOWN) | CONFINE_CAP(CAP_DAC_OVERRIDE) |
			CONFINE_CAP(CAP_FOWNER) | CONFINE_CAP(CAP_FSETID) |
			CONFINE_CAP(CAP_MKNOD) | CONFINE_CAP(CAP_SETFCAP);

	if (!o->userxattr)
		keep |= CONFINE_CAP(CAP_SYS_ADMIN);
	return keep;
}

int untar_confine(int dir_fd, const struct untar_opts *o, struct err *e)
{
	/*
	 * libcrypto reads its configuration at first use: now, while the files
	 * of the system are there, not those of the layer.
	 */
	hash_drop(hash_begin(DIGEST_SHA256));
	if (confine_root(dir_fd, e) < 0 ||
	    confine_caps(needed_caps(o), e) < 0 || confine_privs(e) < 0)
		return -1;
	return confine_syscalls(UNTAR_CALLS, ARRAY_LEN(UNTAR_CALLS), e);
}
