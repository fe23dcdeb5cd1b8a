/*
 * stats - what a running container uses at this moment
 *
 * From its cgroup, as far as that counts; the rest, and all of one without a
 * cgroup, from its processes in /proc, which know nothing of those that have
 * ended (their time is in their parents', if those waited for them).
 */
#ifndef RUNTIME_CGROUP_STATS_H
#define RUNTIME_CGROUP_STATS_H

#include "base/err.h"
#include "runtime/container.h"

#include <stdbool.h>
#include <stdint.h>

/* Hundredths of percent of the last 10 s; -1: not known. */
struct stats_pressure {
	int64_t cpu;
	int64_t memory;
	int64_t io;
};

struct stats {
	uint64_t cpu_ns;             /* since it began */
	uint64_t memory_bytes;       /* without what is only cached */
	uint64_t memory_limit_bytes; /* its own, or the machine's */
	uint64_t pids;
	uint64_t read_bytes; /* block devices */
	uint64_t write_bytes;
	uint64_t rx_bytes; /* network, without lo */
	uint64_t tx_bytes;
	struct stats_pressure pressure; /* some */
};

/* ERR_NOTFOUND when it does not run. */
int stats_read(const struct container *c, struct stats *ret, struct err *e);

/* ---- parts, for the tests --------------------------------------------------- */

/* "some avg10=1.25 avg60=..." to 125; -1 for other texts. */
int64_t stats_parse_pressure(const char *text);
/* io.stat, and blkio.throttle.io_service_bytes: the sums over all devices. */
void stats_parse_io(const char *text, int version, uint64_t *ret_read,
		    uint64_t *ret_write);
/* /proc/PID/net/dev */
void stats_parse_net(const char *text, uint64_t *ret_rx, uint64_t *ret_tx);

#endif
