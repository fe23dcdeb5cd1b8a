#include "cmd/ctr_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/own.h"
#include "base/term.h"
#include "cmd/common_time.h"

char *ctr_text_command(const struct run_spec *s)
{
	struct buf b = buf_make(MIB(4));

	for (size_t i = 0; i < s->args.n; i++) {
		const char *const a = s->args.v[i];
		const char *const mark = i && strchr(a, ' ') ? "'" : "";

		buf_addf(&b, "%s%s%s%s", i ? " " : "", mark, a, mark);
	}
	return buf_take(&b);
}

static bool is_first_byte(char c)
{
	return ((unsigned char)c & 0xc0) != 0x80;
}

char *ctr_text_cut(const char *s, size_t max)
{
	size_t n = 0;
	size_t keep = 0;

	for (size_t i = 0; s[i]; i++) {
		if (!is_first_byte(s[i]))
			continue;
		if (n == max - 1)
			keep = i;
		n++;
	}
	return n <= max ? xstrdup(s)
			: xasprintf("%.*s\xe2\x80\xa6", (int)keep, s);
}

char *ctr_text_quote(const char *s)
{
	static const char from[] = "\a\b\f\n\r\t\v\"\\";
	static const char to[] = "abfnrtv\"\\";
	autobuf struct buf b = buf_make(MIB(8));
	struct buf ret = buf_make(MIB(32));

	buf_addc(&b, '"');
	for (; *s; s++) {
		const char *const at = strchr(from, *s);

		if (at)
			buf_addf(&b, "\\%c", to[at - from]);
		else
			buf_addc(&b, *s);
	}
	buf_addc(&b, '"');
	term_escape(buf_str(&b), b.len, TERM_LINE, &ret);
	return buf_take(&ret);
}

static char *ago(int64_t now_ns, int64_t ns)
{
	return time_span((now_ns - ns) / CLOCK_SECOND);
}

static char *up(const struct container_state *s, int64_t now_ns)
{
	autofree char *span = ago(now_ns, s->started_ns);
	const bool paused = s->status == CONTAINER_PAUSED;
	const char *const health = !s->health ? NULL
				   : !strcmp(s->health, "starting")
					   ? "health: starting"
					   : s->health;

	if (paused)
		return xasprintf("Up %s (Paused)", span);
	return health ? xasprintf("Up %s (%s)", span, health)
		      : xasprintf("Up %s", span);
}

char *ctr_text_status(const struct container_state *s, int64_t now_ns)
{
	autofree char *span = NULL;

	switch ((enum container_status)s->status) {
	case CONTAINER_RUNNING:
	case CONTAINER_PAUSED:
		return up(s, now_ns);
	case CONTAINER_RESTARTING:
		span = ago(now_ns, s->finished_ns);
		return xasprintf("Restarting (%d) %s ago", s->exit_code, span);
	case CONTAINER_EXITED:
		span = ago(now_ns, s->finished_ns);
		return xasprintf("Exited (%d) %s ago", s->exit_code, span);
	case CONTAINER_DEAD:
		return xstrdup("Dead");
	case CONTAINER_CREATED:
	case CONTAINER_STATUSES:
		break;
	}
	return xstrdup("Created");
}

char *ctr_text_host_port(const struct net_port *p)
{
	const char *const ip = p->ip ? p->ip : "0.0.0.0";

	return xasprintf(strchr(ip, ':') ? "[%s]:%u" : "%s:%u", ip, p->host);
}

static bool is_published(const struct net_state *n, const char *exposed)
{
	for (size_t i = 0; i < n->n_ports; i++) {
		const struct net_port *const p = &n->ports[i];
		autofree char *text = xasprintf("%u/%s", p->port, p->protocol);

		if (!strcmp(text, exposed))
			return true;
	}
	return false;
}

char *ctr_text_ports(const struct run_spec *s, const struct net_state *n)
{
	struct buf b = buf_make(MIB(1));

	for (size_t i = 0; i < n->n_ports; i++) {
		const struct net_port *const p = &n->ports[i];
		autofree char *host = ctr_text_host_port(p);

		buf_addf(&b, "%s%s->%u/%s", b.len ? ", " : "", host, p->port,
			 p->protocol);
	}
	for (size_t i = 0; i < s->exposed.n; i++)
		if (!is_published(n, s->exposed.v[i]))
			buf_addf(&b, "%s%s", b.len ? ", " : "",
				 s->exposed.v[i]);
	return buf_take(&b);
}

char *ctr_text_networks(const struct run_spec *s)
{
	struct buf b = buf_make(STATE_MAX);

	if (s->net != NET_NETS)
		return ctr_text_network(s);
	for (size_t i = 0; i < s->n_nets; i++)
		buf_addf(&b, "%s%s", i ? "," : "", s->nets[i].network);
	return buf_take(&b);
}

char *ctr_text_labels(const struct strv *labels)
{
	struct buf b = buf_make(STATE_MAX);

	for (size_t i = 0; i < labels->n; i++)
		buf_addf(&b, "%s%s", i ? "," : "", labels->v[i]);
	return buf_take(&b);
}

char *ctr_text_network(const struct run_spec *s)
{
	switch (s->net) {
	case NET_HOST:
		return xstrdup("host");
	case NET_JOIN:
		return xasprintf("container:%s", s->net_of ? s->net_of : "");
	case NET_NETS:
		return xstrdup(s->n_nets ? s->nets[0].network : "");
	case NET_USER:
		return xstrdup(s->net_user ? s->net_user : "pasta");
	case NET_NONE:
		break;
	}
	return xstrdup("none");
}

char *ctr_text_mounts(const struct run_spec *s, bool cut)
{
	struct buf b = buf_make(MIB(1));

	for (size_t i = 0; i < s->n_mounts; i++) {
		const struct mount_spec *const m = &s->mounts[i];
		const char *const name = m->volume ? m->volume : m->source;
		autofree char *text = NULL;

		if (m->type == MOUNT_TMPFS || !name)
			continue;
		text = cut ? ctr_text_cut(name, 15) : xstrdup(name);
		buf_addf(&b, "%s%s", b.len ? "," : "", text);
	}
	return buf_take(&b);
}
