#include "stats.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/fs.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/proc.h"
#include "base/str.h"
#include "runtime/cgroup/impl.h"
#include "runtime/freeze.h"

/* ---- texts ------------------------------------------------------------------ */

/* The digits at p; 0 if there are none. */
static uint64_t number_at(const char *p)
{
	uint64_t n = 0;

	(void)str_to_u64n(p, strspn(p, "0123456789"), UINT64_MAX, &n);
	return n;
}

/* The number behind "word " at the beginning of a line. */
static bool line_number(const char *text, const char *word, uint64_t *ret)
{
	const size_t n = strlen(word);

	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n')
		if (!strncmp(p, word, n) && p[n] == ' ') {
			*ret = number_at(p + n + 1);
			return true;
		}
	return false;
}

int64_t stats_parse_pressure(const char *text)
{
	const char *const p = str_after(text, "some avg10=");
	const char *const dot = p ? strchr(p, '.') : NULL;

	if (!dot)
		return -1;
	return (int64_t)(number_at(p) * 100 + number_at(dot + 1));
}

static uint64_t sum_of(const char *text, const char *word)
{
	uint64_t sum = 0;

	for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
		sum += number_at(p + strlen(word));
	return sum;
}

void stats_parse_io(const char *text, int version, uint64_t *ret_read,
		    uint64_t *ret_write)
{
	*ret_read = sum_of(text, version == 2 ? " rbytes=" : " Read ");
	*ret_write = sum_of(text, version == 2 ? " wbytes=" : " Write ");
}

void stats_parse_net(const char *text, uint64_t *ret_rx, uint64_t *ret_tx)
{
	*ret_rx = 0;
	*ret_tx = 0;
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		const size_t n = strcspn(p, "\n:");
		const char *const name = p + strspn(p, " ");
		const char *at;

		if (p[n] != ':' || str_starts(name, "lo:"))
			continue;
		at = p + n + 1;
		at += strspn(at, " ");
		*ret_rx += number_at(at);
		/* The ninth number is the first of those sent. */
		for (int i = 0; i < 8; i++) {
			at += strcspn(at, " \n");
			at += strspn(at, " ");
		}
		*ret_tx += number_at(at);
	}
}

/* ---- the processes ---------------------------------------------------------- */

struct sum {
	uint64_t ticks;
	uint64_t pages;
	uint64_t threads;
	uint64_t read_bytes;
	uint64_t write_bytes;
};

static void add_io(struct sum *s, pid_t pid)
{
	autobuf struct buf b = buf_make(KIB(4));
	struct err ignored = {0};
	char path[40];
	uint64_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/io", (int)pid);
	if (fs_read_at(AT_FDCWD, path, &b, &ignored) < 0)
		return;
	if (line_number(buf_str(&b), "read_bytes:", &n))
		s->read_bytes += n;
	if (line_number(buf_str(&b), "write_bytes:", &n))
		s->write_bytes += n;
}

