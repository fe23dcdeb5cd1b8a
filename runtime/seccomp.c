#include "runtime/seccomp.h"

#include <string.h>

#include "base/own.h"
#include "runtime/seccomp_default.h"

int seccomp_patch_copy(const struct sock_filter *insn, size_t n,
		       const struct seccomp_patch *patch, size_t n_patch,
		       uint64_t caps_kept, struct sock_filter *ret, size_t max,
		       struct err *e)
{
	if (n > max)
		return err_set(e, ERR_TOOBIG,
			       "the seccomp filter has %zu instructions, there "
			       "is room for %zu",
			       n, max);
	memcpy(ret, insn, n * sizeof(*ret));
	for (size_t i = 0; i < n_patch; i++) {
		if (!(patch[i].caps & caps_kept))
			ret[patch[i].index].k = patch[i].ret_without;
	}
	return 0;
}

#if defined(__x86_64__) || defined(__aarch64__)

#ifdef __x86_64__
#define NATIVE_INSN  seccomp_insn_x86_64
#define NATIVE_PATCH seccomp_patch_x86_64
#else
#define NATIVE_INSN  seccomp_insn_aarch64
#define NATIVE_PATCH seccomp_patch_aarch64
#endif

_Static_assert(ARRAY_LEN(NATIVE_INSN) <= SECCOMP_DEFAULT_MAX,
	       "callers have room for the whole filter");
_Static_assert(ARRAY_LEN(NATIVE_INSN) < BPF_MAXINSNS,
	       "the kernel takes no longer filter");

int seccomp_default(uint64_t caps_kept, struct sock_filter *ret, size_t max,
		    size_t *ret_n, struct err *e)
{
	const size_t n = ARRAY_LEN(NATIVE_INSN);

	if (seccomp_patch_copy(NATIVE_INSN, n, NATIVE_PATCH,
			       ARRAY_LEN(NATIVE_PATCH), caps_kept, ret, max,
			       e) < 0)
		return -1;
	*ret_n = n;
	return 0;
}

#else

int seccomp_default(uint64_t caps_kept, struct sock_filter *ret, size_t max,
		    size_t *ret_n, struct err *e)
{
	(void)caps_kept;
	(void)ret;
	(void)max;
	(void)ret_n;
	err_set(e, ERR_UNSUPPORTED,
		"there is no default seccomp profile for this machine");
	return err_hint(e, "give one: --security-opt seccomp=FILE");
}

#endif
