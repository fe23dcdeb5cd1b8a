/*
 * caps_apply - giving a process its capabilities, by bare system calls
 *
 * Header only and without libcap, so that PID 1 (a small static program) can
 * use it. Sets are bit masks: bit n is capability n of linux/capability.h.
 *
 * Order for a program that changes its user: caps_apply_bounding (needs
 * CAP_SETPCAP), prctl(PR_SET_KEEPCAPS, 1) if the program shall keep permitted
 * capabilities as a user other than root, setgroups, setgid, setuid, then
 * caps_apply_sets: it can only take away, and raises ambient ones last.
 *
 * Results are 0, or -1 with errno.
 */
#ifndef RUNTIME_CAPS_APPLY_H
#define RUNTIME_CAPS_APPLY_H

#include <errno.h>
#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Drop what is not in keep from the bounding set. last_cap is the kernel's
 * newest capability (/proc/sys/kernel/cap_last_cap; -1: drop up to where the
 * kernel says that there are no more). One call per capability dropped.
 */
static inline int caps_apply_bounding(uint64_t keep, int last_cap)
{
	const int last = last_cap >= 0 && last_cap < 63 ? last_cap : 63;

	for (int cap = 0; cap <= last; cap++) {
		if (keep >> cap & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
			continue;
		/* The first number that is no capability ends the search. */
		if (errno == EINVAL && last_cap < 0 && cap > 0)
			return 0;
		return -1;
	}
	return 0;
}

#define CAP_BIT(cap) (UINT64_C(1) << (cap))

/* The permitted capabilities of this process; 0 if capget(2) fails. */
static inline uint64_t caps_apply_permitted(void)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &head, data) < 0)
		return 0;
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

/*
 * Set permitted, effective, inheritable and ambient to exactly these. Ambient
 * must be part of permitted and of inheritable, or it is EPERM.
 */
static inline int caps_apply_sets(uint64_t permitted, uint64_t effective,
				  uint64_t inheritable, uint64_t ambient)
{
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		data[i].permitted = (uint32_t)(permitted >> 32 * i);
		data[i].effective = (uint32_t)(effective >> 32 * i);
		data[i].inheritable = (uint32_t)(inheritable >> 32 * i);
	}
	/*
	 * Without inheritable ones capset(2) empties the ambient set itself.
	 * Kernels before 4.3 know none: nothing to clear there.
	 */
	if (inheritable != 0 &&
	    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 &&
	    errno != EINVAL)
		return -1;
	if (syscall(SYS_capset, &head, data) < 0)
		return -1;
	for (int cap = 0; cap < 64; cap++) {
		if (!(ambient >> cap & 1))
			continue;
		if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return -1;
	}
	return 0;
}

#endif