/* Fields of /proc/PID/stat by their numbers in proc(5). */
static int add_process(void *ctx, pid_t pid)
{
	struct sum *const s = ctx;
	autobuf struct buf b = buf_make(KIB(4));
	const char *p = proc_stat(pid, &b);

	for (int field = 3; p && *p; field++) {
		if (field >= 14 && field <= 17)
			s->ticks += number_at(p);
		else if (field == 20)
			s->threads += number_at(p);
		else if (field == 24)
			s->pages += number_at(p);
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	add_io(s, pid);
	return 0;
}

static int read_processes(pid_t init, struct stats *st, struct err *e)
{
	struct sum s = {0};

	if (freeze_each(init, add_process, &s, e) < 0)
		return -1;
	st->cpu_ns = s.ticks *
		     (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
	st->memory_bytes = s.pages * (uint64_t)sysconf(_SC_PAGESIZE);
	st->pids = s.threads;
	st->read_bytes = s.read_bytes;
	st->write_bytes = s.write_bytes;
	return 0;
}

/* ---- the cgroup ------------------------------------------------------------- */

/* The text of a file by the version of who has the controller; NULL: none. */
static const char *text_of(const struct cgroup *g, enum controller c,
			   const char *v1, const char *v2, struct buf *b)
{
	const struct cgroup_dir *const d = cgroup_dir_of(g, c);
	const char *const name = d && d->version == 2 ? v2 : v1;
	struct err ignored = {0};

	buf_reset(b);
	if (!d || !name || fs_read_at(d->fd, name, b, &ignored) < 0)
		return NULL;
	return buf_str(b);
}

static void memory(const struct cgroup *g, struct stats *st)
{
	autobuf struct buf b = buf_make(KIB(64));
	const char *p = text_of(g, CG_MEMORY, "memory.usage_in_bytes",
				"memory.current", &b);
	uint64_t cached = 0;

	if (!p)
		return;
	st->memory_bytes = number_at(p);
	p = text_of(g, CG_MEMORY, "memory.stat", "memory.stat", &b);
	if (p &&
	    (line_number(p, "total_inactive_file", &cached) ||
	     line_number(p, "inactive_file", &cached)) &&
	    cached <= st->memory_bytes)
		st->memory_bytes -= cached;
	p = text_of(g, CG_MEMORY, "memory.limit_in_bytes", "memory.max", &b);
	if (p && number_at(p) && number_at(p) < st->memory_limit_bytes)
		st->memory_limit_bytes = number_at(p);
}

static int64_t pressure(const struct cgroup *g, const char *file)
{
	autobuf struct buf b = buf_make(KIB(4));
	struct err ignored = {0};

	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].version == 2 &&
		    fs_read_at(g->v[i].fd, file, &b, &ignored) == 0)
			return stats_parse_pressure(buf_str(&b));
	return -1;
}

static void read_cgroup(const struct cgroup *g, struct stats *st)
{
	autobuf struct buf b = buf_make(MIB(1));
	const char *p;
	uint64_t n;

	p = text_of(g, CG_CPUACCT, "cpuacct.usage", NULL, &b);
	if (p)
		st->cpu_ns = number_at(p);
	p = text_of(g, CG_CPUACCT, NULL, "cpu.stat", &b);
	if (p && line_number(p, "usage_usec", &n))
		st->cpu_ns = n * 1000;
	memory(g, st);
	p = text_of(g, CG_PIDS, "pids.current", "pids.current", &b);
	if (p)
		st->pids = number_at(p);
	p = text_of(g, CG_IO, "blkio.throttle.io_service_bytes", "io.stat", &b);
	if (p)
		stats_parse_io(p, cgroup_dir_of(g, CG_IO)->version,
			       &st->read_bytes, &st->write_bytes);
	st->pressure = (struct stats_pressure){
		.cpu = pressure(g, "cpu.pressure"),
		.memory = pressure(g, "memory.pressure"),
		.io = pressure(g, "io.pressure"),
	};
}

/* ---- all -------------------------------------------------------------------- */

static void read_net(pid_t init, struct stats *st)
{
	autobuf struct buf b = buf_make(MIB(1));
	struct err ignored = {0};
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/%d/net/dev", (int)init);
	if (fs_read_at(AT_FDCWD, path, &b, &ignored) == 0)
		stats_parse_net(buf_str(&b), &st->rx_bytes, &st->tx_bytes);
}

int stats_read(const struct container *c, struct stats *ret, struct err *e)
{
	struct stats st = {.pressure = {-1, -1, -1}};
	struct cgroup *g = NULL;
	pid_t init = 0;
	autoclose int fd = container_pidfd(c, &init, e);

	if (fd < 0)
		return -1;
	st.memory_limit_bytes = (uint64_t)sysconf(_SC_PHYS_PAGES) *
				(uint64_t)sysconf(_SC_PAGESIZE);
	if (read_processes(init, &st, e) < 0 ||
	    cgroup_open(c->dir_fd, &g, e) < 0)
		return -1;
	if (g)
		read_cgroup(g, &st);
	cgroup_free(g);
	read_net(init, &st);
	*ret = st;
	return 0;
}
