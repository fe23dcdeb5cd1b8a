#include "io.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

int io_write_all(int fd, const void *p, size_t n, const char *what,
		 struct err *e)
{
	const char *at = p;

	while (n > 0) {
		const ssize_t k = write(fd, at, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, "write", "%s", what);
		at += k;
		n -= (size_t)k;
	}
	return 0;
}

int64_t io_read_full(int fd, void *p, size_t n, const char *what, struct err *e)
{
	char *const at = p;
	size_t have = 0;

	while (have < n) {
		const ssize_t k = read(fd, at + have, n - have);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, "read", "%s", what);
		if (k == 0)
			break;
		have += (size_t)k;
	}
	return (int64_t)have;
}

/* Nothing may be left once the buffer is full. */
static int want_end(int fd, const struct buf *b, const char *what,
		    struct err *e)
{
	char one;
	ssize_t n;

	do {
		n = read(fd, &one, 1);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_sys(e, "read", "%s", what);
	if (n > 0)
		return err_set(e, ERR_TOOBIG, "%s: larger than %zu bytes", what,
			       b->max);
	return 0;
}

static int read_into(int fd, struct buf *b, bool short_is_end, const char *what,
		     struct err *e)
{
	for (;;) {
		const size_t left = b->max - b->len;
		size_t want = b->len < 65536 ? 16384 : 65536;
		ssize_t n;

		if (left == 0)
			return want_end(fd, b, what, e);
		if (want > left)
			want = left;
		n = read(fd, buf_room(b, want), want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read", "%s", what);
		buf_grew(b, (size_t)n);
		if (n == 0 || (short_is_end && (size_t)n < want))
			return 0;
	}
}

/* Most files are small, and a large buffer costs two mmap calls. */
static int read_some(int fd, struct buf *b, bool short_is_end, const char *what,
		     struct err *e)
{
	char some[4096];
	ssize_t n;

	while (b->max - b->len > sizeof(some)) {
		n = read(fd, some, sizeof(some));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(e, "read", "%s", what);
		buf_add(b, some, (size_t)n);
		if (n == 0 || (short_is_end && (size_t)n < sizeof(some)))
			return 0;
		if ((size_t)n == sizeof(some))
			break;
	}
	return read_into(fd, b, short_is_end, what, e);
}

int io_read_all(int fd, struct buf *b, const char *what, struct err *e)
{
	return read_some(fd, b, false, what, e);
}

int io_read_file(int fd, struct buf *b, const char *what, struct err *e)
{
	return read_some(fd, b, true, what, e);
}
