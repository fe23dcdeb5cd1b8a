#include "paths.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/own.h"
#include "base/str.h"

bool is_system_root(void)
{
	autobuf struct buf b = buf_make(4096);
	struct err ignored = {0};

	if (geteuid() != 0)
		return false;
	if (fs_read_at(AT_FDCWD, "/proc/self/uid_map", &b, &ignored) < 0)
		return true;
	/* The first namespace maps every id to itself. */
	return strstr(buf_str(&b), "4294967295") != NULL;
}

char *user_home(void)
{
	const char *const home = getenv("HOME");

	if (str_empty(home) || *home != '/')
		return is_system_root() ? xstrdup("/root") : NULL;
	return xstrdup(home);
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
