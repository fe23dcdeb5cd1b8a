/*
 * apparmor - the AppArmor profile that a container's processes run under
 *
 * Where the kernel has AppArmor, a container that root starts is confined by
 * the profile prism-default (runtime/apparmor/prism-default): the same rules
 * as the other walls, enforced a second time by another part of the kernel.
 * --security-opt apparmor=NAME takes another profile, "unconfined" none.
 *
 * The change happens when the process that asked for it executes a program:
 * init and the joiner of an exec ask while the host's /proc is in sight, and
 * become PID 1 by execve. So PID 1 is confined as well, and the container's own
 * /proc is never trusted. The kernel takes away PR_SET_PDEATHSIG with the
 * change; PID 1 sets it again (PID1_TIE_AGAIN).
 *
 * The kernel knows compiled policy only. prism carries its profile in that
 * form and loads it when the kernel says that it does not know the name; it
 * stays until the machine is rebooted. A kernel without AppArmor costs a start
 * one access(2).
 *
 * An ordinary user cannot load policy, and root without CAP_MAC_ADMIN, as in a
 * container, cannot either: these get a profile only when they name one that
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

/* Is AppArmor in this kernel and switched on? */
bool apparmor_is_enabled(void);

/*
 * A word of --security-opt apparmor=. ERR_USAGE for what can be no name;
 * ERR_UNSUPPORTED for a name where the kernel has no AppArmor.
 */
int apparmor_check_name(const char *name, struct err *e);

/*
 * The profile that containers with this spec get from the calling process
 * where the kernel has AppArmor: a name, APPARMOR_UNCONFINED, or NULL if
 * nothing is changed. Borrowed.
 */
const char *apparmor_profile(const struct run_spec *s);

/*
 * Load the default profile if the spec asks for it and the kernel does not
 * know it. Only needed before an init in a user namespace, which may not.
 */
int apparmor_preload(const struct run_spec *s, struct err *e);

/*
 * The next execve of this thread changes to the profile of the spec. Needs the
 * host's /proc. 1: it will; 0: there is nothing to change. ERR_NOTFOUND: no
 * such profile is loaded.
 */
int apparmor_on_exec(const struct run_spec *s, struct err *e);

/* The same, to the profile that this process has. */
int apparmor_on_exec_like(pid_t pid, struct err *e);

#endif
