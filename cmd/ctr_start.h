/*
 * ctr_start - start a container that is there: start, restart
 */
#ifndef CMD_CTR_START_H
#define CMD_CTR_START_H

#include "cmd/ctr.h"
#include "cmd/run_start.h"

struct ctr_start {
	const struct globals *g;
	const char *detach_keys; /* NULL: off */
	bool attach;
	bool interactive; /* with attach: our input goes to the program */
};

/*
 * One that runs already is left alone. *ret_code: of the program with attach,
 * else 0. Closes c when it was started.
 */
int ctr_start(const struct ctr *r, const struct ctr_start *how,
	      struct container *c, int *ret_code, struct err *e);

#endif
