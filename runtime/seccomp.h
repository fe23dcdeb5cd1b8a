/*
 * seccomp - the filter of system calls that a container's program runs under
 *
 * The default filter is compiled when prism is built (seccomp_gen.c, from
 * seccomp_profile.h). What depends on capabilities is patched into a copy when
 * a container starts, which takes microseconds where compiling takes
 * milliseconds. Profiles given by users (Docker's JSON, or the seccomp object
 * of an OCI config) go through libseccomp, in seccomp_user.c.
 *
 * Life: seccomp_default or seccomp_from_file in the monitor -> the
 * instructions travel to the child -> seccomp(SECCOMP_SET_MODE_FILTER) as the
 * last step before execve.
 */
#ifndef RUNTIME_SECCOMP_H
#define RUNTIME_SECCOMP_H

#include "base/err.h"
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* Room that is always enough for the default filter. */
#define SECCOMP_DEFAULT_MAX 1024

/*
 * The default filter for a program that keeps these capabilities (of its
 * bounding set). ERR_TOOBIG if max is too small, ERR_UNSUPPORTED on a machine
 * without a table.
 */
int seccomp_default(uint64_t caps_kept, struct sock_filter *ret, size_t max,
		    size_t *ret_n, struct err *e);

/*
 * A profile file of Docker's form. *ret is malloced. Names that this machine
 * does not know are skipped, as Docker does. ERR_NOTFOUND without the file,
 * ERR_INVALID names the place in the document, ERR_UNSUPPORTED for actions
 * that need a tracer or a listener (SCMP_ACT_NOTIFY).
 */
int seccomp_from_file(const char *path, uint64_t caps_kept,
		      struct sock_filter **ret, size_t *ret_n, struct err *e);

/* The same from text; what names it in errors. */
int seccomp_from_text(const char *p, size_t len, const char *what,
		      uint64_t caps_kept, struct sock_filter **ret,
		      size_t *ret_n, struct err *e);

/* One place of a compiled filter that depends on capabilities. */
struct seccomp_patch {
	uint64_t caps;        /* any of these kept: the filter as it is */
	uint32_t index;       /* of a return instruction */
	uint32_t ret_without; /* its value with none of them */
};

/* What seccomp_default does, for any table: also used by the tests. */
int seccomp_patch_copy(const struct sock_filter *insn, size_t n,
		       const struct seccomp_patch *patch, size_t n_patch,
		       uint64_t caps_kept, struct sock_filter *ret, size_t max,
		       struct err *e);

#endif
