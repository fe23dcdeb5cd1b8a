/*
 * confine_tree - confine a process that turns a tree into a stream, or back
 *
 * export, diff, commit, cp and fsck read the tree of a container or an image,
 * and cp writes one, while a program in the container may be changing it. Each
 * does so in a worker that keeps the tree and one stream. The worker's root is
 * empty; it has no network, few capabilities and few system calls. Mounts below
 * the tree come along.
 *
 * Call proc_worker_keep first: any other directory fd would lead out. Afterwards
 * reach the tree through its fd only; /proc is gone.
 */
#ifndef STORE_CONFINE_TREE_H
#define STORE_CONFINE_TREE_H

#include "base/err.h"
#include <stddef.h>

/* Confine to trees that are only read. Each fd keeps its number, as O_PATH. */
int confine_reader(const int *trees, size_t n, struct err *e);

/* Confine to one tree that is written. Its fd keeps its number, as O_PATH. */
int confine_writer(int tree, struct err *e);

#endif
