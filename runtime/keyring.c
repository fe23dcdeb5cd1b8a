#include "keyring.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"

/*
 * The kernel's permissions of a session keyring, and for processes of the same
 * user the right to find it: that is how an exec comes in.
 */
#define PERM (0x3f000000U | 0x001b0000U)

static int no_keyring(const struct run_spec *s, struct err *e)
{
	/* prism's own filter lets no program near keys. */
	const bool filtered = !s->seccomp_off && !s->filter;

	if (errno == ENOSYS || errno == EPERM || filtered)
		return 0;
	(void)err_sys(e, "keyctl", "new session keyring");
	if (e->sys == EDQUOT)
		(void)err_hint(e, "each container of yours has one: sysctl "
				  "kernel.keys.maxkeys allows more");
	return -1;
}

int keyring_join(const struct run_spec *s, const char *id, struct err *e)
{
	char name[96];
	long key;

	(void)snprintf(name, sizeof(name), "prism-%s", id);
	key = syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name);
	if (key < 0)
		return no_keyring(s, e);
	/* One that was there already is another process's to change. */
	(void)syscall(SYS_keyctl, KEYCTL_SETPERM, key, PERM);
	return 0;
}
