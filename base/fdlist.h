/*
 * fdlist - a table of the fds that stay, when all others are closed
 *
 * For a process that is about to touch what a container wrote: it holds
 * nothing of the host that is not in the table.
 *
 * Life: {0} -> fd_list_add... -> fd_list_close_others -> free(v)
 */
#ifndef BASE_FDLIST_H
#define BASE_FDLIST_H

#include <stddef.h>

struct fd_list {
	int *v;
	size_t n;
};

/* In any order; -1 and what is there already are fine. */
void fd_list_add(struct fd_list *l, int fd);

/*
 * Close all fds from 3 on that are not in the list, which is sorted. 0, or -1
 * with errno.
 */
int fd_list_close_others(struct fd_list *l);

#endif
