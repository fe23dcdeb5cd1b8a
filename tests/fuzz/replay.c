/*
 * replay - a plain main for fuzz targets: feeds them the files it is given
 *
 *   X_fuzz FILE|DIRECTORY...
 *
 * Each input is copied to memory of exactly its size, so that ASan sees a read
 * behind its end.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "tests/fuzz/fuzz.h"

static int feed(int dirfd, const char *name)
{
	autobuf struct buf b = buf_make(MIB(1));
	autoclose int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	autofree uint8_t *exact = NULL;
	struct err e = {0};

	if (fd < 0 || io_read_all(fd, &b, name, &e) < 0) {
		(void)fprintf(stderr, "%s: %s\n", name,
			      fd < 0 ? strerror(errno) : e.text);
		return -1;
	}
	exact = xmalloc(b.len ? b.len : 1);
	memcpy(exact, buf_str(&b), b.len);
	/* The last name on the screen is that of the crash. */
	(void)printf("%s\n", name);
	(void)fflush(stdout);
	(void)LLVMFuzzerTestOneInput(exact, b.len);
	return 0;
}

/* How many were fed; -1 on an error. */
static int feed_all(const char *path)
{
	autodir DIR *d = opendir(path);
	int n = 0;

	if (!d)
		return feed(AT_FDCWD, path) < 0 ? -1 : 1;
	for (;;) {
		const struct dirent *const de = readdir(d);

		if (!de)
			return n;
		if (de->d_name[0] == '.')
			continue;
		if (feed(dirfd(d), de->d_name) < 0)
			return -1;
		n++;
	}
}

int main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++) {
		const int fed = feed_all(argv[i]);

		if (fed < 0)
			return 1;
		n += fed;
	}
	(void)printf("%d inputs\n", n);
	return n ? 0 : 1;
}
