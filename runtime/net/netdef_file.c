/*
 * netdef_file - networks/<name>/config.json
 *
 * What the options say is read from them again, so that it stands there once.
 */
#include "runtime/net/netdef.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/own.h"

#define CONFIG "config.json"

static json_t *strings(const struct strv *v)
{
	json_t *const a = json_array();

	for (size_t i = 0; i < v->n; i++)
		(void)json_array_append_new(a, json_string(v->v[i]));
	return a;
}

static json_t *pool_json(const struct netdef_pool *p)
{
	char subnet[IP_TEXT_MAX];
	char gateway[IP_TEXT_MAX];
	char range[IP_TEXT_MAX];

	return json_pack("{s:s, s:s, s:s, s:o}", "subnet",
			 ip_net_text(&p->subnet, subnet), "gateway",
			 ip_text(&p->gateway, gateway), "range",
			 ip_net_text(&p->range, range), "aux",
			 strings(&p->aux));
}

int netdef_write(int dir, const struct netdef *d, struct err *e)
{
	autojson json_t *doc = json_pack(
		"{s:s, s:s, s:s, s:I, s:b, s:b, s:s, s:o, s:o, s:o, s:o}",
		"name", d->name, "id", d->id, "driver",
		netdef_driver_name(d->driver), "created",
		(json_int_t)d->created_ns, "internal", d->internal, "ipv6",
		d->ipv6, "link", d->link, "v4", pool_json(&d->v4), "v6",
		pool_json(&d->v6), "options", strings(&d->options), "labels",
		strings(&d->labels));
	autofree char *text = doc ? json_dumps(doc, JSON_COMPACT) : NULL;

	if (!text)
		return err_set(e, ERR_USAGE,
			       "network %s: an option or label is not UTF-8",
			       d->name);
	return fs_replace_at(dir, CONFIG, text, strlen(text), 0600, true, e);
}

static int get_strings(const struct jval *o, const char *key, struct strv *ret,
		       struct err *e)
{
	struct jval list;
	int64_t n;

	if (jget(o, key, &list, e))
		return -1;
	n = jlen(&list, e);
	if (n < 0)
		return -1;
	for (int64_t i = 0; i < n; i++) {
		const char *s;

		if (jat_str(&list, (size_t)i, &s, e))
			return -1;
		strv_add(ret, s);
	}
	return 0;
}

static int get_pool(const struct jval *doc, const char *key,
		    struct netdef_pool *p, struct err *e)
{
	const char *subnet = NULL;
	const char *gateway = NULL;
	const char *range = NULL;
	struct jval o;

	if (jget(doc, key, &o, e) || jget_str(&o, "subnet", &subnet, e) ||
	    jget_str(&o, "gateway", &gateway, e) ||
	    jget_str(&o, "range", &range, e) ||
	    get_strings(&o, "aux", &p->aux, e))
		return -1;
	if ((*subnet && !ip_net_parse(subnet, &p->subnet)) ||
	    (*gateway && !ip_parse(gateway, &p->gateway)) ||
	    (*range && !ip_net_parse(range, &p->range)))
		return err_set(e, ERR_INVALID, "%s: not addresses", o.path);
	return 0;
}

static int parse(const struct buf *text, struct netdef *d, struct err *e)
{
	autojson json_t *doc = json_parse(buf_str(text), text->len, CONFIG, e);
	const char *id = NULL;
	const char *driver = NULL;
	const char *link = NULL;
	struct jval root;

	if (!doc)
		return -1;
	root = jval_root(doc, CONFIG);
	if (jget_str(&root, "id", &id, e) ||
	    jget_str(&root, "driver", &driver, e) ||
	    jget_str(&root, "link", &link, e) ||
	    jget_i64(&root, "created", &d->created_ns, e) ||
	    jget_bool_opt(&root, "internal", false, &d->internal, e) ||
	    jget_bool_opt(&root, "ipv6", false, &d->ipv6, e) ||
	    get_pool(&root, "v4", &d->v4, e) ||
	    get_pool(&root, "v6", &d->v6, e) ||
	    get_strings(&root, "options", &d->options, e) ||
	    get_strings(&root, "labels", &d->labels, e))
		return -1;
	if (!netdef_driver_parse(driver, &d->driver) ||
	    strlen(id) != sizeof(d->id) - 1 || strlen(link) >= IFNAMSIZ)
		return err_set(e, ERR_INVALID, "%s: not what this prism writes",
			       CONFIG);
	(void)snprintf(d->id, sizeof(d->id), "%s", id);
	if (netdef_read_options(d, e))
		return -1;
	(void)snprintf(d->link, sizeof(d->link), "%s", link);
	return 0;
}

int netdef_read(int networks, const char *name, struct netdef *ret,
		struct err *e)
{
	autobuf struct buf text = buf_make(STATE_MAX);
	autofree char *path = xasprintf("%s/" CONFIG, name);
	autonetdef struct netdef d = {0};

	if (fs_read_at(networks, path, &text, e)) {
		if (e->kind != ERR_NOTFOUND)
			return err_prefix(e, "network %s", name);
		err_clear(e);
		return err_set(e, ERR_NOTFOUND, "network %s not found", name);
	}
	ERR_IN(e, "network %s", name);
	(void)snprintf(d.name, sizeof(d.name), "%s", name);
	if (parse(&text, &d, e))
		return -1;
	*ret = d;
	d = (struct netdef){0};
	return 0;
}
