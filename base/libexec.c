#include "libexec.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

char *libexec_find(const char *name, struct err *e)
{
	char self[4096];
	const ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	if (slash)
		*slash = '\0';
	for (int i = slash ? 0 : 2; i < 3; i++) {
		autofree char *path =
			i == 0   ? xasprintf("%s/%s", self, name)
			: i == 1 ? xasprintf("%s/../libexec/prism/%s", self,
					     name)
				 : xasprintf(PRISM_LIBEXEC "/%s", name);

		if (access(path, X_OK) == 0)
			return take_ptr(&path);
	}
	(void)err_sysno(e, ENOENT, "access", "%s/%s", PRISM_LIBEXEC, name);
	(void)err_hint(e, "%s is installed beside prism by 'make install'",
		       name);
	return NULL;
}
