#include "paths.h"

#include <stdlib.h>

#include "base/own.h"
#include "base/str.h"
#include "base/whoami.h"

char *user_home(void)
{
	const char *const home = getenv("HOME");

	if (str_empty(home) || *home != '/')
		return whoami()->root ? xstrdup("/root") : NULL;
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
