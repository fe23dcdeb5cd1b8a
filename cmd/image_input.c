#include "cmd/image_input.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int image_input_open(const char *path, struct err *e)
{
	int fd;

	if (path && strcmp(path, "-") != 0) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? err_sys(e, "open", "%s", path) : fd;
	}
	if (isatty(STDIN_FILENO)) {
		(void)err_set(e, ERR_USAGE, "standard input is a terminal");
		return err_hint(e, "name a file, or redirect");
	}
	fd = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	return fd < 0 ? err_sys(e, "fcntl", "standard input") : fd;
}
