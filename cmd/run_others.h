/*
 * run_others - what a new container takes from others: namespaces, volumes,
 * names
 */
#ifndef CMD_RUN_OTHERS_H
#define CMD_RUN_OTHERS_H

#include "base/buf.h"
#include "base/err.h"
#include "cmd/run_opts.h"
#include "runtime/container.h"

/*
 * The containers that --network, --pid, --ipc and --volumes-from name: their
 * ids go into the spec, and the mounts of the last.
 */
int run_others_find(const struct container_home *h, const struct run_opts *o,
		    struct run_spec *s, struct err *e);

/*
 * hosts and resolv.conf of the new container (n->hosts, n->resolv; borrowed from
 * the buffers), and its host name, where they are not the plain ones: with the
 * network of the host or of another container, and where flags say so.
 */
int run_others_files(const struct container_home *h, struct run_spec *s,
		     struct container_new *n, struct buf *hosts,
		     struct buf *resolv, struct err *e);

#endif
