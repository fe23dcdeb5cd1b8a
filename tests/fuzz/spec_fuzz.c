/*
 * spec.json of a container, as a damaged disk may give it back. What was read
 * and is written again must read as the same.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/own.h"
#include "runtime/spec_file.h"
#include "tests/fuzz/fuzz.h"

static void put(int dir, const void *p, size_t n)
{
	autoclose int fd =
		openat(dir, "spec.json",
		       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct err e = {0};

	MUST(fd >= 0 && io_write_all(fd, p, n, "spec.json", &e) == 0);
}

static int get(int dir, struct run_spec *s, struct container_info *i,
	       struct err *e)
{
	autoclose int fd = openat(dir, "spec.json", O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	return spec_file_read(dir, fd, "/root", s, i, e);
}

static void write_again(int dir, const struct run_spec *s,
			const struct container_info *i, struct buf *to)
{
	spec_file_text(to, "id", "/root", s, i);
	put(dir, buf_str(to), to->len);
}

static void feed(int dir, const uint8_t *data, size_t size)
{
	autobuf struct buf first = buf_make(STATE_MAX);
	autobuf struct buf second = buf_make(STATE_MAX);
	struct container_info i = {0}, i2 = {0};
	struct run_spec s = {0}, s2 = {0};
	struct err e = {0};

	put(dir, data, size);
	if (get(dir, &s, &i, &e) < 0) {
		MUST(err_is(&e));
		return;
	}
	write_again(dir, &s, &i, &first);
	MUST(get(dir, &s2, &i2, &e) == 0);
	write_again(dir, &s2, &i2, &second);
	MUST(first.len == second.len &&
	     !memcmp(buf_str(&first), buf_str(&second), first.len));
	spec_free(&s);
	spec_free(&s2);
	info_free(&i);
	info_free(&i2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char top[] = "/dev/shm/prism-spec-fuzz.XXXXXX";
	struct err e = {0};

	MUST(mkdtemp(top));
	{
		autoclose int dir = open(top, O_RDONLY | O_DIRECTORY);

		MUST(dir >= 0);
		feed(dir, data, size);
	}
	MUST(fs_remove_tree_at(AT_FDCWD, top, &e) == 0);
	return 0;
}
