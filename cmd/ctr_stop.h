/*
 * ctr_stop - what stop, restart and rm -f do to containers that run
 */
#ifndef CMD_CTR_STOP_H
#define CMD_CTR_STOP_H

#include "cmd/ctr.h"

struct ctr_stop {
	const char *time;   /* --time, in seconds; NULL: the container's own */
	const char *signal; /* --signal; NULL: the container's own */
};

/* The options of stop and restart, into a struct ctr_stop. */
extern const struct opt ctr_stop_options[];

/*
 * All at once, each in its own time. ret_errs (of l->n) says which could not be
 * ended.
 */
int ctr_stop(const struct ctr *r, const struct ctr_stop *how,
	     struct ctr_list *l, struct err *ret_errs, struct err *e);

#endif
