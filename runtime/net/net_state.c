/*
 * The file "network" of a container.
 */
#include <fcntl.h>

#include "base/fs.h"
#include "base/io.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"
#include "runtime/net/net.h"
#include "runtime/record.h"

static const struct record_field end_fields[] = {
	RECORD(struct net_end, network),     RECORD(struct net_end, network_id),
	RECORD(struct net_end, driver),      RECORD(struct net_end, name),
	RECORD(struct net_end, host),        RECORD(struct net_end, link),
	RECORD(struct net_end, ip),          RECORD(struct net_end, gateway),
	RECORD(struct net_end, ip6),         RECORD(struct net_end, gateway6),
	RECORD(struct net_end, mac),         RECORD(struct net_end, prefix),
	RECORD(struct net_end, prefix6),     RECORD(struct net_end, aliases),
	RECORD(struct net_end, number),      RECORD(struct net_end, internal),
	RECORD(struct net_end, gw_priority), {0},
};

static const struct record_field port_fields[] = {
	RECORD(struct net_port, ip),
	RECORD(struct net_port, host),
	RECORD(struct net_port, port),
	RECORD_TEXT(struct net_port, protocol),
	{0},
};

static const struct record_field state_fields[] = {
	RECORD_LIST(struct net_state, ends, n_ends, end_fields),
	RECORD_LIST(struct net_state, ports, n_ports, port_fields),
	RECORD(struct net_state, joining),
	RECORD(struct net_state, outlives),
	RECORD(struct net_state, user),
	RECORD(struct net_state, user_pid),
	{0},
};

void net_state_free(struct net_state *s)
{
	record_free(state_fields, s);
	*s = (struct net_state){0};
}

size_t net_way_out(const struct net_state *s)
{
	size_t best = s->n_ends;

	for (size_t i = 0; i < s->n_ends; i++)
		if (!s->ends[i].internal &&
		    (best == s->n_ends ||
		     s->ends[i].gw_priority > s->ends[best].gw_priority))
			best = i;
	return best;
}

/*
 * So much is seen by readers (inspect) as a whole or not at all: it is in one
 * page before the file is said to be longer.
 */
#define AT_ONCE 4096

static int fill(int dir_fd, const struct buf *b, struct err *e)
{
	autoclose int fd = openat(dir_fd, "network", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "openat", "network");
	return io_write_all(fd, buf_str(b), b->len, "network", e);
}

int net_state_write(int dir_fd, const struct net_state *s, bool empty,
		    struct err *e)
{
	char mem[2048];
	autobuf struct buf b = buf_on(mem, sizeof(mem), STATE_MAX);

	record_add(&b, state_fields, s);
	buf_addc(&b, '\n');
	if (b.over)
		return err_set(e, ERR_TOOBIG, "network: larger than %zu bytes",
			       b.max);
	/* After a reboot it is void: nothing is synced. */
	if (empty && b.len <= AT_ONCE)
		return fill(dir_fd, &b, e);
	return fs_replace_at(dir_fd, "network", buf_str(&b), b.len, 0600, false,
			     e);
}

int net_state_read(int dir_fd, struct net_state *ret, struct err *e)
{
	autobuf struct buf b = buf_make(STATE_MAX);
	autojson json_t *doc = NULL;
	struct net_state s = {0};
	struct jval v;

	*ret = s;
	if (fs_read_at(dir_fd, "network", &b, e) < 0) {
		if (e->kind != ERR_NOTFOUND)
			return -1;
		err_clear(e);
		return 0;
	}
	/* Made, and not filled: there is nothing yet. */
	if (b.len == 0)
		return 0;
	doc = json_parse(buf_str(&b), b.len, "network", e);
	if (!doc)
		return -1;
	v = jval_root(doc, "network");
	if (record_read(state_fields, &v, &s, e) < 0) {
		net_state_free(&s);
		return -1;
	}
	*ret = s;
	return 0;
}
