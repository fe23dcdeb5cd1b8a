/*
 * fdlist - list the fds to keep, and close all others
 *
 * For a process that is about to touch files that a container wrote: the only
 * fds of the host that it still holds are those in the list.
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

/* Fds may come in any order; -1 and duplicates are ignored. */
void fd_list_add(struct fd_list *l, int fd);

/*
 * Close every fd from 3 on that is not in the list. Sorts the list. Returns 0,
 * or -1 with errno.
 */
int fd_list_close_others(struct fd_list *l);

#endif
