/*
 * impl - what the files of this wing know of struct cgroup
 */
#ifndef RUNTIME_CGROUP_IMPL_H
#define RUNTIME_CGROUP_IMPL_H

#include "runtime/cgroup/cgroup.h"
#include "runtime/cgroup/layout.h"

struct cgroup_dir {
	int version;
	unsigned controllers; /* bits of enum controller */
	unsigned levels;      /* of its parents that are ours too */
	char *path;
	int fd;
};

struct cgroup {
	struct cgroup_dir v[HIERARCHIES_MAX];
	size_t n;
};

/* Who has this controller, or NULL. */
const struct cgroup_dir *cgroup_dir_of(const struct cgroup *g,
				       enum controller c);

/* The lines of the file `cgroup`: "VERSION CONTROLLERS LEVELS PATH". */
struct buf;
void cgroup_text(const struct cgroup *g, struct buf *b);
int cgroup_parse(const char *text, struct cgroup *ret, struct err *e);

#endif
