/*
 * apparmor - the AppArmor profile that a container's processes run under
 *
 * If the kernel has AppArmor, a container that root starts runs under the
 * profile prism-default (runtime/apparmor/prism-default): a second part of the
 * kernel then enforces the rules that namespaces, masks, capabilities and
 * seccomp enforce already. --security-opt apparmor=NAME selects another
 * profile, "unconfined" none.
 *
 * The kernel changes the profile when the process that requested the change
 * executes a program. init, and the joiner of an exec, request it while the
 * host's /proc is still reachable, and become PID 1 by execve. So PID 1 is
 * confined too, and the container's own /proc is never trusted. The profile
 * change clears PR_SET_PDEATHSIG, which PID 1 sets again (PID1_TIE_AGAIN).
 *
 * The kernel takes compiled policy only. prism contains its profile in compiled
 * form and loads it if the kernel does not know the name. A loaded profile
 * stays until the next reboot. Without AppArmor in the kernel a start only
 * costs one access(2).
 *
 * Loading policy needs CAP_MAC_ADMIN, which ordinary users lack, as does root
 * inside a container. Their containers get a profile only if they name one that
 * is loaded.
 */
#ifndef RUNTIME_APPARMOR_H
#define RUNTIME_APPARMOR_H

#include "base/err.h"
#include "runtime/spec.h"
#include <stdbool.h>
#include <sys/types.h>

#define APPARMOR_DEFAULT    "prism-default"
#define APPARMOR_UNCONFINED "unconfined"

/* Is AppArmor built into this kernel and enabled? */
bool apparmor_is_enabled(void);

/*
 * Check the value of --security-opt apparmor=. ERR_USAGE if it cannot be a
 * profile name; ERR_UNSUPPORTED if it names a profile and the kernel has no
 * AppArmor.
 */
int apparmor_check_name(const char *name, struct err *e);

/*
 * The profile that the calling process gives to a container with this spec if
 * the kernel has AppArmor: a name, APPARMOR_UNCONFINED, or NULL for no change.
 * Borrowed.
 */
const char *apparmor_profile(const struct run_spec *s);

/*
 * Load the default profile if the spec asks for it and the kernel does not know
 * it. For a start with a user namespace, in which init may not load it.
 */
int apparmor_preload(const struct run_spec *s, struct err *e);

/*
 * Request the spec's profile for the next execve of this thread. Needs the
 * host's /proc. Returns 1 if the profile will change, 0 if the spec asks for no
 * change. ERR_NOTFOUND: the profile is not loaded.
 */
int apparmor_on_exec(const struct run_spec *s, struct err *e);

/* The same, for the profile that process pid runs under. */
int apparmor_on_exec_like(pid_t pid, struct err *e);

#endif
