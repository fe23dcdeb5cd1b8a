#include "whoami.h"

#include <errno.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Its inode in nsfs, the same on every machine since 3.8 (linux/nsfs.h). */
#define FIRST_USERNS 0xEFFFFFFDU

static bool in_first_userns(void)
{
	struct stat st;

	/* Without a /proc it cannot be told, and much else will fail. */
	return stat("/proc/self/ns/user", &st) < 0 || st.st_ino == FIRST_USERNS;
}

static uint64_t permitted_caps(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, d) < 0)
		return 0;
	return (uint64_t)d[1].permitted << 32 | d[0].permitted;
}

const struct whoami *whoami(void)
{
	static struct whoami me;
	static bool asked;

	if (asked)
		return &me;
	asked = true;
	if (getauxval(AT_EUID) != 0)
		return &me;
	me.permitted = permitted_caps();
	me.root = me.permitted & UINT64_C(1) << CAP_SYS_ADMIN &&
		  in_first_userns();
	me.mknod = me.root && me.permitted & UINT64_C(1) << CAP_MKNOD;
	me.net = me.root && me.permitted & UINT64_C(1) << CAP_NET_ADMIN;
	return &me;
}

void whoami_explain(struct err *e)
{
	if (e->kind != ERR_SYS || (e->sys != EPERM && e->sys != ENOSYS) ||
	    prctl(PR_GET_SECCOMP) != SECCOMP_MODE_FILTER)
		return;
	(void)err_hint(e, "a seccomp filter is in force here, as in most "
			  "containers, and may refuse it: start the outer one "
			  "with --security-opt seccomp=unconfined, or "
			  "--privileged");
}
