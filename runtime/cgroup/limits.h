/*
 * limits - what was asked for as lines for the files of a cgroup
 *
 * Docker's flags speak of cgroup v1; of v2 the OCI runtime specification says
 * what they mean there. Pure translation: nothing is opened here.
 *
 * Life: settings_make -> write each (cgroup.c) -> settings_free.
 */
#ifndef RUNTIME_CGROUP_LIMITS_H
#define RUNTIME_CGROUP_LIMITS_H

#include "base/err.h"
#include "runtime/cgroup/layout.h"
#include "runtime/spec.h"

#include <stdbool.h>
#include <stdint.h>

/* How what is read back must look like what was written. */
enum setting_check {
	CHECK_NUMBER, /* the same, or less by a part of a page; "max" */
	CHECK_SET,    /* the same numbers: "0,1" is "0-1" */
	CHECK_LINE,   /* "8:0 rbps=1": the words stand in the line of 8:0 */
	CHECK_TEXT,
};

struct setting {
	enum controller controller;
	enum setting_check check;
	const char *flag; /* who asked: "--memory" */
	const char *file;
	char *value;
	/* Where there is no such file: this one, and its value. */
	const char *other_file;
	char *other_value;
	bool optional; /* not asked for in so many words */
};

struct settings {
	struct setting *v;
	size_t n;
};

/*
 * version: of each controller (1, 2; 0: this host does not have it, which is
 * an error where a limit needs it: ERR_UNSUPPORTED, or left out with a warning
 * when the limits are best effort).
 */
int settings_make(const struct limits_spec *l,
		  const int version[CG_CONTROLLERS], struct settings *ret,
		  struct err *e);
void settings_free(struct settings *s);
#define autosettings __attribute__((cleanup(settings_free)))

/* Is this what was written? */
bool setting_holds(enum setting_check how, const char *wrote, const char *read);

/* cpu.shares (2 to 262144) as cpu.weight (1 to 10000); 1024 is 100. */
int64_t limits_weight_of_shares(int64_t shares);
/* blkio.weight (10 to 1000) as io.weight (1 to 10000); 100 is 910. */
int64_t limits_io_weight(int64_t weight);

/* "PATH:NUMBER" in two; NULL without both. The path is malloced. */
char *limits_device_split(const char *text, int64_t *ret_number);

#endif
