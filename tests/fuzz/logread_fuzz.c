/*
 * The log of a container: any content of its files, packed ones too, is read to
 * its end, and each record is valid.
 *
 * The input: a byte of flags (bits 0 and 1: how the first and second of the
 * older files is packed; 2: only the last three; 3: since; 4: until), and then
 * the files, the youngest first; between two stand the bytes of SEPARATOR.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fs.h"
#include "base/io.h"
#include "base/own.h"
#include "runtime/logread.h"
#include "tests/fuzz/fuzz.h"

#define SEPARATOR "\n%%\n"
#define FILES     3

static void put(int dir, uint32_t i, bool packed, const uint8_t *p, size_t n)
{
	char name[LOGFILE_NAME_MAX];
	struct err e = {0};
	autoclose int fd =
		openat(dir, logfile_name(i, packed ? ".gz" : "", name),
		       O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	MUST(fd >= 0 && io_write_all(fd, p, n, name, &e) == 0);
}

static void put_all(int dir, uint8_t flags, const uint8_t *p, size_t n)
{
	for (uint32_t i = 0; i < FILES; i++) {
		const uint8_t *const end =
			memmem(p, n, SEPARATOR, strlen(SEPARATOR));
		const size_t len = end && i + 1 < FILES ? (size_t)(end - p) : n;

		put(dir, i, i > 0 && flags & (1U << (i - 1)), p, len);
		if (len == n)
			return;
		p += len + strlen(SEPARATOR);
		n -= len + strlen(SEPARATOR);
	}
}

static void read_all(struct log_reader *r, size_t size)
{
	struct log_record x;
	struct err e = {0};
	size_t n = 0;
	int rc;

	while ((rc = log_reader_next(r, &x, &e)) == 1) {
		MUST(x.stream < LOG_STREAMS && x.text);
		/* Each byte must be readable. */
		MUST(!x.len || memchr(x.text, x.text[x.len - 1], x.len));
		if (x.attrs)
			MUST(x.attrs_len >= 2 && x.attrs[0] == '{' &&
			     x.attrs[x.attrs_len - 1] == '}');
		/* No record is read twice; deflate expands a byte to at most 1032. */
		MUST(++n <= 1032 * (size + 1));
	}
	if (rc < 0)
		MUST(err_is(&e));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char top[] = "/dev/shm/prism-log-fuzz.XXXXXX";
	const uint8_t flags = size ? *data : 0;
	const struct log_query q = {
		.tail = flags & 4 ? 3 : -1,
		.since_ns = flags & 8 ? 1600000000000000000 : 0,
		.until_ns = flags & 16 ? 1800000000000000000 : 0,
	};
	struct log_reader *r = NULL;
	struct err e = {0};

	if (!size)
		return 0;
	MUST(mkdtemp(top));
	{
		autoclose int dir =
			open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		MUST(dir >= 0);
		put_all(dir, flags, data + 1, size - 1);
		if (log_reader_open(dir, &q, &r, &e) == 0)
			read_all(r, size);
		else
			MUST(err_is(&e));
		log_reader_close(r);
	}
	err_clear(&e);
	MUST(fs_remove_tree_at(AT_FDCWD, top, &e) == 0);
	return 0;
}
