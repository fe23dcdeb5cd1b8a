/*
 * A layer, compressed or not, into a directory. Whatever it holds, nothing but
 * the directory and the list may be there afterwards.
 */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/own.h"
#include "store/untar.h"
#include "tests/fuzz/fuzz.h"

struct bytes {
	const uint8_t *p;
	size_t n;
};

static int64_t read_bytes(void *ctx, void *to, size_t n, struct err *e)
{
	struct bytes *const b = ctx;

	(void)e;
	if (n > b->n)
		n = b->n;
	memcpy(to, b->p, n);
	b->p += n;
	b->n -= n;
	return (int64_t)n;
}

static int entries(int fd)
{
	autodir DIR *d = fdopendir(dup(fd));
	int n = 0;

	MUST(d);
	rewinddir(d);
	while (readdir(d))
		n++;
	return n - 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct untar_opts o = {
		.userxattr = true, .no_devices = true, .squash = true};
	char top[] = "/dev/shm/prism-untar-fuzz.XXXXXX";
	struct bytes in = {data, size};
	autodecomp struct decomp *d =
		decomp_open(read_bytes, &in, DIGEST_SHA256);
	struct untar_stats stats = {0};
	struct err e = {0};

	MUST(mkdtemp(top));
	{
		autoclose int dir = open(top, O_RDONLY | O_DIRECTORY);
		autoclose int list =
			openat(dir, "list", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		autoclose int to = -1;

		MUST(dir >= 0 && list >= 0 && mkdirat(dir, "to", 0755) == 0);
		to = openat(dir, "to", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		MUST(to >= 0);
		if (untar(d, to, list, &o, &stats, &e) < 0)
			MUST(err_is(&e));
		MUST(entries(dir) == 2);
	}
	err_clear(&e);
	MUST(fs_remove_tree_at(AT_FDCWD, top, &e) == 0);
	return 0;
}
