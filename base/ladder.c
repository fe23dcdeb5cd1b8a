#include "ladder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "own.h"

static int close_rung(struct rung *r)
{
	struct stat st;

	if (fstat(r->fd, &st) < 0)
		return -1;
	r->dev = st.st_dev;
	r->ino = st.st_ino;
	own_close(&r->fd);
	return 0;
}

int ladder_down(struct ladder *l, int fd)
{
	if (l->n >= LADDER_OPEN && l->v[l->n - LADDER_OPEN].fd >= 0 &&
	    close_rung(&l->v[l->n - LADDER_OPEN]) < 0) {
		own_close(&fd);
		return -1;
	}
	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : LADDER_OPEN;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n++] = (struct rung){.fd = fd};
	return 0;
}

int ladder_fd(const struct ladder *l)
{
	return l->n ? l->v[l->n - 1].fd : -1;
}

int ladder_above(struct ladder *l)
{
	struct rung *const up = l->n > 1 ? &l->v[l->n - 2] : NULL;
	autoclose int fd = -1;
	struct stat st;

	if (!up) {
		errno = ENOENT;
		return -1;
	}
	if (up->fd >= 0)
		return up->fd;
	/* openat2 refuses ".." below a root; the inode number is the check. */
	fd = openat(ladder_fd(l), "..", l->flags | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (st.st_dev != up->dev || st.st_ino != up->ino) {
		errno = ESTALE;
		return -1;
	}
	up->fd = take_fd(&fd);
	return up->fd;
}

void ladder_up(struct ladder *l)
{
	own_close(&l->v[--l->n].fd);
}

void ladder_free(struct ladder *l)
{
	while (l->n > 0)
		ladder_up(l);
	free(l->v);
	*l = (struct ladder){.flags = l->flags};
}
