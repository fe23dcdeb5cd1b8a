#include "io.h"

#include <errno.h>
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

int io_read_all(int fd, struct buf *b, const char *what, struct err *e)
{
	for (;;) {
		/* A first read that leaves room saves the second one's copy. */
		size_t want = b->cap > b->len + 1 ? b->cap - b->len - 1 : 0;
		ssize_t k;

		if (want < 4096)
			want = b->len < 65536 ? 16384 : 65536;
		if (want > b->max - b->len)
			want = b->max - b->len;
		if (want == 0) {
			char one;

			k = read(fd, &one, 1);
			if (k == 0)
				return 0;
			return err_set(e, ERR_TOOBIG,
				       "%s: larger than %zu bytes", what,
				       b->max);
		}
		k = read(fd, buf_room(b, want), want);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_sys(e, "read", "%s", what);
		buf_grew(b, (size_t)k);
		if (k == 0)
			return 0;
	}
}
