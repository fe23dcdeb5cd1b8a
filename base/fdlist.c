#include "fdlist.h"

#include "own.h"

void fd_list_add(struct fd_list *l, int fd)
{
	l->v = xrealloc(l->v, (l->n + 1) * sizeof(*l->v));
	l->v[l->n++] = fd;
}

static int by_number(const void *a, const void *b)
{
	const int x = *(const int *)a;
	const int y = *(const int *)b;

	return (x > y) - (x < y);
}

int fd_list_close_others(struct fd_list *l)
{
	unsigned int next = 3;

	if (l->n)
		qsort(l->v, l->n, sizeof(*l->v), by_number);
	for (size_t i = 0; i < l->n; i++) {
		const unsigned int fd = (unsigned int)l->v[i];

		if (l->v[i] < 0 || fd < next)
			continue;
		if (fd > next && own_close_range(next, fd - 1, 0) < 0)
			return -1;
		next = fd + 1;
	}
	return own_close_range(next, ~0U, 0);
}
