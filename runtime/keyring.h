/*
 * keyring - a session keyring for each container
 *
 * Keys are in no namespace. A container that kept its caller's session keyring
 * could use and change the caller's keys: tokens of Kerberos or of an encrypted
 * file system. Each container gets one of its own, named by its id; an exec
 * joins it by that name. prism's own seccomp filter refuses all key calls; a
 * program under another profile can join the keyring of any container of the
 * same uid whose id it knows.
 */
#ifndef RUNTIME_KEYRING_H
#define RUNTIME_KEYRING_H

#include "base/err.h"
#include "runtime/spec.h"

/*
 * By the process that becomes PID 1 or joins it, as the container's root. A
 * kernel without keys, or an outer container that refuses the call, is no
 * error: the program cannot reach a key either. One that may make too many
 * keys is an error where the program can use them (s).
 */
int keyring_join(const struct run_spec *s, const char *id, struct err *e);

#endif
