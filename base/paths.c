#include "paths.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/whoami.h"

/* Services and cron jobs may have no HOME: take it from /etc/passwd. */
static char *home_of_passwd(void)
{
	/* The real uid at exec, valid in a user namespace too. */
	const struct passwd *const p = getpwuid((uid_t)getauxval(AT_UID));

	if (p && p->pw_dir && *p->pw_dir == '/')
		return xstrdup(p->pw_dir);
	return whoami()->root ? xstrdup("/root") : NULL;
}

char *user_home(void)
{
	const char *const home = getenv("HOME");

	return home && *home == '/' ? xstrdup(home) : home_of_passwd();
}

char *user_runtime_path(const char *name)
{
	const char *const dir = getenv("XDG_RUNTIME_DIR");
	autofree char *path = NULL;
	struct stat st;

	if (!dir || *dir != '/')
		return NULL;
	path = xasprintf("%s/%s", dir, name);
	if (stat(dir, &st) == 0 && st.st_uid != geteuid()) {
		if (access(path, F_OK) == 0)
			log_warn("ignoring %s: XDG_RUNTIME_DIR belongs to "
				 "user %u",
				 path, (unsigned)st.st_uid);
		return NULL;
	}
	return take_ptr(&path);
}

char *user_config_path(const char *name)
{
	const char *const xdg = getenv("XDG_CONFIG_HOME");
	autofree char *home = NULL;

	if (!str_empty(xdg) && *xdg == '/')
		return xasprintf("%s/%s", xdg, name);
	home = user_home();
	return home ? xasprintf("%s/.config/%s", home, name) : NULL;
}
