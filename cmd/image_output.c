#include "cmd/image_output.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/own.h"
#include "base/str.h"

static bool is_stdout(const char *path)
{
	return !path || !strcmp(path, "-");
}

int image_output_check(const char *path, struct err *e)
{
	if (!is_stdout(path) || !isatty(STDOUT_FILENO))
		return 0;
	(void)err_set(e, ERR_USAGE, "cowardly refusing to save to a terminal");
	return err_hint(e, "use -o FILE, or redirect");
}

int image_output_sink(void *ctx, const void *p, size_t n, struct err *e)
{
	return io_write_all(*(const int *)ctx, p, n, "the output", e);
}

static int to_file(const char *path, output_fn fn, void *ctx, struct err *e)
{
	struct stat st;
	autofree char *tmp = NULL;
	autoclose int fd = -1;
	char unique[17];

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		fd = open(path, O_WRONLY | O_CLOEXEC);
		return fd < 0 ? err_sys(e, "open", "%s", path) : fn(ctx, fd, e);
	}
	str_random_hex(unique, 8);
	tmp = xasprintf("%s.tmp-%s", path, unique);
	fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, "open", "%s", tmp);
	if (fn(ctx, fd, e) == 0 && rename(tmp, path) == 0)
		return 0;
	if (!err_is(e))
		(void)err_sys(e, "rename", "%s", path);
	(void)unlink(tmp);
	return -1;
}

int image_output(const char *path, output_fn fn, void *ctx, struct err *e)
{
	return is_stdout(path) ? fn(ctx, STDOUT_FILENO, e)
			       : to_file(path, fn, ctx, e);
}
