#include "runtime/apparmor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "base/trace.h"
#include "base/whoami.h"
#include "runtime/mnt.h"

#define MODULE   "/sys/module/apparmor"
#define NAME_LEN 512 /* a name, or a stack of names: "a//&b" */

static const unsigned char policy[] = {
#include "runtime/apparmor/policy.inc"
};

/* ---- which profile -------------------------------------------------------- */

bool apparmor_is_enabled(void)
{
	autobuf struct buf b = buf_make(16);
	struct err ignored = {0};

	return fs_read_at(AT_FDCWD, MODULE "/parameters/enabled", &b,
			  &ignored) == 0 &&
	       buf_str(&b)[0] == 'Y';
}

static int no_apparmor(const char *name, struct err *e)
{
	(void)err_set(e, ERR_UNSUPPORTED,
		      "cannot apply AppArmor profile '%s': this kernel has no "
		      "AppArmor, or it is switched off",
		      name);
	return err_hint(e, "leave the option out, or give "
			   "apparmor=" APPARMOR_UNCONFINED);
}

int apparmor_check_name(const char *name, struct err *e)
{
	size_t n = 0;

	while (name[n] > ' ' && name[n] != '\x7f')
		n++;
	if (n == 0 || name[n] != '\0' || n >= NAME_LEN)
		return err_set(e, ERR_USAGE,
			       "not the name of an AppArmor profile");
	if (strcmp(name, APPARMOR_UNCONFINED) != 0 && !apparmor_is_enabled())
		return no_apparmor(name, e);
	return 0;
}

const char *apparmor_profile(const struct run_spec *s)
{
	const uint64_t mac_admin = UINT64_C(1) << CAP_MAC_ADMIN;

	if (s->apparmor)
		return s->apparmor;
	if (s->privileged)
		return APPARMOR_UNCONFINED;
	return whoami()->root && (whoami()->permitted & mac_admin)
		       ? APPARMOR_DEFAULT
		       : NULL;
}

/* The profile to change to, or NULL. */
static const char *wanted(const struct run_spec *s)
{
	const char *const name = apparmor_profile(s);

	return name && strcmp(name, APPARMOR_UNCONFINED) != 0 ? name : NULL;
}

/* ---- loading --------------------------------------------------------------- */

static int load_hint(struct err *e)
{
	return err_hint(e, "--security-opt apparmor=" APPARMOR_UNCONFINED
			   " starts the container without a profile");
}

/* Works without a securityfs at /sys/kernel/security. */
static int open_securityfs(const char *name, struct err *e)
{
	autoclose int dir = mnt_fs("securityfs", NULL, 0, e);
	int fd;

	if (dir < 0)
		return -1;
	fd = openat(dir, name, O_RDWR | O_CLOEXEC);
	if (fd < 0 && errno == EACCES)
		fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "openat", "securityfs %s", name) : fd;
}

/* EEXIST: another start loaded it first. */
static int load_default(struct err *e)
{
	autoclose int fd = -1;
	STEP(e, "apparmor", "load profile %s", APPARMOR_DEFAULT);

	fd = open_securityfs("apparmor/.load", e);
	if (fd < 0)
		return load_hint(e);
	if (write(fd, policy, sizeof(policy)) < 0 && errno != EEXIST) {
		(void)err_sys(e, "write", "securityfs apparmor/.load");
		return load_hint(e);
	}
	return 0;
}

/*
 * Query the label as aa_query_label() of libapparmor does. The answer counts
 * only as to whether the label exists, not as to what it allows. The last byte
 * is a class of rules.
 */
static int is_loaded(const char *name, struct err *e)
{
	autoclose int fd = open_securityfs("apparmor/.access", e);
	char query[NAME_LEN + 16];
	const int n =
		snprintf(query, sizeof(query), "label%c%s%c%c", 0, name, 0, 2);

	if (fd < 0)
		return -1;
	if (write(fd, query, (size_t)n) == n)
		return 1;
	return errno == ENOENT
		       ? 0
		       : err_sys(e, "write", "securityfs apparmor/.access");
}

int apparmor_preload(const struct run_spec *s, struct err *e)
{
	const char *const name = wanted(s);
	int rc;

	if (!name || strcmp(name, APPARMOR_DEFAULT) != 0 || !whoami()->root ||
	    access(MODULE, F_OK) < 0 || !apparmor_is_enabled())
		return 0;
	rc = is_loaded(name, e);
	return rc == 0 ? load_default(e) : rc < 0 ? load_hint(e) : 0;
}

/* ---- changing --------------------------------------------------------------- */

/* *ret_why: the kernel's answer to the name, 0 if it was not asked. */
static int ask(const char *name, int *ret_why, struct err *e)
{
	static const char file[] = "/proc/thread-self/attr/apparmor/exec";
	autoclose int fd = open(file, O_WRONLY | O_CLOEXEC);
	char text[NAME_LEN + 8];
	const int n = snprintf(text, sizeof(text), "exec %s", name);

	*ret_why = 0;
	if (fd < 0)
		return err_sys(e, "open", "%s", file);
	if (n >= (int)sizeof(text))
		return err_set(e, ERR_TOOBIG, "the name is too long (%d bytes)",
			       n);
	if (write(fd, text, (size_t)n) == n)
		return 0;
	*ret_why = errno;
	return err_sys(e, "write", "%s", file);
}

static int explain(int why, struct err *e)
{
	if (why != ENOENT)
		return load_hint(e);
	err_clear(e);
	(void)err_set(e, ERR_NOTFOUND, "no such profile is loaded");
	return err_hint(e, "load it first: apparmor_parser --replace FILE");
}

static int change(const char *name, bool may_load, struct err *e)
{
	int why;
	STEP(e, "apparmor", "AppArmor profile %s", name);

	if (ask(name, &why, e) == 0)
		return 1;
	/* AppArmor is built in but was not enabled at boot. */
	if (why == EINVAL) {
		err_clear(e);
		return 0;
	}
	if (why == ENOENT && may_load) {
		err_clear(e);
		if (load_default(e) < 0)
			return -1;
		if (ask(name, &why, e) == 0)
			return 1;
	}
	return explain(why, e);
}

int apparmor_on_exec(const struct run_spec *s, struct err *e)
{
	const char *const name = wanted(s);
	int rc = 0;

	if (!name)
		return 0;
	if (access(MODULE, F_OK) == 0)
		rc = change(name,
			    whoami()->root && !strcmp(name, APPARMOR_DEFAULT),
			    e);
	return rc == 0 && s->apparmor ? no_apparmor(name, e) : rc;
}

/* "NAME (enforce)\n" to "NAME". */
static void cut_mode(char *label)
{
	char *const mode = strstr(label, " (");

	label[strcspn(label, "\n")] = '\0';
	if (mode)
		*mode = '\0';
}

int apparmor_on_exec_like(pid_t pid, struct err *e)
{
	char path[64], label[NAME_LEN];
	autoclose int fd = -1;
	ssize_t n;

	if (access(MODULE, F_OK) < 0)
		return 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/attr/apparmor/current",
		       (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "open", "%s", path);
	n = read(fd, label, sizeof(label) - 1);
	if (n < 0 && errno == EINVAL)
		return 0;
	if (n < 0)
		return err_sys(e, "read", "%s", path);
	label[n] = '\0';
	cut_mode(label);
	if (!strcmp(label, APPARMOR_UNCONFINED))
		return 0;
	return change(label, false, e);
}
