/*
 * layout - where this host mounted which controller
 *
 * Unified hosts have one hierarchy (cgroup2) with all controllers, old ones a
 * hierarchy for each (cgroup), hybrid ones both: a controller is where it is
 * mounted, and nowhere else. /proc/self/mountinfo says where, and
 * /proc/self/cgroup where in it we are ourselves.
 *
 * Life: layout_read (or layout_parse, for tests) -> layout_of -> layout_free.
 */
#ifndef RUNTIME_CGROUP_LAYOUT_H
#define RUNTIME_CGROUP_LAYOUT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum controller {
	CG_CPU,
	CG_CPUACCT, /* v1 only: in v2 every cgroup counts */
	CG_CPUSET,
	CG_MEMORY,
	CG_IO, /* v1: blkio */
	CG_PIDS,
	CG_DEVICES, /* v2: a BPF program of the cgroup */
	CG_FREEZER, /* v2: a file of every cgroup */
	CG_CONTROLLERS
};

/* What v2 has without a controller, where v1 has not taken it. */
#define CG_V2_CORE (1U << CG_CPUACCT | 1U << CG_DEVICES | 1U << CG_FREEZER)

struct hierarchy {
	int version;          /* 1 or 2 */
	unsigned controllers; /* bits of enum controller */
	char *mount;          /* where it is mounted */
	char *own;            /* our own cgroup, below it; NULL: out of sight */
};

#define HIERARCHIES_MAX 16

struct layout {
	struct hierarchy v[HIERARCHIES_MAX];
	size_t n;
};

/* "cpu", ...: as the kernel calls it in that version. */
const char *controller_name(enum controller c, int version);

int layout_read(struct layout *ret, struct err *e);
/*
 * From the texts of the two files. v2 hierarchies have no controllers yet
 * then: layout_read asks their cgroup.controllers.
 */
void layout_parse(const char *mountinfo, const char *self, struct layout *ret);
/* The words of a cgroup.controllers as bits. */
unsigned layout_controllers(const char *words);
void layout_free(struct layout *l);
#define autolayout __attribute__((cleanup(layout_free)))

/* Who has it, or NULL. */
const struct hierarchy *layout_of(const struct layout *l, enum controller c);
/* The cgroup2 hierarchy, with or without controllers, or NULL. */
const struct hierarchy *layout_v2(const struct layout *l);

#endif
