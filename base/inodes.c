#include "inodes.h"

#include <stdint.h>
#include <stdlib.h>

#include "own.h"

#define CAP_MIN 64

struct inode_name {
	dev_t dev;
	ino_t ino;
	char *path; /* NULL: a free slot */
};

/* The slot of this inode, or the free slot for it. cap is a power of two. */
static struct inode_name *place(struct inode_name *v, size_t cap, dev_t dev,
				ino_t ino)
{
	const uint64_t mixed = ((uint64_t)ino ^ (uint64_t)dev << 32) *
			       UINT64_C(0x9e3779b97f4a7c15);
	size_t i = (size_t)(mixed >> 32) & (cap - 1);

	while (v[i].path && (v[i].ino != ino || v[i].dev != dev))
		i = (i + 1) & (cap - 1);
	return &v[i];
}

static void grow(struct inodes *m)
{
	const size_t cap = m->cap ? 2 * m->cap : CAP_MIN;
	struct inode_name *const v = xcalloc(cap, sizeof(*v));

	for (size_t i = 0; i < m->cap; i++)
		if (m->v[i].path)
			*place(v, cap, m->v[i].dev, m->v[i].ino) = m->v[i];
	free(m->v);
	m->v = v;
	m->cap = cap;
}

const char *inodes_seen(struct inodes *m, const struct stat *st,
			const char *path)
{
	struct inode_name *at;

	if (st->st_nlink < 2 || S_ISDIR(st->st_mode))
		return NULL;
	if (2 * (m->n + 1) > m->cap)
		grow(m);
	at = place(m->v, m->cap, st->st_dev, st->st_ino);
	if (at->path)
		return at->path;
	*at = (struct inode_name){st->st_dev, st->st_ino, xstrdup(path)};
	m->n++;
	return NULL;
}

void inodes_free(struct inodes *m)
{
	for (size_t i = 0; i < m->cap; i++)
		free(m->v[i].path);
	free(m->v);
	*m = (struct inodes){0};
}
