#include "conf.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "fs.h"
#include "own.h"
#include "paths.h"
#include "str.h"
#include "whoami.h"

#define SYSTEM_CONFIG "/etc/prism/config.json"

static int load(const char *path, bool must_exist, struct buf *ret,
		char **ret_name, struct err *e)
{
	if (!must_exist && access(path, F_OK) < 0)
		return 0;
	if (fs_read_at(AT_FDCWD, path, ret, e) < 0)
		return -1;
	*ret_name = xstrdup(path);
	return 1;
}

int conf_read(const char *path, struct buf *ret, char **ret_name, struct err *e)
{
	const char *const env = getenv("PRISM_CONFIG");
	int rc;

	*ret_name = NULL;
	if (!path && !str_empty(env))
		path = env;
	if (path)
		return load(path, true, ret, ret_name, e);
	if (!whoami()->root) {
		autofree char *own = user_config_path("prism/config.json");

		rc = own ? load(own, false, ret, ret_name, e) : 0;
		if (rc != 0)
			return rc;
	}
	return load(SYSTEM_CONFIG, false, ret, ret_name, e);
}
